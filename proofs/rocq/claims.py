"""``claims.v``: each statement that names a theorem, printed as Coq propositions from its formulas.

``python -m ssm_bounds.proofs.rocq.claims`` writes it anew. A statement is a module of that file: its hypotheses, its
conclusion, and where a theorem proves all of it its claim, which says them of all values of the letters. A theorem of a
``.v`` file proves the claim, or the conclusion where it binds letters to sums and vectors.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from sympy.logic.boolalg import Boolean

from ssm_bounds.proofs.check import statements
from ssm_bounds.proofs.rocq.gallina import binders, kind, letter, letters, proposition, signs
from ssm_bounds.proofs.statement import Reading, Statement

FOLDER = Path(__file__).parent
FILE = FOLDER / "claims.v"
_WIDTH = 118
_HEAD = """\
(* Printed from the statements by `python -m ssm_bounds.proofs.rocq.claims`: edit those, not this file. *)
From Coq Require Import Reals.
From Coquelicot Require Import Hierarchy.
Open Scope R_scope.

Definition ceiling (x : R) : R := - IZR (Int_part (- x)).
"""


def module(label: str) -> str:
    """The Coq module of a statement.

    >>> module("5.1-gate"), module("paper:C.9")
    ('s5_1_gate', 'paper_C_9')
    """
    name = re.sub(r"\W", "_", label)
    return name if name[0].isalpha() else f"s{name}"


def text(known: Iterable[Statement]) -> str:
    """The file: every statement that names a theorem."""
    return "\n".join([_HEAD, *(printed(statement) for statement in known if statement.theorems)])


def printed(s: Statement) -> str:
    """A statement as a module; its claim where a theorem is to prove all of it. Raises: DomainError for a formula that
    has no Coq text."""
    lines = [f"(* {s.label} *)", f"Module {module(s.label)}."]
    parts = {f"hypothesis_{index}": formula for index, formula in enumerate(s.hypotheses, 1)} | {"conclusion": s.claim}
    for name, formula in parts.items():
        head = f"Definition {name} {binders(letters(formula))} : Prop :="
        lines += [*_wrapped([head], "    "), *_wrapped([f"  {proposition(formula)}."], "    ")]
    if any(theorem.reading is Reading.CLAIM for theorem in s.theorems):
        every = letters(*parts.values())
        assumed = [sign for symbol in every if (sign := signs(symbol)) is not None]
        premises = [*assumed, *(_applied(name, formula) for name, formula in parts.items())]
        lines += ["Definition claim : Prop :=", *_wrapped([f"  forall {binders(every)},"], "    ")]
        lines += _wrapped([f"    {premises[0]}", *(f"-> {premise}" for premise in premises[1:])], "    ", ".")
    return "\n".join([*lines, f"End {module(s.label)}.", ""])


def _applied(name: str, formula: Boolean) -> str:
    found = letters(formula)
    ring = ["K"] if any(kind(symbol) == "K" for symbol in found) else []
    return " ".join([name, *ring, *map(letter, found)])


def _wrapped(pieces: Sequence[str], indent: str, end: str = "") -> list[str]:
    """Pieces filled into lines; one that is too long for a line of its own breaks at blanks."""
    lines = [""]
    for piece in pieces:
        joined = f"{lines[-1]} {piece}" if lines[-1] else piece
        if len(joined) <= _WIDTH:
            lines[-1] = joined
        else:
            first, *others = textwrap.wrap(
                piece,
                _WIDTH,
                initial_indent=indent if lines[-1] else "",
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
            lines = [*(line for line in lines if line), first, *others]
    return [*lines[:-1], lines[-1] + end]


if __name__ == "__main__":
    FILE.write_text(text(statements().values()), encoding="utf-8")
