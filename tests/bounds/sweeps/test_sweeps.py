"""Sweeps against 50-digit values of the same formulas, against certificates, and at the edges of float64.

Tolerance: 1e-10 of a value that fits a double; of a larger or smaller one, its logarithm to 1e-13 relative.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.blocks import assignment, covers
from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants
from ssm_bounds.bounds.architectures.selective_ssm.perturbation import (
    EMBEDDING,
    PUBLISHED,
    PUBLISHED_ALPHA,
    PUBLISHED_STATE,
    REPAIRED,
    SHARP,
)
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS
from ssm_bounds.bounds.covers import lemmas as covering
from ssm_bounds.bounds.covers.entropy import LipschitzImage, Minimum, Projection, allocation
from ssm_bounds.bounds.covers.lemmas import Maurey
from ssm_bounds.bounds.evaluate.balls import evaluate
from ssm_bounds.bounds.gaps.chaining import MARGIN_EXCESS, SINGLE_SCALE
from ssm_bounds.bounds.gaps.losses import ClippedCrossEntropy, Ramp
from ssm_bounds.bounds.ladder.rung import Setting
from ssm_bounds.bounds.sweeps import coefficients, sharp_constants, sweep
from ssm_bounds.bounds.sweeps.axes import columns, points
from ssm_bounds.bounds.sweeps.classes import measured
from ssm_bounds.bounds.sweeps.covers import Entropy
from ssm_bounds.bounds.values import DomainError, Sample
from tests import rungs as ladder
from tests import rungs as reference
from tests.bounds.selection.test_selection import MODEL

SETTING = Setting(MODEL, Sample(10**6, 50), Ramp(1), 1, embedding="fixed")
LARGEST = math.log(1e300)


def logarithm(expression: sympy.Expr, values: dict) -> float | None:
    """``ln`` of 50 digits; None for 0."""
    found = evaluate(expression, values, digits=50)
    return float(mpmath.log(found)) if found else None


def agrees(log_value: float, expected: float | None) -> bool:
    if expected is None:
        return log_value == -math.inf
    return abs(log_value - expected) <= (1e-10 if abs(expected) <= LARGEST else 1e-13 * abs(expected))


abscissae = st.one_of(
    st.sampled_from([0.0, 1e-300, -1e-300, 5e-324, -5e-324, 1e-17, -1e-17, -1e6]),
    st.builds(lambda sign, x: sign * 10.0**x, st.sampled_from([-1, 1]), st.floats(-20, 1)),
)
lengths = st.one_of(st.integers(1, 5), st.sampled_from([10**9]), st.builds(lambda x: int(10**x), st.floats(0, 9)))


def constants(s_A: float, p: float, B_q: float, V: int | None = None) -> ClassConstants:
    """Asymmetric radii, so that no two can be exchanged unnoticed."""
    return ClassConstants(
        d=4, N=3, k=2, V=V, gate="softplus", s_A=s_A, B_A=max(3.0, abs(s_A)), M_A=20.0, B_u=1.5, B_B=2.0, M_B=5.0,
        B_C=0.3, M_C=4.0, B_q=B_q, M_q=1.0, p_lo=p, p_hi=p, B_w=7.0, M_w=11.0,
    )  # fmt: skip


def arrays(of: ClassConstants) -> dict[str, np.ndarray]:
    fields = {name: getattr(of, name) for name in ClassConstants.__slots__}
    numbers = {name: value for name, value in fields.items() if isinstance(value, (int, float))}
    return {name: np.array([float(value)]) for name, value in numbers.items()}


CHAINS = {
    "sharp": SHARP | {"e": EMBEDDING, "M": sym.M, "R_1": sym.R_1, "R_2": sym.R_2},
    "repaired": REPAIRED | {"e": EMBEDDING, "S_1": sym.S_1, "S_2": sym.S_2},
    "published": PUBLISHED | {"S_1": sym.S_1, "S_2": sym.S_2},
}


class TestCoefficients:
    @settings(max_examples=60)
    @given(abscissae, st.floats(-40, 8), st.floats(0, 5), lengths, st.sampled_from(sorted(CHAINS)))
    @example(0.0, 0.0, 0.0, 1, "sharp")
    @example(-1e-300, 3.0, 1.0, 10**9, "repaired")
    @example(1.0, 8.0, 5.0, 10**9, "published")
    @example(-1e6, 8.0, 5.0, 2, "sharp")
    def test_against_fifty_digits(self, s_A, p, B_q, T, chain):
        of = constants(s_A, p, B_q, V=7 if chain != "published" else None)
        found = getattr(coefficients, chain)(arrays(of), np.array([float(T)]))
        values = assignment(of, T, rho="published" if chain == "published" else "repaired")
        for name, expression in CHAINS[chain].items():
            value = float(np.broadcast_to(found[name], (1,))[0])
            expected = logarithm(expression, values)
            assert agrees(value, expected), (name, value, expected)

    @pytest.mark.parametrize("s_A", [-0.3, 0.02])
    def test_capacity(self, s_A):
        of = constants(s_A, -1.0, 0.7)
        values = assignment(of, 40, rho="published") | {sym.B_x: PUBLISHED_STATE}
        gamma = allocation([PUBLISHED_ALPHA[name] for name in PUBLISHED], [PUBLISHED[name] for name in PUBLISHED])
        found = coefficients.published(arrays(of), np.array([40.0]))["C_F"][0]
        assert agrees(found, logarithm(gamma ** sympy.Rational(3, 2), values))
        assert not agrees(found, logarithm(sympy.Rational(101, 100) * gamma ** sympy.Rational(3, 2), values))

    @pytest.mark.parametrize("s_A", [-0.3, 0.02])
    @pytest.mark.parametrize("chain", sorted(CHAINS))
    def test_a_term_off_by_a_percent_is_seen(self, chain, s_A):
        """Each additive term and each factor of every formula, one at a time."""
        of = constants(s_A, -1.0, 0.7, V=7)
        found = getattr(coefficients, chain)(arrays(of), np.array([40.0]))
        values = assignment(of, 40, rho="published" if chain == "published" else "repaired")
        off = sympy.Rational(101, 100)
        for name, expression in CHAINS[chain].items():
            value = float(np.broadcast_to(found[name], (1,))[0])
            expanded = sympy.expand(expression)
            assert agrees(value, logarithm(expanded, values))
            for term in sympy.Add.make_args(expanded):
                assert not agrees(value, logarithm(expanded + (off - 1) * term, values)), (name, term)
            for symbol in expression.free_symbols:
                moved = expression.xreplace({symbol: off * symbol})
                assert not agrees(value, logarithm(moved, values)), (name, symbol)

    @pytest.mark.parametrize(("regime", "s_A", "T"), [("Riemann", -0.3, 40), ("plateau", -1e-3, 40), ("sum", 0.02, 40)])
    def test_each_branch_of_R_2_off_by_a_percent_is_seen(self, regime, s_A, T):
        of = constants(s_A, -1.0, 0.7)
        found = coefficients.sharp(arrays(of), np.array([float(T)]))["R_2"][0]
        values = assignment(of, T)
        assert agrees(found, logarithm(sym.R_2, values))
        for symbol in (sym.lambda_, sym.phi, sym.L) if regime == "Riemann" else (sym.M,):
            moved = DEFINITIONS[sym.R_2].xreplace({symbol: sympy.Rational(101, 100) * symbol})
            assert not agrees(found, logarithm(moved, values)), symbol

    def test_both_sides_of_zero_meet(self):
        table = sharp_constants({"T": [7, 10**9], "s_A": [-1e-300, 0.0, 1e-300]}, SETTING)
        for _, rows in table.groupby("T"):
            values = rows.drop(columns=["T", "s_A"]).to_numpy()
            assert np.ptp(values, axis=0).max() < 1e-13

    def test_zero_radii_are_logarithms_of_zero(self):
        table = sharp_constants({"B_w": [0.0]}, SETTING)
        assert table[["ln beta_A", "ln beta_B", "ln beta_C", "ln beta_g"]].eq(-math.inf).all(axis=None)
        assert np.isfinite(table["ln beta_w"]).all()

    def test_labels(self):
        table = sharp_constants({"T": [10, 20], "s_A": [-1.0, 0.0, 0.01]}, replace(SETTING, embedding="trained"))
        names = ["M", "R_1", "R_2", "beta_A", "beta_B", "beta_C", "beta_w", "beta_g", "beta_e"]
        assert list(table.columns) == ["T", "s_A", *(f"ln {name}" for name in names)]
        assert table["T"].tolist() == [10, 10, 10, 20, 20, 20]
        assert table["s_A"].tolist() == [-1.0, 0.0, 0.01] * 2


def leaves(block) -> list:
    """The covering lemmas that a block is the least of, with the factor its radius is divided by."""
    if isinstance(block, Minimum):
        return [leaf for part in block.parts for leaf in leaves(part)]
    if isinstance(block, Projection):
        return leaves(block.part)
    if isinstance(block, LipschitzImage):
        return [(leaf, factor * mpmath.mpf(float(block.constant.upper))) for leaf, factor in leaves(block.part)]
    return [(block, mpmath.mpf(1))]


def entropy_in_full(setting: Setting, T: int, eps: float, shares: np.ndarray) -> mpmath.mpf:
    """``H`` of the measured class at a given split, in 50 digits."""
    of = setting.measured_class()
    table = SHARP | ({"e": EMBEDDING} if of.V is not None else {})
    values = assignment(of, T)
    beta = {name: evaluate(expression, values, digits=50) for name, expression in table.items()}
    total = mpmath.mpf(0)
    for (name, block), share in zip(covers(of).items(), shares, strict=True):
        best = None
        for leaf, factor in leaves(block):
            with_beta = factor * beta["g" if name in ("p", "q") else name]
            if with_beta == 0:
                best = mpmath.mpf(0)
                continue
            with mpmath.workdps(60):
                radius = mpmath.mpf(eps) * mpmath.mpf(float(share)) / with_beta
            number = evaluate(leaf.formula, {**leaf.values(), sym.eps: radius}, digits=50)
            best = number if best is None else min(best, number)
        total += best
    return total


class TestSingleRadius:
    @settings(max_examples=25)
    @given(abscissae.filter(lambda s: abs(s) <= 3), lengths, st.floats(-6, 1), st.booleans())
    @example(0.0, 10**9, -0.3, True)
    @example(-1e-300, 10**9, -0.3, False)
    def test_entropy_and_values_at_their_split(self, s_A, T, log10_eps, trained):
        setting = replace(SETTING, measured=replace(MODEL, s_A=s_A), embedding="trained" if trained else "fixed")
        eps = 10.0**log10_eps
        over = {"T": [T], "eps": [eps]}
        (point,) = points(columns(over, setting), setting)
        of = measured(point)
        entropy = Entropy.of(of, coefficients.sharp(of, point["T"]))
        shares = entropy.shares(np.log(point["eps"]))
        assert shares.min() > 0 and shares.sum() == pytest.approx(1, abs=1e-12)
        expected = entropy_in_full(setting, T, eps, shares[:, 0])
        assert float(entropy(np.log(point["eps"]), shares)[0]) == pytest.approx(float(expected), rel=1e-10)
        scalars = {sym.m: 10**6, sym.delta: setting.delta, sym.c: 1, sym.l: 1, sym.price: 0}
        found = sweep("scale", over, setting, selection=False).iloc[0]
        value = evaluate(SINGLE_SCALE, scalars | {sym.eps: eps, sym.H: expected}, digits=50)
        assert found.value == pytest.approx(float(value), rel=1e-10)
        assert 10**found.log10 == pytest.approx(float(value), rel=1e-10)

    def test_margin_formula(self):
        found = sweep("margin", {"delta": [1e-3]}, SETTING, selection=False).iloc[0]
        scalars = {sym.m: 10**6, sym.delta: sympy.Float(1e-3, 60), sym.price: 0, sym.H: found.entropy}
        values = {symbol: float(value) for symbol, value in scalars.items()}
        assert found.value == pytest.approx(float(evaluate(MARGIN_EXCESS, values)), rel=1e-12)
        assert found.eps == 0.5

    def test_a_cover_off_by_a_percent_is_seen(self, monkeypatch):
        expected = sweep("margin", {"T": [50]}, SETTING, selection=False).entropy[0]
        for name in ("volume", "box"):
            exact = getattr(covering, name)
            with monkeypatch.context() as patch:
                patch.setattr(covering, name, lambda n, x, by, exact=exact: 1.01 * exact(n, x, by))
                assert sweep("margin", {"T": [50]}, SETTING, selection=False).entropy[0] > expected * (1 + 1e-6)
        assert Maurey(5, 1.0).approximate(np.log([0.3]))[0] == 12 * math.log(11)


SETTINGS = {
    "fixed": SETTING,
    "decay": replace(SETTING, measured=replace(MODEL, s_A=-2.0)),
    "neutral": replace(SETTING, measured=replace(MODEL, s_A=0.0)),
    "growing": replace(SETTING, measured=replace(MODEL, s_A=0.05)),
    "overflowing": replace(SETTING, measured=replace(MODEL, s_A=1.7), sample=Sample(10**6, 10**5)),
    "trained": replace(SETTING, embedding="trained"),
    "vocabulary": replace(SETTING, vocabulary=True),
    "three outputs": replace(SETTING, measured=replace(MODEL, k=3), margin=0.5, loss=Ramp(0.5)),
    "cross-entropy": replace(SETTING, loss=ClippedCrossEntropy(3)),
    "no gate": replace(SETTING, measured=replace(MODEL, gate="none", p=0, B_q=0, M_q=0, logit_max=None)),
    "two margins": replace(SETTING, margin=0.25, loss=Ramp(2)),
    "small norms": replace(SETTING, measured=replace(MODEL, B_w=1e-9, M_w=1e-9, M_A=3.5)),
    "zero readout": replace(SETTING, measured=replace(MODEL, B_w=0, M_w=0)),
    # a block that is a point by volume and not by its l1 radius costs nothing
    "equal decays": replace(SETTING, measured=replace(MODEL, s_A=-1.0, B_A=1.0, M_A=MODEL.d * MODEL.N)),
    "still gate": replace(SETTING, measured=replace(MODEL, B_q=0.0)),
}


@pytest.mark.parametrize("name", SETTINGS)
class TestAgainstCertificates:
    """The sweep at a certificate's own constants; what differs and to which side is stated in ``sweep``."""

    def test_published(self, name):
        setting = SETTINGS[name]
        certified = reference.published(setting)
        found = sweep("published", {"m": [10**6]}, setting).iloc[0]
        exact = float(abs(certified.value.upper).log()) / math.log(10)
        assert found.log10 == pytest.approx(exact, rel=1e-13, abs=1e-9)
        assert found.negative == bool(certified.value.upper < 0)
        assert found.applies == (certified.refusal is None)
        assert found.price == 0

    @pytest.mark.parametrize("rung", ["repaired", "sharp"])
    def test_dudley(self, name, rung):
        """The certificate is an upper sum, at most 1e-3 above its integral."""
        certified = getattr(reference, rung)(SETTINGS[name]).value.float_upper()
        found = sweep(rung, {"m": [10**6]}, SETTINGS[name]).value[0]
        assert -2e-3 <= found / certified - 1 <= 1e-3

    def test_margin(self, name):
        certified = ladder.margin(SETTINGS[name])
        paid, bare = (sweep("margin", {"m": [10**6]}, SETTINGS[name], selection=s).iloc[0] for s in (True, False))
        assert paid.value == pytest.approx(certified.value.float_upper(), rel=1e-10)
        assert paid.price == pytest.approx(certified.argument.record()["price"].float_upper(), rel=1e-10)
        assert paid.entropy == pytest.approx(certified.argument.log_covering.float_upper(), rel=1e-9, abs=1e-9)
        assert bare.value == pytest.approx(certified.before_selection.float_upper(), rel=1e-10)
        assert bare.price == 0

    def test_scale(self, name):
        """Either search for the best radius may end a little above the infimum."""
        certified = ladder.scale(SETTINGS[name])
        paid, bare = (sweep("scale", {"m": [10**6]}, SETTINGS[name], selection=s).iloc[0] for s in (True, False))
        assert -1e-4 <= paid.value / certified.value.float_upper() - 1 <= 1e-3
        assert -1e-4 <= bare.value / certified.before_selection.float_upper() - 1 <= 1e-3
        assert paid.price == pytest.approx(certified.argument.record()["price"].float_upper(), rel=1e-10)


@settings(max_examples=25)
@given(
    st.floats(-3, 0.5),
    st.floats(-6, 6),
    st.floats(-3, 3),
    st.sampled_from([1, 2.0**-3, 0.37]),
    st.integers(1, 4000),
    st.booleans(),
)
@example(-1.0, 0.0, 1.0, 2.0**-3, 50, False)  # every constant on a point of the grid
@example(2.0**-3, -2.0, 1.0, 1, 4000, True)
def test_cells_and_their_price(s_A, p, log2_scale, margin, T, trained):
    assume(
        all(
            eighth == round(eighth) or abs(eighth - round(eighth)) > 1e-6 for eighth in (8 * log2_scale, 4 * log2_scale)
        )
    )
    model = replace(MODEL, s_A=s_A, p=p, B_w=2.0**log2_scale, B_q=2.0 ** (log2_scale / 2))
    setting = Setting(model, Sample(10**5, T), Ramp(margin), margin, embedding="trained" if trained else "fixed")
    certified, found = ladder.margin(setting), sweep("margin", {"T": [T]}, setting).iloc[0]
    # two classes of the same cost to a rounding may have different prices, so the value is what must agree
    assert found.value == pytest.approx(certified.value.float_upper(), rel=1e-9)


@pytest.mark.parametrize("j", range(-24, 9, 4))
@pytest.mark.parametrize("T", [4, 16, 64, 1024])
def test_the_number_of_cells_where_it_is_nearly_an_integer(j, T):
    """s_A on the grid: ``s_A M T/4`` of two grid points may be an integer, or lie an ulp above one."""
    s_A = 2.0 ** (j / 8)
    measured = replace(MODEL, s_A=s_A, B_A=max(MODEL.B_A, s_A), M_A=max(MODEL.M_A, s_A))
    setting = Setting(measured, Sample(10**5, T), Ramp(1), 1, embedding="fixed")
    certified = ladder.margin(setting).argument.selected.price.float_upper()
    assert sweep("margin", {"T": [T]}, setting).price[0] == pytest.approx(certified, rel=1e-12)


class TestSweep:
    def test_vacuous_is_about_the_range_of_the_loss(self):
        setting = replace(SETTING, loss=ClippedCrossEntropy(3))
        table = sweep("scale", {"m": np.geomspace(10, 10**6, 60).round()}, setting)
        assert (table.vacuous == (table.value >= 3)).all() and ((table.value > 1) & ~table.vacuous).any()

    def test_beyond_its_hypothesis_the_published_formula_may_still_be_positive(self):
        """Past ratio e the main part is negative, but not at once larger than the rest."""
        setting = replace(SETTING, delta=Fraction(1, 10**250))
        m = [int(x) for x in np.geomspace(10, 10**15, 200)]
        table = sweep("published", {"m": m}, setting)
        seen = {(bool(ok), bool(negative)) for ok, negative in zip(table.applies, table.negative, strict=True)}
        assert seen == {(True, False), (False, False), (False, True)}
        last = int(table.index[table.negative].max())
        for row in (last - 1, last, last + 1, last + 2):
            exact = reference.published(replace(setting, sample=Sample(m[row], setting.sample.T))).value.float_upper()
            assert table.value[row] == pytest.approx(exact, rel=1e-9)

    def test_labels_and_order(self):
        table = sweep("margin", {"T": [10, 100], "s_A": [-0.1, 0.0, 0.01], "m": [1000, 10**6]}, SETTING)
        assert list(table.columns) == [
            "rung", "T", "s_A", "m", "value", "log10", "negative", "vacuous", "applies", "price", "eps", "entropy"
        ]  # fmt: skip
        assert len(table) == 12 and set(table["rung"]) == {"margin"}
        assert table["m"].tolist() == [1000, 10**6] * 6
        one = sweep("margin", {"T": [100], "s_A": [0.01], "m": [10**6]}, SETTING).iloc[0]
        assert table.iloc[-1].value == one.value

    def test_an_axis_is_the_setting_moved(self):
        """Sweeping a constant is the same as measuring it so."""
        for name, values in {
            "B_u": [0.5, 4.0], "B_B": [0.1, 9.0], "B_C": [3.0], "B_w": [0.2], "B_q": [0.0, 2.0], "p": [-3.0, 2.5],
            "M_A": [19.0], "M_B": [2.0], "M_C": [1.0], "M_q": [0.3], "M_w": [0.5], "B_A": [2.5], "s_A": [-1.5, 0.1],
            "d": [2, 9], "N": [5], "k": [3],
        }.items():  # fmt: skip
            for rung in ("published", "margin"):
                table = sweep(rung, {name: values}, SETTING)
                for value, found in zip(values, table["log10"], strict=True):
                    moved = replace(SETTING, measured=replace(MODEL, **{name: value}))
                    assert found == pytest.approx(sweep(rung, {"T": [50]}, moved)["log10"][0], rel=1e-12)

    def test_sample_and_loss_axes(self):
        moved = replace(SETTING, sample=Sample(777, 9), delta=0.5, margin=0.5, loss=Ramp(0.5))
        over = {"T": [9], "m": [777], "delta": [0.5], "margin": [0.5]}
        for rung in ("published", "repaired", "sharp", "scale", "margin"):
            assert sweep(rung, over, SETTING)["value"][0] == sweep(rung, {"T": [9]}, moved)["value"][0]
        clipped = replace(SETTING, loss=ClippedCrossEntropy(3))
        other = replace(SETTING, loss=ClippedCrossEntropy(2))
        assert sweep("scale", {"c": [2.0]}, clipped)["value"][0] == sweep("scale", {"T": [50]}, other)["value"][0]
        half = sweep("sharp", {"l": [2.0]}, SETTING)["value"][0]
        assert half == pytest.approx(sweep("sharp", {"margin": [0.5]}, SETTING)["value"][0], rel=1e-12)

    def test_a_cap_on_the_gates(self):
        vocabulary = replace(SETTING, vocabulary=True)
        cap = float(np.log1p(np.exp(MODEL.logit_max)))
        for rung in ("repaired", "sharp", "scale", "margin"):
            capped = sweep(rung, {"M": [cap]}, SETTING)["value"][0]
            assert capped == pytest.approx(sweep(rung, {"T": [50]}, vocabulary)["value"][0], rel=1e-12)

    def test_decays_take_their_radii_along(self):
        size = MODEL.d * MODEL.N
        table = sweep("repaired", {"s_A": [-10.0, 5.0]}, SETTING)
        for s_A, M_A, found in zip([-10.0, 5.0], [size * 10.0, MODEL.M_A], table["value"], strict=True):
            moved = replace(SETTING, measured=replace(MODEL, s_A=s_A, B_A=abs(s_A), M_A=M_A))
            assert found == sweep("repaired", {"T": [50]}, moved)["value"][0]
        with pytest.raises(DomainError, match=r"axis B_A: .* at least \|s_A\|"):
            sweep("sharp", {"B_A": [1.0], "s_A": [-2.0]}, SETTING)
        with pytest.raises(DomainError, match=r"axis M_A: .* d N \|s_A\|"):
            sweep("sharp", {"M_A": [20.0], "s_A": [-2.0]}, SETTING)

    def test_overflow_is_a_logarithm(self):
        table = sweep("published", {"T": [10**3, 10**9], "s_A": [0.01, 1.0]}, SETTING)
        assert np.isfinite(table["log10"]).all() and not np.isinf(table["value"]).any()
        assert table["value"].isna().tolist() == [False, False, True, True]
        assert table["negative"].all() and not table["applies"].any()
        certified = reference.published(
            replace(SETTING, measured=replace(MODEL, s_A=1.0), sample=Sample(10**6, 10**9))
        ).value.upper
        assert table["log10"].iloc[-1] == pytest.approx(float((-certified).log()) / math.log(10), rel=1e-12)

    def test_length_independence_is_visible(self):
        """For s_A < 0 the sharp bounds stop growing with T; the neutral and growing ones do not."""
        table = sweep("margin", {"s_A": [-0.1, 0.0, 0.01], "T": [10**6, 10**9]}, SETTING, selection=False)
        growth = table.groupby("s_A")["value"].apply(lambda v: v.iloc[1] - v.iloc[0])
        assert abs(growth[-0.1]) < 1e-12 < growth[0.0] < growth[0.01]

    def test_best_radius_beats_the_given_ones(self):
        best = sweep("scale", {"T": [50]}, SETTING)["value"][0]
        others = sweep("scale", {"eps": np.geomspace(1e-6, 2, 200)}, SETTING)["value"]
        assert best <= others.min() * (1 + 1e-3) and others.max() > 1.5 * best

    @pytest.mark.parametrize(
        ("over", "message"),
        [
            ({"B_z": [1]}, "unknown axis 'B_z'"),
            ({"T": [0]}, "axis T: expected integers from 1"),
            ({"T": [1.5]}, "axis T: expected integers"),
            ({"delta": [1.0]}, "axis delta"),
            ({"margin": [0.0]}, "axis margin: values are > 0"),
            ({"B_u": [-1.0]}, "axis B_u: a radius is >= 0"),
            ({"s_A": [math.nan]}, "axis s_A: values are numbers"),
            ({"s_A": [math.inf]}, "axis s_A: values are numbers"),
            ({"V": [3]}, "axis V: the embedding is not in the class"),
            ({"eps": [1]}, "eps is an axis of the rung scale"),
            ({"T": []}, "axis T: no values"),
            ({}, "at least one axis"),
            ({"m": [10, 10]}, "axis m: a value is repeated"),
            ({"delta": [1e-310]}, "axis delta: .* above 1e-300"),
            ({"margin": [1e-320]}, "axis margin: .* at least 1e-300"),
            ({"p": [-1e308]}, "axis p: values are numbers of modulus up to 1e300"),
            ({"B_q": [1e200], "B_u": [1e200]}, "a gate logit p . B_q B_u is beyond 1e300"),
            ({"B_u": np.arange(1, 10001), "B_w": np.arange(1, 10001)}, "100,000,000 points: a sweep has at most"),
            ({"s_A": [1e295], "T": [10**9]}, "beyond 1e300"),
            ({"B_w": [1e300], "B_B": [1e300]}, "B_product: .* outside the grid"),
        ],
    )
    def test_what_is_refused(self, over, message):
        with pytest.raises(DomainError, match=message):
            sweep("margin", over, SETTING)

    def test_a_delta_below_doubles_is_refused(self):
        with pytest.raises(DomainError, match="delta: a sweep takes failure probabilities above 1e-300"):
            sweep("margin", {"T": [5]}, replace(SETTING, delta=Fraction(1, 10**400)))

    def test_a_model_without_a_gate_has_no_gate_axes(self):
        for name in ("p", "B_q", "M_q", "M"):
            with pytest.raises(DomainError, match=f"axis {name}: this model has no gate"):
                sweep("margin", {name: [1.0]}, SETTINGS["no gate"])

    def test_unknown_rung(self):
        with pytest.raises(DomainError, match="unknown rung 'gap'"):
            sweep("gap", {"T": [1]}, SETTING)

    def test_chunks_do_not_show(self, monkeypatch):
        over = {"T": [10, 100, 1000], "s_A": [-1.0, 0.0, 0.01]}
        whole = sweep("scale", over, SETTING)
        monkeypatch.setattr("ssm_bounds.bounds.sweeps.axes._CHUNK", 2)
        parts = sweep("scale", over, SETTING)
        assert np.allclose(whole["value"], parts["value"], rtol=1e-9, atol=0)
        assert whole["T"].equals(parts["T"])


def test_reachable_from_the_top():
    from ssm_bounds import bounds

    assert bounds.sweep is sweep
    with pytest.raises(AttributeError):
        bounds.nothing  # noqa: B018
