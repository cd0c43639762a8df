"""8.5 (c): at no lambda is the wealth bound below q + (1 - e^{-K/n})(b - q), q the mean of the losses seen."""

import sympy
from sympy import Ge, Le

from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

lam, grown, paid = sympy.symbols("lambda a t", positive=True)
seen, b = sympy.symbols("q b", real=True)
claim = Ge(b - (grown * paid - 1) / lam, seen + (1 - paid) * (b - seen))

STATEMENT = Statement(
    label="8.5-floor",
    title="Floor of the wealth bound",
    claim=claim,
    source="theory.md 8.5",
    kind=Kind.LOWER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(paid, 1),),
    prose=("a = e^A, A = (1/n) sum ln(1 + lambda (b - D_i)); t = e^{-K/n}; q: mean of the D_i <= b",),
    witness={lam: 1, grown: 1, paid: 1, seen: 0, b: 0},
    derivation=(
        Step("mean", Le(grown, 1 + lam * (b - seen)), Axiom("the logarithm is concave", "Jensen's inequality")),
        Step("conclusion", claim, Z3(), ("mean",)),
    ),
    not_claimed=("That a bound of another form is never below it on one sample: of laws at once, see theory.md 8.5.",),
    theorems=(Theorem("wealth.floor", Reading.FORMULA),),
)
