"""Prior codes, their Kraft sums and lengths, and the certificate they buy: exact fractions against balls."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import product

import mpmath
import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.architectures.selective_ssm.layout import layout
from ssm_bounds.bounds.codes import fit, tensors
from ssm_bounds.bounds.codes.layout import Layout, row_count
from ssm_bounds.bounds.codes.scheme import PLAIN, PRIOR, SCHEMES, STEPS, UNPOOLED, Scheme
from ssm_bounds.bounds.codes.symbols import ALPHABETS, RATIOS, Geometric
from ssm_bounds.bounds.codes.tensors import Code
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.inversion import binomial_upper, binomial_upper_nats
from ssm_bounds.bounds.ladder import occam
from ssm_bounds.bounds.values import DomainError

TINY = layout(2, 1, 1, None, "none")


def vectors(n: int, reach: int):
    return (np.array(z) for z in product(range(-reach, reach + 1), repeat=n))


def options(model: Layout, scheme: Scheme):
    """Every codebook of one scheme."""
    sizes = model.sizes()
    widths = [tuple(sizes[name] for name in model.narrow)]
    if scheme.width == "narrow":
        widths = list(product(*(range(1, sizes[name] + 1) for name in model.narrow)))
    kinds = range(len(ALPHABETS[scheme.symbols]))
    for kept in widths:
        coded = model.shapes(kept)
        steps = {"model": 1, "block": len(coded), "row": sum(map(row_count, coded.values()))}[scheme.steps]
        groups = 1 if scheme.pool == "model" else len(coded)
        for s in product(range(len(STEPS)), repeat=steps):
            for k in product(kinds, repeat=groups):
                yield kept, s, k


@pytest.mark.parametrize("scheme", [s for s in SCHEMES if s.steps == "model" and s.pool == "model"])
def test_kraft_sum_of_the_options(scheme):
    """Summed over all its options, a scheme has mass 1/36 times the Kraft sums of its symbols."""
    codes = [Code(TINY, scheme, *choice) for choice in options(TINY, scheme)]
    assert sum(Fraction(1, code.choices()) for code in codes) == Fraction(1, len(SCHEMES))


def test_kraft_sum_of_the_prior():
    """The whole prior over a model of four weights, integers up to 2: at most 1, and most of it."""
    model, total = layout(1, 1, 1, None, "none"), Fraction(0)
    ratio_sums = [sum(Geometric(r).mass(np.array([z])) for z in range(-2, 3)) for r in RATIOS]
    for scheme in SCHEMES:
        kinds = ALPHABETS[scheme.symbols]
        if scheme.pool == "block":
            inner = sum(symbol.mass(np.array([z])) for symbol in kinds for z in range(-2, 3)) / len(kinds)
            total += inner**4 / len(SCHEMES)
        elif scheme.symbols == "geometric":
            total += sum(x**4 for x in ratio_sums) / len(kinds) / len(SCHEMES)
        else:
            total += sum(symbol.mass(z) for symbol in kinds for z in vectors(4, 2)) / len(kinds) / len(SCHEMES)
    assert len(SCHEMES) == 36 == len(set(SCHEMES))
    assert 0.2 < total <= 1
    for scheme in SCHEMES:  # the factors assumed above are those that a code pays
        code = fit.shortest(model, {name: np.zeros(size) for name, size in model.shapes().items()}, (scheme,))
        kinds, steps = len(ALPHABETS[scheme.symbols]), {"model": 1, "block": 4, "row": 4}[scheme.steps]
        assert code.choices() == 36 * 10**steps * kinds ** (4 if scheme.pool == "block" else 1)


def test_plain_code_is_that_of_the_theory():
    """ln 100 nats a block, and ``-ln P(z)`` an integer."""
    model = layout(2, 1, 1, 2)
    code = Code(model, PLAIN, (2, 1), (0,) * 7, (3,) * 7)
    z = {name: np.ones(size, dtype=np.int64) for name, size in model.shapes().items()}
    count = sum(block.size for block in z.values())
    expected = math.log(36) + 7 * math.log(100) + count * math.log(6)  # r = 1/2: (1/3) (1/2)
    assert replace(code, prior=UNPOOLED).nats(z).float_upper() == pytest.approx(expected, rel=1e-12)
    pooled = math.log(16)  # two channels that are copies, one state: 2^(2 + 1 + 1) changes of signs
    assert code.nats(z).float_upper() == pytest.approx(expected - pooled, rel=1e-12)


@st.composite
def coded(draw):
    """Random integers in a random code."""
    d, N = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    model, scheme = layout(d, N, draw(st.sampled_from([1, 3])), 2), draw(st.sampled_from(SCHEMES))
    kept = (draw(st.integers(1, d)), draw(st.integers(1, N))) if scheme.width == "narrow" else (d, N)
    small = model.shapes(kept)
    rows = {"model": 1, "block": len(small), "row": sum(map(row_count, small.values()))}[scheme.steps]
    groups = len(small) if scheme.pool == "block" else 1
    kinds = len(ALPHABETS[scheme.symbols])
    steps = tuple(draw(st.lists(st.integers(0, 9), min_size=rows, max_size=rows)))
    symbols = tuple(draw(st.lists(st.integers(0, kinds - 1), min_size=groups, max_size=groups)))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    integers = {name: np.asarray(rng.integers(-3, 4, size=size)) for name, size in small.items()}
    return Code(model, scheme, kept, steps, symbols), integers


def mass_again(code: Code, integers) -> Fraction:
    """The prior mass written out from theory 8.1 and the docstrings, letter by letter."""
    parts = [z.ravel().tolist() for z in integers.values()]
    groups = [[z for part in parts for z in part]] if code.scheme.pool == "model" else parts
    mass = Fraction(1, 36) * Fraction(1, 10) ** len(code.steps)
    if code.scheme.width == "narrow":
        mass /= math.prod(code.layout.sizes()[name] for name in ("channels", "states"))
    for index, group in zip(code.symbols, groups, strict=True):
        if code.scheme.symbols == "geometric":
            r = RATIOS[index]
            mass *= Fraction(1, 10)
            for z in group:
                mass *= (1 - r) / (1 + r) * r ** abs(z)
        elif code.scheme.symbols == "counts":
            K, seen = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)[index], dict[int, int]()
            mass *= Fraction(1, 10)
            for i, z in enumerate(group):  # Laplace's rule, one symbol after the other
                mass *= Fraction(seen.get(z, 0) + 1, i + 2 * K + 1) if abs(z) <= K else 0
                seen[z] = seen.get(z, 0) + 1
        else:
            zeros = ones = hits = rest = 0
            for z in group:  # flags, and the steps of the magnitudes, by Laplace's rule
                mass *= Fraction((ones if z else zeros) + 1, zeros + ones + 2)
                zeros, ones = zeros + (z == 0), ones + (z != 0)
                if z:
                    mass /= 2
                    for step in range(abs(z)):
                        stops = step == abs(z) - 1
                        mass *= Fraction((hits if stops else rest) + 1, hits + rest + 2)
                        hits, rest = hits + stops, rest + (not stops)
    return mass


@given(coded())
def test_length_is_recomputed_a_second_way(drawn):
    code, integers = drawn
    again = mass_again(code, integers)
    assert replace(code, prior=UNPOOLED).mass(integers) == again
    again *= code.orbit(integers)  # counted in tests/bounds/codes/test_symmetries.py
    assert code.mass(integers) == again
    nats = code.nats(integers)
    if again == 0:
        assert not nats.upper.is_finite() and code.about(integers) == math.inf
        return
    with mpmath.workdps(60):
        exact = -mpmath.log(mpmath.mpf(again.numerator) / again.denominator)
        assert mpmath.mpf(nats.lower.str(50, radius=False)) <= exact * (1 + mpmath.mpf(10) ** -30)
        assert mpmath.mpf(nats.upper.str(50, radius=False)) >= exact * (1 - mpmath.mpf(10) ** -30)
    assert nats.float_lower() <= float(exact) <= nats.float_upper()
    assert nats.float_upper() - nats.float_lower() < 1e-12 * float(exact)
    assert code.about(integers) == pytest.approx(float(exact), rel=1e-9)


@given(coded())
def test_integers_come_back_from_the_weights(drawn):
    code, integers = drawn
    whole = {name: np.zeros(size) for name, size in code.layout.shapes().items()}
    for name, scale in code.scales().items():
        part = integers[name] * scale
        whole[name][tuple(slice(size) for size in part.shape)] = part
    assert all(np.array_equal(code.decoded(integers)[name], whole[name]) for name in whole)
    back = code.integers(whole)
    assert all(np.array_equal(back[name], integers[name]) for name in integers)
    assert tensors.recorded(code.layout, code.record()) == code
    if np.isfinite(code.about(integers)):
        short = fit.shortest(code.layout, whole)
        assert short.about(short.integers(whole)) <= min(
            fit.shortest(code.layout, whole, (scheme,)).about(
                fit.shortest(code.layout, whole, (scheme,)).integers(whole)
            )
            for scheme in (PLAIN, SCHEMES[-1])
        )


@given(coded())
def test_ledger_adds_up(drawn):
    code, integers = drawn
    rows = code.ledger(integers)
    if np.isfinite(code.about(integers)):
        whole, total = code.nats(integers), sum((nats.ball() for *_, nats in rows), arb(0))
        assert whole.lower >= total.lower() - 1e-25 and whole.upper <= total.upper() + 1e-25
        assert total.contains(whole.ball().mid())
    assert rows[-1][0] == "symmetries" and rows[-1][2].upper <= 0
    assert sum(count for _, count, _ in rows) == sum(z.size for z in integers.values())
    assert code.scheme.symbols in str(code)


def test_a_code_refuses_what_it_cannot_hold():
    model = layout(2, 1, 1, 2)
    narrow = Code(model, Scheme("narrow", "model", "model", "sparse"), (1, 1), (0,), (0,))
    weights = {name: np.zeros(size) for name, size in model.shapes().items()}
    with pytest.raises(DomainError, match="not an integer times its step"):
        narrow.integers(weights | {"A": np.array([[0.5], [0.0]])})
    with pytest.raises(DomainError, match="got A, W_B, W_C, q, p, W, embedding, bias"):
        narrow.integers(weights | {"bias": np.array([[1.0], [0.0]])})
    with pytest.raises(DomainError, match="expected shape"):
        narrow.integers(weights | {"p": np.array([0.0])})
    with pytest.raises(DomainError, match="outside the coded"):
        narrow.integers(weights | {"A": np.array([[1.0], [1.0]])})
    with pytest.raises(DomainError, match="no multiple of the smallest step"):
        fit.shortest(model, weights | {"p": np.array(0.3)})
    with pytest.raises(DomainError, match="steps: expected 1"):
        replace(narrow, steps=(0, 1))
    with pytest.raises(DomainError, match="symbols: expected 1"):
        replace(narrow, symbols=(1,))
    with pytest.raises(DomainError, match="channels: expected"):
        replace(narrow, kept=(3, 1))
    with pytest.raises(DomainError, match="not the record of a code"):
        tensors.recorded(model, {"scheme": {}})


# The code that rounded the shared Majority model, in the record of a file that names no prior.
OLD = {"channels": 2, "states": 1, "steps": [1], "symbols": [0]}
OLD |= {"scheme": {"width": "narrow", "steps": "model", "pool": "model", "symbols": "sparse"}}
ROUNDED = {
    "A": [[0], [-2]],
    "W_B": [[-1, -2]],
    "W_C": [[1, 1]],
    "q": [1, -1],
    "p": 0,
    "W": [[-1, 3]],
    "embedding": [[-1, 2], [1, 1]],
}


def test_a_file_that_names_no_prior_keeps_its_certificate():
    """The doubles that were printed before masses were summed; they differ from those of the same weights now."""
    code = tensors.recorded(layout(4, 4, 1, 2), OLD)
    integers = {name: np.array(z) for name, z in ROUNDED.items()}
    assert code.prior == UNPOOLED and code.represents(integers) and len(code.ledger(integers)) == 2
    old = code.nats(integers)
    assert (old.float_lower(), old.float_upper()) == (37.09638376466055, 37.09638376466056)
    assert occam.certify(old, 18, 1000, Fraction(1, 20)).float_upper() == 0.08090970115224792
    assert tensors.recorded(code.layout, code.record()) == code
    for kind, option, nats in (("counts", 1, 100.61365490238933), ("geometric", 3, 175.3099266701368)):
        scheme = {"width": "full", "steps": "row", "pool": "block", "symbols": kind}
        entry = {"scheme": scheme, "channels": 4, "states": 4, "steps": [0] * 17, "symbols": [option] * 7}
        ones = {name: np.ones(size, dtype=np.int64) for name, size in code.layout.shapes().items()}
        assert tensors.recorded(code.layout, entry).nats(ones).float_upper() == nats


def test_what_symmetries_save_on_majority():
    """Two orders of the channels and 2^(2 + 1 + 1) signs: ln 32 = 3.47 nats, and the risk 0.0809 is 0.0768."""
    code = tensors.recorded(layout(4, 4, 1, 2), OLD | {"prior": PRIOR})
    code, integers = code.representative({name: np.array(z) for name, z in ROUNDED.items()})
    assert code.orbit(integers) == 2 * 16
    assert code.nats(integers).float_upper() == pytest.approx(37.09638376466056 - math.log(32), rel=1e-14)
    assert occam.certify(code.nats(integers), 18, 1000, Fraction(1, 20)).float_upper() == pytest.approx(
        0.0768, abs=5e-5
    )
    with pytest.raises(DomainError, match="of the prior 'integers-9', this version has 'integers-2'"):
        tensors.recorded(code.layout, OLD | {"prior": "integers-9"})


def log_cdf(errors: int, n: int, x: mpmath.mpf) -> mpmath.mpf:
    return mpmath.log(sum(mpmath.binomial(n, i) * x**i * (1 - x) ** (n - i) for i in range(errors + 1)))


@pytest.mark.parametrize(
    ("errors", "n", "nats"),
    [(0, 1000, 40), (20, 1000, 42.5), (650, 1000, 40), (3, 20000, 33), (100, 2000, 900), (5, 50, 1e4), (1200, 6000, 3)],
)
def test_tail_inversion_against_fifty_digits(errors, n, nats):
    found = binomial_upper_nats(errors, n, Enclosure.point(nats))
    low, high = found.float_lower(), found.float_upper()
    with mpmath.workdps(60):
        assert high == 1 or log_cdf(errors, n, mpmath.mpf(high)) < -nats
        assert log_cdf(errors, n, mpmath.mpf(low)) >= -nats
    assert high - low < 1e-9


@given(st.integers(1, 200), st.data(), st.integers(1, 200))
def test_both_inversions_agree(n, data, k):
    """At level 2^{-k} the two forms enclose one number."""
    errors = data.draw(st.integers(0, n))
    one = binomial_upper(errors, n, Fraction(1, 2**k))
    level = Enclosure.point(Fraction(k) * Fraction(math.log(2)))  # not the exact logarithm, but next to it
    two = binomial_upper_nats(errors, n, level)
    assert one.float_upper() == pytest.approx(two.float_upper(), rel=1e-9)


def test_the_price_cannot_be_lowered():
    """M independent hypotheses without training errors: some survives with probability delta, less 3 %, at the bound.

    A certificate 3 % lower would fail with probability above delta.
    """
    hypotheses, m, delta = 1000, 400, 0.05
    bound = occam.certify(Enclosure.point(Fraction(math.log(hypotheses))), 0, m, delta).float_upper()

    def failure(p: float) -> float:
        return -math.expm1(hypotheses * math.log1p(-((1 - p) ** m)))

    assert 0.97 * delta < failure(bound) <= delta
    assert failure(0.97 * bound) > delta


def test_kl_form_for_bounded_losses():
    """At mean 0 it is 1 - exp(-(nats + ln 1/delta)/m); for errors it is no better than the binomial form."""
    nats = Enclosure.point(30)
    none = occam.certify_loss(nats, Fraction(0), 1000, 0.05).float_upper()
    assert none == pytest.approx(-math.expm1(-(30 + math.log(20)) / 1000), rel=1e-12)
    loose = occam.certify_loss(nats, Fraction(1, 50), 1000, 0.05).float_upper()
    sharp = occam.certify(nats, 20, 1000, 0.05).float_upper()
    assert sharp < loose < 1.1 * sharp
    assert occam.certify_loss(nats, Fraction(1, 10), 1000, 0.05, 5).float_upper() == pytest.approx(5 * loose, rel=1e-12)
    with pytest.raises(DomainError, match="delta"):
        occam.certify(nats, 20, 1000, 1.5)
    with pytest.raises(DomainError, match="code length"):
        occam.certify(Enclosure.point(-1), 20, 1000, 0.05)
