"""Numbers that only an issue may change: certificates by hash, elasticities and sweeps by value, growth by text.

``python -m tests.test_pinned`` writes ``pinned.json`` anew, for a change that means to change them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssm_bounds.bounds.evaluate.decimals import number
from ssm_bounds.bounds.explain import elasticity
from ssm_bounds.bounds.explain.growth import derive
from ssm_bounds.bounds.gaps.losses import ClippedCrossEntropy, Ramp
from ssm_bounds.bounds.ladder.rung import Setting
from ssm_bounds.bounds.sweeps import sharp_constants, sweep
from ssm_bounds.bounds.values import Sample
from ssm_bounds.certificate import certify
from ssm_bounds.question import Question, ask
from ssm_bounds.report import growth
from ssm_bounds.report.document import document
from tests import rungs as ladder
from tests.bounds.selection.test_selection import MODEL
from tests.conftest import SHARED
from tests.questions import asked
from tests.ssm_bounds.test_portable import weights

PINNED = Path(__file__).with_name("pinned.json")

OPTIONS: dict[str, dict[str, Any]] = {
    "ball": {},
    "trained": {"embedding": "trained"},
    "vocabulary": {"inputs": "vocabulary"},
    "clipped": {"loss": "clipped-ce", "clip": 3},
    "margin": {"margin": "0.25", "delta": "0.01"},
    "no gate": {"gate": "none", "inputs": "vocabulary"},
}
CHECKPOINTS = {
    "imdb_T500_m25000_seed1.pth": {"m": 25000, "T": 500},
    "listops_T100_m1000_seed1.pth": {"m": 1000, "T": 105},
    "majority_T200_m1000_seed1.pth": {"m": 1000, "T": 200},
}


def of_checkpoint(name: str, stated: dict[str, Any]) -> Callable[[], Question]:
    return lambda: ask(SHARED / "checkpoints" / name, **stated)


def of_a_model(k: int, V: int | None, m: int, stated: dict[str, Any]) -> Callable[[], Question]:
    record = {"m": m, "T": 12} | ({"embedding": None} if V else {}) | {k: None for k in stated if k == "gate"}
    return lambda: asked(weights(k, V), record, **stated)


QUESTIONS = {
    f"{name.partition('_')[0]}, {title}": of_checkpoint(name, known | stated)
    for name, known in CHECKPOINTS.items()
    for title, stated in OPTIONS.items()
}
QUESTIONS |= {f"words, {title}": of_a_model(1, 6, 10**6, stated) for title, stated in OPTIONS.items()}
QUESTIONS |= {
    f"numbers, {title}": of_a_model(3, None, 10**7, OPTIONS[title] | {"input_bound": "1.3"})
    for title in ("ball", "clipped", "margin")
}


def certified(name: str) -> str:
    """Hash of everything canonical in a certificate, and of what its rungs' nats are made of."""
    certificate = certify(QUESTIONS[name]())
    found = document(certificate)
    del found["checkpoint"]["path"]
    for rung in certificate.rungs:
        parts = rung.argument.costs()
        found["trace"][f"costs of {rung.name}"] = [[part.label, part.kind, number(part.nats.upper)] for part in parts]
    return hashlib.sha256(json.dumps(found, sort_keys=True, allow_nan=False).encode()).hexdigest()


SETTING = Setting(MODEL, Sample(10**6, 50), Ramp(1), 1, embedding="fixed")
SETTINGS = {
    "fixed": SETTING,
    "trained": replace(SETTING, embedding="trained"),
    "vocabulary": replace(SETTING, measured=replace(MODEL, v_B=1.9, v_C=1.1, v_w=3.5), vocabulary=True),
    "groups": replace(SETTING, measured=replace(MODEL, decays=((-0.1, -2, -3), *(((-1, -2, -3),) * 3)))),
    "growing": replace(SETTING, measured=replace(MODEL, s_A=0.05)),
    "cross-entropy": replace(SETTING, loss=ClippedCrossEntropy(3)),
    "no gate": replace(SETTING, measured=replace(MODEL, gate="none", p=0, B_q=0, M_q=0, logit_max=None)),
    "sparse": replace(SETTING, measured=replace(MODEL, M_A=3.1, M_B=0.2, M_C=0.2, M_w=0.2, M_q=0.1)),
}
OVER = {"T": [1, 40, 10**6], "s_A": [-2.0, -1e-3, 0.0, 0.02]}


def swept(name: str) -> dict[str, list[float]]:
    """ln of the constants, and log10 of every rung at a few points."""
    setting = SETTINGS[name]
    constants = sharp_constants(OVER, setting)
    found = {column: constants[column].tolist() for column in constants.columns[2:]}
    for rung in ("published", "repaired", "sharp", "scale", "margin"):
        found[rung] = sweep(rung, OVER, setting)["log10"].tolist()
    return found | {f"{rung}, bare": sweep(rung, OVER, setting, selection=False)["log10"].tolist() for rung in
                    ("scale", "margin")}  # fmt: skip


def explained(name: str) -> dict[str, Any]:
    """The elasticities of both rungs by norms, without decay groups and with them."""
    found: dict[str, Any] = {}
    for make in ladder.SELECTED:
        explanation = elasticity.elasticities(SETTINGS[name], make(SETTINGS[name]))
        found[make.__name__] = {"relaxed": float(explanation.relaxed.upper)} | {
            row.constant: None if row.elasticity is None else float(row.elasticity.upper) for row in explanation.rows
        }
    return found


def grown() -> str:
    return hashlib.sha256(growth.markdown(derive()).encode()).hexdigest()


@pytest.fixture(scope="module")
def pinned() -> dict[str, Any]:
    return json.loads(PINNED.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", QUESTIONS)
def test_certificates(pinned, name, request):
    if name.partition(",")[0] not in ("words", "numbers"):
        request.getfixturevalue("shared")
    assert certified(name) == pinned["certificates"][name]


@pytest.mark.parametrize("name", SETTINGS)
def test_sweeps(pinned, name):
    found, expected = swept(name), pinned["sweeps"][name]
    assert found.keys() == expected.keys()
    for column, values in expected.items():
        assert np.allclose(found[column], values, rtol=1e-12, atol=1e-12, equal_nan=True), column


@pytest.mark.parametrize("name", SETTINGS)
def test_elasticities(pinned, name):
    found, expected = explained(name), pinned["elasticities"][name]
    assert found.keys() == expected.keys()
    for rung, rows in expected.items():
        assert found[rung] == pytest.approx(rows, rel=1e-12, abs=1e-12), rung


def test_growth(pinned):
    assert grown() == pinned["growth"]


if __name__ == "__main__":
    everything = {
        "certificates": {name: certified(name) for name in QUESTIONS},
        "sweeps": {name: swept(name) for name in SETTINGS},
        "elasticities": {name: explained(name) for name in SETTINGS},
        "growth": grown(),
    }
    PINNED.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
