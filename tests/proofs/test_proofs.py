"""The ledger: every verdict as recorded, and solvers that can say no (mutation tests)."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import pytest
import sympy
from click.testing import CliRunner
from sympy import Eq, Ge, Gt, Le, Rational, exp

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.cli import main
from ssm_bounds.proofs import check
from ssm_bounds.proofs.lemma import Lemma
from ssm_bounds.proofs.solvers import (
    Z3,
    Assumed,
    Axiom,
    Chain,
    GrowthInduction,
    Identity,
    Induction,
    Integrated,
    Interval,
    Monotone,
    Sum,
)
from ssm_bounds.proofs.statement import Counterexample, Kind, Statement, Step, Verdict

ALL = check.statements()
x, y, z = sympy.symbols("x y z", positive=True)
T = sympy.Symbol("T", integer=True, positive=True)
t = sympy.Symbol("t", integer=True, nonnegative=True)


@pytest.mark.parametrize("label", ALL)
def test_ledger_verdicts_are_as_recorded(label):
    entry = check.check(ALL[label])
    assert entry.as_recorded, entry.remarks
    assert entry.verdict is not Verdict.REPAIRED or ALL[label].repaired_by in ALL
    assert ALL[label].source.startswith("theory.md")


REFUTED = [label for label, statement in ALL.items() if statement.counterexample]


@pytest.mark.parametrize("label", REFUTED)
def test_counterexamples_are_evaluated_anew_and_by_a_margin(label):
    left, right = ALL[label].counterexample.sides(ALL[label].claim)
    assert left.lower > right.upper
    assert left.relative_width() < 1e-9 and right.relative_width() < 1e-9


def test_theory_section_2_expectations():
    assert {"paper:C.3", "paper:D.4", "paper:D.4-inner", "paper:E.3", "paper:3.3", "paper:4.1"} <= set(REFUTED)
    left, right = ALL["paper:C.3"].counterexample.sides(ALL["paper:C.3"].claim)
    assert (round(left.float_upper(), 4), round(right.float_upper(), 5)) == (0.0499, 0.00103)


def lowered(claim: sympy.Basic) -> sympy.Basic:
    """The larger side of an inequality times 0.97, in every part of a conjunction and in conclusions."""
    if isinstance(claim, sympy.And):
        return sympy.And(*map(lowered, claim.args))
    if isinstance(claim, sympy.Implies):
        return sympy.Implies(claim.args[0], lowered(claim.args[1]))
    if isinstance(claim, sympy.Eq):
        return Eq(claim.lhs, Rational(97, 100) * claim.rhs)
    return Le(claim.lts, Rational(97, 100) * claim.gts)


DECIDED = [
    label
    for label, statement in ALL.items()
    if statement.derivation and statement.derivation[-1].by.method in ("z3", "chain", "sum")
]


@pytest.mark.parametrize("label", DECIDED)
def test_mutation_a_constant_lowered_by_three_percent_is_rejected(label):
    statement = ALL[label]
    claim = lowered(statement.claim)
    last = replace(statement.derivation[-1], claim=claim)
    mutant = object.__new__(Statement)  # the witness may not satisfy the mutant, which is the point
    for name in Statement.__slots__:
        object.__setattr__(mutant, name, getattr(statement, name))
    object.__setattr__(mutant, "claim", claim)
    object.__setattr__(mutant, "derivation", (*statement.derivation[:-1], last))
    assert check.check(mutant).verdict is Verdict.CHECKED


@pytest.mark.parametrize("label", DECIDED)
def test_mutation_every_named_step_is_needed(label):
    """Without any one of the steps it uses, the last step is not decided."""
    statement = ALL[label]
    last = statement.derivation[-1]
    claims = {step.name: step.claim for step in statement.derivation}
    for dropped in last.using:
        facts = tuple(claims[name] for name in last.using if name != dropped)
        given = facts if last.by.method in ("chain", "sum") else (*statement.hypotheses, *facts)
        assert not last.by.decide(last.claim, given).holds, dropped


def test_mutation_the_range_of_the_closed_form_is_needed():
    statement = ALL["D.4"]
    step = next(step for step in statement.derivation if step.name == "alpha lies below c")
    assert step.by.decide(step.claim, statement.hypotheses).holds
    assert not step.by.decide(step.claim, ()).holds


class TestSolvers:
    def test_identity(self):
        assert Identity().decide(Eq(sympy.Derivative(x**3, x), 3 * x**2), ()).holds
        assert not Identity().decide(Eq((x + y) ** 2, x**2 + y**2), ()).holds

    def test_induction_finds_the_reversed_sign_of_s_2(self):
        """Two summaries print the last sign of S_2 reversed (theory 2)."""
        total = sympy.Sum(t * x**t, (t, 0, T - 1))
        closed = x * (1 - x**T) / (1 - x) ** 2
        assert Induction(T, 1).decide(Eq(total, closed - T * x**T / (1 - x)), ()).holds
        assert not Induction(T, 1).decide(Eq(total, closed + T * x**T / (1 - x)), ()).holds
        assert not Induction(T, 1).decide(Eq(x, y), ()).holds

    def test_z3(self):
        assert Z3().decide(Le(x * y, z), (Le(x, 1), Le(y, z))).holds
        assert not Z3().decide(Le(x * y, z), (Le(x, 2), Le(y, z))).holds
        assert Z3().decide(Le(sympy.sqrt(x * x), x), ()).holds
        assert not Z3().decide(Ge(exp(-x), Rational(1, 2)), ()).holds
        assert Z3().decide(Le(sympy.Max(x, y), x + y), ()).holds

    def test_interval(self):
        box = ((x, 0, 1), (y, 0, 1))
        inside = (Le(x, 1), Le(y, 1))
        assert Interval(box).decide(Gt(exp(x * y) + Rational(1, 100), 1 + x * y), inside).holds
        assert not Interval(box).decide(Gt(1 + x * y, exp(x * y)), inside).holds
        assert "says nothing" in Interval(box).decide(Gt(z, 1), inside).remark
        assert "undecided" in Interval(box, pieces=50).decide(Ge(exp(x) - 1 - x, 0), inside).remark
        assert "confine y" in Interval(box).decide(Gt(exp(x * y) + Rational(1, 100), 1 + x * y), inside[:1]).remark

    def test_monotone(self):
        assert Monotone(x, sympy.Integer(0)).decide(Ge(x - 1 + exp(-x), 0), (Ge(1 - exp(-x), 0),)).holds
        assert not Monotone(x, sympy.Integer(0)).decide(Ge(x - 1 + exp(-x), 0), (Ge(x, 0),)).holds
        assert not Monotone(x, sympy.Integer(0)).decide(Ge(x - 2 + exp(-x), 0), (Ge(1 - exp(-x), 0),)).holds

    def test_sum(self):
        facts = (Le(x, y), Le(z, exp(z)))
        assert Sum().decide(Le(x + z, y + exp(z)), facts).holds
        assert not Sum().decide(Le(x + z, y + 2 * exp(z)), facts).holds
        assert not Sum().decide(Le(x + z, y + exp(z)), facts[:1]).holds
        assert not Sum().decide(sympy.Lt(x + z, y + exp(z)), facts).holds

    def test_chain_ends_are_the_claim(self):
        steps = (Le(x, y), Eq(y, z * 2), Le(z * 2, exp(z)))
        assert Chain().decide(Le(x, exp(z)), steps).holds
        assert not Chain().decide(Le(x, z * 2), steps).holds
        assert not Chain().decide(Le(x, exp(z)), steps[::2]).holds
        assert not Chain().decide(sympy.Lt(x, exp(z)), steps).holds


real = sympy.Symbol("w", real=True)
k = sympy.Symbol("k", integer=True, positive=True)
n = sympy.Symbol("n", integer=True, nonnegative=True)
i, j = sympy.symbols("i j", integer=True)


class TestFalseClaims:
    """Claims that are false somewhere, each once taken for proved."""

    @pytest.mark.parametrize(
        ("claim", "by", "facts"),
        [
            (Gt(real**2, 0), Z3(), (sympy.Implies(real > 0, 1 / real > 0),)),  # at 0, where 1/0 says nothing
            (Ge(real, 0), Z3(), (Ge(sympy.sqrt(real), 0, evaluate=False),)),
            (Ge(real, sympy.Min(0, sympy.sqrt(real))), Z3(), ()),
            (Eq(2 * real, real**2 + 1), Chain(), (Le(2 * real, real**2 + 1),)),
            (Eq(sympy.Sum(n, (i, 0, n - 1)), n * (n - 1) / 2), Induction(n), ()),
            (Eq(sympy.Sum(i, (i, 0, n - 1), (j, 0, 1)), n * (n - 1) / 2), Induction(n), ()),
            (Eq(sympy.Sum(i, (i, 0, k - 1)), k * (k - 1) / 2), Induction(k, 0), ()),  # starts below k
            (Le(1, sympy.Integral(1 / (x + 1), (x, 0, x))), Integrated(x), (Le(1 / x, 1 / (x + 1)),)),
            (Le(sympy.Integral(-3 * x, (x, -2, 1)), sympy.Integral(-x, (x, -2, 1))), Integrated(x), (Le(-3 * x, -x),)),
            (Ge(k**2 - 3 * k / 2, 0), Monotone(k, sympy.Integer(1)), (Ge(2 * k - Rational(3, 2), 0),)),
            (Le(k, k**2 / 2), GrowthInduction(k, 0), ()),
        ],
        ids=str,
    )
    def test_is_not_proved(self, claim, by, facts):
        assert not by.decide(claim, facts).holds

    def test_a_lemma_is_run_and_not_believed(self):
        unproved = statement(derivation=())
        outcome = Lemma(unproved).decide(Le(x, y), (Le(x, 1), Ge(y, 1)))
        assert outcome.basis == "assumed"
        assert Lemma(statement()).decide(Le(x, y), (Le(x, 1), Ge(y, 1))).basis == "decided"
        assert not Lemma(statement()).decide(Le(x, y), (Le(x, 1),)).holds  # a hypothesis is not known
        assert not Lemma(statement()).decide(Le(x, y / 2), (Le(x, 1), Ge(y, 1))).holds  # another claim
        assert not Lemma(statement(), ((x, -z),)).decide(Le(-z, y), (Le(-z, 1), Ge(y, 1))).holds  # another sign

    def test_python_s_equality_is_not_a_claim(self):
        with pytest.raises(DomainError, match="== instead of Eq"):
            statement(derivation=(Step("typo", (x + x) == 2 * x, Identity()), Step("last", Le(x, y), Z3())))


def statement(**changes: object) -> Statement:
    values = {
        "label": "test", "title": "test", "claim": Le(x, y), "source": "theory.md 3.5", "kind": Kind.UPPER,
        "recorded": Verdict.PROVED, "hypotheses": (Le(x, 1), Ge(y, 1)), "witness": {x: 1, y: 2},
        "derivation": (Step("last", Le(x, y), Z3()),),
    }  # fmt: skip
    return Statement(**(values | changes))


class TestStatement:
    def test_proved(self):
        assert check.check(statement()).verdict is Verdict.PROVED

    def test_a_hypothesis_is_needed(self):
        assert check.check(statement(hypotheses=(Le(x, 1),))).verdict is Verdict.CHECKED

    def test_an_axiom_is_named_and_an_assumption_keeps_below_a_proof(self):
        cited = check.check(statement(derivation=(Step("last", Le(x, y), Axiom("fact", "book")),)))
        assert cited.verdict is Verdict.PROVED_FROM_AXIOMS and cited.remarks == ("fact (book)",)
        assumed = check.check(statement(derivation=(Step("last", Le(x, y), Assumed("somewhere")),)))
        assert assumed.verdict is Verdict.CHECKED

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"witness": {x: 3, y: 2}}, "does not satisfy"),
            ({"witness": {x: 1, y: Fraction(1, 2)}}, "does not satisfy"),
            ({"derivation": (Step("last", Le(x, z), Z3()),)}, "not in the claim"),
            ({"derivation": (Step("last", Le(x, y), Z3(), ("absent",)),)}, "do not come before"),
            ({"derivation": (Step("a", Le(x, z), Z3()), Step("a", Le(x, y), Z3()))}, "two steps have one name"),
        ],
    )
    def test_refused_at_construction(self, changes, message):
        with pytest.raises(DomainError, match=message):
            statement(**changes)

    def test_a_counterexample_that_does_not_refute_is_not_believed(self):
        weak = Counterexample("equal", lambda: {x: 1, y: 1})
        assert check.check(statement(counterexample=weak, recorded=Verdict.REFUTED)).verdict is Verdict.CHECKED
        outside = Counterexample("x <= y fails, but so does x <= 1", lambda: {x: 3, y: 2})
        assert check.check(statement(counterexample=outside, recorded=Verdict.REFUTED)).verdict is Verdict.CHECKED
        false = Counterexample("2 <= 1", lambda: {x: 2, y: 1})
        wrong = statement(counterexample=false, hypotheses=(), recorded=Verdict.REFUTED)
        assert check.check(wrong).verdict is Verdict.REFUTED


class TestCommand:
    def run(self, *arguments: str):
        return CliRunner().invoke(main, ["verify", *arguments])

    def test_json(self):
        found = json.loads(self.run("paper:C.3", "paper:C.9", "--format", "json").stdout)
        assert [list(entry) for entry in found] == [
            ["label", "verdict", "method", "ratio", "seconds", "counterexample", "kernel"]
        ] * 2
        assert found[0]["verdict"] == "REPAIRED" and "20 pi" in found[0]["counterexample"]

    def test_text_forms(self):
        for form in ("table", "markdown", "latex"):
            result = self.run("paper:E.3", "4.3", "--format", form)
            assert result.exit_code == 0
            assert "REPAIRED" in result.stdout and "PROVED" in result.stdout
        assert result.stdout.startswith(r"\documentclass") and result.stdout.endswith("\\end{document}\n")

    def test_an_unknown_label_is_one_line(self):
        result = self.run("nope")
        assert result.exit_code == 2 and "unknown label 'nope'" in result.stderr

    def test_a_differing_verdict_exits_with_one(self, monkeypatch):
        monkeypatch.setattr(check, "select", lambda labels: [statement(recorded=Verdict.REFUTED)])
        result = self.run()
        assert result.exit_code == 1 and "recorded REFUTED" in result.stderr
