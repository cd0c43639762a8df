"""What a last block and its readout answer on given features, in real arithmetic: numbers and how far they can be off.

Float64 beside its error, entry by entry, one operation at a time (``models.mamba.near``): the same bits on every
machine. Axes: a feature, time, the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.architectures.mamba.last import Last
from ssm_bounds.bounds.evaluate.outward import above, below, exp_above, exp_below
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.design import lengths
from ssm_bounds.models.mamba.last import entry, is_frozen
from ssm_bounds.models.mamba.near import Near
from ssm_bounds.models.mamba.weights import Array, Mamba1, Mamba2, Norm
from ssm_bounds.models.program.classifier import stack
from ssm_bounds.models.program.run import Program, prepared, streams
from ssm_bounds.models.program.selftest import require_exact

_ROWS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Of rows ``rows``: what the block's norm is given (D,T,b), what line reads (n,b), valid tokens (b,), which rows
    are ``ok`` (b,)."""

    rows: NDArray[np.int64]
    h: Near
    phi: Near
    lengths: NDArray[np.int64]
    ok: NDArray[np.bool_]


def features(classifier: Classifier, x: NDArray) -> Iterator[Features]:
    """Frozen ones by the exact program of theory 8.13; those of a trained map of inputs in real arithmetic."""
    length = lengths(x, classifier.pad)
    if is_frozen(classifier):
        require_exact()
        for rows, h, ok in streams(frozen(classifier), x, length):
            known = Near.exactly(np.where(ok, h, 0.0))
            yield Features(rows, known, known[:, length[rows] - 1, np.arange(len(rows))], length[rows], ok)
        return
    M = entry(classifier)
    for start in range(0, len(x), _ROWS):
        part = np.asarray(x[start : start + _ROWS], dtype=np.float64)
        inputs = np.ascontiguousarray(part.transpose(2, 1, 0))
        ones = np.ones((1, *inputs.shape[1:]))
        mapped = Near.exactly(np.concatenate([inputs, ones])).image(M)
        rows = np.arange(start, start + len(part))
        yield Features(rows, mapped, Near.exactly(part[:, -1].T.copy()), length[rows], np.ones(len(part), dtype=bool))


def frozen(classifier: Classifier) -> Program:
    """All that stands before the last block. Raises: DomainError where theory 8.13 has no such part."""
    return prepared(replace(stack(classifier), layers=classifier.layers[:-1], norm=None))


def sizes(classifier: Classifier, x: NDArray) -> Array:
    """|phi| of every row, of those that are ok."""
    found = [np.where(part.ok, _length(part.phi).at, np.nan) for part in features(classifier, x)]
    each = np.concatenate(found)
    return each[np.isfinite(each)]


@np.errstate(all="ignore")
def scored(classifier: Classifier, last: Last, x: NDArray) -> Near:
    """f (m,) of theory M6.4; no number where the features are not ok."""
    found = Near(np.full(len(x), np.nan), np.full(len(x), np.nan))
    for part in features(classifier, x):
        f = _read(classifier, last, part)
        found.at[part.rows], found.off[part.rows] = np.where(part.ok, f.at, np.nan), f.off
    return found


def _read(classifier: Classifier, last: Last, part: Features) -> Near:
    layer = classifier.layers[-1]
    own, ends = layer.mixer, (part.lengths - 1, np.arange(len(part.lengths)))
    v = _normed(part.h, layer.norm)
    y = _mamba1(own, v, ends) if isinstance(own, Mamba1) else _mamba2(own, v, ends)
    w = y * v[(slice(None), *ends)].image(own.R_z).silu()
    omega, line, beta = (Near.of(last.center[name]) for name in ("omega", "line", "beta"))
    beside = (line[:, None] * part.phi).sum(0) + beta
    if last.eps is not None:
        beside = beside * (_mean_square(w) + Near.exactly(np.array(last.eps))).root()
    unit = Near.exactly(np.array(last.unit))
    return ((omega[:, None] * w).sum(0) + beside) * (unit + _length(part.phi)).inverse()


def _normed(h: Near, norm: Norm | None) -> Near:
    if norm is None:
        return h
    scale = (_mean_square(h) + Near.exactly(np.array(norm.eps))).root().inverse()
    return h * scale * Near.exactly(norm.gamma[:, None, None])


def _mean_square(x: Near) -> Near:
    """Along the first axis."""
    share = np.array(1.0 / len(x.at))
    return (x * x).sum(0) * Near.of((below(share), above(share)))


def _length(phi: Near) -> Near:
    return (phi * phi).sum(0).root()


def _mamba1(own: Mamba1, v: Near, ends: tuple[NDArray[np.int64], ...]) -> Near:
    """y (d,b) of the last tokens."""
    u = _convolved(v.image(own.R_x), own.K, own.b).silu()
    step = (u.image(own.X_dt).image(own.W_dt) + _column(own.p)).softplus()
    rates = Near.of((exp_below(own.A_log), exp_above(own.A_log)))[:, :, None]
    B, C = u.image(own.X_B), u.image(own.X_C)[(slice(None), *ends)]
    write = step * u
    state = _last_states(
        ends[0], lambda t: (step[:, None, t] * rates).decay(), lambda t: write[:, None, t] * B[None, :, t]
    )
    return (C[None] * state).sum(1) + Near.exactly(own.D[:, None]) * u[(slice(None), *ends)]


def _mamba2(own: Mamba2, v: Near, ends: tuple[NDArray[np.int64], ...]) -> Near:
    d, H, G = len(own.R_x), len(own.A_log), own.groups
    head, group = np.arange(d) * H // d, np.arange(d) * G // d
    after = _convolved(v.image(np.vstack([own.R_x, own.R_B, own.R_C])), own.K, own.b).silu()
    u, size = after[:d], (len(after.at) - d) // 2
    B, C = (_grouped(after[start : start + size], G) for start in (d, d + size))
    step = _clamped((v.image(own.R_dt) + _column(own.p)).softplus(), own.limits)
    rates = Near.of((exp_below(own.A_log), exp_above(own.A_log)))[:, None, None]
    decay, write = (step * rates).decay(), step[head] * u
    state = _last_states(ends[0], lambda t: decay[head, None, t], lambda t: write[:, None, t] * B[group, :, t])
    last = (slice(None), *ends)
    return (C[group][(slice(None), *last)] * state).sum(1) + Near.exactly(own.D[head][:, None]) * u[last]


def _convolved(x: Near, K: Array, b: Array) -> Near:
    """(n,T,b) to the same, with zeros before the first token."""
    found = _column(b) + x * Near.exactly(K[:, 0][:, None, None])
    for i in range(1, min(K.shape[1], x.at.shape[1])):
        past, tap = x[:, :-i], Near.exactly(K[:, i][:, None, None])
        found = Near(*(np.concatenate([now, then], axis=1) for now, then in _parts(found, past * tap, i)))
    return found


def _parts(found: Near, added: Near, i: int) -> Iterator[tuple[Array, Array]]:
    """The first i tokens as they are, and the others with what is added."""
    later = found[:, i:] + added
    yield found.at[:, :i], later.at
    yield found.off[:, :i], later.off


def _last_states(ends: NDArray[np.int64], decay: Callable[[int], Near], drive: Callable[[int], Near]) -> Near:
    """The states (d,N,b) after the last token of each row."""
    state = drive(0)
    kept = Near(state.at.copy(), state.off.copy())
    for t in range(1, int(ends.max()) + 1):
        state = decay(t) * state + drive(t)
        still = ends >= t
        kept.at[..., still], kept.off[..., still] = state.at[..., still], state.off[..., still]
    return kept


def _grouped(rows: Near, G: int) -> Near:
    """(G N,T,b) to (G,N,T,b)."""
    shape = (G, -1, *rows.at.shape[1:])
    return Near(rows.at.reshape(shape), rows.off.reshape(shape))


def _clamped(step: Near, limits: tuple[float, float]) -> Near:
    return Near(np.clip(step.at, *limits), step.off)


def _column(values: Array) -> Near:
    return Near.exactly(values[:, None, None])
