"""One draw from a posterior (theory 8.2): the certified risk of a single model drawn from a Gaussian.

**Claim.** P is fixed before the data, Q is chosen with it, theta* is drawn once from Q, and the 0-1 error of theta* on
an example is a fixed function of the two. With probability at least 1 - delta over the sample of size m and the draw,
``kl(emp || risk) <= (ln dQ/dP(theta*) + ln(xi(m)/delta))/m``, a negative right side counting as 0.

**Derivation** (Rivasplata et al. 2020, Theorem 1; Maurer 2004). At fixed theta, m emp is binomial, so
``E_S exp(m kl(emp || risk)) <= xi(m)`` with ``xi(m) = sum_k binom(m,k) (k/m)^k (1-k/m)^(m-k)`` (equality for a risk in
(0, 1); 1 otherwise). P does not depend on the sample: ``E_S E_{theta~P} exp(m kl) <= xi(m)``. As Q << P,
``E_S E_{theta~Q} exp(m kl - ln dQ/dP(theta)) <= xi(m)``, and Markov's inequality ends the proof.

The parameters of Q may be any function of the sample, and so may its factor: dQ/dP is exact for every Gaussian. What
runs is theta* rounded to float64, which is a fixed function of theta*; the ratio is taken at theta* itself.

**Not claimed.** Anything after a second draw, or for a seed chosen with the data: then the union bound over the seeds
that were tried is missing. Anything for a Q chosen with its noise: the mean ``theta - factor noise`` puts any theta
where it is wanted, at a ratio as small as one likes. No program can see either: ``CONDITIONS``, printed with the claim,
and :meth:`Draw.refusal`, which catches the crude cases. That a seeded generator yields a sample of N(0, I), independent
of the data, is assumed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from operator import mul
from typing import Any, Self

import numpy as np
from flint import arb

from ssm_bounds.bounds.codes.gaussian import PRIOR, Array, standard_normal
from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, exact
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.gaps.inversion import kl_inv
from ssm_bounds.bounds.gaps.maurer import level
from ssm_bounds.bounds.ladder.argument import Argument
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung
from ssm_bounds.bounds.values import DomainError, Scalar, require

CONDITIONS = ("theta was drawn once", "its seed was fixed beforehand", "Q was chosen without the noise")
"""Facts about the past that the claim rests on and that no program can check, whoever states them."""
INCREDIBLE = 10
"""Nats beyond ln(1/delta) by which no honest draw is luckier than its prior: see :meth:`Draw.refusal`."""
_FINEST = 1074


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """``theta* = mean + factor noise``: one draw from Q = N(mean, factor factor^T), beside P = N(center, I).

    Shapes: n parameters; center, mean, noise (n,); factor (n,n) lower triangular, or (n,) for a diagonal one; its
    diagonal is positive. float64, read as the dyadic numbers that they are. Raises: DomainError. Source: theory 8.2.
    """

    center: Array
    mean: Array
    factor: Array
    seed: int
    noise: Array

    def __post_init__(self) -> None:
        n = len(self.mean)
        require(type(self.seed) is int and self.seed >= 0, f"the seed of a draw is an integer >= 0, got {self.seed!r}")
        for name in ("center", "mean", "noise", "factor"):
            value = np.array(getattr(self, name), dtype=np.float64)
            shapes = ((n,), (n, n)) if name == "factor" else ((n,),)
            require(value.shape in shapes, f"{name} of a draw: has shape {value.shape}, expected {shapes[-1]}")
            require(bool(np.isfinite(value).all()), f"{name} of a draw: expected finite values")
            value.flags.writeable = False
            object.__setattr__(self, name, value)
        require(
            self.factor.ndim == 1 or not np.triu(self.factor, 1).any(), "factor of a draw: expected lower triangular"
        )
        require(bool((self._diagonal > 0).all()), "factor of a draw: expected a positive diagonal")

    @classmethod
    def once(cls, *, center: Array, mean: Array, factor: Array, seed: int) -> Self:
        """The draw of ``seed``. The seed must not depend on the data, nor on any other draw."""
        require(type(seed) is int and seed >= 0, f"the seed of a draw is an integer >= 0, got {seed!r}")
        return cls(center, mean, factor, seed, standard_normal(seed, len(mean)))

    @property
    def _diagonal(self) -> Array:
        return self.factor if self.factor.ndim == 1 else self.factor.diagonal()

    def _exact(self) -> list[Fraction]:
        """theta*, without rounding: products of integers, as a float64 is an integer over ``2^1074``."""
        mean, noise = _integers(self.mean), _integers(self.noise)
        if self.factor.ndim == 1:
            steps = list(map(mul, _integers(self.factor), noise))
        else:
            steps = [sum(map(mul, _integers(row[: i + 1]), noise)) for i, row in enumerate(self.factor)]
        return [Fraction((mu << _FINEST) + step, 1 << 2 * _FINEST) for mu, step in zip(mean, steps, strict=True)]

    @property
    def parameters(self) -> Array:
        """theta* rounded to the nearest float64: what runs and is saved. Shape (n,)."""
        return np.array(list(map(float, self._exact())))

    @property
    def log_ratio(self) -> Enclosure:
        """``ln dQ/dP(theta*) = sum_i -ln factor_ii - noise_i^2/2 + (theta*_i - center_i)^2/2``, in nats."""
        with bits(START_BITS):
            total = arb(0)
            columns = (self._exact(), *(column.tolist() for column in (self.center, self.noise, self._diagonal)))
            for theta, center, noise, scale in zip(*columns, strict=True):
                away = exact(theta - Fraction(center))
                total += (away * away - exact(noise) ** 2) / 2 - exact(scale).log()
            return Enclosure.of(total)

    def risk(self, errors: int, m: int, delta: Scalar) -> Enclosure:
        """Bound on the risk of ``parameters`` that made ``errors`` 0-1 errors on the m examples; the upper end counts.

        Raises: DomainError. Source: theory 8.2, with xi(m) in place of 2 sqrt m.
        """
        require(0 <= errors <= m, f"one draw: needs 0 <= errors <= m, got {errors} of {m}")
        return kl_inv(Fraction(errors, m), level(self.log_ratio, m, delta))

    def refusal(self, delta: Scalar) -> str | None:
        """Why no draw made as the claim says can be this one; None for a credible one.

        For an honest draw ``P_Q(ln dQ/dP <= -t) = P_Q(dP/dQ >= e^t) <= e^{-t} E_Q[dP/dQ] <= e^{-t}``, by Markov's
        inequality and ``E_Q[dP/dQ] = P(dQ/dP > 0) <= 1``. At ``t = ln(1/delta) + 10`` that is ``delta e^{-10}``, and a
        ratio that is not certainly above -t is refused. The value of :meth:`risk` stays what it is.

        Raises: DomainError. Source: claims.md 6.
        """
        require(0 < delta < 1, f"one draw: needs 0 < delta < 1, got {delta}")
        ratio = self.log_ratio
        with bits(START_BITS):
            least = exact(delta).log() - INCREDIBLE
            if ratio.lower > least:
                return None
        found, limit = (value.lower().str(4, radius=False) for value in (ratio.lower, least))
        return (
            f"ln dQ/dP = {found} is below -ln(1/delta) - {INCREDIBLE} = {limit}: a draw from a Q chosen without its "
            f"noise is so with probability at most delta e^-{INCREDIBLE}"
        )

    def record(self) -> dict[str, Any]:
        """Plain values for a file, from which :meth:`replay` rebuilds this draw, bit for bit."""
        lower = self.factor if self.factor.ndim == 1 else self.factor[np.tril_indices(len(self.mean))]
        texts = {name: _text(value) for name, value in (("mean", self.mean), ("factor", lower), ("noise", self.noise))}
        return {"prior": PRIOR, "seed": self.seed} | texts

    @classmethod
    def replay(cls, fields: Mapping[str, Any], *, center: Array) -> Self:
        """The recorded draw: no new one. Raises: DomainError where the noise is not that of the seed."""
        try:
            name, seed = fields["prior"], fields["seed"]
            mean, lower, noise = (_array(fields[key]) for key in ("mean", "factor", "noise"))
        except (ValueError, TypeError, KeyError, binascii.Error):
            raise DomainError("the record of the draw cannot be read; certify the original model again") from None
        require(name == PRIOR, f"the draw was made against the prior {name!r}, this version knows {PRIOR!r}")
        n = len(mean)
        factor = lower
        if n > 1 and len(lower) == n * (n + 1) // 2:
            factor = np.zeros((n, n))
            factor[np.tril_indices(n)] = lower
        draw = cls(center, mean, factor, seed, noise)
        expected = standard_normal(seed, n)  # up to the last bits: older records hold a platform's logarithm
        require(
            bool(np.allclose(noise, expected, rtol=1e-13, atol=1e-15)), f"the recorded noise is not that of seed {seed}"
        )
        return draw


def _integers(values: Array) -> list[int]:
    """The values times ``2^1074``, exactly."""
    ratios = map(float.as_integer_ratio, values.tolist())
    return [numerator * ((1 << _FINEST) // denominator) for numerator, denominator in ratios]


def _text(values: Array) -> str:
    return base64.b64encode(values.astype("<f8").tobytes()).decode("ascii")


def _array(text: str) -> Array:
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f8").astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Drawn(Argument):
    """A draw, and the errors of the drawn model on m rows. ``program``: what computes the model; ``remarks``: what else
    is to be said of it."""

    draw: Draw
    errors: int
    m: int
    program: str
    remarks: tuple[str, ...] = ()

    def sentence(self) -> str:
        ratio = decimal_string(self.draw.log_ratio.upper, 3)
        counted = f"{self.errors} errors of the drawn model on {self.m} rows, ln dQ/dP = {ratio} nats"
        return "; ".join((f"{counted}, seed {self.draw.seed}", f"the program is {self.program}", *self.remarks))

    def record(self) -> Mapping[str, Any]:
        draw = self.draw
        counted = {"errors": self.errors, "m": self.m, "nats": draw.log_ratio}
        return counted | {"seed": draw.seed, "parameters": len(draw.mean), "program": self.program}


def one_draw(
    argument: Drawn, delta: Fraction, rests_on: tuple[Hypothesis, ...] = (), *, searched: bool = False
) -> Rung:
    """The risk of the drawn model. Source: theory 8.2."""
    draw = argument.draw
    return Rung(
        "one-draw",
        "risk",
        False,
        draw.risk(argument.errors, argument.m, delta),
        1,
        argument,
        (Hypothesis.ROWS, Hypothesis.DRAW, *rests_on),
        refusal=draw.refusal(delta),
        searched=searched,
    )
