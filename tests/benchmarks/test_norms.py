"""Proven spectral norms against LAPACK's: ``OMP_NUM_THREADS=1 python -m pytest tests/benchmarks/test_norms.py -q -s``.

Up to 64 rows every float64 is a candidate and exact arithmetic decides; above, floats decide unless the norm is next to
a candidate, which a random norm is with a chance of about 1e-3 at 1536 x 768. The second table says what exact
arithmetic then takes; at 1536 x 768 it took 21 s, and 40 s where the norm is a candidate without a plain proof.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np

from ssm_bounds.models.norms.spectral import is_spectral_bound, spectral

SHAPES = (64, 64), (65, 65), (128, 128), (256, 256), (768, 768), (1536, 768), (2560, 2560)


def least_seconds(call: Callable[[], object], rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def test_spectral_norms():
    quiet = os.getloadavg()[0] < (os.cpu_count() or 1)
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    print(f"\n\nspectral norms, threads: {threads}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'':12} {'proven, s':>10} {'numpy, s':>10} {'ratio':>6} {'slack':>9}")
    seconds = {}
    for shape in SHAPES:
        matrix, rounds = np.random.default_rng(0).standard_normal(shape), 1 if min(shape) > 1000 else 5
        seconds[shape] = least_seconds(lambda matrix=matrix: spectral(matrix), rounds)
        numpy = least_seconds(lambda matrix=matrix: np.linalg.norm(matrix, 2), rounds)
        slack = spectral(matrix) / np.linalg.norm(matrix, 2) - 1
        name = " x ".join(map(str, shape))
        print(f"{name:12} {seconds[shape]:10.4f} {numpy:10.4f} {seconds[shape] / numpy:6.1f} {slack:9.1e}", flush=True)
        assert -1e-14 < slack < 1.2e-7
    if quiet:
        assert seconds[256, 256] < 0.1
        assert seconds[1536, 768] < 2


def test_what_floats_leave_undecided():
    print(f"\n\n{'exactly':12} {'s':>10}")
    for shape in ((65, 65), (128, 128), (256, 256), (384, 768)):
        matrix = np.random.default_rng(0).standard_normal(shape)
        near = float(np.linalg.norm(matrix, 2)) * (1 + 1e-12)
        name = " x ".join(map(str, shape))
        print(f"{name:12} {least_seconds(lambda: is_spectral_bound(near, matrix), 1):10.3f}", flush=True)  # noqa: B023
