"""A process whose arithmetic is another one is refused, whatever is wrong with it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.program import blocks, primitives, selftest
from tests.conftest import ROOT

FLUSHED = """
import numpy as np, torch
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.program import vectors
from ssm_bounds.models.program.evaluate import logits
from ssm_bounds.models.program.run import prepared
program = prepared(vectors.mamba1())
z = logits(program, vectors.REAL)
torch.set_flush_denormal(True)
print("flushed" if (np.array([1e-310]) * np.ones(1))[0] == 0 else "kept")
try:
    logits(program, vectors.REAL)
except DomainError as error:
    print(error)
torch.set_flush_denormal(False)
assert (logits(program, vectors.REAL) == z).all()
"""


@pytest.fixture(autouse=True)
def anew():
    selftest._require_the_rest.cache_clear()
    yield
    selftest._require_the_rest.cache_clear()


def test_flushed_subnormals_are_refused_at_each_call():
    done = subprocess.run([sys.executable, "-c", FLUSHED], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    if done.stdout == "kept\n":
        pytest.skip("this processor does not flush NumPy's subnormals")
    assert "subnormal numbers are flushed to zero in this thread" in done.stdout
    assert "undo torch.set_flush_denormal(True)" in done.stdout


def test_it_passes_once():
    selftest.require_exact()
    selftest.require_exact()
    assert selftest._require_the_rest.cache_info().misses == 1


def singles(W, q):
    return (W.astype(np.float32) @ q.astype(np.float32)).astype(np.float64)


def strassen(W, q):
    """Adds before it multiplies: where the proof ends."""
    return (W + 2.0**30) @ q - 2.0**30 * q.sum(axis=0)


@pytest.mark.parametrize("product", [singles, strassen])
def test_a_product_that_is_not_exact_is_refused(monkeypatch, product):
    monkeypatch.setattr(primitives, "product", product)
    with pytest.raises(DomainError, match="not exact on integers up to 2\\^53"):
        selftest.require_exact()


@pytest.mark.parametrize("name", ["exp", "softplus", "silu", "ln"])
def test_a_function_with_another_last_bit_is_refused(monkeypatch, name):
    before = getattr(primitives, name)
    monkeypatch.setattr(primitives, name, lambda x: np.nextafter(before(x), np.inf))
    with pytest.raises(DomainError, match=f"^{name} gives"):
        selftest.require_exact()


@pytest.mark.parametrize(
    ("place", "name", "change", "message"),
    [
        (primitives, "ints", lambda f: lambda x, bits, least: f(x, bits - 1, least), "product of the vectors"),
        (blocks, "silu", lambda f: lambda x: f(x) * (1 + 2.0**-20), "example of Mamba gives"),
        (blocks, "falling_exp", lambda f: lambda x: f(x) * (1 + 2.0**-20), "example of Mamba-2 gives"),
        (blocks, "_block2", lambda f: lambda gamma, eps, w: f(gamma, 2 * eps, w), "example of Mamba-2 gives"),
    ],
    ids=["ints", "silu", "exp", "eps of Mamba-2"],
)
def test_what_the_models_alone_show_is_refused(monkeypatch, place, name, change, message):
    monkeypatch.setattr(place, name, change(getattr(place, name)))
    with pytest.raises(DomainError, match=message):
        selftest.require_exact()
