"""``ssm-bounds measure``."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import click

from ssm_bounds.cli.options import fail, located


@click.command(no_args_is_help=True)
@click.argument("path", type=click.Path(path_type=Path), metavar="MODEL")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="Rows: .npz with x_train (m, T, d) and y_train.",
)
@click.option("--prenorm", is_flag=True, help="Of the model of the public example.py: norms stand before their layers.")
@click.option("--channels", is_flag=True, help="Every channel, however many there are (csv and json have them always).")
@click.option("--format", "form", type=click.Choice(("table", "json", "markdown", "csv")), default="table",
              show_default=True)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the report here, not to stdout.")
def measure(path: Path, data: Path, prenorm: bool, channels: bool, form: str, out: Path | None) -> None:
    """Print tau of every S4D layer, by channel, on the rows of a file: a measure, not a bound.

    tau is made of the kernel and of the mean and deviation of the layer's inputs. It is at least the mean square of a
    channel's last output over these rows, up to rounding. Liu and Li scale by a measure of this form and add it to the
    loss; whether theirs is this very one was not read. Nothing follows from it about new rows; of one linear layer with
    a readout, `ssm-bounds certify` has bounds.

    \b
    Examples:
      ssm-bounds measure s4d.pth --data train.npz
      ssm-bounds measure stack.pth --data train.npz --channels --format csv --out tau.csv
      ssm-bounds measure ckpt.pth --data train.npz --prenorm --format json

    MODEL holds tensors under the names of the public code: one S4D layer, several that are numbered 0, 1, 2 and so on
    and stand behind one another, or the model of its example.py. With output_linear, GELU, the mixing layer and GLU
    follow a layer.

    Exit codes: 0; 2 where a file cannot be read, or holds something between the layers that is not known; 130 after
    Ctrl-C.
    """
    from ssm_bounds.cli.output import OutputError, emit, emit_table, require_writable

    try:
        require_writable(out, "--out", path, data)
        from rich.console import Console
        from rich.progress import Progress

        from ssm_bounds.measure import measure as measured
        from ssm_bounds.report import measure as report

        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
            bar = bars.add_task("rows", total=None)
            found = measured(
                path,
                data=data,
                prenorm=prenorm,
                progress=lambda done, total: bars.update(bar, completed=done, total=total),
            )
        if form == "table":
            emit_table(partial(report.show, found, channels=channels), out)
        elif form == "json":
            emit(json.dumps(report.document(found), indent=2, allow_nan=False) + "\n", out)
        else:
            emit(report.csv(found) if form == "csv" else report.markdown(found, channels=channels), out)
    except KeyboardInterrupt:
        click.echo("ssm-bounds: interrupted, nothing was written", err=True)
        sys.exit(130)
    except OutputError as problem:
        fail(problem)
    except OSError as problem:
        fail(f"{problem.filename or path}: {problem.strerror or problem}")
    except (ValueError, ArithmeticError) as problem:
        fail(located(path, problem))
