"""tau added to the loss of one linear S4D channel, against none and against l2 on C: the risk on new rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ssm_bounds.experiments.experiment import Criterion, Experiment, Numbers, Preset, Row, Settings
from ssm_bounds.experiments.liu_li_2024.processes import Process
from ssm_bounds.models.s4d.module import S4DLayer
from ssm_bounds.models.s4d.tau import Statistics, divide_, tau
from ssm_bounds.report.plots.canvas import COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

L, N, STEP = 128, 32, 0.05
TRAIN, VALIDATION, NOISE = 64, 256, 0.5
LEARNING_RATE = 5e-3
WHITE, OU = Process("white"), Process("ou", 0.02)
TARGETS: dict[str, tuple[Process, Callable[[Tensor], Tensor]]] = {
    "exp-white": (WHITE, lambda s: torch.exp(-s / 8)),
    "exp-OU": (OU, lambda s: torch.exp(-s / 8)),
    "delay": (WHITE, lambda s: 3 * (s == 40).double()),
    "oscillating": (WHITE, lambda s: torch.exp(-s / 20) * torch.cos(s / 4)),
}
"""Inputs, and the kernel of the target by lag."""
GRIDS = {"tau": [10.0**k for k in range(-4, 0)], "l2": [10.0**k for k in range(-4, 2)]}
PENALTIES = ("none", *GRIDS)
OF_NONE, OF_L2 = 0.5, 0.7
"""What tau must reach, of the risk without a penalty and of the best with l2."""


def jobs(preset: Preset, seeds: Sequence[int]) -> tuple[Settings, ...]:
    names, steps = (tuple(TARGETS), 1200) if preset == "paper" else (("exp-white", "exp-OU"), 600)
    return tuple({"target": name, "steps": steps, "seed": seed} for name in names for seed in seeds)


def measure(settings: Settings) -> Numbers:
    """All weights at once, each a channel that trains alone: no parameter is shared, and Adam is by parameter."""
    process, shape = TARGETS[str(settings["target"])]
    generator = torch.Generator().manual_seed(int(settings["seed"]))
    covariance = process.covariance(L)
    wanted = shape(torch.arange(L, dtype=torch.float64)).flip(0)
    wanted = wanted / (wanted @ covariance @ wanted).sqrt()

    def rows(count: int) -> tuple[Tensor, Tensor]:
        x = process.sample(count, L, 1, generator)[:, :, 0]
        return x, x @ wanted + NOISE * torch.randn(count, generator=generator, dtype=torch.float64)

    train, validation = rows(TRAIN), rows(VALIDATION)
    weights = {"none": [0.0], **GRIDS}
    layer = _begun(sum(map(len, weights.values())), train[0], generator)
    of = {f"of_{name}": _channels(weights, name) for name in GRIDS}
    fit(layer, *train, **of, steps=int(settings["steps"]))
    with torch.no_grad():
        g = layer.taps(L).flip(1)
        held_out = (validation[0] @ g.T - validation[1][:, None]).square().mean(0)
        off = g - wanted
        risks = torch.einsum("ds,st,dt->d", off, covariance, off)
    found, start = dict[str, float](), 0
    for name, grid in weights.items():
        best = start + int(held_out[start : start + len(grid)].argmin())
        found |= {f"risk, {name}": risks[best].item(), f"weight, {name}": grid[best - start]}
        start += len(grid)
    return found


def _begun(d: int, x: Tensor, generator: torch.Generator) -> S4DLayer:
    """One channel as S4D-Lin begins, without a skip, scaled to tau = 1 on the training rows; d copies of it."""
    one = S4DLayer.initial(1, N, generator=generator, steps=(STEP, STEP))
    with torch.no_grad():
        one.D.zero_()
        divide_(one, tau(one.taps(L), Statistics.of(x[:, :, None])))
        return S4DLayer(**{name: value.repeat(d, *[1] * (value.ndim - 1)) for name, value in one.named_parameters()})


def _channels(weights: dict[str, list[float]], penalty: str) -> Tensor:
    """The weight of one penalty in every channel (d,)."""
    found = [weight if name == penalty else 0.0 for name, grid in weights.items() for weight in grid]
    return torch.tensor(found, dtype=torch.float64)


def fit(layer: S4DLayer, x: Tensor, y: Tensor, *, of_tau: Tensor, of_l2: Tensor, steps: int) -> None:
    """Adam on C, log_dt and A; each channel has its own square loss on the rows (m,L), and its own weights (d,)."""
    own = [layer.C, layer.log_dt, layer.log_A_real, layer.A_imag]
    optimizer = torch.optim.Adam(own, lr=LEARNING_RATE)
    statistics = Statistics.of(x[:, :, None])
    for _ in range(steps):
        taps = layer.taps(x.shape[1])
        loss = (x @ taps.flip(1).T - y[:, None]).square().mean(0)
        total = loss + of_tau * tau(taps, statistics) + of_l2 * layer.C.square().sum((1, 2))
        optimizer.zero_grad()
        total.sum().backward()
        optimizer.step()


def criteria(rows: Sequence[Row]) -> tuple[Criterion, ...]:
    found = []
    for target in dict.fromkeys(str(row.settings["target"]) for row in rows):
        risk = {name: _risk(rows, target, name) for name in PENALTIES}
        found += [
            Criterion(
                f"{target}: risk with tau over that without a penalty", risk["tau"] / risk["none"], "<=", OF_NONE
            ),
            Criterion(f"{target}: risk with tau over the best with l2", risk["tau"] / risk["l2"], "<=", OF_L2),
            Criterion(f"{target}: risk with tau; a constant has 1", risk["tau"], "<=", 1.0, control=True),
        ]
    return tuple(found)


def _risk(rows: Sequence[Row], target: str, penalty: str) -> float:
    """Mean over the seeds."""
    return mean(row.numbers[f"risk, {penalty}"] for row in rows if row.settings["target"] == target)


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """The risk of each target by penalty; a dot for each seed."""
    axes = figure.subplots()
    targets = list(dict.fromkeys(str(row.settings["target"]) for row in rows))
    for shift, (penalty, colour) in enumerate(zip(PENALTIES, COLOURS, strict=False)):
        places = [place + 0.25 * (shift - 1) for place in range(len(targets))]
        axes.bar(places, [_risk(rows, target, penalty) for target in targets], 0.22, color=colour, label=penalty)
        for place, target in zip(places, targets, strict=True):
            dots = [row.numbers[f"risk, {penalty}"] for row in rows if row.settings["target"] == target]
            axes.plot([place] * len(dots), dots, ".", color="0.2", ms=4)
    axes.axhline(1, color="0.6", lw=0.8)
    axes.set_xticks(range(len(targets)), targets)
    axes.set_ylabel("risk on new rows, without their noise")
    axes.legend(fontsize=7, title="penalty")


EXPERIMENT = Experiment(
    name="tau-regulariser",
    claim="The paper's abstract: a regularization method enhances the generalization performance of SSMs; as others "
    "describe it, a weight times tau is added to the loss. Nothing is proved of it: tau is a measure of training rows.",
    seeds={"paper": (0, 1, 2), "quick": (0,)},
    jobs=jobs,
    measure=measure,
    criteria=criteria,
    draw=draw,
    notes=(
        f"One channel of {N} modes, step {STEP}, without a skip, scaled to tau = 1; {TRAIN} rows of length {L} with "
        f"noise of deviation {NOISE} on the label; Adam at {LEARNING_RATE:g} on C, log_dt and A. The weight of each "
        f"penalty is chosen by {VALIDATION} other rows, from decades: tau 1e-4 to 1e-1, l2 on C 1e-4 to 10. The risk "
        "is exact, in units of the target's variance.",
        "With a constant deviation and a mean near 0 tau is nearly the squared l1 norm of the kernel: what is compared "
        "here is an l1 penalty on the kernel with an l2 penalty on C, on kernels that are short, or one lag.",
        "These are three toy kernels and one layer. Whether the penalty helps in a trained S4 is not shown by them.",
    ),
)
