"""Blocks of theory 8.13 by its operations, a piece of time after another, each piece from what the last one left.

Axes: a feature, t of the piece, b of the batch, so that what lies side by side in memory is computed alike. Where a
position is not ``ok`` its numbers mean nothing, and neither do those of later positions of its row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ssm_bounds.models.mamba.weights import GatedNorm, Layer, Mamba1, Mamba2
from ssm_bounds.models.program.primitives import Array, Flags, Matrix, exp, falling_exp, matrix, mm, rms, silu, softplus

STATES_AT_ONCE = 1 << 15
"""States that are carried through time together. No result depends on it."""


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What a block keeps of the positions before: inputs of its convolution and its states."""

    tail: Array  # (features,k-1,b)
    state: Array  # (N,...,b)


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """``W x + c``, the sum after the product. A c of zeros changes no number."""

    W: Matrix
    c: Array | None  # (k,1,1)

    def __call__(self, x: Array) -> tuple[Array, Flags]:
        y, ok = mm(x, self.W)
        if self.c is not None:
            y += self.c
        return y, ok


def affine(W: Array, c: Array) -> Affine:
    return Affine(matrix(W), c[:, None, None].copy() if c.any() else None)


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """``sum_i taps_i x_{t-k+1+i}`` in the order of i, so the oldest position first, then ``+ b``."""

    taps: Array  # (k,features,1,1)
    b: Array  # (features,1,1)

    def __call__(self, tail: Array, x: Array) -> tuple[Array, Array]:
        """The sums (features,t,b), and the tail for the next piece."""
        t, padded = x.shape[1], np.concatenate([tail, x], axis=1)
        total = self.taps[0] * padded[:, :t]
        for i in range(1, len(self.taps)):
            total += self.taps[i] * padded[:, i : i + t]
        total += self.b
        return total, padded[:, t:].copy()


def convolution(K: Array, b: Array) -> Convolution:
    """From K (features,k), whose tap i meets the position i back."""
    return Convolution(K.T[::-1, :, None, None].copy(), b[:, None, None])


@dataclass(frozen=True, slots=True, eq=False)
class Block1:
    """Mamba: norm, in_proj, convolution, silu, steps, scan, skip, gate, out_proj."""

    gamma: Array  # (D,)
    eps: float
    into: Affine  # rows u, z
    convolution: Convolution
    selection: Affine  # rows dt, B, C
    step: Affine
    A: Array  # (N,d,1)
    D: Array  # (d,1,1)
    out: Affine

    def start(self, rows: int) -> Memory:
        k, d = self.convolution.taps.shape[:2]
        return Memory(np.zeros((d, k - 1, rows)), np.zeros((*self.A.shape[:2], rows)))

    def __call__(self, memory: Memory, h: Array) -> tuple[Memory, Array, Flags]:
        """What the block adds to its input h (D,t,b), and which positions are ok (t,b)."""
        N, d = self.A.shape[:2]
        v, good = rms(h, self.gamma, self.eps)
        xz, ok = self.into(v)
        good &= ok
        x, tail = self.convolution(memory.tail, xz[:d])
        u = silu(x)
        low, ok = self.selection(u)
        good &= ok
        R = len(low) - 2 * N
        dt, ok = self.step(low[:R])
        good &= ok
        dt = softplus(dt)
        state, y = scan(memory.state, dt, self.A, dt * u, low[R : R + N, None], low[R + N :, None])
        u *= self.D
        y += u
        y *= silu(xz[d:])
        added, ok = self.out(y)
        good &= ok
        return Memory(tail, state), added, good


@dataclass(frozen=True, slots=True, eq=False)
class Block2:
    """Mamba-2: one step, rate and skip for each of H heads, J = H/G of them in a group, P channels each."""

    gamma: Array  # (D,)
    eps: float
    into: Affine  # rows z, x, B, C, dt
    convolution: Convolution  # of x, B, C
    limits: tuple[float, float]
    A: Array  # (G,J,1,1)
    D: Array  # (G,J,1,1,1)
    sizes: tuple[int, int, int, int]  # N, G, J, P
    norm: GatedNorm | None
    out: Affine

    def start(self, rows: int) -> Memory:
        k, features = self.convolution.taps.shape[:2]
        return Memory(np.zeros((features, k - 1, rows)), np.zeros((*self.sizes, rows)))

    def __call__(self, memory: Memory, h: Array) -> tuple[Memory, Array, Flags]:
        """What the block adds to its input h (D,t,b), and which positions are ok (t,b)."""
        (N, G, J, P), batch = self.sizes, h.shape[1:]
        d = G * J * P
        v, good = rms(h, self.gamma, self.eps)
        rows, ok = self.into(v)
        good &= ok
        x, tail = self.convolution(memory.tail, rows[d : len(rows) - G * J])
        xBC = silu(x)
        u = xBC[:d].reshape(G, J, P, *batch)
        B, C = (part.reshape(G, N, *batch).swapaxes(0, 1)[:, :, None, None] for part in np.split(xBC[d:], 2))
        dt = softplus(rows[len(rows) - G * J :]).reshape(G, J, 1, *batch)
        dt = np.minimum(np.maximum(dt, self.limits[0]), self.limits[1])
        state, y = scan(memory.state, dt, self.A, dt * u, B, C)
        y += u * self.D
        w = y.reshape(d, *batch)
        w *= silu(rows[:d])
        if self.norm is not None:
            size = d // self.norm.groups
            for start in range(0, d, size):
                group = slice(start, start + size)
                w[group], ok = rms(w[group], self.norm.gamma[group], self.norm.eps)
                good &= ok
        added, ok = self.out(w)
        good &= ok
        return Memory(tail, state), added, good


def scan(state: Array, step: Array, A: Array, write: Array, B: Array, C: Array) -> tuple[Array, Array]:
    """``s = e^(step A) s + write B`` over time and ``sum_n s_n C_n`` in the order of n.

    Shapes: state (N,...,b), step and write (...,t,b), A (N,...,1) or (...,1), B and C (N,...,t,b), sizes of 1 being
    repeated; steps >= 0, A <= 0. Returns the last state and the sums (...,t,b).
    """
    step, write, B, C = map(time_first, (step, write, B, C))
    y = np.empty_like(write)
    size = max(1, STATES_AT_ONCE // state.size)
    for start in range(0, len(write), size):
        part = slice(start, start + size)
        states = write[part, None] * B[part]
        state = carried(state, falling_exp(step[part, None] * A), states)
        states *= C[part]
        total = y[part]
        total[...] = states[:, 0]
        for n in range(1, states.shape[1]):
            total += states[:, n]
    return state, np.moveaxis(y, 0, -2)


def carried(state: Array, decays: Array, states: Array) -> Array:
    """``s = decay s + what is new`` over axis 0, the time: ``states`` holds what is new at each, and then s there.

    Returns the last s. Shapes: state (...), the others (t,...).
    """
    moved = np.empty_like(state)
    for decay, new in zip(decays, states, strict=True):
        np.multiply(decay, state, out=moved)
        new += moved
        state = new
    return state.copy()


def time_first(x: Array) -> Array:
    """(...,t,b) -> (t,...,b), side by side in memory."""
    return np.ascontiguousarray(np.moveaxis(x, -2, 0))


def block(layer: Layer) -> Block1 | Block2:
    """A layer that ``stack.Stack`` accepts, its weights as integers."""
    assert layer.norm is not None
    gamma, eps, w = layer.norm.gamma, layer.norm.eps, layer.mixer
    return _block1(gamma, eps, w) if isinstance(w, Mamba1) else _block2(gamma, eps, w)


def _block1(gamma: Array, eps: float, w: Mamba1) -> Block1:
    return Block1(
        gamma=gamma,
        eps=eps,
        into=affine(np.vstack([w.R_x, w.R_z]), np.hstack([w.c, w.c_z])),
        convolution=convolution(w.K, w.b),
        selection=affine(np.vstack([w.X_dt, w.X_B, w.X_C]), np.hstack([w.c_dt, w.c_B, w.c_C])),
        step=affine(w.W_dt, w.p),
        A=-exp(w.A_log.T)[:, :, None],
        D=w.D[:, None, None],
        out=affine(w.W_o, w.b_o),
    )


def _block2(gamma: Array, eps: float, w: Mamba2) -> Block2:
    H, G = len(w.A_log), w.groups
    heads = (G, H // G)
    return Block2(
        gamma=gamma,
        eps=eps,
        into=affine(np.vstack([w.R_z, w.R_x, w.R_B, w.R_C, w.R_dt]), np.hstack([w.c_z, w.c, w.c_B, w.c_C, w.p])),
        convolution=convolution(w.K, w.b),
        limits=w.limits,
        A=-exp(w.A_log).reshape(*heads, 1, 1),
        D=w.D.reshape(*heads, 1, 1, 1),
        sizes=(len(w.R_B) // G, *heads, len(w.R_x) // H),
        norm=w.norm,
        out=affine(w.W_o, w.b_o),
    )
