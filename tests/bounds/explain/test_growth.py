"""Table 1 recomputed: every entry against the numbers, the calculus against sympy, and wrong entries refused."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy
from click.testing import CliRunner
from sympy import Integer, Rational, exp, log, oo, sqrt

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.blocks import coefficients, output_entropy
from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants
from ssm_bounds.bounds.evaluate import asymptotics
from ssm_bounds.bounds.evaluate.asymptotics import GrowthError
from ssm_bounds.bounds.evaluate.balls import enclose
from ssm_bounds.bounds.explain import estimate, growth, measurands
from ssm_bounds.bounds.explain.growth import ConfirmedGrowth
from ssm_bounds.bounds.explain.measurands import DIRECTIONS, MEASURANDS, Regime
from ssm_bounds.cli import main
from ssm_bounds.proofs.ours.comparisons import linear_attention as t10
from ssm_bounds.proofs.papers.honarpisheh2025 import table_1

HALF = Rational(1, 2)
T, D, D_FREE, ALL_FIXED, RHO_FIXED, B_U, ENDLESS = DIRECTIONS
POSITIVE = sympy.Symbol("x", positive=True)


@pytest.fixture(scope="module")
def cells() -> dict[tuple[str, str, str, Regime], ConfirmedGrowth]:
    return {(c.bound.name, c.bound.measure.split()[0], c.direction.name, c.regime): c for c in growth.derive()}


def powers(cells, name, measure, direction, regime):
    return cells[name, measure, direction.name, regime].growth.powers


class TestTable:
    def test_every_entry_is_confirmed_by_the_numbers(self, cells):
        for cell in cells.values():
            limit, number = cell.growth, cell.estimate
            assert abs(number.exponent - float(limit.exponent)) <= growth.TOLERANCE
            assert abs(number.log_power - float(limit.log_power)) <= growth.TOLERANCE
            assert number.rate == pytest.approx(cell.rate_value(), rel=0.01, abs=1e-3)
            assert limit.exponent.is_Rational and (2 * limit.exponent).is_Integer

    def test_nothing_is_left_out(self, cells):
        # 7 bounds; rho is held fixed for two of them; T -> oo first for s_A < 0; linear attention has T, d, d, B_u;
        # of a Mamba layer, which decays, rho moves in two of five
        assert len(cells) == 3 * (7 * 5 + 3) + 7 + 2 * 4 + 2 * 7 + 3 * 6

    @pytest.mark.parametrize("regime", Regime)
    def test_the_paper_s_row(self, cells, regime):
        """B_u^4 with rho and M fixed, B_u^5 with M moving; d^(1/2) sqrt(ln d) from the factor N d of D.2."""
        assert powers(cells, "published", "capacity", ALL_FIXED, regime) == (0, 4, 0)
        assert powers(cells, "published", "capacity", RHO_FIXED, regime) == (0, 5, 0)
        assert powers(cells, "published", "capacity", D, regime) == (0, HALF, HALF)
        assert powers(cells, "published", "capacity", D_FREE, regime) == (0, 3 * HALF, HALF)

    def test_the_exponential_hidden_in_rho(self, cells):
        assert powers(cells, "published", "capacity", ENDLESS, Regime.DECAY) == (2 * sym.B_q, 5, 0)
        assert powers(cells, "repaired", "capacity", ENDLESS, Regime.DECAY) == (2 * sym.B_q, 5, 0)
        assert powers(cells, "repaired", "root", ENDLESS, Regime.DECAY) == (0, HALF, 0)
        # sections 4 and 5 remove it
        assert powers(cells, "sharp", "capacity", ENDLESS, Regime.DECAY) == (0, 5, 0)
        assert powers(cells, "margin", "bound", ENDLESS, Regime.DECAY) == (0, 0, HALF)

    @pytest.mark.parametrize("bound", MEASURANDS[:7], ids=lambda bound: f"{bound.name} {bound.measure}")
    def test_length(self, cells, bound):
        name, measure = bound.name, bound.measure.split()[0]
        assert cells[name, measure, "T", Regime.DECAY].text() == "bounded"
        neutral, rising = (powers(cells, name, measure, T, r) for r in (Regime.NEUTRAL, Regime.GROWING))
        if measure != "capacity":
            assert neutral == (0, 0, HALF) and rising == (0, HALF, 0)
        else:
            gate = sym.Delta_min if name == "published" else sym.M
            assert neutral == (0, 2, 0) and rising == (sym.s_A * gate, 1, 0)

    def test_linear_attention(self, cells):
        at = {d.name: powers(cells, "linear attention", "capacity", d, Regime.NEUTRAL) for d in (T, D, D_FREE, B_U)}
        assert at == {"T": (0, 1, 0), "d": (0, 0, HALF), "d, l1 free": (0, HALF, HALF), "B_u": (0, 3, 0)}

    @pytest.mark.parametrize(("measure", "B_u", "squares"), [("sup", 4, 1), ("beta_A", 5, 2)])
    def test_a_mamba_core(self, cells, measure, B_u, squares):
        """M7: through rho the published sums are exponential in B_u; the sharp ones are not, and ask for sqrt d."""
        at = {name: functools.partial(powers, cells, f"mamba core, {name}", measure) for name in ("published", "sharp")}
        for route in at.values():
            assert route(T, Regime.DECAY) == (0, 0, 0) and route(ALL_FIXED, Regime.DECAY) == (0, 3, 0)
        assert at["published"](B_U, Regime.DECAY) == (0, B_u, 0) and at["sharp"](B_U, Regime.DECAY) == (0, 4, 0)
        assert at["published"](ENDLESS, Regime.DECAY) == (squares * sym.B_q, B_u, 0)
        assert at["sharp"](ENDLESS, Regime.DECAY) == (0, 4, 0)
        assert at["published"](D_FREE, Regime.DECAY) == (0, 0, 0) and at["sharp"](D_FREE, Regime.DECAY) == (0, HALF, 0)

    def test_the_output_of_a_mamba_layer_grows_as_its_sharp_core(self, cells):
        for direction in (T, D, D_FREE, ALL_FIXED, B_U, ENDLESS):
            core = powers(cells, "mamba core, sharp", "sup", direction, Regime.DECAY)
            assert powers(cells, "mamba layer", "output", direction, Regime.DECAY) == core

    @pytest.mark.parametrize("regime", Regime)
    def test_sharp_never_grows_faster_than_repaired_where_both_are_polynomial(self, cells, regime):
        for direction in (T, D, D_FREE, ALL_FIXED):
            for measure in ("capacity", "root"):
                sharp, repaired = (powers(cells, n, measure, direction, regime) for n in ("sharp", "repaired"))
                assert sharp == repaired

    def test_text(self, cells):
        at = cells["published", "capacity", ENDLESS.name, Regime.DECAY]
        assert at.text() == "e^(2 B_q B_u) B_u^5" and at.latex() == "$B_{u}^{5} e^{2 B_{q} B_{u}}$"
        assert cells["published", "capacity", "d", Regime.DECAY].text() == "sqrt(d) sqrt(ln d)"
        assert cells["sharp", "capacity", "B_u", Regime.GROWING].text() == "e^(B_q B_u s_A (T - 1)) B_u^6"


class TestMutations:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"exponent": HALF},
            {"exponent": -HALF},
            {"log_power": HALF},
            {"log_power": -HALF},
            {"rate": Rational(1, 50)},
        ],
    )
    def test_a_wrong_entry_is_refused(self, cells, wrong):
        refused = 0
        for cell in cells.values():
            changed = {name: getattr(cell.growth, name) + value for name, value in wrong.items()}
            if "rate" in wrong and cell.growth.rate != 0:
                changed = {"rate": cell.growth.rate * Rational(98, 100)}
            growth = replace(cell.growth, **changed)
            with pytest.raises(GrowthError, match="the numbers"):
                replace(cell, growth=growth)
            refused += 1
        assert refused == len(cells)

    def test_an_estimate_made_anew_for_a_wrong_growth_is_refused_too(self, cells):
        cell = cells["published", "capacity", "T", Regime.NEUTRAL]
        wrong = replace(cell.growth, exponent=Integer(1))
        anew = estimate.estimate(cell.bound, cell.direction, cell.regime, wrong)
        with pytest.raises(GrowthError):
            replace(cell, growth=wrong, estimate=anew)

    def test_a_changed_bound_changes_the_table(self):
        """Without the factor N d of D.2 no d^(1/2) is left."""
        third = Rational(1, 3)  # the only power of d outside a logarithm
        expression = MEASURANDS[0].expression.replace(lambda e: e == sym.d**third, lambda e: Integer(1))
        (cell,) = growth.derive([replace(MEASURANDS[0], expression=expression)], [D], [Regime.DECAY])
        assert cell.growth.powers == (0, 0, HALF)


class TestCalculus:
    @pytest.mark.parametrize(
        ("f", "expected"),
        [
            (POSITIVE**2 * exp(3 * POSITIVE), (3, 2, 0)),
            (log(1 + exp(2 * POSITIVE)), (0, 1, 0)),
            (log(1 + exp(-2 * POSITIVE)), (-2, 0, 0)),
            (sqrt(log(1 + POSITIVE)), (0, 0, HALF)),
            (POSITIVE / (1 + POSITIVE), (0, 0, 0)),
            (sympy.Max(POSITIVE, sympy.ceiling(POSITIVE**2)), (0, 2, 0)),
            (sympy.Min(POSITIVE, log(1 + POSITIVE)), (0, 0, 1)),
            (exp(POSITIVE) - 1, (1, 0, 0)),
            (exp(1 / POSITIVE) - 1, (0, -1, 0)),
        ],
    )
    def test_growth(self, f, expected):
        assert asymptotics.Calculus(POSITIVE).of(f).powers == expected

    def test_what_has_no_scale_is_refused(self):
        for f in (log(log(POSITIVE)), exp(POSITIVE**2), 2 + sympy.sin(POSITIVE)):
            with pytest.raises(GrowthError):
                asymptotics.Calculus(POSITIVE).of(f)

    def test_a_cancelling_sum_is_not_taken_term_by_term(self):
        """e^z - 1 at z -> 0, the denominator of rho/(1 - rho)^2: a difference that tends to 0, not a constant."""
        calculus = asymptotics.Calculus(POSITIVE)
        z = sympy.Symbol("z", positive=True)
        calculus.define(z, log(1 + exp(-POSITIVE)), inner=True)
        assert calculus.of((exp(z) - 1) ** -2).powers == (2, 0, 0)
        assert calculus.of(exp(z) / (exp(z) - 1) ** 2).powers == (2, 0, 0)


def constants(T_: int, **changes: object) -> ClassConstants:
    """The class at ``growth.POINT``."""
    at = {symbol.name: value for symbol, value in (estimate.POINT | estimate._AT[Regime.DECAY]).items()}
    names = "d N k B_u B_B M_B B_C M_C B_q M_q p_lo p_hi B_A M_A B_w M_w"
    fields = {name: at[name] for name in names.split()}
    return ClassConstants(**{**fields, "V": None, "gate": "softplus", "s_A": Fraction(-1, 2), **changes})


class TestAgainstTheLadder:
    def test_the_entropy_is_that_of_the_rungs(self):
        """At equal shares both are the same sum: the symbolic blocks are those of ``blocks.covers``."""
        length = 7
        at = constants(length)
        entropy = output_entropy(at, coefficients(at, length))
        equal = replace(entropy, shares={name: Fraction(1, 6) for name in entropy.blocks})
        values = {**estimate.POINT, **measurands.DEFINITIONS, sym.s_A: Rational(-1, 2), sym.T: length}
        symbolic = enclose(measurands.entropy(measurands._SHARP, maurey=True), values)
        coded = equal.log_covering(Fraction(1, 100))
        assert symbolic.lower <= coded.upper and coded.lower <= symbolic.upper

    def test_the_best_split_grows_as_the_equal_one(self):
        """sqrt H of the rungs' own split, over T at s_A = 0, and over d."""

        def root(at: ClassConstants, length: int, eps: float = 0.01) -> float:
            entropy = output_entropy(at, coefficients(at, length))
            return float(np.sqrt(entropy.approximate(np.array([np.log(eps)]))[0]))

        # sqrt(ln T): the ratio over a square tends to sqrt 2; sqrt(d) for volume covers, sqrt(ln d) with l1 radii
        neutral = constants(7, s_A=0)
        assert root(neutral, 10**120) / root(neutral, 10**60) == pytest.approx(2**0.5, rel=0.06)
        plain = dict.fromkeys(("M_A", "M_B", "M_C", "M_q", "M_w"))
        wide = [root(constants(7, d=d, **plain), 7) for d in (10**6, 10**8)]
        assert wide[1] / wide[0] == pytest.approx(10, rel=0.01)
        capped = [root(constants(7, d=d), 7, 10.0) for d in (10**10, 10**18)]
        assert capped[1] / capped[0] == pytest.approx(np.sqrt(np.log(6e18) / np.log(6e10)), rel=0.02)

    def test_the_length_is_back_at_fixed_T(self):
        """rho -> 1: S_2 -> T(T-1)/2, for every T."""
        n, rho = sympy.Symbol("n", positive=True, integer=True), sympy.Symbol("rho", positive=True)
        closed = measurands.DEFINITIONS[sym.S_2].args[-1][0].subs({sym.rho: rho, sym.T: n + 1})
        assert sympy.simplify(sympy.limit(closed, rho, 1) - n * (n + 1) / 2) == 0


class TestStatements:
    def test_table_1_with_rho_frozen_holds(self):
        """The control: the same comparison with rho (and M) held fixed stays below h^4."""
        left, right = table_1.STATEMENT.counterexample.sides(table_1.claim)
        assert left.lower > 10**7 * right.upper
        point = table_1.POINT | {sym.rho: Fraction(9, 10), sym.T: table_1.LENGTH}
        frozen = enclose(measurands.PUBLISHED_CAPACITY, point | {sym.B_u: table_1.FACTOR * table_1.B_U})
        allowed = enclose(
            table_1.FACTOR**4 * measurands.PUBLISHED_CAPACITY, point | table_1.ENDLESS | {sym.B_u: table_1.B_U}
        )
        assert frozen.upper <= allowed.lower
        # and not by much: 3 % less than a fourth power of the block q alone would fail
        alone = measurands.PUBLISHED_ALPHA["q"] ** HALF * measurands.PUBLISHED["q"]
        q = [enclose(alone, point | {sym.B_u: b}) for b in (table_1.B_U, table_1.FACTOR * table_1.B_U)]
        assert q[1].float_lower() > 0.97 * table_1.FACTOR**4 * q[0].float_upper()

    def test_the_listops_length(self):
        """1 - rho is about 1e-10 and S_2 is T(T-1)/2 to six digits at T = 500, as on the authors' model."""
        at = table_1.POINT | {sym.T: 500, sym.B_u: table_1.FACTOR * table_1.B_U}
        assert 1e-10 * 0.9 < enclose(1 - sym.rho, at).float_upper() < 1e-10
        share = enclose(sym.S_2 / (sym.T * (sym.T - 1) / 2), at)
        assert share.float_lower() > 1 - 1e-6 and share.float_upper() < 1

    def test_linear_attention_is_the_limit_of_the_neutral_class(self):
        assert (
            sympy.limit(measurands.LINEAR["B"].subs(sym.R_1, t10.x) / t10.x, t10.x, oo)
            == measurands.LINEAR["B"] / sym.R_1
        )


class TestCommand:
    @pytest.fixture(autouse=True)
    def _once(self, cells, monkeypatch):
        monkeypatch.setattr(growth, "derive", lambda: tuple(cells.values()))

    def run(self, *arguments: str) -> str:
        result = CliRunner().invoke(main, ["growth", *arguments])
        assert result.exit_code == 0
        return result.stdout

    def test_json(self, cells):
        found = json.loads(self.run("--format", "json"))
        assert len(found) == len(cells)
        assert list(found[0]) == ["bound", "measure", "regime", "direction", "variable", "held", "growth", "limits",
                                  "rate_value", "estimate"]  # fmt: skip

    def test_text_forms(self):
        assert "s_A < 0" in self.run()
        markdown = self.run("--format", "markdown")
        assert "| e^(2 B_q B_u) B_u^5 |" in markdown and markdown.count("\n## ") == 2
        tex = self.run("--format", "latex")
        assert tex.count(r"\begin{tabular}") == tex.count(r"\end{tabular}") == 3
        assert all(line.count("&") == 8 for line in tex.splitlines() if line.endswith(r"\\"))

    def test_a_contradicted_table_is_one_line(self, monkeypatch):
        def contradicted() -> None:
            raise GrowthError("published, capacity: the limits say B_u^4, the numbers 5")

        monkeypatch.setattr(growth, "derive", contradicted)
        result = CliRunner().invoke(main, ["growth"])
        assert result.exit_code == 2 and result.stderr.count("\n") == 1
