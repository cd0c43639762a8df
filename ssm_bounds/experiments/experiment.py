"""An experiment that measures numbers, and says what they must be: what a file of one holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Preset: TypeAlias = Literal["paper", "quick"]
PRESETS: tuple[Preset, ...] = get_args(Preset)
Settings: TypeAlias = Mapping[str, int | float | str]
"""Of one measurement: everything that its numbers depend on, the seed among it."""
Numbers: TypeAlias = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement."""

    settings: Settings
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class Criterion:
    """A number, and the least or the most that it may be, or what it has to be. ``control``: without it the others mean
    nothing.

    >>> Criterion("the error", 0.25, "<=", 0.3).met, Criterion("the error", float("nan"), "<=", 0.3).met
    (True, False)
    """

    words: str
    value: float
    sign: Literal["<=", ">=", "=="]
    must: float
    control: bool = False

    @property
    def met(self) -> bool:
        if math.isnan(self.value):
            return False
        if self.sign == "==":
            return self.value == self.must
        return self.value <= self.must if self.sign == "<=" else self.value >= self.must

    def __str__(self) -> str:
        kind = "control: " if self.control else ""
        return f"{kind}{self.words}: {self.shown}, must be {self.sign} {self.must:.12g}"

    @property
    def shown(self) -> str:
        """In four digits, or as many as tell it from what it must be; in twelve what has to be equal."""
        if self.sign == "==":
            return f"{self.value:.12g}"
        digits = next((n for n in range(4, 17) if float(f"{self.value:.{n}g}") != self.must), 17)
        return f"{self.value:.{digits if self.value != self.must else 4}g}"


@dataclass(frozen=True, slots=True)
class Experiment:
    """``claim``: what the paper says, and what was proved about it. ``seeds``: by preset; another number of them counts
    on from the first. ``jobs``: the settings of each measurement, for a preset and seeds. ``measure``: one of them, a
    function of its settings alone. ``criteria``: what was measured, out of all rows. ``draw``: the figure.
    ``notes``: what a reader of the report must know, in a line each."""

    name: str
    claim: str
    seeds: Mapping[Preset, tuple[int, ...]]
    jobs: Callable[[Preset, Sequence[int]], tuple[Settings, ...]]
    measure: Callable[[Settings], Numbers]
    criteria: Callable[[Sequence[Row]], tuple[Criterion, ...]]
    draw: Callable[[Figure, Sequence[Row]], None]
    notes: tuple[str, ...] = ()

    def asked(self, preset: Preset, seeds: int | None = None) -> tuple[Settings, ...]:
        """The settings of every measurement of a preset, perhaps with another number of seeds."""
        chosen = self.seeds[preset]
        return self.jobs(preset, chosen if seeds is None else range(chosen[0], chosen[0] + seeds))
