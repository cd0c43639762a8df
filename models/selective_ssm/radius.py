"""How far rounding moves the program's margins (``selective_ssm.earlier``) from those of the model of theory 1.

**Claim.** For float64 weights and inputs, every label and every row, ``|computed margin - exact margin| <= radius``;
the exact margin is that of real arithmetic on the same weights and inputs. The radius is itself a float64, the same on
every machine. Where a logit is not finite, or the proof does not reach (below), it is infinite.

**Derivation.** e = 2^-53, w = 2^-1075. Rounded to nearest, a product or quotient is off by at most ``e |exact| + w``,
and by ``e |computed| + w``; a sum or difference likewise without w; a product with a power of two is off by at most w.
First-order terms below; (vii) covers the rest. n products summed in order are off by ``n e sum|terms| + n w``.

(i) ``_exp``, for |x| <= 800. W = rint(...) has 11 bits and the first part of ln 2 has 33, so their product is exact,
and so is its difference from x (W = 0, or both within a factor of 2 of one another: Sterbenz). The second part
contributes at most 1154 (2^-53 + 2^-53) 2e-10 < 6e-23. So the rest r, |r| <= 0.34658, is off by ``0.3466 e + 6e-23``.
The polynomial t_0, ``t_{i-1} = t_i r/i + 1``, t_14 = 1, leaves out at most 1.4e-19 of e^r. Errors in units of e satisfy
``E_{i-1} <= (E_i + 2 t_i)|r|/i + t_{i-1}``, so E_1 <= 1.853 with t_1 <= 1.196; division by 1 is exact, and the last
step gives ``1 + (1.853 + 1.196) 0.34658 e^0.34658 <= 2.495`` relative. Together at most 2.85, so
``|_exp(x) - e^x| <= 3 e e^x + w``. Below -800 it is 0, and e^x < 2^-1154; above 709.8 infinite: no claim.

(ii) ``softplus(x)``: v = e^-|x| is off by 3 e, ``s = v/(2 + v) <= 1/3`` by (3 + 1 + 1) e as d ln s/d ln v <= 1, s^2 by
11 e. The series ``t <- t s^2 + 1/i`` leaves out at most 2.1e-19 and is off by
``E <- (E + 12 t)/9 + [i > 1]/i + t``, at most 1.64 e; so 2 s t is off by 7.65 e, and by 8 e with the tail. Adding
max(x, 0) rounds once more where x > 0: ``|softplus(x) - ln(1 + e^x)| <= 9 e ln(1 + e^x) + 8 w``.

(iii) Gate. The logit is off by ``f = (d + 1) e (|p| + sum |q_j u_j|) + d w``. The derivative of softplus is at most 1,
that of its logarithm too. So Delta is off by ``rho Delta + 32 w`` with ``rho = 9 e + min(f/Delta, f + f^2)``
(e^f - 1 <= f + f^2 where f + f^2 <= 1); rho > 1 is given up. No gate: rho = 0.

(iv) Decay ``D = exp(Delta a)``. The exponent is off by ``g = min(|Delta a|, 800)(rho + e) + (|a| + 1) 2^-1064``: beyond
-800, where g <= 1, both exponents are below -798 and D is 0 to 2^-1150. So D is off by
``D (g + g^2 + 3 e) + 4 w`` where g <= 1; g > 1 is given up.

(v) Inject ``b = (Delta u_j)(W_B u)_n`` with ``G = sum |W_B,nj u_j|``: ``Delta u_j`` is off by
``(rho + e)|Delta u_j| + 4 w + 32 w |u_j|``, ``W_B u`` by ``d e G + d w``, and the product rounds once more: b is off by
``(|Delta u_j| + 2^-1012 (1 + |u_j|)) h + w``, ``h = G (rho + (d + 2) e) + 2 d w``, because h >= 2 e G.

(vi) State ``x_t = D_t x_{t-1} + b_t``. With the computed x: its error is at most ``F_t + e |x_t|``, where F_0 = 0 and
``F_t = D_t F_{t-1} + K_t (F_{t-1} + |x_{t-1}|) + (error of b_t) + w``, ``K_t = D_t (g + g^2 + 3 e + 2 e) + 4 w``:
the exact decay is at most ``D_t + (its error)``, the product rounds by ``e D_t |x_{t-1}|``, and F_{t-1} enters with
``e |x_{t-1}|``. Then, E the error of x and ``c_n = d e sum |W_C,nj u_j| + d w`` that of C:
``y_j`` is off by ``sum_n |x_jn|(c_n + N e |C_n|) + E_jn (|C_n| + c_n) + N w``, ``z_i`` by
``sum_j |W_ij|((error of y_j) + d e |y_j|) + d w``. The margin is off by the error of z_y (one output), else by that,
plus the largest of the others' (a maximum moves by no more), plus e times the margin.

(vii) Every quantity is a sum of products of numbers >= 0, so computing it in float64 loses a factor of at most
``(1 - e)^n``, n <= 4 T + 4 d + 2 N + 100, and what underflows: w for each product, for which the code adds
``2^-1064 = 2048 w`` wherever w stands above. The terms of second order that were left out are relative e per
rounding as well. For T + d + N <= 2^36 all of it is below the factor 1 + 2^-10 of the result.

**Not claimed.** That the radius is reached: it adds absolute values where errors cancel. Anything about weights or
inputs that are themselves rounded.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.gaps.losses import margins
from ssm_bounds.bounds.values import Gate
from ssm_bounds.models.selective_ssm.earlier import Run, inputs, product, softplus, updates
from ssm_bounds.models.selective_ssm.states import AT_ONCE
from ssm_bounds.models.selective_ssm.weights import Array, Weights

_UNIT, _TINY = 2.0**-53, 2.0**-1064
_EXP, _SOFTPLUS = 3, 9  # units of the relative error
_ABOVE = 1 + 2.0**-10
_LIKELY = 2.0**-32


def radius(run: Run, y: NDArray[np.int64]) -> Array:
    """Proven bound of ``|computed - exact|`` for each row's margin at the labels y; infinite where there is none.

    Shapes: y (b,) -> (b,). Units: of the logits. Raises: DomainError for a label without an output.
    Source: the module's docstring.
    """
    with np.errstate(all="ignore"):
        error = _logits(run)
        margin = margins(run.z, y)
        rows = np.arange(len(y))
        found = error[:, 0]
        if run.z.shape[1] > 1:
            found = error[rows, y]
            error[rows, y] = 0.0
            found = found + error.max(axis=1) + _UNIT * np.abs(margin)
        found = _ABOVE * found
        return np.where(np.isfinite(found) & np.isfinite(run.z).all(axis=1), found, np.inf)


def of_logits(run: Run) -> Array:
    """Proven bound of ``|computed - exact|`` for each logit; infinite where there is none.

    Shapes: -> (b,k). Units: of the logits. Source: the module's docstring, (vi) and (vii).
    """
    with np.errstate(all="ignore"):
        found = _ABOVE * _logits(run)
        return np.where(np.isfinite(found) & np.isfinite(run.z), found, np.inf)


def likely(run: Run) -> Array:
    """A guess that is above the radius of ordinary models and far below their margins, for a search: no claim.

    2^-32 of what the readout makes of the size of a state: its own or, as states cancel where there are ties, the
    largest that one token injects. Shapes: -> (b,). Units: of the logits.
    """
    with np.errstate(all="ignore"):
        added = run.inject
        if added is None:
            added = updates(run.weights, _real(run.data.x[:, -1]), run.gate)[1]
        size = np.maximum(np.abs(run.x), np.abs(added).max(axis=0)).reshape(len(run.x), run.weights.d, -1)
        read = (size * np.abs(run.C)[:, None]).max(axis=2)
        return _LIKELY * (read * np.abs(run.weights.W).max(axis=0)).max(axis=1)


def _logits(run: Run) -> Array:
    """Errors of the logits, without the factor of (vii). Shapes: -> (b,k)."""
    weights, d, N = run.weights, run.weights.d, run.weights.N
    u, last = weights.embedding, run.data.x[:, -1]
    W_C = np.abs(weights.W_C)
    size = product(np.abs(_real(last)), W_C) if u is None else product(np.abs(u), W_C)[last]
    C, c = np.abs(run.C), d * _UNIT * size + d * _TINY
    x, E = (states.reshape(-1, d, N) for states in (np.abs(run.x), _states(run)))
    y = d * _UNIT * np.abs(run.y) + N * _TINY
    for n in range(N):
        at_x, at_E = c[:, n] + N * _UNIT * C[:, n], C[:, n] + c[:, n]
        y = y + x[:, :, n] * at_x[:, None] + E[:, :, n] * at_E[:, None]
    return product(y, np.abs(weights.W)) + d * _TINY


def _states(run: Run) -> Array:
    """Errors of the last states. Shapes: -> (b,s)."""
    weights, n = run.weights, len(run.data.x)
    states = weights.d * weights.N
    if weights.embedding is not None:
        assert run.decay is not None and run.inject is not None
        K, more = _sources(weights, weights.embedding, run.gate, run.decay)
        tables = run.decay, run.inject, K, more
        E, wide = np.empty((n, states)), max(1, AT_ONCE // states)
        buffers = np.empty((4, min(wide, n), states))
        for start in range(0, n, wide):
            part = run.tokens[:, start : start + wide]
            x, F, spare = np.zeros((3, part.shape[1], states))
            taken = buffers[:, : part.shape[1]]
            for tokens in part:
                for table, entries in zip(tables, taken, strict=True):
                    table.take(tokens, axis=0, out=entries, mode="clip")  # the range was checked; "raise" copies
                _step(x, F, spare, *taken)
            E[start : start + wide] = F + _UNIT * np.abs(x)
        return E
    rows = inputs(run.data, run.convention)
    x, F, spare = np.zeros((3, n, states))
    for t in range(rows.shape[1]):
        u = _real(rows[:, t])
        decay, inject = updates(weights, u, run.gate)
        _step(x, F, spare, decay, inject, *_sources(weights, u, run.gate, decay))
    return F + _UNIT * np.abs(x)


def _step(x: Array, F: Array, spare: Array, decay: Array, inject: Array, K: Array, more: Array) -> None:
    """One step of the recurrence and of (vi), in place: ``F <- decay F + K (F + |x|) + more``. Shapes: all (b,s)."""
    np.abs(x, out=spare)
    spare += F
    spare *= K
    F *= decay
    F += spare
    F += more
    x *= decay
    x += inject


def _sources(weights: Weights, u: Array, gate: Gate, decay: Array) -> tuple[Array, Array]:
    """K of (vi), and the error of what a token injects, (v). Shapes: u (r,d), decay (r,s) -> two of (r,s)."""
    d, size = weights.d, np.abs(u)
    step, rho = np.ones((len(u), 1)), np.zeros((len(u), 1))
    if gate == "softplus":
        step = softplus(product(u, weights.q[None]) + weights.p)
        f = (d + 1) * _UNIT * (product(size, np.abs(weights.q)[None]) + abs(weights.p)) + d * _TINY
        rho = _SOFTPLUS * _UNIT + np.minimum(f / step, f * (1 + f))
        rho = np.where(rho <= 1, rho, np.inf)
    a = np.abs(weights.A)
    g = np.minimum(step[:, :, None] * a, 800.0) * (rho + _UNIT)[:, :, None] + (a + 1) * _TINY
    g = np.where(g <= 1, g * (1 + g) + (_EXP + 2) * _UNIT, np.inf)
    reach = np.abs(step * u) + 2.0**-1012 * (1 + size)
    h = product(size, np.abs(weights.W_B)) * (rho + (d + 2) * _UNIT) + d * _TINY
    more = reach[:, :, None] * h[:, None] + _TINY
    return decay * g.reshape(decay.shape) + _TINY, more.reshape(decay.shape)


def _real(u: NDArray) -> Array:
    return u.astype(np.float64)
