"""``ssm-bounds certify``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import nullcontext
from dataclasses import fields
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ssm_bounds.cli.command_line import command_line
from ssm_bounds.cli.options import FORMATS, fail, located, seconds
from ssm_bounds.cli.progress import searching
from ssm_bounds.cli.workers import workers

if TYPE_CHECKING:
    from ssm_bounds.certificate import Certificate


@click.command(no_args_is_help=True)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option(
    "--m",
    "m",
    type=click.IntRange(1, 10**18),
    help="Training sequences. Default: those of --data, or the file's record.",
)
@click.option("--T", "T", type=click.IntRange(min=1), help="Largest sequence length. Default: the file's record.")
@click.option("--delta", default="0.05", show_default=True, metavar="P", help="Failure probability.")
@click.option("--loss", type=click.Choice(["ramp", "clipped-ce", "cross-entropy"]), default="ramp", show_default=True)
@click.option(
    "--margin",
    default="1",
    show_default=True,
    metavar="G",
    help="Margin g, fixed before the data; 'auto' chooses it with --data and pays its cell.",
)
@click.option("--clip", metavar="C", help="Level c at which --loss clipped-ce is clipped.")
@click.option("--inputs", type=click.Choice(["ball", "vocabulary"]), default="ball", show_default=True)
@click.option(
    "--embedding",
    type=click.Choice(["fixed", "trained"]),
    help="Was the embedding fixed before the sample (a condition of the claim), or trained on it (then it is in the "
    "class)? Default: the file's record, else fixed.",
)
@click.option(
    "--gate",
    type=click.Choice(["softplus", "none"]),
    help="Gate, where the file does not record it (none: Delta = 1). Default: softplus, as a condition of the claim.",
)
@click.option(
    "--convention",
    type=click.Choice(["code", "paper"]),
    help="Does y_T read the state after token T (code) or before it (paper)? Default: the file's record, else code.",
)
@click.option("--input-bound", metavar="B", help="Bound on |u_t| for real-valued inputs.")
@click.option(
    "--input-moments",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With --data, of a linear S4D layer: .npz with mean and deviation (T, d) of the inputs, fixed before the data "
    "(a condition of tau-class). Default: 0 and 1.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Training set: .npz with x_train, y_train (and perhaps x_test, y_test), .csv, .jsonl with text and label, or "
    "ListOps .tsv.",
)
@click.option(
    "--text",
    type=click.Path(path_type=Path),
    help="Of a language model: the documents of its training, .jsonl with 'text' on each line.",
)
@click.option(
    "--per",
    type=click.Choice(["token", "document", "symbol"]),
    help="With --text: bound the bits on the contexts of this very text, whatever its law (token), the mean over new "
    "documents (document), or the bits of new documents over their symbols (symbol).  [default: token]",
)
@click.option("--test", type=click.Path(path_type=Path), help="Fresh test set, or text, for the hold-out rung.")
@click.option(
    "--models-on-test",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many models in all meet these test rows, those of other calls included. Default: those of this call.",
)
@click.option(
    "--occam",
    is_flag=True,
    help="With --data: round the model and certify the rounded one (theory 8.1); code a folder in a word (8.12).",
)
@click.option(
    "--certify-loss",
    is_flag=True,
    help="With --data, and --occam or a rounded model: certify the mean of --loss on new rows too (theory 8.1, 8.5).",
)
@click.option("--one-draw", is_flag=True, help="With --data: draw one model from a posterior, certify it (theory 8.2).")
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    callback=seconds,
    default=150,
    show_default=True,
    metavar="SECONDS",
    help="Of each such search; Ctrl-C ends it earlier and keeps the best so far.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Of these searches, and of the one draw: then fixed before the data, and drawn once.",
)
@click.option("--save", type=click.Path(path_type=Path), help="Where the rounded or drawn model, or the word, goes.")
@click.option("--resume", is_flag=True, help="With --occam, of a folder: go on from the word in --save.")
@click.option(
    "--base",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="With --occam, of a folder: the model that the word moves, fixed before the data (a condition of the claim); "
    "also to certify such a word. Default: the start of the folder's seed. Without --occam, with --data: the model of "
    "which only the last block and the head were trained; bounds those (theory M6.4).",
)
@click.option(
    "--base-data",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="What --base was trained on, where its folder has no train.npz: rows that are training rows too are counted.",
)
@click.option(
    "--family",
    type=click.Choice(["auto", "head", "bitfit", "lora", "full", "subspace"]),
    default="auto",
    show_default=True,
    help="With --occam, of a folder: what the word codes. bitfit: vectors and convolutions too; lora: matrices, by "
    "moves of rank 1; subspace: all weights, along 256 fixed random directions. auto: the head, then bitfit around a "
    "base, or all from scratch; the smaller bound counts.",
)
@click.option(
    "--trials",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    metavar="N",
    help="With --occam, of a folder: search N times for a word of each family, at other kappas, first steps and seeds "
    "(theory 8.14); the smallest bound counts, and the number of trials costs nothing.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    metavar="N",
    help="Processes for these searches, of one thread each.",
)
@click.option(
    "--groups",
    metavar="NAME",
    help="Of a word: the array (.npz) or column (.csv) of --data with the group of each training row: patient, author. "
    "The unit is the group (theory 8.5).",
)
@click.option(
    "--sampled-without-replacement",
    is_flag=True,
    help="Of a word: the training rows are a random sample without replacement of a fixed finite collection, over "
    "which the error rate is then claimed, by kl (theory 8.5).",
)
@click.option(
    "--stratified",
    is_flag=True,
    help="Of a word: a fixed number of training rows of each class was drawn; claimed under their proportions, by kl.",
)
@click.option(
    "--draws-may-repeat",
    is_flag=True,
    help="States that equal rows of --data are independent draws. What rests on it stays CONDITIONAL on it: nobody can "
    "check it.",
)
@click.option(
    "--require",
    metavar="RISK",
    help="Exit with 1 unless the headline of every file is a risk of at most this, and CERTIFIED. Of a language model "
    "it is compared with bits a symbol.",
)
@click.option("--accept-conditions", is_flag=True, help="With --require: a CONDITIONAL risk will do.")
@click.option("--format", "form", type=click.Choice((*FORMATS, "html")), default="table", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the report here, not to stdout.")
def certify(
    paths: tuple[Path, ...],
    form: str,
    out: Path | None,
    require: str | None,
    accept_conditions: bool,
    jobs: int,
    **options: Any,
) -> None:
    """Print what can be claimed of each checkpoint: the headline, the ladder of bounds, and on what each rests.

    \b
    Examples:
      ssm-bounds certify imdb.pth --m 25000 --T 500 --embedding trained --gate softplus
      ssm-bounds certify *.pth --m 1000 --T 500 --format json --out report.json
      ssm-bounds certify imdb.pth --m 25000 --T 500 --format html --out report.html
      ssm-bounds certify listops.pth --T 105 --data train.tsv --test test.tsv
      ssm-bounds certify model.safetensors --embedding trained --data data.npz --margin auto
      ssm-bounds certify model.pth --T 200 --data data.npz --occam --save rounded.safetensors
      ssm-bounds certify rounded.safetensors --data data.npz      # the same number, without a search
      ssm-bounds certify rounded.safetensors --data data.npz --require 0.09
      ssm-bounds certify rounded.safetensors --data data.npz --certify-loss --loss clipped-ce --clip 3
      ssm-bounds certify s4d.pth --m 25000 --T 500 --input-bound 1       # one linear S4D layer with a readout W
      ssm-bounds certify s4d.pth --data train.npz --input-bound 1 --input-moments before.npz      # and tau-class
      ssm-bounds certify block/ --data block/train.npz            # one block, as train mamba saves it
      ssm-bounds certify tuned/ --base base/ --data train.npz     # the last block and the head, on a frozen backbone
      ssm-bounds certify stack/ --data data.npz --occam --save word           # any number of blocks, by a word
      ssm-bounds certify stack/ --data data.npz --occam --base pretrained --save word
      ssm-bounds certify word/ --data data.npz                    # the same number, without a search
      ssm-bounds certify stack/ --data data.npz --occam --trials 6 --jobs 2 --save word      # several searches at once
      ssm-bounds certify lm/ --text train.jsonl --occam --budget 1200 --save word             # a language model
      ssm-bounds certify tuned/ --base lm/ --text more.jsonl --occam --per document --save word
      ssm-bounds certify stack/ --data data.npz --occam --sampled-without-replacement     # over a finite collection
      ssm-bounds certify stack/ --data data.npz --occam --groups patient      # the mean over patients

    A checkpoint is a .safetensors, .pt or .pth file of tensors, or a folder with a config; pickled code is refused. A
    word is a folder too: whatever is in it is decoded, run and counted anew. A rounded or drawn model runs as the
    program that its file names, and the certificate says which (theory 8.13).

    Exit codes: 0; 1 where --require is not met; 2 where a path could not be certified (the others are printed all the
    same) or an option is wrong.
    """
    from ssm_bounds.cli.output import OutputError, require_writable

    _require_searchable(len(paths), options, jobs)
    if accept_conditions and require is None:
        raise click.UsageError("--accept-conditions goes with --require RISK")
    try:
        read = [path for path in (*paths, options["input_moments"]) if path is not None]
        for name, path in (("--out", out), ("--save", options["save"])):
            require_writable(path, name, *read)
    except OutputError as problem:
        fail(problem)
    certificates: list[Certificate] = []
    failed: list[tuple[str, str]] = []
    unmet: list[str] = []
    try:
        level = _level(require)
        # trials are one thread each, however many processes there are, so that their number changes no word
        with workers(jobs, threads=1) if max(jobs, options["trials"]) > 1 else nullcontext() as executor:
            for path, outcome in _outcomes(paths, options | {"executor": executor}):
                if isinstance(outcome, Exception):
                    failed.append((str(path), located(path, outcome)))
                    continue
                certificates.append(outcome)
                reason = None if level is None else outcome.met(level, accept_conditions=accept_conditions)
                if reason is not None:
                    unmet.append(f"{path}: --require {require} is not met: {reason}")
        if certificates or form == "json":
            _emit(certificates, failed, form, out)
    except OSError as problem:
        fail(f"{problem.filename}: {problem.strerror or problem}")
    except BrokenExecutor:
        fail("a process that searched was ended, for its memory perhaps; give fewer --jobs")
    except ValueError as problem:
        fail(" ".join(str(problem).split()))
    for line in (*(error for _, error in failed), *unmet):
        click.echo(f"ssm-bounds: {line}", err=True)
    sys.exit(2 if failed else 1 if unmet else 0)


def _level(require: str | None) -> Fraction | None:
    from ssm_bounds.evidence import exactly

    return None if require is None else exactly(require, "--require, a risk")


def _require_searchable(count: int, options: dict[str, Any], jobs: int) -> None:
    """--occam and --one-draw take one file with its data; --save one model."""
    wanted = [name for name in ("occam", "one_draw") if options[name]]
    flags = " and ".join(f"--{name.replace('_', '-')}" for name in wanted)
    if options["text"] is not None and options["data"] is not None:
        raise click.UsageError("--text is for a language model, --data for a classifier: give one")
    if options["per"] is not None and options["text"] is None:
        raise click.UsageError("--per goes with --text FILE")
    if options["certify_loss"] and options["data"] is None:
        raise click.UsageError("--certify-loss needs the training data: give --data FILE")
    if wanted and options["data"] is None and options["text"] is None:
        raise click.UsageError(f"{flags} needs the training data: give --data FILE, or --text FILE")
    if wanted and count > 1:
        raise click.UsageError(f"{flags} takes one checkpoint at a time")
    if options["resume"] and (options["save"] is None or not options["occam"]):
        raise click.UsageError("--resume goes with --occam and --save FOLDER")
    if max(jobs, options["trials"]) > 1 and not options["occam"]:
        raise click.UsageError("--trials and --jobs go with --occam, of a folder")
    if options["save"] is not None and len(wanted) != 1:
        raise click.UsageError("--save goes with one of --occam and --one-draw")
    if options["groups"] is not None and options["data"] is None:
        raise click.UsageError("--groups NAME names an array or a column of --data FILE")
    if options["sampled_without_replacement"] and options["stratified"]:
        raise click.UsageError("--sampled-without-replacement and --stratified: rows are drawn in one way")
    if options["draws_may_repeat"] and (options["data"] is None or options["sampled_without_replacement"]):
        raise click.UsageError("--draws-may-repeat is about independent draws, the rows of --data FILE")
    if options["models_on_test"] is not None and options["models_on_test"] < count:
        raise click.UsageError(f"--models-on-test: at least the {count} models of this call")


def _outcomes(paths: tuple[Path, ...], options: dict[str, Any]) -> Iterator[tuple[Path, Certificate | Exception]]:
    """What became of each path, in order: a certificate, or why there is none; with a progress bar for many."""
    from ssm_bounds.data import Data, read_data
    from ssm_bounds.inquiry import Search

    search = Search(**{field.name: options.pop(field.name) for field in fields(Search)})
    flags = {"without-replacement": "sampled_without_replacement", "stratified": "stratified"}
    drawn = [draws for draws, flag in flags.items() if options.pop(flag)]
    may_repeat = options.pop("draws_may_repeat")
    stated = options | {"search": search, "models_on_test": options["models_on_test"] or len(paths)}
    stated["draws"] = drawn[0] if drawn else "iid"
    if options["data"] is not None:
        task = read_data(options["data"], options["test"], groups=options["groups"])
        known = Data(task, options["groups"], may_repeat)
        stated |= {"data": known, "test": None, "groups": None}
    if len(paths) > 1:
        _keep_what_is_loaded()
    work = zip(paths, map(partial(_attempt, stated), paths), strict=True)
    if len(paths) < 8 or not sys.stderr.isatty():
        return work
    from rich.console import Console
    from rich.progress import track

    return iter(track(work, description="certifying", total=len(paths), console=Console(stderr=True), transient=True))


def _keep_what_is_loaded() -> None:
    """Modules stay to the end: no collection of garbage between two files has to go through them."""
    import gc

    import ssm_bounds.certificate  # noqa: F401

    gc.freeze()


def _attempt(stated: dict[str, Any], path: Path) -> Certificate | Exception:
    from ssm_bounds.asking import ask
    from ssm_bounds.certificate import certify as certified

    try:
        with searching() as progress:
            return certified(ask(path, **stated), progress=progress)
    except (ValueError, ArithmeticError, OSError) as problem:
        return problem


def _emit(certificates: list[Certificate], failed: list[tuple[str, str]], form: str, out: Path | None) -> None:
    from ssm_bounds.cli.output import emit, emit_table
    from ssm_bounds.report import tables
    from ssm_bounds.report.document import documents

    if form == "table":
        emit_table(partial(tables.table, certificates), out)
        return
    if form == "json":
        text = json.dumps(documents(certificates, failed), indent=2, allow_nan=False) + "\n"
    elif form == "html":
        from ssm_bounds.report.html.page import page

        text = page(certificates, failed, command=command_line(click.get_current_context()))
    else:
        writer: Callable[..., str] = {"markdown": tables.markdown, "latex": tables.latex}[form]
        text = writer(certificates)
    emit(text, out)
