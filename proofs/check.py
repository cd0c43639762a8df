"""Runs statements and collects verdicts."""

from __future__ import annotations

import importlib
import math
import pkgutil
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.proofs import ours, papers
from ssm_bounds.proofs.adversary import Finding
from ssm_bounds.proofs.statement import Outcome, Statement, Verdict


@dataclass(frozen=True, slots=True)
class Entry:
    """What the machine found for one statement, and how; ``remarks`` name steps that fail, axioms and assumptions.

    ``finding``: the worst point of the adversarial search; None where there was none. ``kernel``: what Coq's kernel
    checked (:class:`ssm_bounds.proofs.rocq.kernel.Checked`), a phrase a theorem; None where it was not asked.
    """

    statement: Statement
    verdict: Verdict
    method: str
    seconds: float
    remarks: tuple[str, ...]
    finding: Finding | None = None
    kernel: tuple[str, ...] | None = None

    @property
    def as_recorded(self) -> bool:
        return self.verdict is self.statement.recorded

    def as_dict(self) -> dict[str, Any]:
        """The JSON of one line; ``ratio`` is null for a statement without an adversary, ``kernel`` where Coq was not
        asked."""
        return {
            "label": self.statement.label,
            "verdict": self.verdict.value,
            "method": self.method,
            "ratio": self.finding.ratio if self.finding is not None else None,
            "seconds": round(self.seconds, 3),
            "counterexample": self.counterexample,
            "kernel": None if self.kernel is None else list(self.kernel),
        }

    @property
    def counterexample(self) -> str | None:
        """The recorded counterexample, or the point that the search found."""
        if self.statement.counterexample is not None:
            return self.statement.counterexample.description
        return str(self.finding.point) if self.finding is not None and self.finding.ratio > 1 else None

    @property
    def worst_ratio(self) -> str:
        """The ratio for a table, rounded downward as the search's own value is."""
        if self.finding is None:
            return ""
        ratio = self.finding.ratio
        if ratio > 1e300:
            return "> 1e+300"
        return f"{math.floor(1e4 * ratio) / 1e4:.4f}" if ratio < 100 else f"{ratio:.3g}"


def statements() -> dict[str, Statement]:
    """Every statement by label: published ones first, then ours, each in the order of their labels."""
    found: dict[str, Statement] = {}
    for package in (papers, ours):
        for statement in sorted(_below(package), key=lambda s: _place(s.label)):
            if statement.label in found:
                raise DomainError(f"two statements are labelled {statement.label}")
            found[statement.label] = statement
    return found


def _below(package: ModuleType) -> Iterator[Statement]:
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not info.ispkg:
            yield importlib.import_module(info.name).STATEMENT


def _place(label: str) -> list[str | int]:
    """Numbers as numbers: 4.5 stands before 10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", label)]


def select(labels: Sequence[str]) -> list[Statement]:
    """The statements with these labels, all for none; ``4.5`` stands for its parts ``4.5-...`` as well.

    Raises: DomainError naming an unknown label.
    """
    known = statements()
    chosen: dict[str, Statement] = {}
    for label in labels or known:
        parts = {name: s for name, s in known.items() if name == label or name.startswith(f"{label}-")}
        if not parts:
            raise DomainError(f"unknown label {label!r}; known: {', '.join(known)}")
        chosen |= parts
    return list(chosen.values())


def outcomes(statement: Statement) -> Iterator[tuple[str, Outcome]]:
    """Each step of a derivation as its solver decides it, from the hypotheses and the steps it uses."""
    claims = {step.name: step.claim for step in statement.derivation}
    for step in statement.derivation:
        facts = tuple(claims[name] for name in step.using)
        # a chain or a sum joins exactly the named steps; other solvers may also use the hypotheses
        given = facts if step.by.method in ("chain", "sum") else (*statement.hypotheses, *facts)
        # a rule that takes facts for all values of a symbol must not meet one that holds under a hypothesis on it
        fixed = {symbol for hypothesis in statement.hypotheses for symbol in hypothesis.free_symbols}
        if taken := fixed & getattr(step.by, "moves", frozenset()):
            yield step.name, Outcome(False, "decided", f"a hypothesis speaks of {sorted(map(str, taken))}")
        else:
            yield step.name, step.by.decide(step.claim, given)


def check(statement: Statement, finding: Finding | None = None, searched: float = 0.0) -> Entry:
    """Run one statement: its counterexample, or its derivation step by step; a finding above 1 refutes what is proved.

    ``searched``: seconds that the search took, added to the entry's.
    """
    start = time.perf_counter()
    verdict, method, remarks = _derive(statement) if statement.counterexample is None else _refute(statement)
    if statement.counterexample is None and finding is not None and finding.ratio > 1:
        verdict, method = Verdict.REFUTED, "adversarial ascent, replayed in ball arithmetic"
        remarks = (f"left/right is at least {finding.ratio:.6g} at {finding.point}", *remarks)
    return Entry(statement, verdict, method, searched + time.perf_counter() - start, remarks, finding)


def _refute(statement: Statement) -> tuple[Verdict, str, tuple[str, ...]]:
    counterexample = statement.counterexample
    refuted = counterexample is not None and counterexample.refutes(statement.claim, statement.hypotheses)
    verdict = Verdict.CHECKED if not refuted else Verdict.REPAIRED if statement.repaired_by else Verdict.REFUTED
    return verdict, "interval counterexample", () if refuted else ("the counterexample does not refute",)


def _derive(statement: Statement) -> tuple[Verdict, str, tuple[str, ...]]:
    found = list(outcomes(statement))
    failed = tuple(f"{name} is not decided: {outcome.remark}" for name, outcome in found if not outcome.holds)
    bases = {outcome.basis for _, outcome in found}
    if failed or not found or "assumed" in bases:
        verdict = Verdict.CHECKED
    else:
        verdict = Verdict.PROVED_FROM_AXIOMS if "axiom" in bases else Verdict.PROVED
    cited = tuple(dict.fromkeys(outcome.remark for _, outcome in found if outcome.basis != "decided"))
    methods = dict.fromkeys(step.by.method.split(":")[0] for step in statement.derivation)
    return verdict, ", ".join(methods), failed + cited
