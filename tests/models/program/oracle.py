"""Theory 8.13 written a second time: one number after another in Python's floats, products and squares in integers.

No NumPy but to read the stack's arrays, no batch, one position after another; the layers' order of the loops is
another one than the program's. Where a number is not ``ok``, :class:`NotOkError` ends the row.
"""

from __future__ import annotations

import math

from ssm_bounds.models.mamba.weights import Layer, Mamba1
from ssm_bounds.models.program.stack import Embedding, Stack

LN2H, LN2L = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")


class NotOkError(Exception):
    """A vector that is not below 2^500."""


def exp(x):
    x = min(max(x, -700.0), 700.0)
    k = round(x * float.fromhex("0x1.71547652b82fep+0"))
    r = (x - k * LN2H) - k * LN2L
    t = 1.0 / math.factorial(7)
    for i in range(6, -1, -1):
        t = t * r + 1.0 / math.factorial(i)
    return math.ldexp(t, k)


def artanh2(q):
    t = 1.0 / 15.0
    for i in range(6, -1, -1):
        t = t * (q * q) + 1.0 / (2 * i + 1)
    return 2.0 * q * t


def softplus(x):
    s = exp(-abs(x))
    return max(x, 0.0) + artanh2(s / (2.0 + s))


def silu(x):
    e = exp(-abs(x))
    return x * (1.0 if x >= 0 else e) / (1.0 + e)


def ln(x):
    f, e = math.frexp(x)
    if f < math.sqrt(0.5):
        f, e = f + f, e - 1
    return (e * LN2L + artanh2((f - 1.0) / (f + 1.0))) + e * LN2H


def ints(x, bits, low):
    if not all(abs(value) < 2.0**500 for value in x):
        raise NotOkError
    e = max(math.frexp(max(map(abs, x)))[1], low)
    return [round(math.ldexp(value, bits - e)) for value in x], e


def ceil_log2(n):
    k = 0
    while 2**k < n:
        k += 1
    return k


def mm(x, W, bias=None):
    bits = 23 - max(0, ceil_log2(len(x)) - 12)
    q, e = ints(x, bits, -300)
    out = []
    for row in W:
        w, eW = ints(row, 18, -100)
        terms = [a * b for a, b in zip(q, w, strict=True)]
        assert sum(map(abs, terms)) <= 2**53
        out.append(math.ldexp(float(sum(terms)), e - bits + eW - 18) + 0.0)
    return out if bias is None else [a + b for a, b in zip(out, bias, strict=True)]


def rms(x, g, eps):
    bits = min(20, (53 - ceil_log2(len(x))) // 2)
    q, e = ints(x, bits, -300)
    total = sum(a * a for a in q)
    assert total <= 2**53
    root = math.sqrt(math.ldexp(float(total), 2 * (e - bits)) / len(x) + eps)
    return [a / root * b for a, b in zip(x, g, strict=True)]


def convolved(past, K, b):
    """``past``: inputs of all positions so far, the newest last; taps of K count back, so the last one comes first."""
    out = []
    for j in range(len(b)):
        total = None
        for back in range(len(K[j]) - 1, -1, -1):
            value = past[-1 - back][j] if back < len(past) else 0.0
            total = K[j][back] * value if total is None else total + K[j][back] * value
        out.append(total + b[j])
    return out


class Block:
    """One position after another; ``past`` and ``state`` are what it remembers."""

    def __init__(self, layer: Layer):
        for name in layer.mixer.__slots__:
            value = getattr(layer.mixer, name)
            setattr(self, name, value.tolist() if hasattr(value, "tolist") else value)
        self.layer, self.past, self.state = layer, [], {}

    def __call__(self, h):
        before = self.layer.norm
        v = rms(h, before.gamma.tolist(), before.eps)
        y = self.mamba1(v) if isinstance(self.layer.mixer, Mamba1) else self.mamba2(v)
        return [a + b for a, b in zip(h, mm(y, self.W_o, self.b_o), strict=True)]

    def mamba1(self, v):
        x, z = mm(v, self.R_x, self.c), mm(v, self.R_z, self.c_z)
        self.past.append(x)
        u = [silu(a) for a in convolved(self.past, self.K, self.b)]
        B, C = mm(u, self.X_B, self.c_B), mm(u, self.X_C, self.c_C)
        dt = [softplus(a) for a in mm(mm(u, self.X_dt, self.c_dt), self.W_dt, self.p)]
        out = []
        for j in range(len(u)):
            total = None
            for n in range(len(B)):
                decay = exp(dt[j] * -exp(self.A_log[j][n]))
                s = decay * self.state.get((j, n), 0.0) + (dt[j] * u[j]) * B[n]
                self.state[j, n] = s
                total = s * C[n] if total is None else total + s * C[n]
            out.append((total + u[j] * self.D[j]) * silu(z[j]))
        return out

    def mamba2(self, v):
        d, H, G = len(self.R_x), len(self.A_log), self.groups
        N, P = len(self.R_B) // G, d // H
        z = mm(v, self.R_z, self.c_z)
        x, B, C = mm(v, self.R_x, self.c), mm(v, self.R_B, self.c_B), mm(v, self.R_C, self.c_C)
        self.past.append(x + B + C)
        after = [silu(a) for a in convolved(self.past, self.K, self.b)]
        x, B, C = after[:d], after[d : d + G * N], after[d + G * N :]
        low, high = self.limits
        dt = [min(max(softplus(a), low), high) for a in mm(v, self.R_dt, self.p)]
        w = []
        for h in range(H):
            g, decay = h // (H // G), exp(dt[h] * -exp(self.A_log[h]))
            for j in range(h * P, (h + 1) * P):
                total = None
                for n in range(N):
                    s = decay * self.state.get((j, n), 0.0) + (dt[h] * x[j]) * B[g * N + n]
                    self.state[j, n] = s
                    total = s * C[g * N + n] if total is None else total + s * C[g * N + n]
                w.append((total + x[j] * self.D[h]) * silu(z[j]))
        if self.norm is None:
            return w
        size, gamma = d // self.norm.groups, self.norm.gamma.tolist()
        groups = [slice(i, i + size) for i in range(0, d, size)]
        return [a for group in groups for a in rms(w[group], gamma[group], self.norm.eps)]


def last_norm(stack: Stack, h):
    return rms(h, stack.norm.gamma.tolist(), stack.norm.eps)


def logits(stack: Stack, row, length) -> list[list[float]]:
    """Of one row: one list of logits, or one for each position; NaN where a position was not ok."""
    nothing = [math.nan] * len(stack.head)
    blocks, seen, out = list(map(Block, stack.layers)), [], []
    head, bias = stack.head.tolist(), stack.bias.tolist()
    try:
        for t in range(length):
            if isinstance(stack.entry, Embedding):
                h = stack.entry.E[row[t]].tolist()
            else:
                h = mm([float(value) for value in row[t]], stack.entry.W.tolist(), stack.entry.b.tolist())
            for block in blocks:
                h = block(h)
            seen.append(h if stack.norm is None or stack.pool_before_norm else last_norm(stack, h))
            if stack.pooling == "none":
                out.append(mm(seen[-1], head, bias))
        if stack.pooling == "none":
            return out
        pooled = seen[-1]
        if stack.pooling == "mean":
            pooled = [0.0] * len(pooled)
            for h in seen:
                pooled = [a + b for a, b in zip(pooled, h, strict=True)]
            pooled = [a / length for a in pooled]
            if stack.pool_before_norm:
                pooled = last_norm(stack, pooled)
        return [mm(pooled, head, bias)]
    except NotOkError:
        return out + [nothing] * (length - len(out)) if stack.pooling == "none" else [nothing]


def paper(weights, rows, gate, convention) -> list[float]:
    """Of one row of inputs u (T,d) to the paper's model, one state at a time."""
    A, q = weights.A.tolist(), weights.q.tolist()
    W_B, W_C, W = weights.W_B.tolist(), weights.W_C.tolist(), weights.W.tolist()
    outputs = max(len(W), 2)
    try:
        inputs = [[float(value) for value in u] for u in rows]
        for u in inputs:
            ints(u, 23, -300)  # every input has to be ok, also the last one, which may be read alone
        C, y = mm(inputs[-1], W_C), []
        for j in range(len(A)):
            total = None
            for n in range(len(C)):
                s = 0.0
                for u in inputs if convention == "code" else inputs[:-1]:
                    dt = 1.0 if gate == "none" else softplus(mm(u, [q])[0] + weights.p)
                    s = exp(dt * A[j][n]) * s + (dt * u[j]) * mm(u, W_B)[n]
                total = s * C[n] if total is None else total + s * C[n]
            y.append(total)
        z = mm(y, W)
        return z if len(z) > 1 else [0.0, *z]
    except (NotOkError, OverflowError):
        return [math.nan] * outputs
