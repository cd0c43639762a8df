"""The earlier program of the paper's model, by which older files of rounded models are still counted.

It is close to real arithmetic, with a proven radius for each row (``selective_ssm.radius``), where the program of
theory 8.13 (``selective_ssm.program``) rounds products to integers. So it also answers for the rungs about the
real-arithmetic model, and for the hold-out of a model whose file names no program (theory 6.3, 8.4); and searches run
it, as it repeats only what a change of weights touches.

Only additions, products, quotients and scalings by powers of two of float64, in an order that does not depend on the
batch: the same bits for an example alone or among others, and on every machine with IEEE 754 arithmetic. A library's
``exp`` or matrix product promises neither. Real inputs that are zero may be put before a sequence: nothing
changes, unless their own decay overflows (then a logit is not a number).
It is the recurrence of theory 1; a logit that is not a number makes an error, whatever the label.

Shapes: letters of ``selective_ssm.scan``; r rows of inputs (embedding rows, or the examples at one time); s = d N
states.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.gaps.losses import margins
from ssm_bounds.bounds.values import Gate
from ssm_bounds.models.files.checkpoint import Convention
from ssm_bounds.models.selective_ssm.states import gathered
from ssm_bounds.models.selective_ssm.weights import Array, Weights
from ssm_bounds.models.tasks.task import Split

NAME, VERSION = "ssm-bounds selective SSM", 1
"""What certificates call this program; the files that it was written out in name none."""
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # their sum is ln 2; the first has 33 bits


def _exp(x: Array) -> Array:
    """e^x to about 1e-15, by a Taylor polynomial after an exact reduction by multiples of ln 2."""
    x = np.clip(x, -800.0, 800.0)
    whole = np.rint(x * 1.4426950408889634)
    rest = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    total = np.ones_like(rest)
    for i in range(14, 0, -1):
        total = total * rest / i + 1.0
    return np.ldexp(total, whole.astype(np.int64))


def softplus(x: Array) -> Array:
    """ln(1 + e^x) = max(x, 0) + 2 artanh(e^{-|x|}/(2 + e^{-|x|})), to about 1e-15."""
    small = _exp(-np.abs(x))
    s = small / (2.0 + small)
    square, total = s * s, np.zeros_like(s)
    for i in range(35, 0, -2):
        total = total * square + 1.0 / i
    return np.maximum(x, 0.0) + 2.0 * s * total


def product(u: Array, matrix: Array) -> Array:
    """``u @ matrix.T`` by sums in the order of the columns. Shapes: u (r,d), matrix (n,d) -> (r,n)."""
    total = u[:, :1] * matrix[:, 0]
    for j in range(1, u.shape[1]):
        total = total + u[:, j : j + 1] * matrix[:, j]
    return total


def updates(weights: Weights, u: Array, gate: Gate) -> tuple[Array, Array]:
    """What a token does to the state: ``x -> decay x + inject``. Shapes: u (r,d) -> two of (r,s)."""
    step = np.ones((len(u), 1)) if gate == "none" else softplus(product(u, weights.q[None]) + weights.p)
    decay = _exp(step[:, :, None] * weights.A)
    inject = (step * u)[:, :, None] * product(u, weights.W_B)[:, None]
    return decay.reshape(len(u), -1), inject.reshape(len(u), -1)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One run of the program, kept so that the next one repeats only what a change of weights touches.

    Shapes: tokens (t,b) that enter the state (none for real inputs); decay, inject (V,s) and read (V,N) over the
    embedding rows (None for real inputs); x (b,s), C (b,N), y (b,d), z (b,k) logits.
    """

    weights: Weights
    data: Split
    gate: Gate
    convention: Convention
    tokens: NDArray[np.intp]
    decay: Array | None
    inject: Array | None
    read: Array | None
    x: Array
    C: Array
    y: Array
    z: Array

    def changed(self, weights: Weights) -> Run:
        """The run with other weights of the same shapes: bit for bit that of :func:`run`.

        W repeats the readout alone, W_C also the output matrix. A repeats the recurrence of the states whose entries
        changed, W_B that of the changed rows. An embedding row repeats the sequences that hold its token, and q and p
        those that hold a token whose gate changed. Real inputs repeat every sequence for q and p.
        """
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            return self._changed(weights)

    def _changed(self, weights: Weights) -> Run:
        old = self.weights
        same = {name: np.array_equal(getattr(weights, name), getattr(old, name)) for name in ("q", "W_B", "W_C", "A")}
        gated = self.gate == "none" or (same["q"] and weights.p == old.p)
        decay, inject, read, x, C = self.decay, self.inject, self.read, self.x, self.C
        if weights.embedding is None:
            if not (gated and same["W_B"] and same["A"]):
                touched = np.broadcast_to(weights.A != old.A, old.A.shape)
                touched = touched | (weights.W_B != old.W_B).any(1) | (not gated)
                columns = np.flatnonzero(touched.ravel())
                x = x.copy()
                x[:, columns] = _states_real(weights, self.data, self.convention, self.gate, columns)
            if not same["W_C"]:
                C = product(self.data.x[:, -1].astype(np.float64), weights.W_C)
        else:
            assert old.embedding is not None  # the same shapes
            embedded = np.array_equal(weights.embedding, old.embedding)
            last = self.data.x[:, -1]
            if not (embedded and gated and same["W_B"] and same["A"]):
                decay, inject = updates(weights, weights.embedding, self.gate)
                assert self.decay is not None and self.inject is not None
                differs = ~((decay == self.decay) & (inject == self.inject))
                columns, words = np.flatnonzero(differs.any(0)), differs.any(1)
                rows = np.flatnonzero(words[self.tokens].any(0)) if not words.all() else np.arange(len(x))
                if columns.size and rows.size:
                    tokens = self.tokens if rows.size == len(x) else self.tokens[:, rows]
                    x = x.copy()
                    x[np.ix_(rows, columns)] = _states(decay, inject, tokens, columns)
            if not (embedded and same["W_C"]):
                read = product(weights.embedding, weights.W_C)
                C = read[last]
        y = self.y if x is self.x and C is self.C else _output(x, C, weights.d)
        z = product(y, weights.W)
        return replace(self, weights=weights, decay=decay, inject=inject, read=read, x=x, C=C, y=y, z=z)


def run(weights: Weights, data: Split, *, gate: Gate = "softplus", convention: Convention = "code") -> Run:
    """Run the program on every sequence of ``data``. Raises: ValueError where the inputs are not the model's."""
    if (weights.embedding is None) != (data.x.ndim == 3) or (data.x.ndim == 3 and data.x.shape[2] != weights.d):
        wanted = f"real inputs (n, T, {weights.d})" if weights.embedding is None else "tokens (n, T)"
        raise ValueError(f"x: expected {wanted}, found {data.x.dtype} of shape {data.x.shape}")
    if weights.embedding is not None and data.x.max() >= len(weights.embedding):
        raise ValueError(f"tokens must lie in 0..{len(weights.embedding) - 1}, found {data.x.max()}")
    everything = np.arange(weights.d * weights.N)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        decay = inject = read = None
        tokens = np.empty((0, len(data.x)), dtype=np.intp)
        if weights.embedding is None:
            x = _states_real(weights, data, convention, gate, everything)
            C = product(data.x[:, -1].astype(np.float64), weights.W_C)
        else:
            decay, inject = updates(weights, weights.embedding, gate)
            read = product(weights.embedding, weights.W_C)
            tokens = np.ascontiguousarray(inputs(data, convention).T, dtype=np.intp)
            x, C = _states(decay, inject, tokens, everything), read[data.x[:, -1]]
        y = _output(x, C, weights.d)
        return Run(weights, data, gate, convention, tokens, decay, inject, read, x, C, y, product(y, weights.W))


def errors(z: Array, y: NDArray[np.int64], within: Array | float = 0.0) -> int:
    """Examples whose margin is not above ``within``: ties and logits that are not numbers are errors.

    Shapes: z (n,k), y (n,), within (n,) or a number. Source: theory 6.3.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return int(np.count_nonzero(~(margins(z, y) > within)))


def inputs(data: Split, convention: Convention) -> NDArray:
    """What enters the state: in the paper's convention the last input is only read."""
    return data.x if convention == "code" else data.x[:, :-1]


def _states(decay: Array, inject: Array, tokens: NDArray[np.intp], columns: NDArray[np.int64]) -> Array:
    """States (b, columns) after all tokens (t,b), from the tables of the embedding rows."""
    return gathered(decay[:, columns], inject[:, columns], tokens)


def _states_real(
    weights: Weights, data: Split, convention: Convention, gate: Gate, columns: NDArray[np.int64]
) -> Array:
    tokens = inputs(data, convention)
    x = np.zeros((len(tokens), columns.size))
    for t in range(tokens.shape[1]):
        decay, inject = updates(weights, tokens[:, t].astype(np.float64), gate)
        x = x * decay[:, columns] + inject[:, columns]
    return x


def _output(x: Array, C: Array, d: int) -> Array:
    """``y_j = sum_n x_jn C_n``, in the order of the states. Shapes: x (b,s), C (b,n) -> (b,d)."""
    states = x.reshape(len(x), d, -1)
    total = states[:, :, 0] * C[:, :1]
    for n in range(1, C.shape[1]):
        total = total + states[:, :, n] * C[:, n : n + 1]
    return total
