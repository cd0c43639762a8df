"""What the formats share: where the mixers of a file are, what its config says, the norm of a block."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ssm_bounds.models.files.container import CheckpointError, quote
from ssm_bounds.models.files.tensors import Tensors
from ssm_bounds.models.mamba.weights import Array, Layer, Mamba1, Mamba2, Norm

Config = Mapping[str, Any]
Reader = Callable[[], Layer]


class Format(Protocol):
    """One family. ``config`` is empty where the model comes without one."""

    NAME: str

    def recognises(self, names: Collection[str], config: Config) -> bool:
        """Whether these tensor names and this config are the family's. Reads nothing."""
        ...

    def layers(self, file: Tensors, facts: Facts) -> Sequence[Reader]:
        """One function per mixer, which reads its tensors. All shapes and facts are checked before. Raises:
        CheckpointError."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """One mixer: its number, the prefix of its block and of its own tensors, both with the last dot."""

    index: int
    block: str
    mixer: str


_MIXER = re.compile(
    r"(?P<block>(?P<root>(?:.*\.)?)layers\.(?P<index>\d{1,6})\.(?:mamba_decoder\.)?)(?P<mixer>mixer|mamba)\.A_log"
)
_PART = re.compile(
    r"(?P<mixer>(?:.*\.)?layers\.\d{1,6}\.(?:mamba_decoder\.)?(?:mixer|mamba)\.)"
    r"(?:D|dt_bias|(?:conv1d|x_proj|dt_proj|in_proj)\.weight)"
)
"""What only a mixer of Mamba has."""


def places(names: Collection[str]) -> list[Place]:
    """Every mixer, in the order of the layers; none where the file names them otherwise."""
    found = [match for name in names if (match := _MIXER.fullmatch(name))]
    places = [Place(int(match["index"]), match["block"], f"{match['block']}{match['mixer']}.") for match in found]
    return sorted(places, key=lambda place: place.index)


def root(names: Collection[str]) -> str | None:
    """What stands before ``layers`` in the names of the mixers."""
    return next((match["root"] for name in names if (match := _MIXER.fullmatch(name))), None)


def has(names: Collection[str], suffix: str) -> bool:
    """Whether a mixer has a tensor of this name; that each of them has it is checked when the family is known."""
    return any(place.mixer + suffix in names for place in places(names))


def is_mamba1(names: Collection[str]) -> bool:
    return has(names, "x_proj.weight") and not has(names, "dt_bias")


def is_mamba2(names: Collection[str]) -> bool:
    return has(names, "dt_bias") and not has(names, "x_proj.weight")


def require_whole(names: Collection[str]) -> None:
    """Raise CheckpointError for two stacks of layers, a number without a layer, a mixer without its decay."""
    found = places(names)
    roots = sorted({match["root"] for name in names if (match := _MIXER.fullmatch(name))})
    if len(roots) > 1 or len({place.index for place in found}) < len(found):
        raise CheckpointError(
            f"holds Mamba layers under {' and '.join(map(quote, roots))}, expected one stack; save one"
        )
    mixers = {place.mixer for place in found}
    if halves := sorted(name for name in names if (match := _PART.fullmatch(name)) and match["mixer"] not in mixers):
        lacking = halves[0].rsplit(".", 2 if halves[0].endswith(".weight") else 1)[0]
        raise CheckpointError(f"lacks tensor {quote(f'{lacking}.A_log')}, but has {quote(halves[0])}; save it whole")
    pattern = re.compile(re.escape(roots[0]) + r"layers\.(\d{1,6})\.")
    numbers = {int(match[1]) for name in names if (match := pattern.match(name))}
    if missing := sorted(set(range(max(numbers))) - numbers):
        raise CheckpointError(
            f"lacks every tensor of layer {missing[0]} of {max(numbers) + 1}; copy the missing shards"
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """What shapes cannot say: the config, what the user stated, and, as it is used, what had to be assumed.

    ``unbounded``: the blocks without a norm, whose input the stated radius bounds.
    """

    config: Config | None
    input_radius: float | None = None
    mixer_groups: int | None = None
    assumed: list[str] = field(default_factory=list)
    unbounded: list[str] = field(default_factory=list)

    def assume(self, sentence: str) -> None:
        if sentence not in self.assumed:
            self.assumed.append(sentence)

    def get(self, key: str, default: Any, what: str) -> Any:
        """The value of ``key``; the program's default, noted as assumed, where the config has none."""
        value = (self.config or {}).get(key)
        if value is not None:
            return value
        self.assume(f"{what} {_shown(default)}: {'no config' if self.config is None else f'config has no {key}'}")
        return default

    def number(self, key: str, default: float, what: str, low: float = -math.inf) -> float:
        value = number(found := self.get(key, default, what))
        if value is None or not low <= value < math.inf or value == -math.inf:
            raise _lie(key, f"a finite number{'' if low == -math.inf else f' from {low:g} on'}", found)
        return value

    def eps(self, key: str, default: float, what: str = "eps of the block norm") -> float:
        if (value := self.number(key, default, what)) <= 0:
            raise _lie(key, "a number above 0", value)
        return value

    def flag(self, key: str, default: bool, what: str) -> bool:
        if not isinstance(value := self.get(key, default, what), bool):
            raise _lie(key, "true or false", value)
        return value

    def count(self, key: str, default: int | None = None) -> int | None:
        """A dimension that the config repeats, or None."""
        value = (self.config or {}).get(key, default)
        if value is not None and (type(value) is not int or value < 1):
            raise _lie(key, "a whole number from 1 on", value)
        return value

    def limits(self, key: str = "time_step_limit") -> tuple[float, float]:
        """The clamp of the step."""
        low, high = self.numbers(key, (0.0, math.inf), "step limits")
        if not 0 <= low <= high or math.isinf(low):
            raise _lie(key, "two numbers, 0 <= low <= high", [low, high])
        return low, high

    def numbers(self, key: str, default: tuple[float, ...], what: str) -> tuple[float, ...]:
        """As many as the default has."""
        found = self.get(key, default, what)
        values = [number(value) for value in found] if isinstance(found, list | tuple) else []
        if len(values) != len(default) or None in values:
            raise _lie(key, f"{len(default)} numbers", found)
        return tuple(value for value in values if value is not None)

    def require_silu(self, key: str = "hidden_act") -> None:
        """theory M0 is about SiLU alone."""
        value = (self.config or {}).get(key, "silu")
        if value not in ("silu", "swish"):
            raise _lie(key, "silu, for which the theory is stated", value)


def number(value: object) -> float | None:
    """The float of a number in a config; None for anything else, or for one that no float holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _lie(key: str, expected: str, found: object) -> CheckpointError:
    return CheckpointError(f"config.json {quote(key)}: expected {expected}, found {quote(found)}; correct the config")


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def block_norm(
    file: Tensors, facts: Facts, prefix: str, names: Sequence[str], eps: float, D: int
) -> Callable[[], Norm | None]:
    """What reads the norm under one of ``names``. Raises: CheckpointError without one, unless a radius is stated."""
    name = next((prefix + name for name in names if f"{prefix}{name}.weight" in file), None)
    if name is None:
        if facts.input_radius is None:
            raise CheckpointError(
                f"lacks {quote(f'{prefix}{names[0]}.weight')}: nothing bounds the input of this mixer; "
                "state --input-radius R, the largest l2 norm of what enters it"
            )
        facts.unbounded.append(prefix)
        facts.assume(f"inputs of l2 norm at most {facts.input_radius:g}, as stated: the file has no norm of a block")
        return lambda: None
    require_shape(file, f"{name}.weight", (D,), "D")
    if f"{name}.bias" not in file:
        return lambda: Norm("rms", file.array(f"{name}.weight"), eps)
    require_shape(file, f"{name}.bias", (D,), "D")
    return lambda: Norm("layer", file.array(f"{name}.weight"), eps, file.array(f"{name}.bias"))


def require_axes(file: Tensors, name: str, axes: int) -> tuple[int, ...]:
    """The shape, where nothing else says how long each axis is. Raises: CheckpointError."""
    found = file.shape(name)
    if len(found) != axes or not all(found):
        raise CheckpointError(
            f"tensor {quote(name)}: has shape {found}, expected {axes} axes, none of length 0; "
            "check which model this file was saved from"
        )
    return found


def require_shape(file: Tensors, name: str, shape: tuple[int, ...], letters: str) -> None:
    if (found := file.shape(name)) != shape:
        raise CheckpointError(
            f"tensor {quote(name)}: has shape {found}, expected {shape}, that is ({letters}); "
            "check which model this file was saved from"
        )


def require_only(file: Tensors, prefix: str, suffixes: Collection[str]) -> None:
    """A mixer with a tensor more than its family has is another mixer."""
    extra = sorted(name for name in file.tensors if name.startswith(prefix) and name[len(prefix) :] not in suffixes)
    if extra:
        raise CheckpointError(f"also holds {quote(extra[0])}, which no mixer of this family has; it is another model")


def optional(file: Tensors, name: str, shape: tuple[int, ...]) -> Array:
    """A bias: zeros where the file has none."""
    return file.array(name) if name in file else np.zeros(shape)


def reader(place: Place, norm: Callable[[], Norm | None], mixer: Callable[[], Mamba1 | Mamba2], facts: Facts) -> Reader:
    def read() -> Layer:
        found = norm()
        return Layer(place.index, place.mixer[:-1], found, mixer(), None if found else facts.input_radius)

    return read
