"""9.1: on the constant input B_u e_1, Rad = Z E|sigma_1 + ... + sigma_m|/m >= Z/sqrt(2m), for every m."""

import sympy
from sympy import Abs, Eq, Implies, Le, Max, Sum, binomial, sqrt

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.lower import ABSOLUTE_SUM
from ssm_bounds.bounds.architectures.selective_ssm.sums import geometric
from ssm_bounds.proofs.solvers import Z3, Axiom, Chain, GrowthInduction, Identity, Induction
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

m, T, M, kappa = sym.m, sym.T, sym.M, sym.kappa
Z, r = sympy.symbols("Z r", positive=True)  # r = e^{s_A M}
j = sympy.Symbol("j", integer=True, positive=True)
k, n = sympy.symbols("k n", integer=True, nonnegative=True)
S, z = sympy.symbols("S z", real=True)  # the sum of signs, the common output of all m sequences
half = n * binomial(m, n)
absolute_sum = j * binomial(2 * j, j) / 2 ** (2 * j - 1)
claim = Le(Z / sqrt(2 * m), sym.rademacher)

STATEMENT = Statement(
    label="9.1",
    title="Exact complexity on the constant input",
    claim=claim,
    source="theory.md 9.1",
    kind=Kind.LOWER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(2 * j - 1, m), Le(m, 2 * j)),
    prose=(
        "the ball class with k = 1 and Z = kappa R_1; j = ceil(m/2); every sequence is u_t = B_u e_1",
        "M_B >= B_B, M_C >= B_C, M_w >= B_w, M_q >= B_q, B_A >= -s_A; M_A >= N d |s_A| if s_A < 0, >= s_A if s_A > 0",
        "S = sigma_1 + ... + sigma_m; R_S is the mean over sign vectors of the largest z S/m over the class",
    ),
    witness={m: 2, j: 1, Z: 1, sym.rademacher: sympy.Rational(1, 2)},
    derivation=(
        # p = p_hi, q = B_q e_1, a_jn = s_A (only a_11 if s_A > 0), W_B, W_C, W of one entry B_B, B_C, B_w at e_1
        Step(
            "Z is attained, s_A != 0",
            Eq(Sum(kappa * M * r**k, (k, 0, T - 1)), kappa * M * geometric(r, T).args[-1].expr),
            Induction(T, 1),
        ),
        Step("Z is attained, s_A = 0", Eq(Sum(kappa * M, (k, 0, T - 1)), kappa * M * T), Induction(T, 1)),
        # W -> t W, |t| <= 1, attains every z in [-Z, Z]
        Step("at most", Implies(Le(-Z, z) & Le(z, Z), Le(z * S / m, Z * Abs(S) / m)), Z3()),
        Step("attained at z = Z or -Z", Eq(Max(Z * S / m, -Z * S / m), Z * Abs(S) / m), Z3()),
        # k minus signs: binom(m, k) vectors with S = m - 2k, and as many with S = 2k - m
        Step(
            "symmetry",
            Eq(binomial(m, m - k) * Abs(m - 2 * (m - k)), binomial(m, k) * Abs(m - 2 * k)),
            Identity(),
        ),
        Step(
            "half of the sign vectors",
            Eq(Sum(binomial(m, k) * (m - 2 * k), (k, 0, n - 1)), half),
            Induction(n),
        ),
        Step("even m", Eq(2 * half.subs(n, j).subs(m, 2 * j) / 2 ** (2 * j), absolute_sum), Identity()),
        Step("odd m", Eq(2 * half.subs(n, j).subs(m, 2 * j - 1) / 2 ** (2 * j - 1), absolute_sum), Identity()),
        Step("as computed, even m", Eq(ABSOLUTE_SUM.subs(sym.m, 2 * j), absolute_sum), Identity()),
        Step("as computed, odd m", Eq(ABSOLUTE_SUM.subs(sym.m, 2 * j - 1), absolute_sum), Identity()),
        Step(
            "complexity",
            Eq(sym.rademacher, Z * absolute_sum / m),
            Axiom("|z| <= Z, and the definition of R_S over the 2^m sign vectors", "theory.md 5.1"),
            (
                "Z is attained, s_A != 0",
                "Z is attained, s_A = 0",
                "at most",
                "attained at z = Z or -Z",
                "symmetry",
                "half of the sign vectors",
                "even m",
                "odd m",
            ),
        ),
        Step("Khintchine", Le(sqrt(j), absolute_sum), GrowthInduction(j, 1)),
        Step("rounding m up to 2j", Le(Z / sqrt(2 * m), Z * sqrt(j) / m), Z3()),
        Step("signs", Le(Z * sqrt(j) / m, Z * absolute_sum / m), Z3(), ("Khintchine",)),
        Step("conclusion", claim, Chain(), ("rounding m up to 2j", "signs", "complexity")),
    ),
    not_claimed=(
        "Z/sqrt(2m) is attained at m = 2 only; for large m the complexity is Z sqrt(2/(pi m)).",
        "Constant inputs off the axes, when an l1 radius binds: W_B = B_B e_1 v^T has l1 norm B_B |v|_1.",
        "Other samples.",
    ),
)
