"""4.5 for s_A < 0: sum_i c_i tau_i e^{-lambda tau_i} <= R_2, the smaller of the Riemann bound and the plateau."""

from sympy import And, Eq, Expr, Ge, Integer, Le, Symbol, exp

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.lemma import Lemma
from ssm_bounds.proofs.ours.exponentials import riemann_factor as factor
from ssm_bounds.proofs.solvers import Z3, Fold, Instance, Monotone
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict
from ssm_bounds.proofs.systems.gates import COUNT, GATES, M, T, adversary, branch, c, n, rate, second_sum, tau

x, h = Symbol("x", nonnegative=True), Symbol("h", nonnegative=True)
plateau, riemann = branch(sym.R_2, -1).args
claim = Le(second_sum, branch(sym.R_2, -1))
weight = exp(-rate * tau)


def area(end: Expr) -> Expr:
    """``lambda^2 int_0^end x e^{-lambda x} dx``."""
    return 1 - exp(-rate * end) * (1 + rate * end)


STATEMENT = Statement(
    label="4.5-R_2",
    title="R_2 for s_A < 0",
    claim=claim,
    source="theory.md 4.5, R_2",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(c, M), Le(tau, T * M), Eq(n, T)),
    prose=(*GATES, COUNT, "lambda = -s_A > 0"),
    witness={second_sum: 0, M: 1, rate: 1, tau: 1, T: 2, n: 2, c: 1},
    derivation=(
        Step(
            "factor",
            Le(c * (1 - exp(-rate * M)), M * (1 - exp(-rate * c))),
            Lemma(factor.STATEMENT, ((factor.c, c), (factor.rest, M - c), (factor.rate, rate))),
        ),
        Step("one gate", Ge(area(x), 0), Monotone(x, Integer(0))),
        Step("area of a gate", Ge(area(c), 0), Instance(((x, c),)), ("one gate",)),
        Step(
            "Riemann sum",  # both sides times lambda (1 - e^{-lambda M})
            Le(rate * (1 - exp(-rate * M)) * second_sum, M * area(tau)),
            Fold(((second_sum, c * tau * weight), (tau, c))),
            ("factor", "area of a gate"),
        ),
        Step(
            "area grows",
            Ge(1 + rate * x - exp(-rate * h) * (1 + rate * (x + h)), 0),
            Monotone(h, Integer(0)),
        ),
        Step(
            "to the whole length",
            Ge(1 + rate * tau - exp(-rate * (T * M - tau)) * (1 + rate * T * M), 0),
            Instance(((x, tau), (h, T * M - tau))),
            ("area grows",),
        ),
        Step("Riemann bound", Le(second_sum, riemann), Z3(), ("Riemann sum", "to the whole length")),
        Step(
            "after n gates",
            And(Le(tau, n * M), Le(second_sum, plateau.subs(T, n))),
            Fold(((second_sum, c * tau * weight), (tau, c), (n, Integer(1)))),
        ),
        Step("plateau", Le(second_sum, plateau), Z3(), ("after n gates",)),
        Step("conclusion", claim, Z3(), ("Riemann bound", "plateau")),
    ),
    not_claimed=("Attained: for small T and lambda M near 2, R_2 loses a factor (2.9 at T = 2).",),
    adversary=adversary(-1),
    theorems=(Theorem("sums.second_falling", Reading.FORMULA),),
)
