"""One process of ``test_portable``: certifies what the command line names, and says what arithmetic it found.

``python -m tests.portable JOBS [platform]``: JOBS, JSON, is a list of argument lists of ``ssm-bounds certify``. With
``platform`` the searches use NumPy's exponentials and sums, as they must not.
"""

from __future__ import annotations

import ctypes
import hashlib
import io
import json
import sys
from contextlib import redirect_stdout, suppress
from pathlib import Path

import numpy as np


def kernel() -> str:
    """The kernel that OpenBLAS chose."""
    for library in Path(np.__file__).parents[1].glob("numpy.libs/*openblas*"):
        name = ctypes.CDLL(str(library)).scipy_openblas_get_corename64_
        name.restype = ctypes.c_char_p
        return name().decode()
    return "unknown"


def fingerprint() -> dict[str, str]:
    """Hashes of numbers whose last bits depend on the machine."""
    rng = np.random.default_rng(0)
    x, matrix = rng.uniform(-5, 5, 100_000), rng.standard_normal((97, 113))
    found = {
        "exp": np.exp(x),
        "log": np.log(np.abs(x)),
        "power": np.abs(x) ** 1.7,
        "sum": np.array([part.sum() for part in np.split(x, 1000)]),
        "product": matrix @ matrix.T,
        "svd": np.linalg.svd(matrix, compute_uv=False),
    }
    return {name: hashlib.sha256(value.tobytes()).hexdigest() for name, value in found.items()}


def use_the_platform() -> None:
    from ssm_bounds.bounds.evaluate import elementary

    for name in ("exp", "log", "log1p", "expm1", "logaddexp"):
        setattr(elementary, name, getattr(np, name))
    elementary.total = lambda values, axis=None: np.asarray(values).sum(axis)


def documents(jobs: list[list[str]]) -> list[str]:
    from ssm_bounds.cli import main

    found = []
    for job in jobs:
        with redirect_stdout(io.StringIO()) as printed, suppress(SystemExit):
            main(["certify", "--format", "json", *job])
        found.append(printed.getvalue())
    return found


if __name__ == "__main__":
    if sys.argv[2:] == ["platform"]:
        use_the_platform()
    report = {"numpy": np.__version__, "kernel": kernel(), "fingerprint": fingerprint()}
    print(json.dumps(report | {"documents": documents(json.loads(sys.argv[1]))}))
