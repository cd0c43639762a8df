"""``ssm-bounds verify``."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ssm_bounds.cli.options import FORMATS, fail, seconds

if TYPE_CHECKING:
    from ssm_bounds.proofs.check import Entry
    from ssm_bounds.proofs.statement import Statement

_TYPED = click.core.ParameterSource.COMMANDLINE


@click.command()
@click.argument("labels", nargs=-1, metavar="[LABEL]...")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option(
    "--budget",
    type=click.FloatRange(min=0),
    callback=seconds,
    default=0,
    show_default=True,
    metavar="SECONDS",
    help="Go on searching for counterexamples after the first round, in all for about so long.",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Seed of that search.")
@click.option("--no-search", is_flag=True, help="Decide derivations and counterexamples alone, without any search.")
@click.option(
    "--kernel",
    is_flag=True,
    help="Let the kernel of Coq check the theorems of proofs/rocq too (needs coqc, coquelicot and interval).",
)
def verify(labels: tuple[str, ...], form: str, budget: float, seed: int, no_search: bool, kernel: bool) -> None:
    """Check the statements of the theory, or those with the given labels; published ones are labelled paper:...

    A statement about parameters and inputs is also attacked: gradient ascent over everything that it quantifies, for
    the largest left/right. A ratio above 1 that ball arithmetic confirms refutes it. "tight" ones come close to 1.

    \b
    Examples:
      ssm-bounds verify
      ssm-bounds verify paper:C.3 4.4 --format markdown
      ssm-bounds verify 5.1 --budget 60 --seed 1
      ssm-bounds verify --no-search
      ssm-bounds verify --kernel 4.5 5.1
      ssm-bounds verify --format latex > ledger.tex

    The exit code is 1 when a verdict differs from the recorded one, or the kernel refuses a theorem.

    KERNEL-CHECKED (claim): the claim as printed, for all values of its letters under its hypotheses. (formula): the
    formula as printed, where the theorem binds letters that prose explains to sums and vectors. (general): a theorem
    written by hand beside it.
    """
    from ssm_bounds.bounds.values import DomainError
    from ssm_bounds.proofs import check
    from ssm_bounds.report import ledger

    if no_search and (budget or click.get_current_context().get_parameter_source("seed") is _TYPED):
        fail("--budget and --seed are of the search, which --no-search leaves out")
    try:
        chosen = check.select(labels)
        marks = _kernel(chosen) if kernel else {}
    except DomainError as problem:
        fail(problem)
    entries: list[Entry] = []
    try:
        _verify(chosen, None if no_search else budget, seed, entries)
    except KeyboardInterrupt:
        click.echo(f"ssm-bounds: interrupted; {len(entries)} of {len(chosen)} statements are below", err=True)
    if kernel:
        entries = [replace(entry, kernel=marks.get(entry.statement.label, ())) for entry in entries]
    if form == "table":
        from rich.console import Console

        ledger.table(entries, Console())
    elif form == "json":
        click.echo(json.dumps([entry.as_dict() for entry in entries], indent=2))
    else:
        click.echo({"markdown": ledger.markdown, "latex": ledger.latex}[form](entries), nl=False)
    differing = [entry for entry in entries if not entry.as_recorded]
    for entry in differing:
        click.echo(
            f"ssm-bounds: {entry.statement.label}: found {entry.verdict}, recorded {entry.statement.recorded}"
            f" ({'; '.join(entry.remarks)})",
            err=True,
        )
    sys.exit(1 if differing else 130 if len(entries) < len(chosen) else 0)


def _kernel(chosen: list[Statement]) -> dict[str, tuple[str, ...]]:
    """What the kernel checked of each statement, with a line of progress on a terminal. Raises: DomainError where Coq
    is missing or none of the statements names a theorem. Ends the program where Coq refuses one."""
    from rich.console import Console

    from ssm_bounds.bounds.values import require
    from ssm_bounds.proofs.rocq import kernel

    require(
        any(statement.theorems for statement in chosen),
        "--kernel: none of these statements names a theorem of proofs/rocq",
    )
    kernel.coqc()
    with Console(stderr=True).status("compiling proofs/rocq") as status:
        try:
            found = kernel.check(chosen, tell=lambda name: status.update(f"compiling proofs/rocq: {name}"))
        except kernel.KernelError as problem:
            click.echo(f"ssm-bounds: {problem}", err=True)
            sys.exit(1)
        except KeyboardInterrupt:
            click.echo("ssm-bounds: interrupted before the kernel was done", err=True)
            sys.exit(130)
    return {label: tuple(checked.mark for checked in every) for label, every in found.items()}


def _verify(chosen: list[Statement], budget: float | None, seed: int, entries: list[Entry]) -> None:
    """Search and check each statement in turn, adding to ``entries``, with a line of progress on a terminal.

    ``budget``: None for no search at all.
    """
    from rich.console import Console
    from rich.progress import Progress

    from ssm_bounds.proofs import check

    attacked = 0 if budget is None else sum(statement.adversary is not None for statement in chosen)
    if attacked:
        import torch

        from ssm_bounds.proofs.falsify import search

        torch.set_num_threads(1)  # the tensors are small
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("verifying", total=len(chosen))
        for statement in chosen:
            progress.update(task, description=f"verifying {statement.label}")
            start = time.perf_counter()
            finding = None
            if statement.adversary is not None and budget is not None:
                finding = search(statement.claim, statement.adversary, seed=seed, seconds=budget / attacked)
            entries.append(check.check(statement, finding, time.perf_counter() - start))
            progress.advance(task)
