"""Margin PAC-Bayes (theory 8.3): a Gaussian around the trained parameters in place of a cover of their class.

**Claim.** g > 0 and the prior P are fixed before the data; theta, and a distribution Q on parameters, are chosen with
it. If for every input, and for every wrong output against the right one, a model theta' drawn from Q moves the
difference of the two by more than g/2 in a given direction with probability at most tau, then with probability
1 - delta, for all theta and Q at once,
``risk(theta) <= kl_inv(emp_g(theta) + tau_g, (KL(Q || P) + ln(xi(m)/delta))/m)/(1 - tau)``; tau_g = tau for one output.

**Derivation.** (i) At each fixed theta' the number of margins <= g/2 is binomial, so (Maurer 2004) for all Q at once
``kl(E_Q emp_{g/2} || E_Q L_{g/2}) <= (KL + ln(xi/delta))/m``. (ii) Where the margin of theta is <= 0, some wrong output
is not below the right one; unless their difference moves by more than g/2, the margin of theta' is <= g/2. So
``E_Q L_{g/2} >= (1 - tau) risk(theta)``, input by input (Fubini): nothing has to hold for all inputs at once.
(iii) Where it is > g, the margin of theta' is > g/2 unless one of the k - 1 differences moves: ``E_Q emp_{g/2} <= emp_g
+ tau_g``. kl_inv increases in both arguments. Without data, by Pinsker and emp_g <= 1,
``excess = (sqrt(level/2) + tau_g + tau)/(1 - tau)`` over emp_g. With the training margins: ``ladder.margin_rows``.
The rescalings of theory 7 leave z unchanged, and Q may be centred at any parameters with the outputs of theta.

**Q and P.** Q = N(theta, sigma^2), one sigma_b for each group b of n_b entries: rows of W_B and W_C, entries of A,
columns of W, and q, p, E. P is independent, N(c, s^2), c = -1 for A, else 0, with one variance s^2 = 2^j for each block
(for W/g in place of W), j in Z of weight ``1/(2(|j|+1)(|j|+2))``: the union bound pays ``ln(1/pi)``, pi their product.
As P is over W/g and the loss is that of margins of z/g up to 1/2, (i) is one event for every g: g may be chosen with
the data, and of bounds at several g and Q the smallest holds.
``KL = sum_b n_b (ln(s/sigma_b) + sigma_b^2/(2 s^2) - 1/2) + |theta_b - c|^2/(2 s^2)``.

**tau** = ``erfc((g/2 - rho)/sqrt(2V)) + P(not G)``, proved in ``selective_ssm.spread``; in tau_g the first term counts
k - 1 times. An event of G fails with probability ``P(|N(0, I_n)| > r)``.

**Not claimed.** Anything about the program in floating point; an embedding left out of Q must be fixed before the data.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from ssm_bounds.bounds.architectures.selective_ssm.spread import (
    Center,
    balls,
    drift,
    exactly,
    largest_gate,
    spread,
    upper_sums,
)
from ssm_bounds.bounds.architectures.selective_ssm.suprema import Parameters, Suprema, rescaled, sum_of_squares, suprema
from ssm_bounds.bounds.architectures.selective_ssm.widths import Constraint, Goal, fit_widths
from ssm_bounds.bounds.codes.gaussian import prior_center
from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, exact, float_above
from ssm_bounds.bounds.evaluate.elementary import LN2, log, log_of, total
from ssm_bounds.bounds.gaps.inversion import kl_inv
from ssm_bounds.bounds.gaps.maurer import level
from ssm_bounds.bounds.selection.cells import index_weight
from ssm_bounds.bounds.values import Gate, Scalar, require

Array = NDArray[np.float64]

TAILS = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6)
"""Tail probabilities for which a Q is fitted; any Q may be used, so these are free."""
_EVENTS = 0.1  # share of the tail that pays for the events
LEAST_MARGIN = 2.0**-300
_ROUNDS = 40
LEFT = 2.0  # nats by which the search for widths may end above the best: it ends where a step gains less than 0.1


@functools.lru_cache(maxsize=1024)
def _escape(n: int, r: float) -> Enclosure:
    """``P(|N(0, I_n)| > r)``, the regularised upper incomplete gamma function."""
    with bits(START_BITS):
        return Enclosure.of((arb(r) ** 2 / 2).gamma_upper(arb(n) / 2, regularized=1))


def _radius(n: int, probability: float) -> float:
    """r with ``P(|N(0, I_n)| > r)`` about ``probability``."""
    extra = -log_of(probability)
    low, high = 0.0, math.sqrt(n + 2 * math.sqrt(n * extra) + 2 * extra)
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if _escape(n, middle).upper < probability else (middle, high)
    return high


@functools.lru_cache(maxsize=len(TAILS))
def quantile(tail: float) -> float:
    """t with ``P(|N(0, 1)| > t) = tail``, to the nearest float64."""
    with bits(START_BITS):
        return float((arb(2).sqrt() * arb(tail).erfcinv()).mid())


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Q = N(theta, width^2) with everything that the certificate needs of it; m and delta come later.

    ``tail``: erfc(...), the chance that a difference of outputs moves by g/2 and no event fails; ``events``: that one
    fails. ``outputs``: k. ``variance`` V and ``remainder`` rho, in units of the outputs. ``width``: sigma by block and
    group, ``reach``: r of the events, exact float64. ``scales``: j of each block. ``by_block``: KL in nats.
    """

    tail: Enclosure
    events: Enclosure
    outputs: int
    divergence: Enclosure
    price: Enclosure
    variance: Enclosure
    remainder: Enclosure
    width: Mapping[str, Array]
    reach: Mapping[str, float]
    scales: Mapping[str, int]
    by_block: Mapping[str, Enclosure]

    def _tails(self) -> tuple[arb, arb]:
        """tau and tau_g, upper ends."""
        with bits(START_BITS):
            tail, events = self.tail.upper, self.events.upper
            return (tail + events).upper(), (max(self.outputs - 1, 1) * tail + events).upper()

    def level(self, m: int, delta: Scalar) -> Enclosure:
        """``(KL + ln(1/pi) + ln(xi(m)/delta))/m``."""
        with bits(START_BITS):
            return level(Enclosure.of(self.divergence.ball() + self.price.ball()), m, delta)

    def excess(self, m: int, delta: Scalar) -> Enclosure:
        """What the risk is at most above emp_g; infinite where tau reaches 1."""
        tau, tau_g = self._tails()
        found = self.level(m, delta)
        with bits(START_BITS):
            if not tau < 1:
                return Enclosure.point(math.inf)
            return Enclosure.of(((found.ball() / 2).sqrt() + tau_g + tau) / (1 - tau))

    def risk(self, margin_errors: int, m: int, delta: Scalar) -> Enclosure:
        """Bound of the risk after ``margin_errors`` training margins <= g, at most 1. Raises: DomainError."""
        require(0 <= margin_errors <= m, f"margin PAC-Bayes: needs 0 <= margin errors <= m, got {margin_errors} of {m}")
        return self.risk_after(self.by_count(margin_errors, m), m, delta)

    def by_count(self, margin_errors: int, m: int) -> Fraction:
        """What ``E_Q emp_{g/2}`` is at most by (iii): ``emp_g + tau_g``."""
        return min(Fraction(margin_errors, m) + Fraction(float_above(self._tails()[1])), Fraction(1))

    def risk_after(self, mean: Fraction, m: int, delta: Scalar) -> Enclosure:
        """Bound of the risk where ``E_Q emp_{g/2} <= mean``, at most 1."""
        tau, _ = self._tails()
        inverse = kl_inv(mean, self.level(m, delta))
        with bits(START_BITS):
            if not tau < 1:
                return Enclosure.point(1)
            return Enclosure.of(arb.min(inverse.ball() / (1 - tau), arb(1)))


@dataclass(frozen=True, slots=True, eq=False)
class MarginPacBayes:
    """The rung at one m and delta: ``excess`` over emp_g and, with the margin errors at hand, ``risk``; each by a Q of
    its own, which hold at once. ``posterior``: that of the risk if there is one; None where all is infinite."""

    excess: Enclosure
    risk: Enclosure | None
    posterior: Posterior | None
    m: int
    delta: Scalar

    @property
    def trace(self) -> tuple[str, ...]:
        """The argument in lines."""
        q = self.posterior
        if q is None:
            return ("the constants of this model exceed the range of float64: no posterior",)
        blocks = ", ".join(f"{name} {value.float_upper():.1f}" for name, value in q.by_block.items())
        scales = ", ".join(f"{name} 2^{j}" for name, j in q.scales.items())
        return (
            f"KL(Q || P) = {q.divergence.float_upper():.2f} nats: {blocks}",
            f"prior variances: {scales} (W: of W/g); ln(1/pi) = {q.price.float_upper():.2f} nats",
            f"spread: V = {q.variance.float_upper():.3g}, remainder {q.remainder.float_upper():.3g}",
            f"tau = erfc((g/2 - rho)/sqrt(2V)) + P(not G) = {q.tail.float_upper():.2e} + {q.events.float_upper():.2e}"
            + (f"; in tau_g the first counts {q.outputs - 1} times" if q.outputs > 2 else "; tau_g = tau"),
            "kl(emp_g + tau_g || risk (1 - tau)) <= (KL + ln(1/pi) + ln(xi(m)/delta))/m = "
            f"{q.level(self.m, self.delta).float_upper():.5f}",
        )


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A Q before its certificate: what the search found, and about what it costs."""

    width: Mapping[str, Array]
    reach: Mapping[str, float]
    tail: float
    cost: float


class Drafts(Sequence[Draft]):
    """Drafts that are made when they are asked for, one after the other."""

    def __init__(self, coming: Iterator[Draft]) -> None:
        self._coming, self._made = coming, list[Draft]()

    def __getitem__(self, i: Any) -> Any:
        with np.errstate(all="ignore"):
            while len(self._made) <= i and (draft := next(self._coming, None)) is not None:
                self._made.append(draft)
        return self._made[i]

    def __len__(self) -> int:
        with np.errstate(all="ignore"):
            self._made.extend(self._coming)
        return len(self._made)

    def __bool__(self) -> bool:
        return any(True for _ in self)


def up_to_the_best(
    made: Sequence[Draft], risk: Callable[[int, Draft], float], floor: Callable[[float], float]
) -> list[float]:
    """The risk of the first drafts, until no later one can be better: their tails are smaller, so that they cost more.

    ``floor``: what the risk of any draft is at least at a cost, whatever its tail.
    """
    found: list[float] = []
    for i, draft in enumerate(made):
        found.append(risk(i, draft))
        if floor(max(draft.cost - LEFT, 0.0)) >= min(found):
            break
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """The Q of one model, one for each of ``TAILS``; m and delta come later. Made by :func:`fit`."""

    center: Center
    blocks: Mapping[str, Array]
    counts: Mapping[str, int]
    squares: Mapping[str, float]
    T: int
    g: Fraction
    drafts: Sequence[Draft] = ()

    def at(self, m: int, delta: Scalar, margin_errors: int | None = None) -> MarginPacBayes:
        """The bounds with Q chosen for each: a float64 estimate says which, and that one is certified.

        ``margin_errors``: training margins <= g among the m. Raises: DomainError.
        """
        require(0 < delta < 1, f"delta is a failure probability in (0, 1), got {delta}")
        require(m >= 1, f"m is a number of training sequences, got {m}")
        errors = 0 if margin_errors is None else margin_errors
        require(0 <= errors <= m, f"margin PAC-Bayes: needs 0 <= margin errors <= m, got {errors} of {m}")
        if not self.drafts:
            risk = None if margin_errors is None else Enclosure.point(1)
            return MarginPacBayes(Enclosure.point(math.inf), risk, None, m, delta)

        def at(cost: float) -> Enclosure:
            return level(Enclosure.point(cost), m, delta)

        def pinsker(cost: float, tail: float = 0.0) -> float:
            return (math.sqrt(at(cost).float_upper() / 2) + 2 * tail) / (1 - tail)

        def inverse(cost: float, tail: float = 0.0) -> float:
            a = min(Fraction(errors, m) + Fraction(tail), Fraction(1))
            return kl_inv(a, at(cost)).float_upper() / (1 - tail)

        chosen = self.posterior(up_to_the_best(self.drafts, lambda _, draft: pinsker(draft.cost, draft.tail), pinsker))
        excess = chosen.excess(m, delta)
        if margin_errors is None:
            return MarginPacBayes(excess, None, chosen, m, delta)
        chosen = self.posterior(up_to_the_best(self.drafts, lambda _, draft: inverse(draft.cost, draft.tail), inverse))
        return MarginPacBayes(excess, chosen.risk(errors, m, delta), chosen, m, delta)

    def posterior(self, estimates: list[float]) -> Posterior:
        """The Q of the draft with the least of these estimates, certified."""
        best = min(range(len(estimates)), key=estimates.__getitem__)
        with np.errstate(all="ignore"):
            return _certify(self, self.drafts[best])


def rung(
    weights: Parameters,
    *,
    gate: Gate,
    T: int,
    m: int,
    delta: Scalar,
    g: Scalar,
    embedding_in_class: bool = False,
    input_bound: float | None = None,
    margin_errors: int | None = None,
) -> MarginPacBayes:
    """Margin PAC-Bayes for one trained model: :func:`fit`, then :meth:`Family.at`. Source: theory 8.3."""
    family = fit(weights, gate=gate, T=T, g=g, embedding_in_class=embedding_in_class, input_bound=input_bound)
    return family.at(m, delta, margin_errors)


def fit(
    weights: Parameters,
    *,
    gate: Gate,
    T: int,
    g: Scalar,
    embedding_in_class: bool = False,
    input_bound: float | None = None,
) -> Family:
    """The family of Q of one model. ``input_bound``: B_u of real-valued inputs; an embedding has its own.

    Empty where the constants exceed the float64 range. Shapes: :class:`Parameters`. Units: g in output units.
    Raises: DomainError.
    """
    require(T >= 1, f"T is the largest sequence length, got {T}")
    require(LEAST_MARGIN < g < 1 / LEAST_MARGIN, f"the margin must be > 0 (and in the range of float64), got {g!r}")
    require(
        not embedding_in_class or weights.embedding is not None,
        "an embedding in the class needs an embedding to be there",
    )
    with np.errstate(all="ignore"):
        model = rescaled(weights, embedding_in_class=embedding_in_class)
        inputs = suprema(model, gate=gate, input_bound=input_bound)
        blocks: dict[str, Array] = {name: getattr(model, name) for name in ("A", "W_B", "W_C", "W")}
        if gate == "softplus":
            blocks |= {"q": model.q, "p": np.array(model.p)}
        if embedding_in_class and model.embedding is not None:
            blocks["embedding"] = model.embedding
        k, d = model.W.shape
        sizes = {"A": 1, "W_B": d, "W_C": d, "W": k, "q": d, "p": 1, "embedding": np.size(blocks.get("embedding", 0))}
        counts = {name: sizes[name] for name in blocks}
        squares = {name: sum_of_squares(value - prior_center({name: 1})[0]) for name, value in blocks.items()}
        numbers = [getattr(inputs, name) for name in Suprema.__dataclass_fields__]
        family = Family(Center(inputs, np.abs(model.A), 1 if k == 1 else 2), blocks, counts, squares, T, Fraction(g))
        if not all(np.isfinite(value).all() for value in [*numbers, *squares.values()] if value is not None):
            return family
    (found,) = with_drafts([family])
    return found


def with_drafts(families: Sequence[Family], *, events: float = _EVENTS) -> list[Family]:
    """With a Q for each of ``TAILS``, made when one of the families is asked for its own: for all of them together.

    The families differ in g alone; ``events``: the share of a tail that pays for them.
    """
    rows = itertools.tee(_rows_of_drafts(families, events), len(families))

    def drafts(i: int) -> Iterator[Draft]:
        for row in rows[i]:
            if (draft := row[i]) is None:
                return
            yield draft

    return [replace(family, drafts=Drafts(drafts(i))) for i, family in enumerate(families)]


def _rows_of_drafts(families: Sequence[Family], events: float) -> Iterator[list[Draft | None]]:
    """For each tail a Q of each family; None where it has none, and for smaller tails none either."""
    family = families[0]
    A, counts = family.blocks["A"], family.counts
    groups = {"A": A.shape, "W_B": A.shape[1:], "W_C": A.shape[1:], "W": A.shape[:1], "q": (), "p": (), "embedding": ()}
    most = [_prior_deviations(family) for family in families]
    width = {
        i: {name: np.full(groups[name], 1e-3 * s) for name, s in deviations.items()}
        for i, deviations in enumerate(most)
    }
    entries = sum(math.prod(groups[name]) for name in counts)
    for tail in TAILS:
        share = events * tail / entries
        reach = {name: _radius(counts[name], share) if name in counts else 0.0 for name in groups if name != "W"}
        constraint = Constraint(family.center, A, family.T, counts, quantile(tail), reach)
        goals = [Goal(float(families[i].g) / 2, most[i], start) for i, start in width.items()]
        found = fit_widths(constraint, goals, _ROUNDS if tail == TAILS[0] else 8)
        width = {
            i: fitted
            for i, fitted in zip(width, found, strict=True)
            if all(np.isfinite(fitted[name]).all() and (fitted[name] > 0).all() for name in counts)
        }
        drafts = {
            i: Draft(fitted, reach, (1 + events) * tail, max(_cost(families[i], fitted), 0.0))
            for i, fitted in width.items()
        }
        if not drafts:
            return
        yield [drafts.get(i) for i in range(len(families))]


def _unit(family: Family, name: str) -> float:
    """In which a block is measured by the prior: g for W."""
    return float(family.g) if name == "W" else 1.0


def _prior_deviations(family: Family) -> dict[str, float]:
    """s of each block, in units of its entries, of least cost at the parameters alone."""
    found = {}
    for name, square in family.squares.items():
        unit = _unit(family, name)
        j, _ = variance_index(square / (unit * unit), family.blocks[name].size, 0.0)
        found[name] = unit * math.sqrt(2.0**j)
    return found


def _cost(family: Family, width: Mapping[str, Array]) -> float:
    """About ``KL(Q || P) + ln(1/pi)`` in nats."""
    cost = 0.0
    relative = {name: np.ravel(width[name] / _unit(family, name)) for name in family.counts}
    logs = log(np.concatenate(list(relative.values())))
    of_block = np.split(logs, np.cumsum([value.size for value in relative.values()])[:-1])
    for (name, n), ln in zip(family.counts.items(), of_block, strict=True):
        unit, entries = _unit(family, name), family.blocks[name].size
        square = family.squares[name] / (unit * unit)
        moved = n * float(total(width[name] * width[name])) / (unit * unit)
        j, weight = variance_index(square, entries, moved)
        cost += entries * (j * LN2 - 1) / 2 - n * float(total(ln))
        cost += (square + moved) / 2.0 ** (j + 1) - log_of(weight)
    return cost


@functools.lru_cache(maxsize=32)
def _certify(family: Family, draft: Draft) -> Posterior:
    """Every number of a posterior in ball arithmetic, its widths and reaches as they are.

    A family and a draft are equal to themselves alone. The cache keeps the last 32 pairs alive: the family holds
    constants, drafts and the blocks in the class (an embedding, V d numbers, only where it is one), no training data.
    """
    center, blocks, counts, g = family.center, family.blocks, family.counts, family.g
    A, sup, width, reach = blocks["A"], center.at, draft.width, draft.reach
    h = {name: Fraction(r) * Fraction(float(width[name])) for name, r in reach.items() if not width[name].shape}
    pairs = zip(A.ravel().tolist(), width["A"].ravel().tolist(), strict=True)
    moved = tuple(Fraction(a) + Fraction(reach["A"]) * Fraction(sigma) for a, sigma in pairs)
    near = upper_sums(tuple(map(Fraction, A.ravel().tolist())), largest_gate(sup, Fraction(0)), family.T, A.shape)
    M = largest_gate(sup, drift(Fraction(sup.input_l2), Fraction(sup.q_l2), h))
    far = upper_sums(moved, M, family.T, A.shape)
    with bits(START_BITS):
        exact_center = Center(exactly(sup), balls(center.a), center.rows)
        exact_width = {name: balls(value) for name, value in width.items()}
        first, later, by_entry = spread(exact_center, exact_width, {n: arb(r) for n, r in reach.items()}, near, far)
        variance, remainder = first + sum(map(total, later)) + arb(2) ** -2000, total(by_entry)
        room = exact(g) / 2 - remainder
        tail = (room / (2 * variance).sqrt()).erfc() if room > 0 else arb(1)
        events = sum((_escape(counts[n], reach[n]).upper * width[n].size for n in counts if n != "W"), arb(0))
        scales, nats, weight = {}, {}, Fraction(1)
        for name, n in counts.items():
            sigmas, entries = width[name].ravel(), blocks[name].size
            size = exact(g) if name == "W" else arb(1)
            unit, own = float(size) * float(size), n * float(total(sigmas * sigmas))
            j, pi = variance_index(family.squares[name] / unit, entries, own / unit)
            s2 = arb(2) ** j * size**2
            logs = sum((arb(s).log() for s in sigmas.tolist()), arb(0))
            moves = sum((arb(s) ** 2 for s in sigmas.tolist()), arb(0))
            nats[name] = (s2.log() - 1) * entries / 2 - n * logs + (n * moves + arb(family.squares[name])) / (2 * s2)
            scales[name], weight = j, weight * pi
        price = -exact(weight).log()
        return Posterior(
            tail=Enclosure.of(tail),
            events=Enclosure.of(events),
            outputs=len(blocks["W"]),
            divergence=Enclosure.of(sum(nats.values(), arb(0))),
            price=Enclosure.of(price),
            variance=Enclosure.of(variance),
            remainder=Enclosure.of(remainder),
            width=width,
            reach=reach,
            scales=scales,
            by_block={name: Enclosure.of(value) for name, value in nats.items()},
        )


@functools.lru_cache(maxsize=4096)
def _log_weight(j: int) -> float:
    return log_of(index_weight(j))


def variance_index(square: float, entries: int, moved: float) -> tuple[int, Fraction]:
    """j of the variance 2^j, and its weight, of least cost at |theta - c|^2 and ``moved = sum_b n_b sigma_b^2``."""
    top = math.frexp(max((square + moved) / entries, 2.0**-1000))[1]  # about the best: the range goes beyond
    found = range(max(-900, min(top, 0) - 2), min(900, max(top, 0) + 2) + 1)

    def cost(j: int) -> float:
        return entries * j * LN2 / 2 + (square + moved) / 2.0 ** (j + 1) - _log_weight(j)

    best = min(found, key=cost)
    return best, index_weight(best)
