"""Evaluations a second of the sweeps, on all cores, beside mpmath and the certificate, and what one certificate more
costs: ``pytest tests/benchmarks``.

One evaluation: the sharp constants of a point (R_1, R_2 and every beta), or one rung at a point. Best
of several rounds; asserted only on an idle machine (as in test_speed), printed always.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ssm_bounds.bounds.architectures.selective_ssm.blocks import assignment
from ssm_bounds.bounds.architectures.selective_ssm.perturbation import SHARP
from ssm_bounds.bounds.evaluate.balls import evaluate
from ssm_bounds.bounds.gaps.losses import Ramp
from ssm_bounds.bounds.ladder.rung import Setting
from ssm_bounds.bounds.notation import R_1, R_2
from ssm_bounds.bounds.sweeps import sharp_constants, sweep
from ssm_bounds.bounds.values import Sample
from ssm_bounds.certificate import certify
from ssm_bounds.data import Data
from ssm_bounds.models.files.checkpoint import Checkpoint, Metadata
from ssm_bounds.models.selective_ssm.weights import Weights
from ssm_bounds.models.tasks.majority import majority
from ssm_bounds.question import ask
from tests import rungs as ladder
from tests import rungs as reference
from tests.bounds.selection.test_selection import MODEL

SETTING = Setting(MODEL, Sample(10**6, 50), Ramp(1), 1, embedding="fixed")
T = np.unique(np.round(np.geomspace(1, 1e9, 1000)))
S_A = np.linspace(-2.5, 0.05, 1000)
ROUNDS = 5


def rate(call: Callable[[], object], points: int, rounds: int = ROUNDS) -> float:
    """Evaluations a second."""
    call()
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return points / best


def test_evaluations_a_second():
    idle = os.getloadavg()[0] < (os.cpu_count() or 1)
    print(f"\n\nsweeps, evaluations a second; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'':34} {'sweep':>12} {'one by one':>12} {'ratio':>10}")

    def row(name: str, over: dict[str, np.ndarray], call: Callable, one: Callable[[], object]) -> float:
        points = int(np.prod([len(values) for values in over.values()]))
        found, slow = rate(lambda: call(over), points), rate(one, 1, rounds=3)
        print(f"{name:34} {found:12,.0f} {slow:12,.1f} {found / slow:10,.0f}")
        return found

    values = assignment(SETTING.measured_class(), 50)
    expressions = (R_1, R_2, *SHARP.values())

    def mpmath_constants() -> None:
        for expression in expressions:
            evaluate(expression, values, digits=15)

    constants = row(
        "sharp constants (mpmath)", {"T": T, "s_A": S_A}, lambda over: sharp_constants(over, SETTING), mpmath_constants
    )
    fewer = {"T": T[:400], "s_A": S_A[::4]}
    at_one = fewer | {"eps": np.array([0.5])}
    found = {}
    for paid in (False, True):
        text = "section 7 paid" if paid else "measured class"
        found["margin", paid] = row(
            f"margin, {text} (certificate)",
            fewer,
            lambda over, paid=paid: sweep("margin", over, SETTING, selection=paid),
            lambda: fresh("margin"),
        )
        found["scale", paid] = row(
            f"scale at fixed eps, {text}",
            at_one,
            lambda over, paid=paid: sweep("scale", over, SETTING, selection=paid),
            lambda: fresh("scale"),
        )
    small = {"T": T[:50], "s_A": S_A[::20]}
    for rung in ("published", "repaired", "sharp", "scale"):
        row(f"{rung}{', best eps' * (rung == 'scale')}", small, lambda over, rung=rung: sweep(rung, over, SETTING),
            lambda rung=rung: fresh(rung))  # fmt: skip
    if idle:
        assert constants > 1e6
        assert min(found.values()) > 1e5


_fresh = iter(range(10**6, 2 * 10**6))


def fresh(rung: str) -> object:
    """A certificate's rung at a setting that no cache has seen."""
    moved = replace(MODEL, B_w=3.0 + 1e-9 * next(_fresh))
    return getattr(ladder if hasattr(ladder, rung) else reference, rung)(replace(SETTING, measured=moved))


def trained(seed: int, *, d: int = 4, N: int = 4) -> Checkpoint:
    """A model that no other seed makes."""
    rng = np.random.default_rng(seed)
    weights = Weights(
        A=-rng.uniform(0.1, 2, (d, N)), W_B=rng.normal(size=(N, d)), W_C=rng.normal(size=(N, d)),
        q=0.1 * rng.normal(size=d), p=-0.5, W=rng.normal(size=(1, d)), embedding=rng.normal(size=(2, d)),
    )  # fmt: skip
    metadata = Metadata(T=200, gate="softplus", convention="code", embedding="fixed")
    return Checkpoint(Path(f"model {seed}"), "native", "0" * 64, weights, metadata)


MOST_FURTHER = {"without data": 0.06, "with data": 0.06}
"""CPU seconds on one core that each further model of one command may take."""


def test_a_further_checkpoint():
    """CPU seconds of each further model of one command beside :data:`MOST_FURTHER`, and as a share of a command with
    one model. With data: 700 rows of 200 tokens, and as many test rows.
    """
    start = "import sys, ssm_bounds.certificate, ssm_bounds.report.document, ssm_bounds.report.tables"
    before = sum(os.times()[2:4])
    subprocess.run([sys.executable, "-c", start], check=True)
    cold = sum(os.times()[2:4]) - before
    print(f"\n\none checkpoint more, CPU seconds; imports {cold:.2f}; load {os.getloadavg()[0]:.1f}")
    print(f"{'':20} {'first, s':>8} {'further, ms':>12} {'at most, ms':>12} {'further / (imports + first)':>28}")
    for name, data in (("without data", None), ("with data", Data(majority(700, 200, seed=0)))):
        stated = {"m": 700} if data is None else {"data": data}
        spent = []
        for seed in range(12):
            began = time.process_time()
            certify(ask(trained(seed), models_on_test=12, **stated))
            spent.append(time.process_time() - began)
        further = min(spent[1:])
        most, share = MOST_FURTHER[name], further / (cold + spent[0])
        print(f"{name:20} {spent[0]:8.3f} {1e3 * further:12.1f} {1e3 * most:12.0f} {share:28.3f}")
