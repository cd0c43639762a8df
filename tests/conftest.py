"""Shared fixtures: the real checkpoints (skipped where absent) and hypothesis profiles."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# OpenMP threads that spin on a busy machine slow small tensors down by an order of magnitude
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

# The same examples on every machine: whether a change passes must not be chance. `thorough` looks for new ones.
settings.register_profile(
    "default", deadline=None, max_examples=40, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the authors' checkpoints and data (../shared) are not here")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def one_name_for_every_module():
    """From the checkout the bare names would import as well, and there would be two of every class."""
    yield
    assert not {name for name in sys.modules if name.split(".")[0] in ("bounds", "models", "proofs")}


PARTS = {"test_wheel.py": "wheel", "test_site.py": "site", "test_notebooks.py": "notebooks", "tests/proofs/": "proofs"}


def pytest_terminal_summary(terminalreporter):
    """Seconds of the parts that CI's budget is planned by. Cores work at once: they add up to more than went by."""
    spent = dict.fromkeys((*PARTS.values(), "others"), 0.0)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if duration := getattr(report, "duration", 0):
                part = next((name for place, name in PARTS.items() if place in report.nodeid), "others")
                spent[part] += duration
    terminalreporter.write_line("seconds of tests: " + ", ".join(f"{name} {spent[name]:.0f}" for name in spent))
