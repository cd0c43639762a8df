"""The paper's three experiments as frozen data: which trainings, and what varies between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

from ssm_bounds.bounds.values import require
from ssm_bounds.experiments.experiment import PRESETS, Preset
from ssm_bounds.experiments.run import RECIPES, RunConfig
from ssm_bounds.models.training.train import Settings

Name: TypeAlias = Literal["unstable-init", "sweep-abscissa", "length"]

NAMES: tuple[Name, ...] = get_args(Name)
CLASSES: Mapping[str, int] = {"majority": 2, "listops": 10, "imdb": 2}
"""The tasks of the paper, and their labels."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """One training for each T, initial s_A and seed. ``options``: what the task takes besides m, T and seed.

    A seed decides the data, the initial weights and the order of the batches. Raises: DomainError.
    """

    name: Name
    task: str
    preset: Preset
    m: int | None
    lengths: tuple[int, ...]
    abscissas: tuple[float, ...]
    seeds: tuple[int, ...]
    settings: Settings
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(self.task in CLASSES, f"task: expected one of {', '.join(CLASSES)}, got {self.task!r}")
        for name in ("lengths", "abscissas", "seeds"):
            found = getattr(self, name)
            require(bool(found) and len(set(found)) == len(found), f"{name}: expected distinct values, got {found}")

    @property
    def configs(self) -> tuple[RunConfig, ...]:
        """In the order of the table: by T, then s_A, then seed."""
        return tuple(self._config(T, s_A, seed) for T in self.lengths for s_A in self.abscissas for seed in self.seeds)

    def _config(self, T: int, s_A: float, seed: int) -> RunConfig:
        options = {**self.options, "m": self.m, "T": T, "seed": seed}
        return RunConfig(self.task, options, replace(self.settings, s_A=s_A, seed=seed))

    def covers(self, config: RunConfig) -> bool:
        """Is this training one of the experiment's, up to the lengths and seeds that were asked for?"""
        T, seed, s_A = config.options.get("T"), config.options.get("seed"), config.settings.s_A
        varies = self.name == "sweep-abscissa" or s_A in self.abscissas
        return varies and isinstance(T, int) and isinstance(seed, int) and config == self._config(T, s_A, seed)


_FIRST_FIVE = (1, 2, 3, 4, 5)
_SWEEP = tuple(value / 100 for value in range(-10, 11, 2))

# Lengths that the paper did not try, up to where no initial gates are left that train
_BEYOND = (700, 1400, 2800)
# The authors' run_main.sh and the names of their released models and logs. Which of the three grids at s_A = 0.1 is
# whose is our reading: their released log of Majority is at T = 200, that of IMDb at T = 350.
_LENGTHS: Mapping[tuple[Name, str], tuple[int, ...]] = {
    ("length", "majority"): tuple(range(25, 401, 25)),
    ("length", "listops"): tuple(range(100, 1001, 100)),
    ("length", "imdb"): tuple(range(100, 2001, 100)),
    ("unstable-init", "majority"): (*range(50, 351, 50), *_BEYOND),
    ("unstable-init", "listops"): (*range(100, 701, 100), *_BEYOND[1:]),
    ("unstable-init", "imdb"): tuple(range(300, 601, 50)),
    ("sweep-abscissa", "majority"): (200,),
    ("sweep-abscissa", "listops"): (100,),
    ("sweep-abscissa", "imdb"): (350,),
}
_EPOCHS: Mapping[tuple[Name, str], int] = {
    ("length", "majority"): 40,
    ("length", "listops"): 50,
    ("length", "imdb"): 30,
}
_SHORT_EPOCHS = 10  # the authors' logs at s_A = 0.1 end after ten
_ABSCISSAS: Mapping[Name, tuple[float, ...]] = {"length": (0.0,), "unstable-init": (0.1,), "sweep-abscissa": _SWEEP}

# Under two minutes on two cores
_QUICK: Mapping[Name, Mapping[str, Any]] = {
    "length": {"lengths": (25, 75, 125, 200, 300), "seeds": (1, 2, 3), "m": 500, "epochs": 15},
    "unstable-init": {"lengths": (50, 100, 200, 350, *_BEYOND), "seeds": (1, 2, 3), "m": 1000, "epochs": 10},
    "sweep-abscissa": {"lengths": (100,), "abscissas": _SWEEP[::2], "seeds": (1, 2), "m": 1000, "epochs": 10},
}
_QUICK_LISTOPS = {"length": (50, 100, 150, 200), "unstable-init": (50, 100, 200, *_BEYOND), "sweep-abscissa": (100,)}


def experiment(
    name: Name,
    task: str,
    preset: Preset = "paper",
    *,
    lengths: tuple[int, ...] = (),
    seeds: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Experiment:
    """The preset, with other lengths or more or fewer seeds (1, 2, ...) where they are given. Raises: DomainError.

    >>> found = experiment("length", "majority")
    >>> len(found.lengths), found.seeds, found.settings.epochs, found.settings.d, found.settings.N, found.m
    (16, (1, 2, 3, 4, 5), 40, 4, 4, 1000)
    """
    require(name in NAMES, f"expected one of {', '.join(NAMES)}, got {name!r}")
    require(preset in PRESETS, f"preset: expected one of {', '.join(PRESETS)}, got {preset!r}")
    require(task in CLASSES, f"task: expected one of {', '.join(CLASSES)}, got {task!r}")
    settings = replace(RECIPES["paper"][task], epochs=_EPOCHS.get((name, task), _SHORT_EPOCHS))
    m = None if task == "imdb" else 1000  # all reviews
    found = Experiment(name, task, preset, m, _LENGTHS[name, task], _ABSCISSAS[name], _FIRST_FIVE, settings)
    if preset == "quick":
        quick = dict(_QUICK[name])
        quick["settings"] = replace(settings, epochs=quick.pop("epochs"))
        if task == "listops":
            quick["lengths"] = _QUICK_LISTOPS[name]
        found = replace(found, **quick)
    if lengths:
        found = replace(found, lengths=tuple(sorted(lengths)))
    if seeds is not None:
        found = replace(found, seeds=tuple(range(1, seeds + 1)))
    return replace(found, options=dict(options or {}))
