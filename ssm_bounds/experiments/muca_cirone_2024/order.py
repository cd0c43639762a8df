"""What one layer cannot learn of an order that a context gives a meaning to, and two layers can.

Three parts: readouts of random layers on quadruples of paths; the model of theory 1, trained on quadruples of tokens,
and two layers of it; the exact counts in the group A5. Source: theory 15.4 to 15.6.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from ssm_bounds.bounds.architectures.a5 import counted
from ssm_bounds.bounds.architectures.order import word_problem
from ssm_bounds.experiments.experiment import Criterion, Experiment, Numbers, Preset, Row, Settings
from ssm_bounds.experiments.muca_cirone_2024.words import LAYERS
from ssm_bounds.models.linear_cde.features import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ssm_bounds.experiments.muca_cirone_2024.tokens import Target

RANDOM = (("forced", 128), ("dense", 128), ("chain", 128))
TARGETS: tuple[Target, ...] = ("context", "order", "product")
WORDS = {4: "1/30", 7: "14/225", 10: "589/6750", 13: "5516/50625", 16: "194041/1518750", 20: "1640954/11390625"}
"""By their letters, the least share of words that every model under theory 15.4 gets wrong."""
_QUADRUPLES = 300  # to learn from, and as many to test
_STEP = 1 / 3
_CUT = 1e-10  # of singular values, relative to the largest


def jobs(preset: Preset, seeds: Sequence[int]) -> tuple[Settings, ...]:
    """The presets differ in the quadruples of tokens, in what training may take, and in the number of seeds."""
    quadruples, steps, starts = (150, 400, 4) if preset == "paper" else (40, 300, 4)
    found: list[Settings] = [
        {"part": "random", "layer": layer, "N": N, "seed": seed} for seed in seeds for layer, N in RANDOM
    ]
    sizes: Settings = {"quadruples": quadruples, "steps": steps, "starts": starts}
    for seed in seeds:
        found += [{"part": "trained", "layers": 1, "target": target, **sizes, "seed": seed} for target in TARGETS]
        found.append({"part": "trained", "layers": 2, "target": "product", **sizes, "steps": 300, "seed": seed})
    return (*found, {"part": "A5"})


def measure(job: Settings) -> Numbers:
    """One row of any part."""
    if job["part"] == "random":
        return _random(str(job["layer"]), int(job["N"]), int(job["seed"]))
    if job["part"] == "trained":
        return _trained(job)
    counts = counted()
    return {name: float(value) for name, value in counts._asdict().items()} | {
        f"T = {T}": float(word_problem(T)) for T in WORDS
    }


def _trained(job: Settings) -> Numbers:
    from dataclasses import asdict

    import torch

    from ssm_bounds.experiments.muca_cirone_2024.tokens import train

    torch.set_num_threads(1)  # the tensors are small
    found = train(
        cast("Target", job["target"]),
        layers=cast("Literal[1, 2]", job["layers"]),
        quadruples=int(job["quadruples"]),
        steps=int(job["steps"]),
        starts=int(job["starts"]),
        seed=int(job["seed"]),
    )
    return {name: float(value) for name, value in asdict(found).items()}


def _random(layer: str, N: int, seed: int) -> Numbers:
    """Least squares on the features and a constant. "product": root mean squared error on new quadruples, over the
    deviation; the others are accuracies there."""
    drawn, targets = quadruples(2 * _QUADRUPLES, np.random.default_rng([seed, 0]))
    features = LAYERS[layer](drawn, N, np.random.default_rng([seed, 1]))
    x = np.hstack([features, np.ones((len(features), 1))])
    half = 4 * _QUADRUPLES
    fitted = x[half:] @ np.linalg.lstsq(x[:half], targets[:half], rcond=_CUT)[0]
    right = np.mean((fitted > 0) == (targets[half:] > 0), axis=0)
    error = float(np.sqrt(np.mean((fitted[:, 2] - targets[half:, 2]) ** 2)))
    names = [f"{name} accuracy" for name in TARGETS]
    return dict(zip(names, map(float, right), strict=True)) | {"product error": error}


def quadruples(count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Paths (4 count,8,4) with a clock from 0 to 1: a step +-e_1, four along random axes and signs, then e_2 and e_3 in
    either order, all of length 1/3; the four of a quadruple have the same middle. Targets (4 count,3): context, order
    and their product, in {-1, 1}."""
    axes, signs = rng.integers(0, 3, (count, 4)), rng.choice([-1.0, 1.0], (count, 4))
    middle = np.eye(3)[axes] * signs[..., None]
    parts, targets = [], []
    for context, order in itertools.product((1.0, -1.0), repeat=2):
        first = np.broadcast_to(np.eye(3)[None, :1] * context, (count, 1, 3))
        block = np.eye(3)[[1, 2] if order > 0 else [2, 1]]
        parts.append(np.concatenate([first, middle, np.broadcast_to(block, (count, 2, 3))], axis=1))
        targets.append(np.broadcast_to([context, order, context * order], (count, 3)))
    steps = np.stack(parts, axis=1).reshape(4 * count, 7, 3) * _STEP
    x = np.concatenate([np.zeros((4 * count, 1, 3)), np.cumsum(steps, axis=1)], axis=1)
    clock = np.broadcast_to(np.linspace(0, 1, 8)[None, :, None], (4 * count, 8, 1))
    return np.concatenate([clock, x], axis=2), np.stack(targets, axis=1).reshape(4 * count, 3)


def criteria(rows: Sequence[Row]) -> tuple[Criterion, ...]:
    def random(layer: str, number: str) -> list[float]:
        return [row.numbers[number] for row in rows if row.settings.get("layer") == layer]

    def trained(layers: int, target: str, number: str) -> list[float]:
        wanted = ("trained", layers, target)
        chosen = [row for row in rows if tuple(row.settings.get(key) for key in ("part", "layers", "target")) == wanted]
        return [row.numbers[number] for row in chosen]

    def worst(values: list[float]) -> float:
        return max(values, key=lambda value: (value != value, value))  # one that never ended is the worst

    def exact(T: int, share: str) -> Criterion:
        said = f"words of {T} letters in A5: error at least {share}"
        return Criterion(said, group[f"T = {T}"], "==", float(Fraction(share)))

    errors = random("forced", "product error")
    within = "all rows right at step"
    (group,) = [row.numbers for row in rows if row.settings["part"] == "A5"]
    return (
        Criterion("random diagonal, product: error over deviation", min(errors), ">=", 1 - 1e-6),
        Criterion("random diagonal, context: accuracy", min(random("forced", "context accuracy")), ">=", 0.99, True),
        Criterion("random diagonal, order: accuracy", min(random("forced", "order accuracy")), ">=", 0.99, True),
        Criterion("random dense, product: accuracy", min(random("dense", "product accuracy")), ">=", 0.93, True),
        Criterion("random chain, product: accuracy", min(random("chain", "product accuracy")), ">=", 0.85, True),
        Criterion("trained, product: least loss - ln 2", min(trained(1, "product", "excess")), ">=", -1e-9),
        Criterion("trained, product: most quadruples right", max(trained(1, "product", "solved")), "<=", 0),
        Criterion(f"trained, context: {within}", worst(trained(1, "context", "perfect")), "<=", 300, True),
        Criterion(f"trained, order: {within}", worst(trained(1, "order", "perfect")), "<=", 300, True),
        Criterion(f"two layers, product: {within}", worst(trained(2, "product", "perfect")), "<=", 300, True),
        Criterion("pairs in A5 whose commutator is an involution", group["good"], "==", 480),
        Criterion("orbits of four blocks in A5", group["orbits"], "==", 7200),
        *itertools.starmap(exact, WORDS.items()),
    )


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Accuracies of the random layers, and losses of the trained ones, by seed."""
    accuracies, losses = figure.subplots(1, 2)
    for place, (layer, _) in enumerate(RANDOM):
        for shift, target in enumerate(TARGETS):
            found = [row.numbers[f"{target} accuracy"] for row in rows if row.settings.get("layer") == layer]
            label = target if place == 0 else None
            accuracies.plot([place + shift / 4] * len(found), found, "o", color=f"C{shift}", label=label)
    accuracies.axhline(0.5, color="grey", linewidth=0.8)
    accuracies.set_xticks(np.arange(len(RANDOM)) + 0.25, [f"{layer}, N = {N}" for layer, N in RANDOM])
    accuracies.set(ylabel="accuracy", title="readouts of random layers")
    accuracies.legend(fontsize=8)
    trained = [row for row in rows if row.settings["part"] == "trained"]
    names = list(dict.fromkeys((row.settings["layers"], row.settings["target"]) for row in trained))
    for row in trained:
        place = names.index((row.settings["layers"], row.settings["target"]))
        losses.plot([place], [row.numbers["excess"] + np.log(2)], "o", color=f"C{place}")
    losses.axhline(np.log(2), color="grey", linewidth=0.8)
    losses.set_xticks(
        range(len(names)), [f"{target},\n{layers} layer{'s' * (layers != 1)}" for layers, target in names]
    )
    losses.set(ylabel="least mean loss of all steps", title="trained on quadruples")


EXPERIMENT = Experiment(
    "order",
    "The paper: one diagonal layer reaches less than a dense one, and chains of diagonal layers reach the rest. Proved "
    "here, for every size and training: of four sequences of theory 15.4 labelled a, b, b, a, one layer has at least "
    "one wrong, and a mean logistic loss of at least ln 2.",
    {"paper": (7, 8, 9), "quick": (7,)},
    jobs,
    measure,
    criteria,
    draw,
    (
        "The labels: which context stood first, in which order the two last tokens before the end came, and whether "
        "both agree (the product). Of several seeds the worst counts.",
        "Random layers: least squares on 300 quadruples of paths, tested on 300 others. The diagonal one is forced.",
        "Trained: each target gets up to four random starts, as some hardly move, and ends at the first step at which "
        "all rows are right; the product gets all of them in one layer. It is the training set that cannot be learned.",
        "The loss is computed in float64: 1e-9 below ln 2 is what rounding is allowed, far more than it takes.",
        "A5: by enumeration and in rationals. The shares are bounds from below for models under theory 15.4, where the "
        "label is the product of the letters, read at the last position; activations after the scan are outside of it.",
    ),
)
