"""What would make a bound better, and how the bounds of a question scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ssm_bounds.bounds import sweeps as scaling
from ssm_bounds.bounds.explain import elasticity
from ssm_bounds.bounds.explain.elasticity import Explanation
from ssm_bounds.bounds.values import DomainError, require
from ssm_bounds.ladder import of_norms
from ssm_bounds.question import Question

if TYPE_CHECKING:
    import pandas as pd


def explain(question: Question) -> Explanation:
    """Elasticities of the best bound by norms, and that bound recomputed. Raises: ValueError, OSError.

    Source: ``explain.elasticity``.
    """
    _require_of_the_paper(question)
    setting, rungs = of_norms(question)
    refused = [rung.refusal for rung in rungs if rung.refusal is not None]
    if len(refused) == len(rungs):
        raise DomainError(f"nothing can be claimed, so nothing explained: {refused[0]}")
    found = elasticity.explain(setting, rungs)
    return replace(found, rung=question.resolved(found.rung))


def sweep(
    rung: str, over: Mapping[str, Sequence[float]], question: Question, *, selection: bool = True
) -> pd.DataFrame:
    """A rung over grids of constants, T, m, delta or the margin, the rest as in the question: fast float64, not
    certified. Raises: DomainError. Source: ``bounds.sweeps``.
    """
    _require_of_the_paper(question)
    return scaling.sweep(rung, over, question.setting, selection=selection)


def _require_of_the_paper(question: object) -> None:
    """Raises: DomainError."""
    kind = type(question).__name__
    require(isinstance(question, Question), f"only a model with one selective SSM (theory 1) has this, got a {kind}")
