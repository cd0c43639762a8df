"""Claim: the matrix cover of Bartlett, Foster and Telgarsky. True, with centres outside the class."""

import sympy
from sympy import Eq, Le, log

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.covers.lemmas import MatrixCover
from ssm_bounds.proofs.solvers import Z3, Axiom, Chain, Identity
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

entropy, distance = sympy.symbols("H n_dist", nonnegative=True)  # ln N(eps), |X A - X A^|_F
a, b = sympy.symbols("a b", positive=True)
bound = MatrixCover.formula.subs({sym.a_cover: a, sym.b_cover: b})
atoms = bound.args[0] if bound.args[0].func is sympy.ceiling else bound.args[1]
tuples = log((2 * sym.d_in * sym.d_out) ** atoms)
claim = Le(entropy, bound)

STATEMENT = Statement(
    label="paper:D.1",
    title="Cover of matrices of bounded (2,1) norm",
    claim=claim,
    source="theory.md 2, D.1 (Bartlett, Foster, Telgarsky 2017, Lemma 3.2, p = q = 2, s = 1)",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "H = ln N(eps) of {X A : |A|_{2,1} <= a}, A in R^{d_1 x d_2}, |X|_F <= b, in the Frobenius norm",
        "n_dist: distance of a member to its centre, an average of n = ceil(a^2 b^2/eps^2) atoms",
    ),
    witness={entropy: 1, distance: 1, a: 1, b: 1, sym.eps: 1, sym.d_in: 2, sym.d_out: 2},
    derivation=(
        Step(
            "Maurey",
            Le(distance**2, a**2 * b**2 / atoms),
            Axiom("an average of n of the 2 d_1 d_2 atoms of norm <= a b is so close", "Maurey; Pisier 1981"),
        ),
        Step("radius", Le(distance, sym.eps), Z3(), ("Maurey",)),
        Step(
            "centres",
            Le(entropy, tuples),
            Axiom("at most as many centres as n-tuples of atoms", "counting"),
            ("radius",),
        ),
        Step("logarithm", Eq(tuples, bound), Identity()),
        Step("conclusion", claim, Chain(), ("centres", "logarithm")),
    ),
    not_claimed=("The centres may leave the class: see 3.3.",),
)
