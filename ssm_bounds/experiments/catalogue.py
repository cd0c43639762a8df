"""The one list of experiments: by name, of which paper, and what is asked.

Starts without numpy, so that ``--help`` is quick. An experiment that measures numbers and holds them against what they
must be is one file, ``ssm_bounds/experiments/PAPER/NAME.py`` with an ``EXPERIMENT``, and an entry of ``MEASURED``.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssm_bounds.bounds.values import require

if TYPE_CHECKING:
    from ssm_bounds.experiments.experiment import Experiment


@dataclass(frozen=True, slots=True)
class Listed:
    """``paper``: the folder, named as in ``proofs/papers``. ``text``: the first line of help. ``examples``: what stands
    behind ``ssm-bounds experiment NAME``."""

    name: str
    paper: str
    text: str
    examples: tuple[str, ...]


TRAINED = (
    Listed(
        "unstable-init",
        "honarpisheh2025",
        "Figure 1: start unstable (s_A = 0.1) at several lengths. Where does training turn from success to failure?",
        ("--task majority --preset quick", "--T 25 --T 50 --T 100 --seeds 3 --workers 2"),
    ),
    Listed(
        "sweep-abscissa",
        "honarpisheh2025",
        "Figure 5: start with s_A from -0.1 to 0.1 at one length.",
        ("--task listops --preset quick --workers 2", "--T 100 --T 400 --workers 8"),
    ),
    Listed(
        "length",
        "honarpisheh2025",
        "Figure 2: start with s_A = 0 at several lengths. Does the gap grow with T? Slope with confidence interval.",
        ("--task majority --workers 2", "--task listops --preset quick --workers 2"),
    ),
)
"""Trainings on the paper's tasks, whose gaps are held against their certificates."""

MEASURED = (
    Listed(
        "init-scale",
        "liu_li_2024",
        "The scaling rule: how far do the scales of S4D's outputs differ over inputs, before and after?",
        ("--preset quick", "--seeds 8 --workers 2"),
    ),
    Listed(
        "tau-regulariser",
        "liu_li_2024",
        "tau times a weight in the loss of a linear S4D channel: the risk, beside no penalty and l2 on C.",
        ("--preset quick", "--seeds 6 --workers 2"),
    ),
    Listed(
        "words",
        "muca_cirone_2024",
        "Which iterated integrals does a linear readout of random layers learn? Dense, diagonal, two in a chain.",
        ("--preset quick", "--workers 2"),
    ),
    Listed(
        "order",
        "muca_cirone_2024",
        "Which order does one layer not learn, where a context decides what it means? Random, trained, two layers, A5.",
        ("--preset quick", "--workers 2"),
    ),
)
"""Numbers that are held against what they must be."""

EXPERIMENTS = (*TRAINED, *MEASURED)


def measured(name: str) -> Experiment:
    """The experiment of an entry of ``MEASURED``. Raises: DomainError."""
    papers = {entry.name: entry.paper for entry in MEASURED}
    require(name in papers, f"expected one of {', '.join(papers)}, got {name!r}")
    found = importlib.import_module(f"ssm_bounds.experiments.{papers[name]}.{name.replace('-', '_')}").EXPERIMENT
    require(found.name == name, f"the experiment {name} calls itself {found.name}")
    return found
