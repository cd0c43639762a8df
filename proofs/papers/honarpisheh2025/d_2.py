"""Claim: ln N(A_c, eps) <= ceil(M_A^2 N d/eps^2) ln(2 N^2 d^2). True, centres outside; 3.1 saves the N d."""

import sympy
from sympy import Eq, Le, Sum

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.papers.honarpisheh2025.d_1 import STATEMENT as D_1
from ssm_bounds.proofs.solvers import Z3, Axiom, Identity, Instance
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

entropy = sympy.Symbol("H", nonnegative=True)
a, b, M_A = sympy.symbols("a b M_A", positive=True)
j = sympy.Symbol("j", integer=True)
size = sym.N * sym.d
H = sympy.Function("H")  # of a, b, d_1, d_2: ln N(eps) in D.1
bound = D_1.claim.rhs.subs({a: M_A, b: sympy.sqrt(size), sym.d_in: size, sym.d_out: size}, simultaneous=True)
claim = Le(entropy, bound)

STATEMENT = Statement(
    label="paper:D.2",
    title="Cover of the diagonal matrices A, as printed",
    claim=claim,
    source="theory.md 2, D.2 (arXiv:2502.01473v3, Lemma D.2)",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=("H = ln N(eps) of {diag(a_jn) : sum |a_jn| <= M_A}, of size N d, in the Frobenius norm",),
    witness={entropy: 1, M_A: 1, sym.N: 2, sym.d: 2, sym.eps: 1},
    derivation=(
        Step(
            "D.1",
            Le(H(a, b, sym.d_in, sym.d_out), D_1.claim.rhs),
            Axiom("paper:D.1", "Bartlett, Foster, Telgarsky 2017, Lemma 3.2"),
        ),
        Step("identity", Eq(Sum(1, (j, 1, size)), size), Identity()),  # |I|_F^2
        Step(
            "sizes",
            Le(H(M_A, sympy.sqrt(size), size, size), bound),
            Instance(((a, M_A), (b, sympy.sqrt(size)), (sym.d_in, size), (sym.d_out, size))),
            ("D.1",),
        ),
        Step(
            "diagonal",
            Eq(entropy, H(M_A, sympy.sqrt(size), size, size)),
            Axiom("X = I, and the (2,1) norm of a diagonal matrix is its l1 norm", "definition"),
            ("identity",),
        ),
        Step("conclusion", claim, Z3(), ("sizes", "diagonal")),
    ),
    not_claimed=("The paper's Definition 3.1 wants centres inside the class: see 3.3.",),
)
