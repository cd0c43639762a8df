"""A certificate is a function of the file, the data and the options alone: the same bytes under other arithmetic.

Other kernels of OpenBLAS, NumPy without the instructions that it found at hand, other variants of the platform's
functions, other numbers of threads and another NumPy stand for other machines.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from ssm_bounds.bounds.codes import fit
from ssm_bounds.bounds.codes.scheme import PLAIN
from ssm_bounds.models.files.checkpoint import Metadata, write
from ssm_bounds.models.searches import rounded
from ssm_bounds.models.selective_ssm.programs import EXACT
from ssm_bounds.models.selective_ssm.weights import Weights
from tests.conftest import SHARED
from tests.machines import EVERYTHING, FEATURES, KERNELS, TWO_THREADS, printed
from tests.s4d import layer, tensors

OTHER_NUMPY = "2.1.3"
SHARED_JOBS = (
    ("imdb_T500_m25000_seed1.pth", "--m", "25000", "--T", "500"),
    ("listops_T100_m1000_seed1.pth", "--m", "1000", "--T", "105", "--inputs", "vocabulary"),
    ("majority_T200_m1000_seed1.pth", "--m", "1000", "--T", "200"),
)


def weights(k: int, V: int | None) -> Weights:
    rng = np.random.default_rng(7)
    d, N = 5, 3
    return Weights(
        A=-rng.uniform(0.1, 2, size=(d, N)),
        W_B=rng.normal(size=(N, d)),
        W_C=rng.normal(size=(N, d)),
        q=0.1 * rng.normal(size=d),
        p=-0.5,
        W=rng.normal(size=(k, d)),
        embedding=None if V is None else rng.normal(size=(V, d)),
    )


def coded(model: Weights) -> tuple[Weights, dict[str, Any]]:
    """The model in quarters, and what its file records."""
    layout = rounded.layout_of(model, "softplus")
    parts = {name: np.rint(4 * part) / 4 for name, part in rounded.blocks(model, layout).items()}
    code = fit.shortest(layout, parts, (PLAIN,))
    code, integers = code.representative(code.integers(parts))
    return rounded.assembled(code.decoded(integers)), code.record() | {"program": EXACT.record()}


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """What is certified: models made here, two of them rounded, and the authors' where they are."""
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(8)
    words = Metadata(task="toy", m=400, T=12, gate="softplus", convention="code", embedding="trained")
    numbers = Metadata(task="toy", m=10**6, T=12, gate="softplus", convention="code")
    write(folder / "words.safetensors", weights(k=1, V=6), words)
    write(folder / "numbers.safetensors", weights(k=3, V=None), numbers)
    safetensors.numpy.save_file(tensors(layer(d=20, N=30)), folder / "s4d.safetensors")
    np.savez(folder / "words.npz", x_train=rng.integers(0, 6, (400, 12)), y_train=rng.integers(0, 2, 400),
             x_test=rng.integers(0, 6, (50, 12)), y_test=rng.integers(0, 2, 50))  # fmt: skip
    found = [
        [str(folder / "words.safetensors"), "--data", str(folder / "words.npz")],
        [str(folder / "numbers.safetensors"), "--input-bound", "1.3", "--loss", "clipped-ce", "--clip", "2"],
        [str(folder / "s4d.safetensors"), "--m", "25000", "--T", "500", "--input-bound", "1.3"],
    ]
    np.savez(folder / "numbers.npz", x_train=rng.normal(size=(300, 12, 5)), y_train=rng.integers(0, 3, 300))
    loss = ["--certify-loss", "--loss", "clipped-ce", "--clip", "2"]
    for name, of, k, V in (("words", words, 1, 6), ("numbers", numbers, 3, None)):
        path, (model, record) = folder / f"rounded-{name}.safetensors", coded(weights(k, V))
        write(path, model, replace(of, m=None, occam=record))
        bound = [] if V else ["--input-bound", "9"]
        found.append([str(path), "--data", str(folder / f"{name}.npz"), *loss, *bound])
    for name, *options in SHARED_JOBS:
        if (SHARED / "checkpoints" / name).exists():
            found.append([str(SHARED / "checkpoints" / name), *options])
    return found


def certify(jobs: list[list[str]], *arguments: str, **changes: str) -> dict[str, Any]:
    return json.loads(printed("-m", "tests.portable", json.dumps(jobs), *arguments, **changes))


@pytest.fixture(scope="module")
def here(jobs: list[list[str]]) -> dict[str, Any]:
    return certify(jobs)


def require_the_same(here: dict[str, Any], there: dict[str, Any], *, changed: bool) -> None:
    if not changed:
        pytest.skip("no arithmetic changes on this machine")
    assert len(here["documents"]) == len(there["documents"]) >= 5
    assert all(each.startswith("{") for each in here["documents"])
    for ours, theirs in zip(here["documents"], there["documents"], strict=True):
        assert ours == theirs


def test_two_threads(jobs, here):
    require_the_same(here, certify(jobs, **TWO_THREADS), changed=True)


@pytest.mark.parametrize("kernel", KERNELS)
def test_other_kernels_of_openblas(jobs, here, kernel):
    there = certify(jobs, OPENBLAS_CORETYPE=kernel)
    require_the_same(here, there, changed=there["kernel"] != here["kernel"])


def test_numpy_without_special_instructions(jobs, here):
    there = certify(jobs, NPY_DISABLE_CPU_FEATURES=FEATURES)
    require_the_same(here, there, changed=there["fingerprint"] != here["fingerprint"])


def test_everything_at_once(jobs, here):
    there = certify(jobs, **EVERYTHING)
    require_the_same(here, there, changed=there["fingerprint"] != here["fingerprint"])


def test_another_numpy(jobs, here, tmp_path):
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    options = ["--disable-pip-version-check", "--retries", "0", "--timeout", "5", "--target", str(tmp_path)]
    if here["numpy"] == OTHER_NUMPY:
        pytest.skip("this is that NumPy")
    installed = subprocess.run([*pip, *options, f"numpy=={OTHER_NUMPY}"], capture_output=True, text=True, timeout=120)
    if installed.returncode:
        pytest.skip(f"no other NumPy to be had: {installed.stderr.strip().splitlines()[-1]}")
    there = certify(jobs, PYTHONPATH=str(tmp_path))
    assert there["numpy"] == OTHER_NUMPY
    require_the_same(here, there, changed=True)


def test_the_exponentials_of_the_platform_would_be_seen(jobs):
    jobs = jobs[1:2]
    here, there = certify(jobs, "platform"), certify(jobs, "platform", NPY_DISABLE_CPU_FEATURES=FEATURES)
    if there["fingerprint"]["exp"] == here["fingerprint"]["exp"]:
        pytest.skip("NumPy's exponential is the same with and without special instructions here")
    assert here["documents"] != there["documents"]
