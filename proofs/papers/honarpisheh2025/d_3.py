"""Claim: ln N <= ceil(B_u^2 M_W^2/eps^2) ln(2 d_1 d_2 + 1) for u -> W u. True; the condition m >= d_2 is not needed."""

import sympy
from sympy import Eq, Le, log

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.covers.lemmas import Maurey
from ssm_bounds.proofs.solvers import Z3, Axiom, Chain, Identity
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

entropy, distance, moved, size = sympy.symbols("H n_dist d_z n_u", nonnegative=True)
B_u, M_W = sympy.symbols("B_u M_W", positive=True)
entries = sym.d_in * sym.d_out
bound = Maurey.formula.args[1][0].subs({sym.B_u: B_u, sym.M_W: M_W, sym.n: entries})
atoms = next(factor for factor in bound.args if factor.func is sympy.ceiling)
tuples = log((2 * entries + 1) ** atoms)
claim = Le(entropy, bound)

STATEMENT = Statement(
    label="paper:D.3",
    title="Cover of a linear map",
    claim=claim,
    source="theory.md 2, D.3 (arXiv:2502.01473v3, Lemma D.3; Trauger and Tewari 2024, Lemma 3.6)",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(size, B_u),),
    prose=(
        "H = ln N(eps) of {u -> W u : |W|_{1,1} <= M_W}, W in R^{d_1 x d_2}, in sup over |u|_2 <= B_u, l2",
        "n_dist = |W - W^|_F, W^ the average of atoms next to W; n_u = |u|_2, d_z = |W u - W^ u|_2",
    ),
    witness={entropy: 1, B_u: 1, M_W: 1, sym.eps: 1, sym.d_in: 2, sym.d_out: 2, size: 1},
    derivation=(
        Step(
            "Maurey",
            Le(distance**2, M_W**2 / atoms),
            Axiom("an average of so many of 0 and the vertices +-M_W e_ij is so close", "Maurey; Pisier 1981"),
        ),
        Step("submultiplicative", Le(moved, distance * size), Axiom("|X u| <= |X|_F |u|", "Frobenius norm")),
        Step("radius", Le(moved, sym.eps), Z3(), ("Maurey", "submultiplicative")),
        Step(
            "centres",
            Le(entropy, tuples),
            Axiom("at most as many centres as tuples of the 2 d_1 d_2 + 1 atoms", "counting"),
            ("radius",),
        ),
        Step("logarithm", Eq(tuples, bound), Identity()),
        Step("conclusion", claim, Chain(), ("centres", "logarithm")),
    ),
    not_claimed=("The number of samples does not enter: the radius holds for every u of the ball at once.",),
)
