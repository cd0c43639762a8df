"""``ssm-bounds train``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ssm_bounds.cli.options import fail
from ssm_bounds.cli.train_mamba import mamba


@click.group()
def train() -> None:
    """Train a model whose checkpoint records everything that certify needs.

    By task, the paper's model: majority, listops, imdb, file. By model, a stack of Mamba blocks: mamba.

    Beside the paper's model (OUT) goes a log of each epoch, as a table (.csv) and as JSON lines (.jsonl): loss,
    accuracy, s_A, norms, gate range, rho, R_1, and at the end the certified gap. Ctrl-C keeps the last complete epoch,
    and --resume goes on from there. A loss that is not finite ends the training and is recorded.
    """


train.add_command(mamba)

_CAPS = ("s_A", "B_A", "B_u", "B_B", "B_C", "B_q", "B_w")


def _caps(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, float | None]:
    """Option callback: NAME=VALUE pairs, "none" for no cap."""
    found: dict[str, float | None] = {}
    for pair in given:
        name, _, value = pair.partition("=")
        try:
            found[name] = None if value == "none" else float(value)
        except ValueError:
            raise click.BadParameter(f"{pair!r} is not NAME=NUMBER or NAME=none") from None
        if name not in _CAPS:
            raise click.BadParameter(f"{name!r} has no cap; these have: {', '.join(_CAPS)}")
    return found


_TRAINING = (
    click.option(
        "--recipe",
        type=click.Choice(["certify", "paper"]),
        default="certify",
        show_default=True,
        help="Defaults of the options below. certify: small norms and s_A <= 0, for a good certificate. paper: the "
        "authors' code (Adam at 0.01, ReduceLROnPlateau, output-spread penalty, A free).",
    ),
    click.option("--d", type=click.IntRange(min=1), help="Channels."),
    click.option("--N", "N", type=click.IntRange(min=1), help="States per channel."),
    click.option("--s-A", "s_A", type=float, help="Abscissa of the initial A; with recipe certify also its cap."),
    click.option("--epochs", type=click.IntRange(min=1)),
    click.option("--batch", type=click.IntRange(min=1), help="Rows per step."),
    click.option("--lr", type=float, help="Learning rate of Adam."),
    click.option("--weight-decay", type=float, help="Adam's L2 penalty."),
    click.option("--schedule", type=click.Choice(["cosine", "plateau"]), help="How the learning rate falls."),
    click.option("--spread", type=float, help="Factor of the penalty of outputs whose spread is below 0.1."),
    click.option("--stability", type=float, help="Factor of the penalty of entries of A above 0."),
    click.option(
        "--cap",
        "caps",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_caps,
        help=f"Project on this class constant after each step ('none': do not): {', '.join(_CAPS)}.",
    ),
    click.option("--gate", type=click.Choice(["softplus", "none"]), help="none: Delta = 1."),
    click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True),
    click.option(
        "--every",
        type=click.IntRange(min=0),
        default=0,
        metavar="EPOCHS",
        help="Certify every so many epochs in the log. Default: the last one.",
    ),
    click.option("--resume", is_flag=True, help="Go on from an interrupted training of the same settings and data."),
    click.option("--save-data", type=click.Path(path_type=Path, dir_okay=False), help="Also write the data (.npz)."),
)


def _out(default: str) -> Callable[[Any], Any]:
    return click.option(
        "--out",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path(default),
        show_default=True,
        help="Checkpoint to write.",
    )


def _training(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_TRAINING):
        command = option(command)
    return command


def _m_and_T(m: int, T: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def add(command: Callable[..., None]) -> Callable[..., None]:
        command = click.option(
            "--T", "T", type=click.IntRange(min=1), default=T, show_default=True, help="Sequence length."
        )(command)
        return click.option(
            "--m", "m", type=click.IntRange(min=1), default=m, show_default=True, help="Training sequences."
        )(command)

    return add


@train.command()
@_m_and_T(20000, 50)
@click.option(
    "--paper-noise",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Flip this fraction of the training ones after labelling, as the paper does (0.10 printed, 0.25 in its code): "
    "training and test data then differ in distribution, which the theorem excludes.",
)
@_training
@_out("majority.safetensors")
def majority(m: int, T: int, paper_noise: float, seed: int, **chosen: Any) -> None:
    """Majority: is a binary sequence mostly ones? The number of ones is uniform; train and test are i.i.d.

    \b
    Examples:
      ssm-bounds train majority --out model.safetensors --save-data data.npz
      ssm-bounds train majority --recipe paper --m 1000 --T 200 --s-A 0.1 --seed 1
      ssm-bounds train majority --recipe paper --m 1000 --T 200 --paper-noise 0.25
      ssm-bounds train majority --cap B_w=2 --cap B_B=1 --cap B_C=1 --every 5
    """
    options = {"m": m, "T": T, "seed": seed} | ({"paper_noise": paper_noise} if paper_noise else {})
    _train("majority", options, seed=seed, **chosen)


@train.command()
@_m_and_T(1000, 100)
@_training
@_out("listops.safetensors")
def listops(m: int, T: int, seed: int, **chosen: Any) -> None:
    """ListOps: the value of nested MIN, MAX, MED and SM of digits, as in Long Range Arena; T - 4 to T + 4 tokens.

    \b
    Examples:
      ssm-bounds train listops --recipe paper --T 100 --out listops.safetensors --save-data listops.npz
      ssm-bounds train file train.tsv --test test.tsv --recipe paper --d 16      (the authors' own files)
    """
    _train("listops", {"m": m, "T": T, "seed": seed}, seed=seed, **chosen)


@train.command()
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the dataset (aclImdb). Default: download it.")
@click.option("--m", "m", type=click.IntRange(min=1), help="Reviews of each set, drawn by --seed. Default: all.")
@click.option("--T", "T", type=click.IntRange(min=1), default=500, show_default=True, help="Tokens of each review.")
@click.option(
    "--tokenizer",
    default="hash",
    show_default=True,
    help="'hash' (words by their CRC-32, nothing to download), or a folder or name for transformers' AutoTokenizer, "
    "such as the authors' bert-base-uncased.",
)
@_training
@_out("imdb.safetensors")
def imdb(data: Path | None, m: int | None, T: int, tokenizer: str, seed: int, **chosen: Any) -> None:
    """IMDb: is a film review positive? Reviews are cut or padded to T tokens.

    \b
    Examples:
      ssm-bounds train imdb --data aclImdb --T 500 --out imdb.safetensors
      ssm-bounds train imdb --recipe paper --tokenizer bert-base-uncased       (pip install 'ssm-bounds[imdb]')
    """
    options = {"T": T, "m": m, "data": data and str(data), "tokenizer": tokenizer, "seed": seed}
    _train("imdb", options, seed=seed, **chosen)


@train.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--test", type=click.Path(path_type=Path), help="Test set, where DATA has none.")
@click.option("--T", "T", type=click.IntRange(min=1), help="Pad ListOps rows to this length. Default: the longest row.")
@click.option("--input-bound", type=float, metavar="B", help="Bound on |u_t| for real-valued inputs.")
@_training
@_out("model.safetensors")
def file(data: Path, test: Path | None, T: int | None, input_bound: float | None, seed: int, **chosen: Any) -> None:
    """Your own sequences: DATA is an .npz archive, a .csv table, or a ListOps .tsv file.

    \b
    An archive has x_train, y_train and perhaps x_test, y_test: tokens (n,T) or real inputs (n,T,d); labels (n,).
    A table has a header y,x1,...,xT and a row for each sequence: its label, then its tokens.

    \b
    Examples:
      ssm-bounds train file data.npz --out model.safetensors
      ssm-bounds train file train.csv --test test.csv --d 8 --epochs 50
      ssm-bounds train file signals.npz --input-bound 3
    """
    options = {"data": str(data), "test": test and str(test), "T": T}
    _train("file", options, seed=seed, input_bound=input_bound, **chosen)


def _train(
    name: str,
    options: dict[str, Any],
    *,
    recipe: str,
    caps: dict[str, float | None],
    out: Path,
    save_data: Path | None,
    resume: bool,
    every: int,
    input_bound: float | None = None,
    **given: Any,
) -> None:
    """Train on the task called ``name``. Options that were not given are the recipe's."""
    from dataclasses import asdict, replace

    from rich.console import Console

    from ssm_bounds.experiments.run import RECIPES, RunConfig
    from ssm_bounds.experiments.show import train_and_show
    from ssm_bounds.models.tasks.arrays import write_arrays
    from ssm_bounds.models.training.caps import Caps

    try:
        settings = RECIPES[recipe][name]
        chosen = {option: value for option, value in given.items() if value is not None}
        kept = asdict(settings.caps)
        if kept["s_A"] is not None:
            kept["s_A"] = chosen.get("s_A", settings.s_A)
        config = RunConfig(name, options, replace(settings, **chosen, caps=Caps(**(kept | caps))), input_bound)
        task = config.load()
        if save_data is not None:
            write_arrays(save_data, task)
        train_and_show(config, out, console=Console(stderr=True), task=task, resume=resume, every=every)
    except (ValueError, OSError) as problem:
        fail(problem)
