"""The program of the paper's model: theory 1 by the operations of theory 8.13, the same bits on every machine.

Claim: the logits of a row are a fixed function of the weights and the row, bit for bit, for any BLAS, number of
threads, vector width and batch. Derivation: products are of integers (``program.primitives``, (P)); all else is one
correctly rounded or exact operation a call (E), none of which mixes rows. A row is what it is, padding included: every
token of it counts.

Of each input u (d,): ``mm`` by the rows of q, W_B and W_C; ``Delta = softplus(q u + p)``, or 1 without a gate;
``x_jn = exp(Delta a_jn) x_jn + (Delta u_j) (W_B u)_n``. Of the last input C = W_C u, and then
``y_j = sum_n x_jn C_n`` in the order of n; ``z = mm(y, W)``. In the convention "paper" the last input is read and does
not enter the state. One output is the logit of label 1 beside a 0, so that an output of 0 is a tie. Where an input or
y is not ok, all logits are NaN; what overflows in a state reaches y, as no decay is 0. An a_jn may be of either sign.

Not claimed: anything about the model in real arithmetic, or about its weights in float32 elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.values import Gate, require
from ssm_bounds.models.files.checkpoint import Convention
from ssm_bounds.models.program.blocks import STATES_AT_ONCE, carried, time_first
from ssm_bounds.models.program.primitives import Flags, Matrix, exp, matrix, mm, softplus
from ssm_bounds.models.selective_ssm.states import AT_ONCE, gathered
from ssm_bounds.models.selective_ssm.weights import Array, Weights

TOKENS = 1 << 22
"""Tokens that are looked at together. No result depends on it."""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Weights with their matrices as integers: once for each theta. Letters of ``selective_ssm.weights.SHAPES``."""

    inner: Matrix  # rows q, W_B, W_C
    p: float
    A: Array  # (N,d)
    readout: Matrix
    embedding: Array | None  # (d,V)
    gate: Gate
    convention: Convention


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """What inputs do, each alone: Delta (...), ``Delta u`` (d,...), ``W_B u``, ``W_C u`` (N,...), and which are ok."""

    step: Array
    write: Array
    B: Array
    C: Array
    ok: Flags


def prepared(weights: Weights, *, gate: Gate, convention: Convention) -> Program:
    """Raises: DomainError for weights of 2^500 and above."""
    head = weights.W
    return Program(
        inner=matrix(np.vstack([weights.q, weights.W_B, weights.W_C])),
        p=weights.p,
        A=np.ascontiguousarray(weights.A.T),
        readout=matrix(np.vstack([np.zeros_like(head), head]) if weights.k == 1 else head),
        embedding=None if weights.embedding is None else np.ascontiguousarray(weights.embedding.T),
        gate=gate,
        convention=convention,
    )


def run(program: Program, x: NDArray) -> Array:
    """Logits (n, max(k,2)) of tokens (n,T) or real inputs (n,T,d); NaN for a row that is not ok.

    On a machine that has passed no self-test (``selective_ssm.selftest.logits``). Raises: DomainError for inputs that
    are not the model's.
    """
    _require_inputs(program, x)
    out = np.empty((len(x), len(program.readout.q)))
    table = None if program.embedding is None else _Table.of(program, program.embedding)
    size = max(1, TOKENS // x.shape[1]) if table is not None else max(1, AT_ONCE // program.A.size)
    with np.errstate(all="ignore"):
        for start in range(0, len(x), size):
            rows = x[start : start + size]
            states, C, ok = table.read(program, rows) if table is not None else _real(program, rows)
            y = states[0] * C[0]
            for n in range(1, len(C)):
                y += states[n] * C[n]
            z, good = mm(y, program.readout)
            z[:, ~(ok & good)] = np.nan
            out[start : start + size] = z.T
    return out


def effects(program: Program, u: Array) -> Effects:
    """Of inputs u (d,...)."""
    N, found = len(program.A), mm(u, program.inner)
    rows, ok = found
    step = np.ones(u.shape[1:]) if program.gate == "none" else softplus(rows[0] + program.p)
    return Effects(step, step * u, rows[1 : 1 + N], rows[1 + N :], ok)


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """What each row of the embedding does: decays and additions (V, d N), C (N,V), and which rows are ok (V,)."""

    decay: Array
    inject: Array
    C: Array
    ok: Flags

    @classmethod
    def of(cls, program: Program, embedding: Array) -> _Table:
        with np.errstate(all="ignore"):
            each = effects(program, embedding)
            V, states = len(each.ok), program.A.size
            decay = exp(each.step[:, None] * program.A.ravel())
            inject = (each.B.T[:, :, None] * each.write.T[:, None]).reshape(V, states)
            return cls(decay, inject, each.C, each.ok)

    def read(self, program: Program, rows: NDArray) -> tuple[Array, Array, Flags]:
        """States (N,d,b) of tokens (b,T) at their end, what reads them (N,b), and which rows are ok."""
        tokens = np.ascontiguousarray(rows.T, dtype=np.intp)
        entering = tokens if program.convention == "code" else tokens[:-1]
        states = gathered(self.decay, self.inject, entering).T.reshape(*program.A.shape, -1)
        ok = np.ones(len(rows), dtype=bool)
        if not self.ok.all():
            ok &= self.ok[tokens].all(axis=0)
        return states, self.C[:, tokens[-1]], ok


def _real(program: Program, rows: NDArray) -> tuple[Array, Array, Flags]:
    """States (N,d,b) of real inputs (b,T,d) at their end, what reads them (N,b), and which rows are ok."""
    last = effects(program, _time_inside(rows[:, -1:])[:, 0])
    ok, states = last.ok.copy(), np.zeros((*program.A.shape, len(rows)))
    entering = rows if program.convention == "code" else rows[:, :-1]
    size = max(1, STATES_AT_ONCE // max(states.size, 1))
    for start in range(0, entering.shape[1], size):
        each = effects(program, _time_inside(entering[:, start : start + size]))
        new = time_first(each.B)[:, :, None] * time_first(each.write)[:, None]  # (t,N,d,b)
        states = carried(states, exp(each.step[:, None, None] * program.A[:, :, None]), new)
        ok &= each.ok.all(axis=0)
    return states, last.C, ok


def _time_inside(rows: NDArray) -> Array:
    """(b,t,d) -> (d,t,b)."""
    return np.ascontiguousarray(rows.transpose(2, 1, 0), dtype=np.float64)


def _require_inputs(program: Program, x: NDArray) -> None:
    if program.embedding is None:
        d = program.A.shape[1]
        wanted, fits = f"real inputs (n, T, {d})", x.ndim == 3 and x.shape[2] == d and x.dtype.kind in "iuf"
    else:
        wanted, fits = "tokens (n, T)", x.ndim == 2 and x.dtype.kind in "iu"
    require(fits and x.shape[1] >= 1, f"x: expected {wanted}, found {x.dtype} of shape {x.shape}")
    if program.embedding is not None and x.size:
        V, low, high = program.embedding.shape[1], int(x.min()), int(x.max())
        require(low >= 0 and high < V, f"tokens have to lie in 0..{V - 1}, found {low} to {high}")
