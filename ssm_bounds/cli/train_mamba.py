"""``ssm-bounds train mamba``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ssm_bounds.cli.options import fail

if TYPE_CHECKING:
    from ssm_bounds.models.tasks.task import Task

_SIZE = click.IntRange(min=1)


@click.command()
@click.option(
    "--task",
    type=click.Choice(["majority", "mnist1d", "curves1d", "file", "text"]),
    default="majority",
    show_default=True,
    help="majority: more ones than zeros? Each row has its own chance p of a one, uniform on [0, 1]; a tie is a 0. "
    "mnist1d: which of ten digits? 40 reals a row, drawn independently; pip install 'ssm-bounds[mnist1d]'. "
    "curves1d: which of forty other curves? For a base of mnist1d. file: your own rows, --data. text: a language model "
    "of the documents in --data, .jsonl with 'text' on each line, by 79 fixed symbols.",
)
@click.option(
    "--m", "m", type=_SIZE, help="Training rows of majority, mnist1d or curves1d.  [default: 20000; 4000; 38000]"
)
@click.option(
    "--T", "T", type=_SIZE, help="Length of a row of majority; of text, symbols of a document.  [default: 50; 100]"
)
@click.option("--test", type=click.IntRange(min=0), metavar="N", help="Test rows.  [default: as --m; 8000; 2000]")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Rows of task file: .npz, .csv, .tsv, or .jsonl with text and label; the .jsonl of task text.",
)
@click.option(
    "--pad-token",
    type=click.IntRange(min=0),
    help="The token that fills rows up on the right, if one does; of .jsonl 0.",
)
@click.option("--mixer", type=click.Choice(["mamba", "mamba2"]), default="mamba", show_default=True)
@click.option("--layers", type=_SIZE, default=1, show_default=True, help="Blocks.")
@click.option("--d-model", "D", type=_SIZE, default=8, show_default=True, help="Width of the residual stream.")
@click.option("--expand", type=_SIZE, default=2, show_default=True, help="Channels of a block, over --d-model.")
@click.option("--d-state", "N", type=_SIZE, default=4, show_default=True, help="States per channel.")
@click.option("--conv", "k", type=_SIZE, default=4, show_default=True, help="Taps of the convolution.")
@click.option("--head-dim", "P", type=_SIZE, default=8, show_default=True, help="Channels per head of mamba2.")
@click.option("--final-norm/--no-final-norm", default=False, show_default=True, help="A norm after the last block.")
@click.option("--pooling", type=click.Choice(["last", "mean"]), default="last", show_default=True)
@click.option("--pool-before-norm", is_flag=True, help="With both: the mean first, as one-block certificates need it.")
@click.option("--epochs", type=_SIZE, default=12, show_default=True)
@click.option("--batch", type=_SIZE, default=200, show_default=True, help="Rows per step.")
@click.option("--lr", type=float, default=5e-3, show_default=True, help="Learning rate of Adam, to 0 along a cosine.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Of the start, which the folder records and anyone can compute again, of the order of rows, and of majority; "
    "the rows of mnist1d are always the same.",
)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--resume", is_flag=True, help="Go on from an interrupted training of the same settings and data.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("mamba"),
    show_default=True,
    help="Folder to write. One that no training here wrote is left alone.",
)
def mamba(
    task: Literal["majority", "mnist1d", "curves1d", "file", "text"],
    m: int | None,
    T: int | None,
    test: int | None,
    data: Path | None,
    pad_token: int | None,
    epochs: int,
    batch: int,
    lr: float,
    seed: int,
    device: str,
    resume: bool,
    out: Path,
    **sizes: Any,
) -> None:
    """A classifier, or a language model, of Mamba or Mamba-2 blocks, from a start that a seed decides.

    Writes a folder: config.json and model.safetensors, whose backbone transformers reads (MambaModel, Mamba2Model), and
    train.npz or train.jsonl, the data. Adam on the cross-entropy, in float32. Ctrl-C keeps the last complete epoch.

    \b
    Examples:
      ssm-bounds train mamba --task majority --m 20000 --T 50 --layers 1 --out block
      ssm-bounds train mamba --layers 2 --d-model 16 --pooling mean --final-norm --out two
      ssm-bounds train mamba --task file --data data.npz --mixer mamba2 --d-model 16 --out own
      ssm-bounds train mamba --task mnist1d --m 4000 --layers 2 --d-model 16 --pooling mean --final-norm --out digits
      ssm-bounds train mamba --task curves1d --layers 2 --d-model 32 --pooling mean --final-norm --out base
      ssm-bounds train mamba --task text --data train.jsonl --layers 2 --d-model 48 --d-state 8 --out lm
      ssm-bounds inspect block --T 50
    """
    from rich.console import Console

    try:
        if task == "text":
            text = _text(m, test, data, pad_token)
        else:
            options, rows = _rows(task, m, T, test, data, seed)
        import torch

        from ssm_bounds.experiments.language import train_on
        from ssm_bounds.experiments.mamba import train_into
        from ssm_bounds.models.mamba.design import Design
        from ssm_bounds.models.tasks.symbols import END as PAD
        from ssm_bounds.models.tasks.symbols import English
        from ssm_bounds.models.training.mamba import MambaSettings

        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError("--device cuda: torch finds no CUDA device here; leave the option out")
        settings, console = MambaSettings(epochs, batch, lr, seed), Console(stderr=True)
        if task == "text":
            symbols = English().size
            design = Design(V=symbols, outputs=symbols, **sizes | {"pooling": "none", "final_norm": True})
            train_on(text, out, design, settings, T=T or 100, console=console, device=device, resume=resume)
            return
        if pad_token is None and data is not None and data.suffix == ".jsonl":
            pad_token = PAD
        V = None if rows.V is None else max(rows.V, 0 if pad_token is None else pad_token + 1)
        c = rows.train.x.shape[2] if V is None else None
        design = Design(V=V, c=c, outputs=rows.k, pad=pad_token, **sizes)
        train_into(out, rows, design, settings, options=options, console=console, device=device, resume=resume)
    except (ValueError, OSError) as problem:
        fail(problem)


def _text(m: int | None, test: int | None, data: Path | None, pad_token: int | None) -> Path:
    """Raises: ValueError."""
    if data is None:
        raise ValueError("--task text: give the documents, --data FILE.jsonl")
    for option, value in (("--m", m), ("--test", test), ("--pad-token", pad_token)):
        if value is not None:
            raise ValueError(f"{option} belongs to other tasks: the documents of {data} are as they are")
    return data


def _rows(
    task: str, m: int | None, T: int | None, test: int | None, data: Path | None, seed: int
) -> tuple[dict[str, Any], Task]:
    """What the task was made of, and its rows. Raises: ValueError, OSError."""
    if task == "file":
        if data is None:
            raise ValueError("--task file: give the rows, --data FILE")
        for option, value in (("--m", m), ("--T", T), ("--test", test)):
            if value is not None:
                raise ValueError(f"{option} belongs to other tasks: the rows of {data} are as they are")
        from ssm_bounds.models.tasks.files import read_task

        return {"data": data.name}, read_task(data)
    if data is not None:
        raise ValueError("--data belongs to --task file and --task text")
    if task in ("mnist1d", "curves1d"):
        if T is not None:
            raise ValueError(f"--T belongs to --task majority: rows of {task} have 40 numbers")
        from ssm_bounds.models.tasks.mnist1d import TEST, curves1d, mnist1d

        if task == "curves1d":
            asked = {"m": m or 38000, "test": 2000 if test is None else test}
            return asked, curves1d(**asked)

        chosen = {"m": m or 4000, "test": TEST if test is None else test}
        return chosen, mnist1d(**chosen)
    from ssm_bounds.models.tasks.majority import majority

    options: dict[str, Any] = {"m": m or 20000, "T": T or 50, "seed": seed, "ties": True}
    options["test"] = options["m"] if test is None else test
    return options, majority(**options)
