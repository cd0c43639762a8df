"""Unrolled form against the recurrence: ``python tests/benchmarks/bench_scan.py`` (a minute; with ``--eager`` seconds).

Forward and forward + backward, in milliseconds, float32 on two threads. Repetitions are interleaved, so that a busy
machine slows every row alike; min and median are over repetitions, ratios are recurrence / unrolled.
Compiled: the unrolled form only, since ``torch.compile`` unrolls the time loop of the recurrence (minutes at t = 500).
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from models.compiled import compiled
from models.scan import last_output

SIZE = {"b": 64, "t": 500, "d": 16, "n": 4}
REPETITIONS = 20


def arguments(b: int, t: int, d: int, n: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((b, t, d), (d, n), (n, d), (n, d), (d,), (1,))
    u, A, W_B, W_C, q, p = (torch.randn(shape, generator=generator) for shape in shapes)
    return [tensor.detach().requires_grad_() for tensor in (u, -A.abs(), W_B, W_C, q / d**0.5, p)]


def forward(f: Callable[..., torch.Tensor], inputs: list[torch.Tensor]) -> torch.Tensor:
    with torch.inference_mode():
        return f(*inputs)


def both(f: Callable[..., torch.Tensor], inputs: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    return torch.autograd.grad(f(*inputs).sum(), inputs)


def main(compile_too: bool) -> None:
    torch.set_num_threads(2)
    inputs = arguments(**SIZE)
    forms = {name: partial(last_output, form=name) for name in ("sequential", "unrolled")}
    if compile_too:
        forms["unrolled, compiled"] = compiled(forms["unrolled"])
    runs = {"forward": forward, "forward + backward": both}
    times: dict[tuple[str, str], list[float]] = {}
    for repetition in range(REPETITIONS + 1):
        for run_name, run in runs.items():
            for name, f in forms.items():
                start = time.perf_counter()
                run(f, inputs)
                if repetition:  # the first warms up and compiles
                    times.setdefault((run_name, name), []).append(1e3 * (time.perf_counter() - start))
    print(", ".join(f"{letter} = {size}" for letter, size in SIZE.items()), f"float32, torch {torch.__version__}")
    print(f"{'':40} {'min':>8} {'median':>8} {'ratio':>8} {'ratio':>8}")
    for run_name in runs:
        reference = times[run_name, "sequential"]
        for name in forms:
            sample = times[run_name, name]
            pairs = [(min(sample), min(reference)), (statistics.median(sample), statistics.median(reference))]
            row = [f"{own:8.2f}" for own, _ in pairs] + [f"{other / own:8.2f}" for own, other in pairs]
            print(f"{run_name + ', ' + name:40}", *row)
    expected = both(forms["sequential"], inputs)
    for name in forms:
        errors = [
            ((g - e).abs().max() / e.abs().max()).item()
            for g, e in zip(both(forms[name], inputs), expected, strict=True)
        ]
        print(f"largest relative difference of a gradient, {name}: {max(errors):.1e}")


if __name__ == "__main__":
    main("--eager" not in sys.argv[1:])
