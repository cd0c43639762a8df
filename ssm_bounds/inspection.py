"""What one Mamba or Mamba-2 layer can do, over all inputs of length at most T: certified, and without data.

:func:`inspect_layer` composes theory M1 to M3, M7 and M2's memory; :func:`documents` is the JSON of
``report/inspect.json``. A number that is not finite is None, with a note. Real arithmetic throughout; what was
measured on given tokens stands beside it, and bounds nothing.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np

from ssm_bounds.analysis import Analysis, analysis, shown
from ssm_bounds.bounds.architectures.mamba.memory import Memory, doubling_exponent, memory
from ssm_bounds.bounds.architectures.mamba.paper import Paper
from ssm_bounds.bounds.values import DomainError, require
from ssm_bounds.models.files.mamba import Model, open_model
from ssm_bounds.models.files.stream import Stream
from ssm_bounds.models.mamba.measure import input_radius, require_numbers
from ssm_bounds.models.mamba.measured import Measured, measured
from ssm_bounds.models.mamba.weights import Layer, Mamba1, Mamba2
from ssm_bounds.models.tasks.tokens import Tokens, read_tokens
from ssm_bounds.report import origin

SCHEMA = 1
DTYPES = {"float16": 65504.0, "bfloat16": (2 - 2.0**-7) * 2.0**127, "float32": (2 - 2.0**-23) * 2.0**127}
NOT_CLAIMED = (
    "Suprema of layers do not multiply to one of the model: in every layer they hold whatever the others do.",
    "A layer's ceiling is not the context of the model: other layers carry what this one forgets.",
    "A doubling exponent of 0 says that the bound has saturated, not that the layer forgets.",
    "Undecided states are undecided by these bounds; that the input decides is not said.",
    "Real arithmetic: rounding in the forward pass is not counted.",
)

Channels: TypeAlias = dict[str, list[float | None]]
Each: TypeAlias = Callable[[Sequence[Any]], Iterable[Any]]
"""Told the parts of some work, gives them one by one, and shows how far it has come."""


NOT_MEASURED = "not measured: parts that are not analysed come before this layer, and are not run"


def at_least(share: float) -> str:
    """A share that is certified, in percent, rounded down.

    >>> at_least(0.99976), at_least(1.0)
    ('99.9%', '100.0%')
    """
    return f"{math.floor(1000 * share) / 10:.1f}%"


def at_most(share: float) -> str:
    """A share of what is open, in percent, rounded up."""
    return f"{math.ceil(1000 * share) / 10:.1f}%"


@dataclass(frozen=True, slots=True)
class LayerReport:
    """One layer; the names are the keys of the JSON, listed in ``report/inspect.json``. ``channels``, entries by
    channel (steps and horizons by head in Mamba-2), is in the JSON where it is asked for. ``measured``: what was seen
    on given tokens, by the names of the bounds."""

    index: int
    mixer: str
    d_model: int
    d_inner: int
    d_state: int
    heads: int | None
    input_radius: float | None
    u_max: float | None
    u_l2: float | None
    delta_min: float | None
    delta_max: float | None
    s_A: float | None
    decay_min: float | None
    decay_max: float | None
    always_forgets: float
    cannot_forget: float
    undecided: float
    doubling_exponent: float | None
    state_sup: float | None
    scan_sup: float | None
    out_sup: float | None
    paper: dict[str, float | None] | None
    groups: int | None
    step_limits: dict[str, float | None] | None
    horizon_floor: float | None
    horizon_ceiling: float | None
    overflows: tuple[str, ...] | None
    measured: Mapping[str, Any] | None
    notes: tuple[str, ...]
    channels: Channels


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One file: what was read of it, what was assumed and left out, and its layers; ``stated_radius``: of the inputs
    of mixers whose blocks have no norm."""

    path: str
    format: str
    family: str
    parameters: int
    assumed: tuple[str, ...]
    not_analysed: tuple[str, ...]
    layers: tuple[LayerReport, ...]
    stated_radius: float | None = None

    def sentence(self, *, T: int, eta: float) -> str:
        """One sentence about the states of all layers together, weighted by their number."""
        if not self.layers:
            return f"{self.path}: no Mamba layer was found."
        counts = [layer.d_inner * layer.d_state for layer in self.layers]
        shares = [
            sum(map(lambda count, layer: count * getattr(layer, name), counts, self.layers)) / sum(counts)
            for name in ("always_forgets", "cannot_forget", "undecided")
        ]
        inside = [layer for layer in self.layers if layer.overflows is not None and "float16" not in layer.overflows]
        stated = ", for inputs of the size that was stated" * (self.stated_radius is not None)
        forget, keep, open_ = *map(at_least, shares[:2]), at_most(shares[2])
        return (
            f"{self.path}, {len(self.layers)} layers. Whatever the tokens{stated}: {forget} of the states always "
            f"forget ({T} tokens later at most {eta!r} of what a token contributed is left), {keep} cannot forget (at "
            f"least 1 - {eta!r} of it is left), {open_} are undecided. Over all inputs of length at most {T}{stated}, "
            f"in real arithmetic, no u, state, scan or output leaves the range of float16 in {len(inside)} of the "
            "layers."
        )


@np.errstate(all="ignore")
def inspect_layer(layer: Layer, *, T: int, eta: float) -> LayerReport:
    """Everything that is certified of one layer over inputs of length at most ``T``; memory at ``eta``.

    Raises: DomainError for weights that are not finite, T < 1, and eta outside (0, 1/2).
    """
    require(isinstance(T, int) and 1 <= T <= 2**53, f"T: a number of tokens from 1 to 2^53, got {T!r}")
    mixer = layer.mixer
    require_numbers(layer)
    radius = input_radius(layer)
    limits = mixer.limits if isinstance(mixer, Mamba2) else (0.0, math.inf)
    require(0 <= limits[0] <= limits[1], f"step limits: two numbers 0 <= low <= high, got {limits}")
    found = analysis(layer, T)
    held = memory(found.rates, *found.step, T=T, eta=eta)
    heads, N = (
        (None, mixer.A_log.shape[1])
        if isinstance(mixer, Mamba1)
        else (len(mixer.A_log), len(mixer.R_B) // mixer.groups)
    )
    D, d = mixer.W_o.shape
    largest = [found.u.max(), found.state.max(), found.scan.max(), found.out]
    numbers = {
        "input_radius": radius,
        "u_max": found.u.max(),
        "u_l2": found.B_u,
        "delta_min": found.step[0].min(),
        "delta_max": found.step[1].max(),
        "s_A": -float(found.rates[0].min()) + 0.0,
        "decay_min": held.decay_min,
        "decay_max": held.decay_max,
        "doubling_exponent": doubling_exponent(found.scan_l2, found.later_scan_l2),
        "state_sup": found.state.max(),
        "scan_sup": found.scan_l2,
        "out_sup": found.out,
        "horizon_floor": held.floor,
        "horizon_ceiling": held.ceiling,
    }
    missing = [name for name, value in numbers.items() if not math.isfinite(value)]
    return LayerReport(
        index=layer.index,
        mixer="mamba" if isinstance(mixer, Mamba1) else "mamba2",
        d_model=D,
        d_inner=d,
        d_state=N,
        heads=heads,
        **{name: _finite(value) for name, value in numbers.items()},
        always_forgets=held.always_forgets,
        cannot_forget=held.cannot_forget,
        undecided=held.undecided,
        paper=None
        if found.paper is None
        else {field.name: _finite(getattr(found.paper, field.name)) for field in fields(Paper)},
        groups=None if isinstance(mixer, Mamba1) else mixer.groups,
        step_limits=None if limits == (0.0, math.inf) else {"low": limits[0], "high": _finite(limits[1])},
        overflows=None
        if math.isinf(radius)
        else tuple(name for name, top in DTYPES.items() if not all(value <= top for value in largest)),
        measured=None,
        notes=(*_inputs(layer), *_fragile(found, held, limits, T), *found.notes, *_missing(missing)),
        channels={
            name: [_finite(value) for value in values.tolist()]
            for name, values in (
                ("u_max", found.u),
                ("delta_min", found.step[0]),
                ("delta_max", found.step[1]),
                ("state_sup", found.state),
                ("scan_sup", found.scan),
                ("horizon_floor", held.floors),
                ("horizon_ceiling", held.ceilings),
            )
        },
    )


def inspect(
    path: str | os.PathLike[str],
    *,
    T: int = 2048,
    eta: float = 0.05,
    layers: Sequence[int] = (),
    mapping: str | os.PathLike[str] | None = None,
    input_radius: float | None = None,
    mixer_groups: int | None = None,
    data: str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
    each: Each = iter,
) -> ModelReport:
    """What is certain of every Mamba layer of a file, or of some ``layers`` of it, one in memory at a time.

    ``T``: largest length; ``eta``: the share of a contribution that counts as forgotten. ``mapping`` to
    ``mixer_groups`` are as in :func:`ssm_bounds.models.files.mamba.open_model`. ``data``: an ``.npz`` of tokens, on
    which what is bounded is measured too (:func:`ssm_bounds.models.tasks.tokens.read_tokens`). ``executor``: runs the
    layers, each of which opens the file anew; the report is the same. ``each``: told the layers, and then the batches
    of rows, gives them one by one.
    Raises: CheckpointError, TaskError, DomainError, OSError.
    """
    options: dict[str, Any] = {"mapping": mapping, "input_radius": input_radius, "mixer_groups": mixer_groups}
    model = open_model(path, **options)
    count = len(model.layers)
    for i in layers:
        require(0 <= i < count, f"{path}: there is no layer {i}; its {count} Mamba layers are 0 to {count - 1}")
    chosen = sorted(set(layers)) or list(range(count))
    given = None if data is None else (_stream(model), read_tokens(os.fspath(data)))
    if given is not None:
        _require_within(given[1], given[0].vocabulary.size, T)
    if executor is None:
        found = [inspect_layer(model.layers[i], T=T, eta=eta) for i in each(chosen)]
    else:
        found = _in_parallel(executor, [(os.fspath(path), options, i, T, eta) for i in chosen], each)
    if given is not None:
        found = _beside(model, *given, dict(zip(chosen, found, strict=True)), each)
    return ModelReport(
        str(path),
        model.format,
        model.family,
        model.parameters,
        model.assumed,
        model.not_analysed,
        tuple(found),
        input_radius,
    )


def _in_parallel(executor: Executor, jobs: Sequence[tuple[Any, ...]], each: Each) -> list[LayerReport]:
    futures: list[Future[LayerReport]] = []
    try:
        futures += [executor.submit(_of_file, *job) for job in jobs]
        return [future.result() for future in each(futures)]
    except BaseException:  # Ctrl-C among them
        for future in futures:
            future.cancel()
        raise


def _of_file(path: str, options: dict[str, Any], i: int, T: int, eta: float) -> LayerReport:
    """One layer, wherever this runs."""
    return inspect_layer(open_model(path, **options).layers[i], T=T, eta=eta)


def _stream(model: Model) -> Stream:
    """Raises: DomainError where no tokens can be run."""
    if model.stream is None:
        raise DomainError(
            f"{model.path}: no tokens can be run: the file holds no embedding under the name that its family has, or "
            "other parts come before its first Mamba layer; leave --data out"
        )
    return model.stream


def _require_within(tokens: Tokens, size: int, T: int) -> None:
    """Raises: TaskError, DomainError for tokens that the vocabulary lacks, and rows of more than ``T``."""
    tokens.require_below(size)
    longest = int(tokens.lengths.max())
    said = f"{tokens.source}: has rows of {longest} tokens, and T = {T} bounds no more; give --T {longest}"
    require(longest <= T, said)


def _beside(
    model: Model, stream: Stream, tokens: Tokens, found: dict[int, LayerReport], each: Each
) -> list[LayerReport]:
    """The reports with what was measured, as far as nothing that is not analysed stands between the layers."""
    reached = min(stream.reached, 1 + max(found))
    seen = measured(model.layers[:reached], stream.vocabulary, tokens, each)
    return [
        replace(report, measured=_measured(seen[i]))
        if i < reached
        else replace(report, notes=(*report.notes, NOT_MEASURED))
        for i, report in found.items()
    ]


def _measured(seen: Measured) -> dict[str, Any]:
    counts = {"rows": seen.rows, "tokens": seen.tokens}
    values = {name: _finite(value) for name, value in asdict(seen).items() if name not in counts}
    return {"note": f"measured on {seen.rows:,} rows, float64; not a bound", **counts, **values}


def documents(
    models: Sequence[ModelReport],
    failed: Sequence[tuple[str, str]] = (),
    *,
    T: int,
    eta: float,
    channels: bool = False,
) -> dict[str, Any]:
    """The JSON of ``report/inspect.json``; ``failed``: paths and errors; ``channels``: with arrays by channel."""
    return {
        **origin.head(SCHEMA),
        "T": T,
        "eta": eta,
        "models": [
            {
                "path": model.path,
                "format": model.format,
                "family": model.family,
                "parameters": model.parameters,
                "assumed": list(model.assumed),
                "not_analysed": list(model.not_analysed),
                "layers": [_layer(layer, channels) for layer in model.layers],
            }
            for model in models
        ],
        "failed": [{"path": path, "error": error} for path, error in failed],
    }


def _layer(layer: LayerReport, channels: bool) -> dict[str, Any]:
    found = {field.name: getattr(layer, field.name) for field in fields(layer)}
    if not channels:
        del found["channels"]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def _inputs(layer: Layer) -> list[str]:
    if layer.vocabulary is not None:
        return [
            f"over the {layer.vocabulary.size:,} tokens of the vocabulary, masks as in evaluation included; "
            "inputs_embeds that are no row of the embedding are not covered"
        ]
    if layer.norm is not None or layer.radius is None:
        return []
    return [f"no norm bounds the input: all but the rates holds if its l2 norm is at most {layer.radius!r}, as stated"]


def _fragile(found: Analysis, held: Memory, limits: tuple[float, float], T: int) -> list[str]:
    slow, fast = found.rates
    notes = []
    if idle := int((fast <= 2.0**-999).sum()):
        states = f"{idle} of {fast.size} states"
        notes.append(f"{states} have |A| below 2^-999 (A_log at or near -infinity): no decay to speak of")
    elif slow.min() < 1e-2:
        notes.append(f"A is near 0: the smallest |A| is at most {shown(fast.min())}, and horizons grow as its inverse")
    if T > 1 and math.isfinite(found.B_u) and held.decay_max >= 1 - 1 / T:
        sums = "" if found.paper is None else ": the published sums are at least a third of those without decay"
        gap = 1 - held.decay_max
        excluded = f"only factors above about 1 - {gap:.3g} are" if gap > 0 else "no factor up to 1 is"
        notes.append(f"rho to 1: of one step's decay {excluded} excluded, at {T} tokens{sums}")
    if limits != (0.0, math.inf) and math.isfinite(found.B_u) and not found.limits_act:
        notes.append("step limits are never reached, so decoding that ignores them is the same")
    return notes


def _missing(names: list[str]) -> tuple[str, ...]:
    return (f"not finite, so null: {', '.join(names)}",) if names else ()


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
