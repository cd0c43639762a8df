"""Other arithmetic on this machine, for other machines: kernels of OpenBLAS, NumPy without special instructions."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from numpy._core import _multiarray_umath as _umath

from tests.conftest import ROOT

KERNELS = ("Haswell", "Zen", "SkylakeX", "Prescott")
FEATURES = " ".join(name for name in _umath.__cpu_dispatch__ if _umath.__cpu_features__.get(name))
TWO_THREADS = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
EVERYTHING = {
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F",
    "NPY_DISABLE_CPU_FEATURES": FEATURES,
    "OPENBLAS_CORETYPE": "Prescott",
}
"""Also the platform's own functions without fused multiplication."""


def printed(*arguments: str, **changes: str) -> str:
    """What ``python ARGUMENTS`` prints on one thread, or with the environment's ``changes``."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.run(
        [sys.executable, *arguments],
        env=environment | {"OMP_NUM_THREADS": "1"} | changes,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if process.returncode == -4:
        pytest.skip("this processor lacks the instructions of that kernel")
    assert process.returncode == 0, process.stderr
    return process.stdout
