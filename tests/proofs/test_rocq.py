"""What Coq's kernel checks: the printed claims mean what the formulas do, and the kernel can say no."""

from __future__ import annotations

import json
import math
import random
import re
import shutil
from dataclasses import replace

import pytest
import sympy
from click.testing import CliRunner
from sympy import Eq, Le, Min, exp

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.cli import main
from ssm_bounds.proofs import pages
from ssm_bounds.proofs.check import statements
from ssm_bounds.proofs.rocq import claims, kernel
from ssm_bounds.proofs.rocq.gallina import letter, letters, proposition, signs
from ssm_bounds.proofs.statement import Reading, Theorem
from tests.conftest import ROOT

KNOWN = statements()
NAMED = {label: s for label, s in KNOWN.items() if s.theorems}
SOURCES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "proofs" / "rocq").glob("*.v"))}
WITHOUT = "no coqc: apt-get install coq libcoq-coquelicot libcoq-interval"
coq = pytest.mark.skipif(shutil.which("coqc") is None or shutil.which("coqchk") is None, reason=WITHOUT)
x, y = sympy.symbols("x y", positive=True)
n = sympy.Symbol("n", positive=True, integer=True)


FUNCTIONS = {
    "exp": (1, math.exp),
    "ln": (1, math.log),
    "sqrt": (1, math.sqrt),
    "Rabs": (1, abs),
    "INR": (1, float),
    "ceiling": (1, math.ceil),
    "Rmin": (2, min),
    "Rmax": (2, max),
    "Rpower": (2, math.pow),
}


class Reader:
    """Coq's notation for real numbers, read on its own: Coq's precedences, numbers instead of terms."""

    def __init__(self, text: str, values: dict[str, float]) -> None:
        self.tokens = re.findall(r"[A-Za-z][\w']*|\d+|<=|>=|<>|[-+*/^()<>=]", text)
        self.values = values | {"PI": math.pi}

    def relation(self) -> tuple[float, str, float]:
        left = self.sum()
        sign = self.tokens.pop(0)
        right = self.sum()
        assert not self.tokens
        return left, sign, right

    def sum(self) -> float:
        total = self.product()
        while self.tokens and self.tokens[0] in "+-":
            total += self.product() if self.tokens.pop(0) == "+" else -self.product()
        return total

    def product(self) -> float:
        total = self.signed()
        while self.tokens and self.tokens[0] in "*/":
            total = total * self.signed() if self.tokens.pop(0) == "*" else total / self.signed()
        return total

    def signed(self) -> float:
        if self.tokens[0] == "-":
            self.tokens.pop(0)
            return -self.signed()
        if self.tokens[0] == "/":
            self.tokens.pop(0)
            return 1 / self.signed()
        return self.power()

    def power(self) -> float:
        base = self.applied()
        if self.tokens and self.tokens[0] == "^":
            self.tokens.pop(0)
            return base ** self.power()
        return base

    def applied(self) -> float:
        if self.tokens[0] in FUNCTIONS:
            arguments, function = FUNCTIONS[self.tokens.pop(0)]
            return function(*(self.atom() for _ in range(arguments)))
        return self.atom()

    def atom(self) -> float:
        token = self.tokens.pop(0)
        if token == "(":
            value = self.sum()
            assert self.tokens.pop(0) == ")"
            return value
        return float(token) if token.isdigit() else self.values[token]


def relations(formula):
    """The relations in a formula, as they are printed and as they are."""
    if isinstance(formula, sympy.And | sympy.Or | sympy.Implies):
        for part in formula.args:
            yield from relations(part)
    elif all(side.is_commutative for side in formula.args):
        yield formula


def drawn(rng, symbol):
    if symbol.is_integer:
        return sympy.Integer(rng.randint(1, 6))
    value = sympy.Rational(rng.randint(1, 200), 100)
    return value if symbol.is_nonnegative else rng.choice((-1, 1)) * value


@pytest.mark.parametrize("label", NAMED)
def test_what_is_printed_means_what_the_formula_does(label):
    """At random points, by a reader that knows nothing of the printer."""
    rng = random.Random(label)
    for formula in (NAMED[label].claim, *NAMED[label].hypotheses):
        for relation in relations(formula):
            for _ in range(3):
                point = {symbol: drawn(rng, symbol) for symbol in relation.free_symbols}
                sides = [complex(side.subs(point, simultaneous=True).evalf(30)) for side in relation.args]
                values = {letter(symbol): float(value) for symbol, value in point.items()}
                if any(abs(side.imag) > 1e-12 for side in sides):
                    continue  # a root of what is negative there
                left, sign, right = Reader(proposition(relation), values).relation()
                assert sign == {"==": "=", "!=": "<>"}.get(relation.rel_op, relation.rel_op)
                assert (left, right) == pytest.approx([side.real for side in sides], rel=1e-9, abs=1e-12)


def test_the_reader_sees_a_wrong_sign_and_a_wrong_order():
    values = {"x": 2.0, "y": 3.0}
    assert Reader("- x ^ 2 / y - 1 <= / y * x", values).relation() == (-4 / 3 - 1, "<=", pytest.approx(2 / 3))
    assert Reader("x - y - 1 < Rmin x (y - 2)", values).relation() == (-2, "<", 1)


class TestPrinter:
    @pytest.mark.parametrize(
        ("claim", "text"),
        [
            (Le(x - (y - 1) ** 2, -x * y / 3), "x - (y - 1) ^ 2 <= - (x * y / 3)"),
            (Le(x ** sympy.Rational(2, 3), sympy.sqrt(x + 1)), "Rpower x (2 / 3) <= sqrt (x + 1)"),
            (Le(x**n * n, exp(-n * x)), "INR n * x ^ n <= exp (- (INR n * x))"),
            (sympy.Implies(Le(x, 1), Eq(y, 1 / x)), "x <= 1 -> y = / x"),
            (sympy.Lt(sympy.Max(x, y, 1), sympy.Abs(x - y)), "Rmax (Rmax 1 x) y < Rabs (x - y)"),
        ],
    )
    def test_text(self, claim, text):
        assert proposition(claim) == text

    @pytest.mark.parametrize(
        "claim",
        [
            Le(sympy.Symbol("z", nonnegative=True) ** sympy.Rational(1, 3), 1),  # Rpower 0 (1/3) is 1
            Le(sympy.gamma(x), 1),
            Le(sympy.Float("0.1") * x, 1),
            Le(sympy.Function("f")(x), 1),
            Le(sympy.Piecewise((x, x < 1), (1, True)), y),
        ],
    )
    def test_refused(self, claim):
        with pytest.raises(DomainError, match="no Coq text"):
            proposition(claim)

    def test_signs_are_those_that_sympy_assumes(self):
        kinds = {"positive": "0 < z", "nonnegative": "0 <= z", "real": None}
        assert {kind: signs(sympy.Symbol("z", **{kind: True})) for kind in kinds} == kinds
        assert signs(n) == "(1 <= n)%nat" and signs(sympy.Symbol("k", integer=True, nonnegative=True)) is None
        for alien in (sympy.Symbol("z"), sympy.Symbol("z", integer=True)):
            with pytest.raises(DomainError):
                signs(alien)

    @pytest.mark.parametrize("label", NAMED)
    def test_no_two_letters_have_one_name(self, label):
        found = letters(NAMED[label].claim, *NAMED[label].hypotheses)
        assert len({letter(symbol) for symbol in found}) == len(found)


def test_the_committed_claims_are_what_the_statements_print():
    assert SOURCES["claims"] == claims.text(KNOWN.values()), "run: python -m ssm_bounds.proofs.rocq.claims"


def test_nothing_is_assumed():
    word = r"\b(Admitted|admit|Axioms?|Parameters?|Conjecture|Hypothesis|Variables?|Unset|bypass_check)\b"
    for name, source in SOURCES.items():
        assert not re.search(word, re.sub(r"\(\*.*?\*\)", "", source, flags=re.S)), name


def test_every_file_and_every_theorem_is_named_by_a_statement():
    named = [theorem.name for s in NAMED.values() for theorem in s.theorems]
    assert len(set(named)) == len(named)
    files = kernel.compiled(theorem for s in NAMED.values() for theorem in s.theorems)
    assert sorted(files) == sorted(SOURCES)
    stated = {f"{file}.{name}" for file, text in SOURCES.items() for name in re.findall(r"^Theorem (\w+)", text, re.M)}
    assert stated == set(named)


def test_the_ledger_shows_what_was_written_by_hand():
    page = pages.ledger(KNOWN)
    for s in NAMED.values():
        for theorem in s.theorems:
            assert f"- Kernel ({theorem.reading}): `{theorem.name.partition('.')[2]}`" in page
            assert (kernel.stated(theorem) in page) is (theorem.reading is not Reading.CLAIM)


def test_without_coq_one_line_and_code_2(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    result = CliRunner().invoke(main, ["verify", "--kernel", "4.3"])
    assert result.exit_code == 2 and "needs Coq" in result.stderr and len(result.stderr.splitlines()) == 1


def test_without_a_theorem_one_line_and_code_2():
    result = CliRunner().invoke(main, ["verify", "--kernel", "15.7"])
    assert result.exit_code == 2 and "names a theorem" in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rocq")
    return folder, kernel.check(KNOWN.values(), folder, each=False)


@coq
class TestKernel:
    def test_every_theorem_is_checked(self, built):
        _, found = built
        assert {label: tuple(c.theorem for c in every) for label, every in found.items()} == {
            label: s.theorems for label, s in NAMED.items()
        }
        assert kernel.counted(found) >= 50
        assert found["5.1"][0].theorem.reading is Reading.FORMULA
        for label, every in found.items():
            for checked in every:
                assert checked.machine is (label == "4.5-loss")
                assert checked.machine or set(checked.axioms) <= kernel.REALS
                assert checked.mark.startswith(f"KERNEL-CHECKED ({checked.theorem.reading}: ")

    def test_the_independent_checker_agrees(self, built):
        kernel.recheck(built[0], every=False)

    def test_a_theorem_that_concludes_something_else_is_no_formula(self, built):
        with pytest.raises(kernel.KernelError, match="does not conclude the formula"):
            kernel._text(KNOWN["4.3"], Theorem("gates.softplus_derive", Reading.FORMULA), built[0])

    def test_the_command_says_it(self):
        result = CliRunner().invoke(main, ["verify", "--kernel", "15.4", "--format", "json"])
        assert result.exit_code == 0
        assert json.loads(result.stdout)[0]["kernel"] == [
            "KERNEL-CHECKED (claim: order.four_points)",
            "KERNEL-CHECKED (general: order.four_points_vectors)",
        ]


def tampered(monkeypatch, label, **change):
    """The kernel on a statement that says something else, with all others as they are."""
    s = replace(KNOWN[label], derivation=(), **change)
    monkeypatch.setattr(kernel, "statements", lambda: KNOWN | {label: s})
    return kernel.check([s], each=False)


@coq
class TestTheKernelCanSayNo:
    @pytest.mark.parametrize(
        "file", ["Theorem a : False. Proof. Admitted.", "Axiom a : False.", "Unset Guard Checking."]
    )
    def test_a_word_that_assumes(self, tmp_path, file):
        with pytest.raises(kernel.KernelError, match="assume nothing"):
            kernel._compile(tmp_path, "a", file)
        assert not list(tmp_path.iterdir())

    def test_a_smaller_constant_in_a_claim(self, monkeypatch):
        gate = sympy.Symbol("Delta", nonnegative=True)
        claim = Le(1 - exp(-gate), Min(1, sympy.Rational(97, 100) * gate))
        with pytest.raises(kernel.KernelError, match=r"gates\.v is refused"):
            tampered(monkeypatch, "4.3", claim=claim)

    def test_a_smaller_constant_in_a_formula(self, monkeypatch):
        total = sympy.Symbol("W", nonnegative=True)
        claim = Le(total + sympy.Rational(1, 4), sympy.Rational(74, 100))
        with pytest.raises(kernel.KernelError, match=r"selection\.v is refused"):
            tampered(monkeypatch, "7-weights", claim=claim)

    def test_a_constant_changed_in_the_text(self, monkeypatch):
        text = claims.text(KNOWN.values())
        changed = text.replace("D ^ 2 / 16 <=", "D ^ 2 / 15 <=")
        assert changed != text
        monkeypatch.setattr(claims, "text", lambda known: changed)
        with pytest.raises(kernel.KernelError, match=r"order\.v is refused"):
            kernel.check([KNOWN["15.5-square"]], each=False)

    def test_a_theorem_that_is_not_the_claim(self, monkeypatch):
        another = Theorem("gates.softplus_derive", Reading.CLAIM)
        with pytest.raises(kernel.KernelError, match=r"probe\.v is refused"):
            tampered(monkeypatch, "4.3", theorems=(another,))

    def test_an_axiom_that_is_on_no_list(self, monkeypatch):
        """One of Coq's own library, which no word of the file gives away."""
        file = (
            "From Coq Require Import ClassicalEpsilon.\nFrom SsmBounds Require claims.\n"
            "Theorem slope : { n : nat | n = n } -> True.\nProof.\n  intros _.\n"
            "  destruct (constructive_indefinite_description (fun n => n = 0) (ex_intro _ 0 eq_refl)). exact I.\nQed.\n"
        )
        source = kernel._source
        monkeypatch.setattr(kernel, "_source", lambda name: file if name == "gates" else source(name))
        with pytest.raises(kernel.KernelError, match=r"rests on .*constructive_indefinite_description"):
            tampered(monkeypatch, "4.3", theorems=(Theorem("gates.slope", Reading.GENERAL),))

    def test_the_command_ends_with_1(self, monkeypatch):
        source = kernel._source
        monkeypatch.setattr(kernel, "_source", lambda name: "Bad." if name == "gates" else source(name))
        result = CliRunner().invoke(main, ["verify", "--kernel", "4.3"])
        assert result.exit_code == 1 and "gates.v is refused" in result.stderr
