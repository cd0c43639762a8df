"""The adversarial search: tight statements are attained, false ones caught, true ones survive degenerate instances."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
import sympy
import torch
from click.testing import CliRunner
from flint import arb
from hypothesis import given
from hypothesis import strategies as st
from sympy import Le, Rational

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.perturbation import EMBEDDING, REPAIRED, SHARP
from ssm_bounds.bounds.evaluate.balls import Enclosure, bits
from ssm_bounds.cli import main
from ssm_bounds.proofs import check, falsify
from ssm_bounds.proofs.adversary import BALLS, REPLAY_BITS, Adversary, Point, certified_ratio, replay
from ssm_bounds.proofs.ours.perturbation import embedding as t5_4
from ssm_bounds.proofs.ours.perturbation import gate as t5_1_gate
from ssm_bounds.proofs.ours.perturbation import published_route as t5_5
from ssm_bounds.proofs.ours.perturbation import sharp as t5_1
from ssm_bounds.proofs.statement import Kind, Verdict
from ssm_bounds.proofs.systems import selective_ssm as system
from tests.oracle import Model

ALL = check.statements()
ATTACKED = {label: s for label, s in ALL.items() if s.adversary is not None}
TRUE = [label for label, s in ATTACKED.items() if s.counterexample is None]
TIGHT = [label for label in TRUE if ALL[label].kind is Kind.TIGHT]
SLACK: dict[str, float] = {"14.7": 0.6, "16.4": 0.99}
"""Statements that need not be attained, with the largest left/right that the first round finds (rounded downward)."""


@functools.cache
def found(label: str):
    statement = ALL[label]
    return falsify.search(statement.claim, statement.adversary)


@pytest.mark.parametrize("label", TRUE)
def test_falsifier_reaches_tight_statements_and_refutes_none(label):
    ratio = found(label).ratio
    assert (0.99 if label in TIGHT else SLACK[label]) <= ratio <= 1


def test_every_upper_statement_has_its_slack_on_record():
    assert set(SLACK) == set(TRUE) - set(TIGHT)


@pytest.mark.parametrize("label", TIGHT)
def test_mutation_a_right_side_lowered_by_three_percent_is_refuted(label):
    """The point found refutes the lowered claim in ball arithmetic."""
    statement = ALL[label]
    lowered = Le(statement.claim.lts, Rational(97, 100) * statement.claim.gts)
    assert certified_ratio(*replay(lowered, statement.adversary, found(label).point)) > 1


@pytest.mark.parametrize("label", [label for label in ATTACKED if label not in TRUE])
def test_falsifier_finds_what_is_false(label):
    """Without being told the recorded counterexample."""
    statement = ALL[label]
    best = found(label)
    assert best.ratio > 1
    left, right = replay(statement.claim, statement.adversary, best.point)
    assert left.lower > right.upper
    assert check.check(statement, best).verdict is statement.recorded


def mutant(statement, coefficients, radius, block, factor):
    """The claim of 5.1 or 5.5 with one coefficient times a factor, under attack by moves of that block alone."""
    changed = coefficients | {block: factor * coefficients[block]}
    claim = Le(statement.claim.lts, sympy.Add(*(changed[name] * size for name, size in radius.items())))
    move = {"A": "A", "B": "B", "C": "C", "g": "qp", "w": "W"}[block]
    decaying = statement.label == "5.1"
    sizes = system.pair_sizes((move, 2 if block == "A" else 1, 1, 1, decaying))
    return claim, Adversary(sizes, statement.adversary.arrays, statement.adversary.bind)


@pytest.mark.parametrize("factor", [Rational(97, 100), 0], ids=["lowered", "dropped"])
@pytest.mark.parametrize("block", SHARP)
@pytest.mark.parametrize("module", [t5_1, t5_5], ids=["5.1", "5.5"])
def test_mutation_each_term_of_the_perturbation_theorems(module, block, factor):
    coefficients = SHARP if module is t5_1 else REPAIRED
    claim, adversary = mutant(module.STATEMENT, coefficients, module.radius, block, factor)
    assert falsify.search(claim, adversary).ratio > 1


PARTS = sympy.expand(EMBEDDING).as_ordered_terms()


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_mutation_each_term_of_the_embedding(part):
    """EMBEDDING expands to 3 R_1 (tokens and output map) and B_q R_g (gates)."""
    claim = Le(t5_4.moved, (EMBEDDING - part) * t5_4.radius)
    sizes = system.pair_sizes(("U", 3, 1, 1, False))
    adversary = Adversary(sizes, t5_4.STATEMENT.adversary.arrays, t5_4.STATEMENT.adversary.bind)
    assert len(PARTS) == 2
    assert falsify.search(claim, adversary).ratio > 1


@pytest.mark.parametrize("module", [t5_1, t5_5], ids=["5.1", "5.5"])
def test_mutation_the_second_sum_of_the_gate(module):
    """R_1 for R_g (5.1), or without M B_A S_2 (5.5), which T = 1 would not miss."""
    coefficients = dict(SHARP if module is t5_1 else REPAIRED)
    second = {t5_1: (sym.R_g, sym.R_1), t5_5: (sym.S_2, 0)}[module]
    coefficients["g"] = coefficients["g"].subs(*second)
    claim = Le(module.moved, sympy.Add(*(coefficients[name] * size for name, size in module.radius.items())))
    given = module.STATEMENT.adversary
    adversary = Adversary(system.pair_sizes(("qp", 3, 1, 1, False)), given.arrays, given.bind)
    assert falsify.search(claim, adversary).ratio > 1


@pytest.mark.parametrize(
    "bound",
    [
        Rational(97, 100) * t5_1_gate.claim.gts,
        (1 + Rational(2, 5) * t5_1_gate.Y) * t5_1_gate.first,
        t5_1_gate.first + t5_1_gate.second / 2,
    ],
    ids=["lowered", "second form", "first form"],
)
def test_mutation_the_sum_of_the_gates_slopes(bound):
    adversary = t5_1_gate.STATEMENT.adversary
    assert falsify.search(Le(t5_1_gate.moved, bound), adversary).ratio > 1


def test_a_violation_below_zero_or_below_rounding_counts():
    point = Enclosure.point
    assert certified_ratio(point(0), point(-1)) > 1
    assert certified_ratio(point(-1), point(-2)) > 1
    with bits(REPLAY_BITS):
        above = Enclosure.of(1 + arb(2) ** -200)
    assert certified_ratio(above, point(1)) > 1
    assert certified_ratio(point(-2), point(-1)) == 0 and certified_ratio(point(1), point(1)) == 1


def test_a_budget_that_is_no_number_is_refused():
    assert CliRunner().invoke(main, ["verify", "4.3", "--budget", "nan"]).exit_code == 2


def test_without_the_search_derivations_are_decided_alone(monkeypatch):
    monkeypatch.setattr(falsify, "search", None)  # calling it would fail
    found = CliRunner().invoke(main, ["verify", "--no-search", "paper:C.8", "15.4", "--format", "json"])
    assert found.exit_code == 0, found.output
    entries = {entry["label"]: entry for entry in json.loads(found.stdout)}
    assert ALL["paper:C.8"].adversary is not None and entries["paper:C.8"]["ratio"] is None
    assert entries["paper:C.8"]["verdict"] == ALL["paper:C.8"].recorded and entries["15.4"]["verdict"] == "PROVED"
    for option in (["--budget", "1"], ["--seed", "0"]):
        refused = CliRunner().invoke(main, ["verify", "--no-search", "15.4", *option])
        assert refused.exit_code == 2 and "--no-search leaves out" in refused.stderr


numbers = st.sampled_from([0.0, 1.0, -1.0, 1e-9, -30.0, 30.0]) | st.floats(-3, 3, allow_subnormal=False)


@st.composite
def points(draw, adversary):
    """Any admissible point, whole arrays of zeros among them."""
    sizes = draw(st.sampled_from(adversary.sizes))
    arrays = {}
    for name, shape in adversary.arrays(sizes).items():
        entries = draw(
            st.just([0.0] * int(np.prod(shape)))
            | st.lists(numbers, min_size=1 * int(np.prod(shape)), max_size=int(np.prod(shape)))
        )
        arrays[name] = np.array(entries, dtype=np.float64).reshape(shape)
    return Point(sizes, arrays)  # fmt: skip


@pytest.mark.parametrize("label", TRUE)
@given(data=st.data())
def test_statements_hold_on_random_and_degenerate_instances(label, data):
    """Zero weights, s_A = 0, T = d = N = 1, huge and tiny gates: never left > right in ball arithmetic."""
    statement = ALL[label]
    point = data.draw(points(statement.adversary))
    sides = replay(statement.claim, statement.adversary, point)
    if sides is not None:
        left, right = sides
        assert not left.lower > right.upper


def small_point(sizes):
    generator = np.random.default_rng(0)
    shapes = system.pair_arrays(sizes)
    return Point(sizes, {name: generator.normal(size=shape) * 0.4 for name, shape in shapes.items()})


@pytest.mark.parametrize("decaying", [0, 1])
def test_the_two_kinds_of_numbers_and_the_recurrence_agree(decaying):
    (sizes,) = system.pair_sizes(("ABCqpW", 4, 2, 3, bool(decaying)))
    point = small_point(sizes)
    tensors = Point(sizes, {name: torch.tensor(array, dtype=torch.float64) for name, array in point.arrays.items()})
    fast = t5_1.bind(falsify.TENSORS, tensors.arrays, sizes)
    with bits(REPLAY_BITS):
        balls = {name: balls_of(array) for name, array in point.arrays.items()}
        exact = t5_1.bind(BALLS, balls, sizes)
        first, _ = system.pair(BALLS, balls, sizes)
        (z,) = first.output(BALLS)
    assert fast.keys() == exact.keys()
    for symbol, value in exact.items():
        assert float(fast[symbol]) == pytest.approx(float(value), rel=1e-12), symbol
    A = -(point.arrays["A"] ** 2) if decaying else point.arrays["A"]
    model = Model(A, *(point.arrays[name] for name in "BCqpW"))
    assert model(point.arrays["U"][::-1])[0] == pytest.approx(float(z), rel=1e-12)


def balls_of(array):
    entries = np.array([arb(float(x)) for x in np.ravel(array)], dtype=object)
    return entries.reshape(np.shape(array)) if np.ndim(array) else entries[0]


class TestNorms:
    @pytest.mark.parametrize("shape", [(1, 3), (3, 1), (2, 2), (3, 4)])
    def test_spectral(self, shape):
        matrix = np.random.default_rng(1).normal(size=shape)
        with bits(REPLAY_BITS):
            norm = BALLS.spectral(np.array([[arb(float(x)) for x in row] for row in matrix], dtype=object))
            assert norm.rad() < 1e-15
        assert float(norm) == pytest.approx(np.linalg.norm(matrix, 2), rel=1e-13)

    def test_logarithmic_norm(self):
        matrix = np.random.default_rng(2).normal(size=(3, 3)) - 4
        with bits(REPLAY_BITS):
            norm = BALLS.logarithmic_norm(np.array([[arb(float(x)) for x in row] for row in matrix], dtype=object))
        assert float(norm) == pytest.approx(np.linalg.eigvalsh((matrix + matrix.T) / 2)[-1], rel=1e-12)

    def test_zero(self):
        with bits(REPLAY_BITS):
            zeros = np.array([[arb(0)] * 2] * 2, dtype=object)
            assert BALLS.spectral(zeros) == 0 and BALLS.norm(zeros) == 0


class TestSearch:
    def test_same_seed_same_point(self):
        statement = ALL["4.5-zero"]
        first, second = (falsify.search(statement.claim, statement.adversary, seed=3) for _ in range(2))
        assert first.ratio == second.ratio and str(first.point) == str(second.point)

    def test_a_budget_goes_on_and_ends(self):
        statement = ALL["paper:C.8"]
        once = found("paper:C.8")
        longer = falsify.search(statement.claim, statement.adversary, seconds=0.5)
        assert longer.ratio >= once.ratio

    def test_a_ratio_that_only_rounding_sees_is_not_believed(self):
        """1 + x - 1 <= x holds with equality; float64 alone would refute it at small x."""
        x, y = sympy.symbols("x y", nonnegative=True)
        adversary = Adversary(({},), lambda sizes: {"x": ()}, lambda n, free, sizes: {
            x: (1 + n.exp(free["x"] - 30)) - 1, y: n.exp(free["x"] - 30)
        })  # fmt: skip
        assert falsify.search(Le(x, y), adversary).ratio <= 1

    def test_a_false_claim_is_refuted_by_the_ledger(self):
        statement = ALL["paper:C.8"]
        finding = found("paper:C.8")
        entry = check.check(statement, type(finding)(1.5, finding.point))
        assert entry.verdict is Verdict.REFUTED and not entry.as_recorded
        assert "1.5" in entry.remarks[0] and entry.counterexample == str(finding.point)


def test_command_reports_the_ratio():
    result = CliRunner().invoke(main, ["verify", "paper:C.8", "9.1", "--seed", "1", "--format", "json"])
    assert result.exit_code == 0
    by_label = {entry["label"]: entry for entry in json.loads(result.stdout)}
    assert 0.99 <= by_label["paper:C.8"]["ratio"] <= 1
    assert by_label["9.1"]["ratio"] is None
    table = CliRunner().invoke(main, ["verify", "paper:C.8"])
    assert "worst ratio" in table.stdout


def test_an_interrupt_leaves_what_was_found(monkeypatch):
    calls = []

    def interrupted(statement, *rest):
        if calls:
            raise KeyboardInterrupt
        calls.append(statement)
        return real(statement, *rest)

    real = check.check
    monkeypatch.setattr(check, "check", interrupted)
    result = CliRunner().invoke(main, ["verify", "4.1", "4.3", "--format", "json"])
    assert result.exit_code == 130
    assert [entry["label"] for entry in json.loads(result.stdout)] == ["4.1"]
    assert "1 of 2" in result.stderr
