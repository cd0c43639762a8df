"""Elasticities against finite differences of an independent 50-digit bound, and what must coincide or have a sign."""

from __future__ import annotations

import csv
import functools
import io
import json
import math
from dataclasses import dataclass, replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.constants import MeasuredConstants
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.explain import elasticity, relaxation
from ssm_bounds.bounds.explain.elasticity import elasticities, explain
from ssm_bounds.bounds.explain.moves import NORMS, moved
from ssm_bounds.bounds.gaps.losses import ClippedCrossEntropy, Ramp
from ssm_bounds.bounds.ladder.rung import Rung, Setting
from ssm_bounds.bounds.values import DomainError, Sample
from ssm_bounds.cli import main
from ssm_bounds.report.plots.elasticity import bars
from tests import rungs as ladder
from tests import rungs as reference
from tests.bounds.selection.test_selection import MODEL

RUNGS = {make.__name__.replace("_", "-"): make for make in ladder.SELECTED}
SETTING = Setting(MODEL, Sample(10**5, 50), Ramp(1), 1, embedding="fixed")


def with_decays(model: MeasuredConstants, decays: list[list[float]], **changes: object) -> MeasuredConstants:
    flat = [a for row in decays for a in row]
    return replace(
        model, d=len(decays), N=len(decays[0]), decays=tuple(map(tuple, decays)), s_A=max(flat),
        B_A=max(map(abs, flat)), M_A=sum(Fraction(abs(a)) for a in flat), **changes,
    )  # fmt: skip


def decays(d: int = 4, N: int = 3, slow: float = -0.3, fast: float = -3.0) -> list[list[float]]:
    """One slow entry among fast ones, so that groups pay."""
    rows = [[fast * (1 + 0.1 * (i + j)) for j in range(N)] for i in range(d)]
    rows[1][2] = slow
    return rows


def R_1(s: mpf, M: mpf, T: mpf) -> mpf:
    return M * T if s == 0 else M * mp.expm1(s * M * T) / mp.expm1(s * M)


def R_2(s: mpf, M: mpf, T: mpf) -> mpf:
    plateau = M**2 * T * (T - 1) / 2
    if s == 0:
        return plateau
    if s < 0:
        phi = -s * M / (1 - mp.exp(s * M))
        return min(phi * mp.gammainc(2, 0, -s * T * M) / s**2, plateau)
    r = mp.exp(s * M)
    return M**2 * r * (1 - T * r ** (T - 1) + (T - 1) * r**T) / (1 - r) ** 2


def R_g(s: mpf, M: mpf, T: mpf) -> mpf:
    first, second = R_1(s, M, T), R_2(s, M, T)
    return first + s * second if s > 0 else min(first - s * second, (1 - s * M / 2) * first)


def softplus(x: mpf) -> mpf:
    return mp.log1p(mp.exp(x))


def least_cost(blocks: list[tuple[str, mpf, mpf]], eps: mpf) -> tuple[mpf, mpf]:
    """min sum h_i(e_i) under sum e_i = eps, and minus its slope in eps, by damped Newton steps from equal shares."""
    e = [eps * w / sum(w for _, w, _ in blocks) for _, w, _ in blocks]
    for _ in range(300):
        first = [-2 * w * G**2 / x**3 if kind == "power" else -w * G / (x * (x + G))
                 for (kind, w, G), x in zip(blocks, e, strict=True)]  # fmt: skip
        second = [6 * w * G**2 / x**4 if kind == "power" else w * G * (2 * x + G) / (x * (x + G)) ** 2
                  for (kind, w, G), x in zip(blocks, e, strict=True)]  # fmt: skip
        nu = -sum(a / b for a, b in zip(first, second, strict=True)) / sum(1 / b for b in second)
        steps = [-(a + nu) / b for a, b in zip(first, second, strict=True)]
        damp = min([mpf(1)] + [-x / (2 * step) for x, step in zip(e, steps, strict=True) if step < 0])
        e = [x + damp * step for x, step in zip(e, steps, strict=True)]
        if max(abs(step / x) for x, step in zip(e, steps, strict=True)) < mpf(10) ** -30:
            break
    else:
        raise AssertionError("Newton's method did not settle")
    costs = [w * (G / x) ** 2 if kind == "power" else w * mp.log1p(G / x)
             for (kind, w, G), x in zip(blocks, e, strict=True)]  # fmt: skip
    return sum(costs), nu


@dataclass(frozen=True)
class Oracle:
    """The relaxed bound of a rung as a function of relative changes of the measured constants (of p: of amounts)."""

    setting: Setting
    rung: Rung
    delta: Fraction

    @functools.cached_property
    def kinds(self) -> dict[str, str]:
        """Which of two covers a block uses is held, hence given."""
        return {term.name: term.kind for term in relaxation._terms(self.rung, self.setting)}

    def value(self, **moves: mpf) -> mpf:
        def x(name: str) -> mpf:
            return moves.get(name, mpf(1))

        setting, c = self.setting, self.rung.argument.selected.constants
        measured, groups = setting.measured, self.rung.argument.selected.constants.groups
        trained, words = c.V is not None, c.norms == "vocabulary"
        entries = x("A")
        d, N, k, T = c.d * x("d"), c.N * x("N"), c.k * x("k"), setting.sample.T * x("T")
        V = (c.V or 0) * x("V")
        ramp = isinstance(setting.loss, Ramp) or self.rung.kind == "excess"
        outer = x("B_B") * x("B_C") / (x("g") if ramp else 1)
        inputs = x("B_u") ** 3 if trained or words else mpf(1)
        B_w = mpf(c.B_w) * x("B_w") * outer * inputs
        B_u = mpf(1) if trained else mpf(c.B_u) * x("B_u")
        B_q = mpf(c.B_q) * x("B_q") * (x("B_u") if trained else 1)
        B_A = mpf(c.B_A) * x("B_A") * entries
        shift = moves.get("p", mpf(0))
        if c.gate == "none":
            M = mpf(1)
        elif c.M is None:
            M = softplus(mpf(c.p_hi) + shift + B_q * B_u)
        else:
            p, logit = mpf(measured.p), mpf(measured.p) + mpf(measured.B_q) * mpf(measured.B_u)
            if setting.vocabulary:
                logit = mpf(float(measured.logit_max))
            M = mpf(c.M) * softplus(p + shift + (logit - p) * x("B_q") * x("B_u")) / softplus(logit)
        M *= x("M")
        top = mpf(c.s_A) * x("s_A") * entries + moves.get("ds", mpf(0))
        kappa = B_w * (1 if words else B_u**3)
        gate = kappa * R_g(top, M, T)
        blocks: list[tuple[str, str, mpf, mpf]] = []

        def volume(name: str, n: mpf, radius: mpf, beta: mpf, l1: mpf | None = None) -> None:
            kind = self.kinds[name]
            if name in self.rung.argument.entropy.shares:
                power = kind == "power"
                blocks.append((name, kind, mp.log(2 * n + 1) if power else n, (l1 if power else 2 * radius) * beta))

        def l1(name: str, *ways: mpf) -> mpf | None:
            radius = getattr(c, name)
            return None if radius is None else mpf(radius) * x(name) * mp.fprod(ways)

        def block(item: str, names: str, found: list | None, total: int) -> None:
            for i, group in enumerate(found or [None], 1):
                s, part = top, mpf(1)
                if group is not None:
                    part = mpf(group.items) / total
                    if i > 1:
                        s = mpf(group.s_A) * x(f"s_{item}.{i}") * entries
                for name in names:
                    label = f"{name}.{i}" if found is not None and len(found) > 1 else name
                    if name == "A":
                        boxed = (B_A + s) / 2 if c.M_A is not None else (B_A + s) / 4  # a box: 1 + r/eps
                        volume(label, d * N * part, boxed, kappa * R_2(s, M, T), l1("M_A", entries))
                    elif name == "w":
                        sparse = l1("M_w", x("B_w"), outer, inputs)
                        volume(label, k * d * part, B_w, kappa / B_w * R_1(s, M, T), sparse)
                    else:
                        volume(label, d * N * part, mpf(1), kappa * R_1(s, M, T), l1(f"M_{name}"))

        block("A", "A", groups and list(groups.A), c.d * c.N)
        block("rows", "BC", groups and list(groups.rows), c.N)
        block("columns", "w", groups and list(groups.columns), c.d)
        if c.gate == "softplus" and c.M is not None:
            volume("g", d + 1, mpf("0.5") + B_q * B_u, gate)
        elif c.gate == "softplus":
            volume("p", mpf(1), mpf("0.25"), gate)
            sparse = l1("M_q", B_u, x("B_q"), x("B_u") if trained else mpf(1))
            volume("q", d, B_q * B_u, gate, sparse)
        if trained:
            beta = B_w * (3 * B_u**2 * R_1(top, M, T)) + B_q * gate
            volume("e", V * d, B_u, beta)
        m, delta = setting.sample.m * x("m"), mpf(self.delta.numerator) / self.delta.denominator * x("delta")
        bare = [(kind, n, G) for _, kind, n, G in blocks]
        price = -mp.log(
            mpf(self.rung.argument.selected.weight.numerator) / self.rung.argument.selected.weight.denominator
        )
        two = mp.sqrt(2) if c.k > 1 else mpf(1)
        if self.rung.kind == "excess":
            H, _ = least_cost(bare, 1 / (2 * two))
            return mp.sqrt((H + price + mp.log(1 / delta)) / (2 * m))
        l = two if isinstance(setting.loss, Ramp) else mpf(sympy.N(setting.loss_lipschitz, 50))  # noqa: E741
        range_ = mpf(setting.loss.range)

        def gap(log_eps: mpf) -> tuple[mpf, mpf]:
            eps = mp.exp(log_eps)
            H, nu = least_cost(bare, eps)
            root = mp.sqrt((H + price + mp.log(2 / delta)) / (2 * m))
            return 2 * l * eps + range_ * root, 2 * l - nu * range_ / (4 * m * root)

        start = mp.log(mpf(str(self.rung.argument.radius.upper.str(20, radius=False))))
        best = mpmath.findroot(lambda t: gap(t)[1], (start, start + mpf("0.01")), tol=1e-40)
        return gap(best)[0]

    def elasticity(self, constant: str) -> mpf:
        """Central difference in the logarithm (of p and ds in units)."""
        h = mpf(10) ** -10
        up, down = ({constant: h}, {constant: -h}) if constant in ("p", "ds") else (
            {constant: mp.exp(h)}, {constant: mp.exp(-h)})  # fmt: skip
        return (mp.log(self.value(**up)) - mp.log(self.value(**down))) / (2 * h)


def largest_error(setting: Setting, name: str, constants: list[str] | None = None) -> float:
    """Largest distance of the enclosed elasticities to finite differences."""
    rung = RUNGS[name](setting)
    found = elasticities(setting, rung)
    with mp.workdps(50):
        oracle = Oracle(setting, rung, setting.delta)
        value = oracle.value()
        errors = [abs(value / mpf(found.relaxed.float_upper()) - 1)]
        for row in found.rows:
            if row.elasticity is None or row.value == 0 or (constants and row.constant not in constants):
                continue
            errors.append(abs(oracle.elasticity(row.constant) - mpf(row.elasticity.float_upper())))
        return float(max(errors))


NOGATE = replace(MODEL, gate="none", p=0, B_q=0, M_q=0, logit_max=None)
SPARSE = replace(MODEL, d=64, N=16, B_w=1e-3, M_w=1e-3, B_B=1, M_B=1, B_C=1, M_C=1, B_q=1e-3, M_q=1e-3, B_A=0.5,
                 M_A=0.5)  # fmt: skip
WORDS = with_decays(replace(MODEL, v_B=1.1, v_C=0.9, v_w=2.0), decays())
CASES = {
    "ball": SETTING,
    "trained": replace(SETTING, embedding="trained"),
    "vocabulary": replace(SETTING, measured=WORDS, vocabulary=True),
    "groups": replace(SETTING, measured=with_decays(MODEL, decays())),
    "unstable": replace(SETTING, measured=with_decays(MODEL, decays(slow=0.4))),
    "trained groups": replace(SETTING, measured=with_decays(MODEL, decays()), embedding="trained"),
    "real inputs": replace(SETTING, measured=replace(MODEL, V=None, logit_max=None), embedding="none"),
    "no gate": replace(SETTING, measured=NOGATE),
    "sparse": replace(SETTING, measured=SPARSE),
    "half sparse": replace(SETTING, measured=replace(SPARSE, M_A=100)),
    "sparse trained": replace(SETTING, measured=replace(SPARSE, V=2), embedding="trained"),
    "ten outputs": replace(SETTING, measured=replace(MODEL, k=10)),
    "clipped": replace(SETTING, loss=ClippedCrossEntropy(4)),
    "margin 1/2": replace(SETTING, margin=Fraction(1, 2), loss=Ramp(Fraction(1, 2))),
}


@pytest.mark.parametrize("name", RUNGS)
@pytest.mark.parametrize("case", CASES)
def test_elasticities_are_finite_differences(case, name):
    some = ["m", "delta", "d", "B_u", "B_q", "s_A", "T", "p", "M_w", "M_B", "s_rows.2"]
    assert largest_error(CASES[case], name, some if name.startswith("scale") else None) < 1e-13


def test_cases_meet_what_they_are_named_for():
    assert RUNGS["margin"](CASES["sparse"]).argument.selected.constants.M_A is not None
    kinds = {t.kind for t in relaxation._terms(RUNGS["margin"](CASES["sparse"]), CASES["sparse"])}
    assert kinds == {"power", "logarithm"}
    half = RUNGS["margin"](CASES["half sparse"])  # l1 radii, and A covered by volume all the same
    assert half.argument.selected.constants.M_A is not None
    assert relaxation._terms(half, CASES["half sparse"])[0].kind == "logarithm"
    assert len(RUNGS["margin-groups"](CASES["groups"]).argument.selected.constants.groups.A) > 1
    assert RUNGS["margin-groups"](CASES["vocabulary"]).argument.selected.constants.norms == "vocabulary"
    assert RUNGS["margin"](CASES["unstable"]).argument.selected.constants.M is not None
    assert RUNGS["margin"](CASES["ball"]).argument.selected.constants.M is None


norms = st.floats(0.05, 20)


@given(
    s_A=st.sampled_from([-3.0, -0.2, -1e-4, -1e-12, 0.0, 1e-12, 0.01, 0.3]), T=st.integers(2, 400),
    B=st.tuples(*[norms] * 5), p=st.floats(-4, 2), k=st.sampled_from([1, 3]),
    embedding=st.sampled_from(["fixed", "trained"]), name=st.sampled_from(["scale", "margin", "margin-groups"]),
)  # fmt: skip
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
def test_random_classes(s_A, T, B, p, k, embedding, name):
    B_w, B_B, B_C, B_u, B_q = B
    model = replace(MODEL, s_A=s_A, B_w=B_w, M_w=4 * B_w, B_B=B_B, M_B=4 * B_B, B_C=B_C, M_C=4 * B_C, B_u=B_u,
                    B_q=B_q, M_q=2 * B_q, p=p, k=k)  # fmt: skip
    setting = replace(SETTING, measured=model, sample=Sample(5000, T), embedding=embedding)
    assert largest_error(setting, name, ["s_A", "T", "B_q", "B_u", "B_A", "p", "d"]) < 1e-12


MUTATIONS: list[tuple[str, dict, str, object]] = [
    ("margin", relaxation.RADII, "A", sym.B_A / 2),
    ("margin", relaxation.RADII, "q", sym.B_q * sym.B_u),
    ("margin", relaxation.SIZES, "w", sym.k),
    ("margin", relaxation.RADIUS, "logarithm", relaxation.RADIUS["logarithm"] * sympy.Rational(99, 100)),
    ("scale", relaxation.COST, "logarithm", relaxation.COST["logarithm"] * sympy.Rational(99, 100)),
]


@pytest.mark.parametrize(("name", "table", "key", "wrong"), MUTATIONS)
def test_a_wrong_formula_is_seen(monkeypatch, name, table, key, wrong):
    monkeypatch.setitem(table, key, wrong)
    assert largest_error(SETTING, name) > 1e-4


@pytest.mark.parametrize("x", [sym.s_A, sym.M, sym.T])
def test_a_wrong_derivative_is_seen(monkeypatch, x):
    right = relaxation.slope
    right.cache_clear()  # it calls itself by name, so what it remembers is wrong from here to the end of the test

    def wrong(expression, symbol):
        return right(expression, symbol) * (sympy.Rational(99, 100) if symbol == x else 1)

    with monkeypatch.context() as patched:
        patched.setattr(relaxation, "slope", wrong)
        error = largest_error(CASES["unstable"], "margin", [x.name])
    right.cache_clear()
    assert error > 1e-4


@pytest.mark.parametrize("name", ["scale", "margin"])
def test_the_slope_at_zero_is_the_left_one(name):
    setting = replace(SETTING, measured=replace(MODEL, s_A=0.0))
    rung = RUNGS[name](setting)
    row = elasticities(setting, rung).row("s_A")
    with mp.workdps(50):
        oracle, h = Oracle(setting, rung, setting.delta), mpf(10) ** -12
        at, left, right = (mp.log(oracle.value(ds=shift)) for shift in (mpf(0), -h, h))
        assert abs((at - left) / h - mpf(row.slope.float_upper())) < 1e-9
        assert (right - at) > 1.01 * (at - left) > 0  # a kink
    assert row.elasticity.upper == row.elasticity.lower == 0


def test_a_decay_rounded_to_zero_holds_its_cell():
    setting = replace(SETTING, measured=replace(MODEL, s_A=-1e-9))
    rung = RUNGS["margin"](setting)
    assert rung.argument.selected.constants.s_A == 0
    row = elasticities(setting, rung).row("s_A")
    assert row.elasticity.upper == 0 and row.slope.upper == 0


@pytest.mark.parametrize("s_A", [-5.0, -1e-3, -1e-30, 0.0, 1e-30, 0.2])
@pytest.mark.parametrize("x", [sym.s_A, sym.M, sym.T])
def test_slopes_of_the_sums(s_A, x):
    """Through the cancellation beside 0, by differences of values with 150 digits."""
    at = {sym.s_A: s_A, sym.M: 0.75, sym.T: 50}
    for symbol, function in ((sym.R_1, R_1), (sym.R_2, R_2), (sym.R_g, R_g)):
        found = relaxation.narrow(relaxation.slope(symbol, x), {**DEFINITIONS, **at})
        with mp.workdps(150):
            h = mpf(10) ** -50
            ends = [function(*(mpf(v) + h * side * (symbol_ == x) for symbol_, v in at.items())) for side in (-1, 0, 1)]
            difference = (ends[1] - ends[0]) / h if s_A == 0 else (ends[2] - ends[0]) / (2 * h)
            assert abs(mpf(float(found)) - difference) <= 1e-13 * (1 + abs(difference))


def test_one_token():
    """R_2 = 0: the blocks of A cost nothing, and would begin to with a second token."""
    setting = replace(SETTING, sample=Sample(1000, 1))
    found = elasticities(setting, RUNGS["margin"](setting))
    assert found.row("T").elasticity is None and found.row("T").size == math.inf and found.rows[0].constant == "T"
    assert found.shares["A"].upper == 0 and found.row("B_A").elasticity.upper == 0
    assert found.row("B_w").elasticity.lower > 0


def test_a_box_of_width_zero():
    """All decays at the grid's -1: the box of A is a point; B_A alone would open it, the scaling of A does not."""
    setting = replace(SETTING, measured=replace(MODEL, s_A=-1.0, B_A=1.0))
    found = elasticities(setting, RUNGS["margin"](setting))
    assert found.row("B_A").elasticity is None and found.row("s_A").elasticity is None
    assert found.row("A").elasticity is not None and found.row("A").elasticity.upper < 0


@pytest.mark.parametrize(("s_A", "T"), [(3.0, 10**5), (-2.0, 10**9), (1e-9, 10**6)])
def test_far_ranges(s_A, T):
    """Coefficients beyond every double, and lengths beyond every sum."""
    setting = replace(SETTING, measured=replace(MODEL, s_A=s_A), sample=Sample(1000, T))
    found = elasticities(setting, RUNGS["margin"](setting))
    assert all(row.elasticity.upper - row.elasticity.lower < 1e-10 for row in found.rows)
    assert float(found.row("T").elasticity.upper) == pytest.approx(0, abs=1e-6) if s_A < 0 else True


def climbed(setting: Setting) -> list[Rung]:
    return [make(setting) for make in ladder.SELECTED]


@pytest.mark.parametrize("embedding", ["fixed", "trained"])
def test_zero_weights(embedding):
    """A product that is 0 stays 0: its cell, and so the bound, does not move with any of its factors."""
    still = replace(SETTING, measured=replace(MODEL, B_B=0, M_B=0, B_q=0, M_q=0), embedding=embedding)
    found = explain(still, climbed(still))
    for constant in ("B_w", "B_B", "B_C", "B_q", "g", *(["B_u"] if embedding == "trained" else [])):
        row = found.row(constant)
        assert row.elasticity.upper == 0 and row.down == found.rung.value == row.up


@pytest.mark.parametrize("name", ["published", "repaired", "sharp"])
def test_rungs_without_a_selected_class_are_refused(name):
    with pytest.raises(DomainError, match="no class of norms: only scale, margin"):
        elasticities(SETTING, getattr(reference, name)(SETTING))


def test_unknown_constant():
    found = elasticities(SETTING, ladder.margin(SETTING))
    with pytest.raises(DomainError, match="no constant 'B_x': "):
        found.row("B_x")


@pytest.mark.parametrize("name", RUNGS)
@pytest.mark.parametrize("case", CASES)
class TestEverywhere:
    def test_rescalings(self, case, name):
        """theory 7: (W, W_B, W_C) -> (a W, b W_B, W_C/(ab)), W -> W/g, (E, q, W_B, W_C, W) -> (E/t, t q, ...)."""
        setting = CASES[case]
        rows = {row.constant: row for row in elasticities(setting, RUNGS[name](setting)).rows}
        at = {constant: float(row.elasticity.upper) for constant, row in rows.items()}
        assert at["B_w"] == pytest.approx(at["B_B"], abs=1e-13) and at["B_w"] == pytest.approx(at["B_C"], abs=1e-13)
        if "g" in at:
            assert at["g"] == pytest.approx(-at["B_w"], abs=1e-13)
        else:
            assert case == "clipped" and name.startswith("scale")
        assert at["B_u"] == pytest.approx(3 * at["B_w"] + at.get("B_q", 0), abs=1e-13)
        parts = [at[c] for c in at if c in ("B_A", "s_A", "M_A") or c.startswith("s_")]
        assert at["A"] == pytest.approx(sum(parts), abs=1e-13)

    def test_signs(self, case, name):
        setting = CASES[case]
        rung = RUNGS[name](setting)
        found = elasticities(setting, rung)
        for row in found.rows:
            if row.constant in ("m", "delta", "g"):
                assert row.elasticity.upper < 0
            elif row.constant == "s_A" or row.constant.startswith("s_"):
                assert row.slope.lower > 0
            elif row.constant != "A":
                assert row.elasticity.lower >= 0, row.constant
        if rung.kind == "excess":
            assert found.row("m").elasticity.lower <= -0.5 <= found.row("m").elasticity.upper
        assert float(sum(float(share.upper) for share in found.shares.values())) == pytest.approx(1)
        assert all(row.elasticity.upper - row.elasticity.lower < 1e-13 for row in found.rows)

    def test_the_relaxation_is_close_to_the_certificate(self, case, name):
        setting = CASES[case]
        rung = RUNGS[name](setting)
        relaxed = elasticities(setting, rung).relaxed.float_upper()
        if "sparse" not in case:
            assert relaxed == pytest.approx(rung.value.float_upper(), rel=5e-3)
        else:  # boxes of one point, whose ceiling costs nothing: the difference is printed beside the table
            assert 0.99 * rung.value.float_upper() < relaxed < 1.2 * rung.value.float_upper()

    def test_terms_are_the_covers(self, case, name):
        """The scales and weights written as expressions are those of the covers themselves."""
        setting = CASES[case]
        rung = RUNGS[name](setting)
        for term in relaxation._terms(rung, setting):
            options = {s.kind: s for s in rung.argument.entropy.blocks[term.name].surrogates()}
            if term.active:
                found = options[term.kind]
                assert found.weight == pytest.approx(float(term.numbers[relaxation._w]), rel=1e-14)
                assert found.log_scale == pytest.approx(float(term.numbers[relaxation._G].log()), rel=1e-13)


def test_a_block_matters_by_its_share_of_the_radius():
    """dH/d ln G = nu e. B_w scales every block, B_A only the box of A, by B_A/(B_A + s_A) of its width."""
    found = elasticities(SETTING, ladder.margin(SETTING))
    constants = found.rung.argument.selected.constants
    of_box = constants.B_A / (constants.B_A + constants.s_A)
    expected = float(found.row("B_w").elasticity.upper) * float(found.shares["A"].upper) * of_box
    assert float(found.row("B_A").elasticity.upper) == pytest.approx(expected, rel=1e-13)
    for name, share in found.rung.argument.entropy.shares.items():
        assert float(share) == pytest.approx(float(found.shares[name].upper), rel=1e-4)


class TestMoves:
    def test_all_norms_of_a_matrix_move(self):
        half = Fraction(1, 2)
        for constant, also in (("B_B", ("M_B", "v_B")), ("B_C", ("M_C", "v_C")), ("B_w", ("M_w", "v_w")),
                               ("B_u", ("v_B", "v_C", "v_w"))):  # fmt: skip
            other = moved(CASES["vocabulary"], constant, half).measured
            changed = {f for f in MeasuredConstants.__slots__ if getattr(other, f) != getattr(WORDS, f)}
            assert changed == {constant, *also} | ({"logit_max"} if constant == "B_u" else set())
            assert all(getattr(other, f) == Fraction(getattr(WORDS, f)) / 2 for f in (constant, *also))

    def test_the_gate(self):
        other = moved(SETTING, "B_q", Fraction(2)).measured
        assert other.logit_max == Fraction(MODEL.p) + 2 * (Fraction(MODEL.logit_max) - Fraction(MODEL.p))
        assert moved(SETTING, "p", Fraction(1, 2)).measured.p == Fraction(MODEL.p) - 1

    @pytest.mark.parametrize("slow", [-0.3, 0.0, 0.4])
    @pytest.mark.parametrize("constant", ["A", "s_A", "B_A"])
    @pytest.mark.parametrize("factor", [Fraction(1, 2), Fraction(2)])
    def test_the_entries_of_a_stay_consistent(self, slow, constant, factor):
        model = with_decays(MODEL, decays(slow=slow))
        other = moved(replace(SETTING, measured=model), constant, factor).measured
        flat = [a for row in other.decays for a in row]
        assert max(flat) == other.s_A and max(map(abs, flat)) <= other.B_A and sum(map(abs, flat)) <= other.M_A
        if constant != "B_A":
            assert other.s_A == Fraction(model.s_A) * factor
        if constant != "s_A":
            assert Fraction(model.B_A) * factor == other.B_A

    def test_what_cannot_move_alone(self):
        for constant in ("d", "N", "k", "M", "M_B", "s_rows.2"):
            assert moved(SETTING, constant, Fraction(2)) is None
        assert moved(replace(SETTING, delta=Fraction(3, 4)), "delta", Fraction(2)) is None
        close = replace(SETTING, measured=replace(MODEL, s_A=-2.0))
        assert moved(close, "B_A", Fraction(1, 2)) is None  # below |s_A|

    def test_sample(self):
        assert moved(SETTING, "m", Fraction(1, 2)).sample == Sample(50000, 50)
        least = replace(SETTING, sample=Sample(1, 1))
        assert moved(least, "m", Fraction(1, 2)) is None and moved(least, "T", Fraction(1, 2)) is None
        assert moved(SETTING, "T", Fraction(1, 2)).sample.T == 25
        assert moved(replace(SETTING, sample=Sample(10, 7)), "T", Fraction(1, 2)).sample.T == 4  # not below a half
        assert moved(SETTING, "g", Fraction(2)).loss == Ramp(2)

    @pytest.mark.parametrize("constant", ["B_B", "B_C", "B_w", "B_q", "B_u", "A", "s_A", "B_A", "p"])
    @pytest.mark.parametrize("inputs", ["fixed", "trained", "vocabulary"])
    def test_recomputed_is_the_certificate_of_the_changed_weights(self, constant, inputs):
        """Halving a norm is halving the tensor: the program measured and certified again gives the same number."""
        from ssm_bounds.models.selective_ssm.measure import measure
        from tests.ssm_bounds.cli.test_cli import weights

        model = weights()
        tensors = {"B_B": "W_B", "B_C": "W_C", "B_w": "W", "B_q": "q", "B_u": "embedding", "A": "A"}
        top, least = model.A.max(), model.A.min()
        if constant in tensors:
            changes = {tensors[constant]: getattr(model, tensors[constant]) / 2}
        elif constant == "p":
            changes = {"p": model.p - 1}
        else:
            cut = np.where(top == model.A, top / 2, model.A) if constant == "s_A" else np.maximum(model.A, least / 2)
            changes = {"A": cut}
        vocabulary = inputs == "vocabulary"
        one, two = (
            Setting(measure(w, gate="softplus", vocabulary=vocabulary), Sample(4000, 20), Ramp(1), 1,
                    vocabulary=vocabulary, embedding="trained" if inputs == "trained" else "fixed")
            for w in (model, replace(model, **changes))
        )  # fmt: skip
        for make in ladder.SELECTED:
            found = make(moved(one, constant, Fraction(1, 2)))
            assert found.value.float_upper() == pytest.approx(make(two).value.float_upper(), rel=1e-9)


def test_explain_takes_the_best_rung_at_its_share():
    found = explain(SETTING, climbed(SETTING))
    share = SETTING.delta / 5
    best = min((make(SETTING) for make in ladder.SELECTED), key=lambda rung: rung.value.float_upper())
    assert (
        found.rung.value == RUNGS[best.name](SETTING, share).value
        and found.rung.name == best.name
        and found.delta == share
        and found.passed_over is None
    )
    m = found.row("m")
    doubled = replace(SETTING, sample=Sample(2 * 10**5, 50))
    assert m.up == RUNGS[found.rung.name](doubled, share).value
    assert m.up.upper < found.rung.value.upper < m.down.upper
    assert [row.size for row in found.rows] == sorted((row.size for row in found.rows), reverse=True)


def test_an_entry_that_is_moved_takes_its_bounds_along():
    """Where the entries were not measured one by one, M_A and B_A bound what they could be."""
    plain = replace(SETTING, measured=replace(MODEL, s_A=-1.5, B_A=2.0, M_A=20.0, decays=None))
    beyond = moved(plain, "s_A", Fraction(2)).measured
    assert (beyond.s_A, beyond.B_A) == (-3, 3)
    assert moved(plain, "B_A", Fraction(2)).measured.M_A == 22  # an entry of modulus 2 at 4
    assert moved(plain, "s_A", Fraction(1, 2)).measured.M_A >= 20  # others may have been larger: never less


def test_reading_names_the_rung_and_the_best_norm():
    found = explain(SETTING, climbed(SETTING))
    best = min((row for row in found.rows if row.constant in NORMS), key=lambda row: float(row.down.upper))
    text = elasticity.reading(found)
    assert text.startswith(f"{found.rung.name}: halving {best.constant} would bring the ")
    assert f"to {decimal_string(best.down.upper)}; doubling m" in text


def test_reading_says_when_all_stays_vacuous():
    setting = replace(SETTING, sample=Sample(20, 50))
    assert elasticity.reading(explain(setting, climbed(setting))).endswith("(vacuous all the same)")


def test_bars_are_the_elasticities():
    found = explain(CASES["groups"], climbed(CASES["groups"]))
    axes = bars(found).axes[0]
    assert [patch.get_width() for patch in axes.patches] == pytest.approx(
        [float(row.elasticity.upper) for row in found.rows], abs=1e-15
    )
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels[0] == "$m$" and "$p$ (per unit)" in labels and "$|s_A|$" in labels and "$\\delta$" in labels
    assert axes.yaxis_inverted()
    hatched = [bool(patch.get_hatch()) for patch in axes.patches]
    assert hatched == [patch.get_width() > 0 for patch in axes.patches]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["explain", *map(str, arguments)])


@pytest.fixture
def model(tmp_path):
    from ssm_bounds.models.files.checkpoint import Metadata, write
    from tests.ssm_bounds.cli.test_cli import weights

    path = tmp_path / "model.safetensors"
    write(path, weights(), Metadata(task="toy", m=40000, T=6, gate="softplus", convention="code", embedding="trained"))
    return path


class TestCommand:
    def test_table(self, model):
        result = run(model)
        assert result.exit_code == 0, result.stderr
        lines = result.stdout.splitlines()
        assert lines[0].startswith("margin: halving B_") and "; doubling m to " in lines[0]
        assert lines[1].split()[:5] == ["constant", "value", "elasticity", "halved", "doubled"]

    def test_json_and_csv_agree(self, model, tmp_path):
        found = json.loads(run(model, "--format", "json").stdout)
        assert list(found) == ["rung", "kind", "value", "delta", "verdict", "conditions", "relaxed", "shares", "best",
                               "reading", "elasticities"]  # fmt: skip
        out = tmp_path / "out.csv"
        assert run(model, "--format", "csv", "--out", out).stdout == ""
        rows = list(csv.DictReader(io.StringIO(out.read_text())))
        assert [row["constant"] for row in rows] == [row["constant"] for row in found["elasticities"]]
        for row, record in zip(rows, found["elasticities"], strict=True):
            assert float(row["elasticity_upper"]) == record["elasticity_upper"] >= record["elasticity_lower"]
            assert row["down"] == ("" if record["down"] is None else str(record["down"]))

    def test_markdown(self, model):
        text = run(model, "--format", "markdown").stdout
        assert text.startswith("**margin: halving B_")
        assert "\n| constant | value | elasticity | halved | doubled |" in text

    def test_plot(self, model, tmp_path):
        path = tmp_path / "bars.svg"
        assert run(model, "--plot", path).exit_code == 0
        assert path.read_text().count("<path") > 20

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--m", "3"], "--m 3 contradicts the file"),
            (["--plot", "bars.jpg"], "a figure is saved as .png, .pdf or .svg"),
            (["--margin", "auto"], "--margin auto chooses the margin from the training data"),
            (["--out", "no/such/folder/x"], "--out no/such/folder/x: there is no directory no/such/folder"),
        ],
    )
    def test_bad_input_is_one_line(self, model, arguments, message):
        result = run(model, *arguments)
        assert result.exit_code == 2 and message in result.stderr
        assert result.stderr.startswith("ssm-bounds: ") and result.stderr.count("\n") == 1

    def test_the_margin_may_be_chosen(self, tmp_path, model):
        rng = np.random.default_rng(1)
        data = tmp_path / "data.npz"
        np.savez(data, x_train=rng.integers(0, 4, (400, 6)), y_train=rng.integers(0, 2, 400))
        other = tmp_path / "other.safetensors"
        from ssm_bounds.models.files.checkpoint import Metadata, write
        from tests.ssm_bounds.cli.test_cli import weights

        write(other, weights(), Metadata(m=400, T=6, gate="softplus", convention="code", embedding="trained"))
        result = run(other, "--data", data, "--margin", "auto", "--format", "json")
        assert result.exit_code == 0, result.stderr
        rows = {row["constant"]: row for row in json.loads(result.stdout)["elasticities"]}
        assert rows["g"]["value"] != 1.0

    def test_nothing_is_lost(self, model, tmp_path):
        """The file that is read is never written, and nothing is written where something else cannot be."""
        before = model.read_bytes()
        for option in ("--out", "--plot"):
            result = run(model, option, model)
            assert result.exit_code == 2 and model.read_bytes() == before
        kept = tmp_path / "kept.png"
        kept.write_text("old")
        result = run(model, "--plot", kept, "--out", tmp_path / "absent" / "x")
        assert result.exit_code == 2 and kept.read_text() == "old"
        result = run(model, "--out", "/dev/full")
        assert (
            result.exit_code == 2 and result.stderr == "ssm-bounds: cannot write /dev/full: No space left on device\n"
        )

    def test_missing_file(self, tmp_path):
        result = run(tmp_path / "none.pth", "--m", 10, "--T", 5)
        assert result.exit_code == 2 and result.stderr.count("\n") == 1


class TestAuthorsModels:
    def test_imdb(self, shared):
        from ssm_bounds.models.files.checkpoint import read
        from ssm_bounds.models.selective_ssm.measure import measure

        measured = measure(read(shared / "checkpoints" / "imdb_T500_m25000_seed1.pth").weights, gate="softplus")
        setting = Setting(measured, Sample(25000, 500), Ramp(1), 1, embedding="fixed")
        imdb = explain(setting, climbed(setting))
        assert imdb.rung.name == "margin-groups"
        assert imdb.relaxed.float_upper() == pytest.approx(imdb.rung.value.float_upper(), rel=1e-8)
        assert elasticity.reading(imdb).startswith("margin-groups: halving B_u would bring the excess from 0.267")
        assert [row.constant for row in imdb.rows[:4]] == ["m", "d", "N", "B_u"]
        assert 0.18 < imdb.row("m").up.float_upper() < 0.19

    @pytest.mark.parametrize(("name", "m", "T"), [("imdb_T500_m25000_seed1", 25000, 500),
                                                  ("listops_T100_m1000_seed1", 1000, 100),
                                                  ("majority_T200_m1000_seed1", 1000, 200)])  # fmt: skip
    def test_against_finite_differences(self, shared, name, m, T):
        from ssm_bounds.models.files.checkpoint import read
        from ssm_bounds.models.selective_ssm.measure import measure

        measured = measure(read(shared / "checkpoints" / f"{name}.pth").weights, gate="softplus")
        setting = Setting(measured, Sample(m, T), Ramp(1), 1, embedding="fixed")
        assert largest_error(setting, "margin-groups") < 1e-13

    def test_the_command_names_the_rung_it_does_not_explain(self, shared):
        path = shared / "checkpoints" / "imdb_T500_m25000_seed1.pth"
        result = run(path, "--m", 25000, "--T", 500)
        assert result.exit_code == 0, result.stderr
        assert "margin-groups, excess 0.2674, at delta/5" in result.stdout
        assert "pac-bayes (0.2210)" in result.stdout
