"""8.12: the conditional masses of the Krichevsky-Trofimov code add up to 1, and telescope to its closed form."""

import sympy
from sympy import Eq, Rational, gamma

from ssm_bounds.proofs.solvers import Z3, Fold, Identity
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

count, seen = sympy.symbols("n_a n", nonnegative=True)
cells, half, y = sympy.symbols("k c y", positive=True)
shares = sympy.Symbol("S", nonnegative=True)
claim = Eq(shares / (seen + half), 1)

STATEMENT = Statement(
    label="8.12",
    title="Kraft sum of the Krichevsky-Trofimov code",
    claim=claim,
    source="theory.md 8.12 (Krichevsky and Trofimov 1981)",
    kind=Kind.IDENTITY,
    recorded=Verdict.PROVED,
    hypotheses=(Eq(cells, 2 * half),),
    prose=(
        "n symbols were seen, n_a of them a, of an alphabet of k = 2K + 1, c = K + 1/2; S: sum of n_a + 1/2 over all a",
        "the next symbol has mass (n_a + 1/2)/(n + c): the ratio of the closed form Gamma(c)/Gamma(n + c) times the "
        "product of Gamma(n_a + 1/2)/Gamma(1/2), after and before it; y = n_a + 1/2 and n + c",
    ),
    witness={count: 0, seen: 0, cells: 3, half: Rational(3, 2), shares: Rational(3, 2)},
    derivation=(
        Step("ratio", Eq(gamma(y + 1) / gamma(y), y), Identity()),
        Step(
            "shares",
            Eq(shares, seen + cells / 2),
            Fold(((shares, count + Rational(1, 2)), (seen, count), (cells, sympy.Integer(1)))),
        ),
        Step("conclusion", claim, Z3(), ("shares",)),
    ),
    theorems=(Theorem("codes.krichevsky_trofimov", Reading.FORMULA),),
)
