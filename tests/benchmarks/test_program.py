"""CPU microseconds a token of the exact program, beside the same models in transformers (float32, one thread), and of
the paper's model beside its earlier program."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch

from ssm_bounds.models.program.evaluate import logits
from ssm_bounds.models.program.run import prepared
from ssm_bounds.models.program.stack import Embedding, Stack
from ssm_bounds.models.selective_ssm import earlier, selftest
from ssm_bounds.models.selective_ssm.weights import Weights
from ssm_bounds.models.tasks.task import Split
from tests.benchmarks.test_speed import quiet
from tests.mamba import mamba1, mamba2, norm_of

pytestmark = pytest.mark.filterwarnings("ignore")
ROWS, T, N, V = 256, 40, 8, 79
MOST = {("mamba1", 16): 15.0, ("mamba1", 32): 30.0}


def microseconds(call: Callable[[], object], rounds: int = 5, tokens: int = ROWS * T) -> float:
    """Least CPU time of a call, for each token; the first call does not count."""
    call()
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return 1e6 * best / tokens


def stack(kind: str, D: int, pooling: str) -> Stack:
    rng = np.random.default_rng(0)
    make = {"mamba1": mamba1, "mamba2": mamba2}[kind]
    layers = tuple(make(i, D=D, N=N) for i in range(2))
    return Stack(Embedding(rng.normal(size=(V, D))), layers, norm_of(D), rng.normal(size=(V, D)), np.zeros(V), pooling)  # type: ignore[arg-type]


def module(kind: str, D: int) -> torch.nn.Module | None:
    """The same shapes in transformers, or None where it is not installed."""
    try:
        import transformers
    except ImportError:
        return None
    sizes = {"hidden_size": D, "state_size": N, "num_hidden_layers": 2, "vocab_size": V, "expand": 2}
    if kind == "mamba1":
        return transformers.MambaForCausalLM(transformers.MambaConfig(**sizes, use_cache=False)).eval()
    heads = {"num_heads": 4, "head_dim": D // 2, "n_groups": 1, "chunk_size": 16}
    return transformers.Mamba2ForCausalLM(transformers.Mamba2Config(**sizes, **heads, use_cache=False)).eval()


def test_microseconds_a_token():
    torch.set_num_threads(1)
    tokens = np.random.default_rng(1).integers(0, V, (ROWS, T))
    print(f"\n{ROWS} rows of {T} tokens, 2 layers, N = {N}, {V} outputs: CPU microseconds a token")
    print(f"{'':10} {'D':>4} {'mean':>8} {'each position':>14} {'transformers':>13}")
    for kind in ("mamba1", "mamba2"):
        for D in (16, 32, 48):
            programs = (prepared(stack(kind, D, pooling)) for pooling in ("mean", "none"))
            mean, each = (microseconds(partial(logits, program, tokens)) for program in programs)
            theirs = module(kind, D)
            if theirs is None:
                other = "not installed"
            else:
                with torch.inference_mode():
                    other = f"{microseconds(partial(theirs, torch.from_numpy(tokens)), rounds=2):.1f}"
            print(f"{kind:10} {D:4} {mean:8.1f} {each:14.1f} {other:>13}")
            if quiet() and (kind, D) in MOST:
                assert mean <= MOST[kind, D]


PAPERS = {
    "IMDb, T = 500": {"d": 16, "N": 4, "k": 1, "V": 30_522, "n": 2000, "T": 500},
    "Majority, T = 200": {"d": 4, "N": 4, "k": 1, "V": 2, "n": 1000, "T": 200},
    "ListOps, T = 100": {"d": 8, "N": 4, "k": 10, "V": 17, "n": 1000, "T": 100},
    "reals, T = 100": {"d": 16, "N": 4, "k": 3, "V": None, "n": 300, "T": 100},
}
"""Shapes of the paper's models, and of one with real inputs."""


def drawn(d: int, N: int, k: int, V: int | None, n: int, T: int) -> tuple[Weights, Split]:
    rng = np.random.default_rng(0)
    weights = Weights(
        A=-rng.uniform(0.01, 1, (d, N)),
        W_B=rng.normal(size=(N, d)),
        W_C=rng.normal(size=(N, d)),
        q=rng.normal(size=d) / d,
        p=-1.0,
        W=rng.normal(size=(k, d)),
        embedding=None if V is None else rng.normal(size=(V, d)),
    )
    x = rng.normal(size=(n, T, d)) if V is None else rng.integers(0, V, (n, T))
    return weights, Split(x, rng.integers(0, max(k, 2), n))


def test_the_papers_model_beside_its_earlier_program():
    print("\nthe paper's model, logits of all rows: CPU microseconds a token")
    print(f"{'':20} {'earlier':>8} {'exact':>8} {'ratio':>6}")
    for name, sizes in PAPERS.items():
        weights, data = drawn(**sizes)
        calls = (partial(earlier.run, weights, data), partial(selftest.logits, weights, data.x))
        best = [float("inf")] * 2
        for _ in range(3):  # in turn, so that a busy machine slows both
            spent = [microseconds(call, 2, data.m * data.T) for call in calls]
            best = list(map(min, best, spent))
        before, now = best
        print(f"{name:20} {before:8.3f} {now:8.3f} {now / before:6.2f}")
        if quiet():
            assert now <= 1.5 * before, name
