"""3.1, Maurey: ln N <= ceil(B^2 M_W^2/eps^2) ln(2n + 1) for an l1 ball of n entries, at Frobenius radius eps/B."""

import sympy
from sympy import And, Eq, Ge, Implies, Le, Lt, log

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.covers.lemmas import Maurey
from ssm_bounds.proofs.solvers import Z3, Axiom, Identity
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

entropy, distance = sympy.symbols("H n_dist", nonnegative=True)  # ln N at Frobenius radius eps/B, |W - W^|_F
B, M_W = sympy.symbols("B M_W", positive=True)
covered = Maurey.formula.args[1][0].subs({sym.B_u: B, sym.M_W: M_W})
atoms = next(factor for factor in covered.args if factor.func is sympy.ceiling)
tuples = log((2 * sym.n + 1) ** atoms)
one_point = Ge(sym.eps, B * M_W)
claim = And(Implies(one_point, Le(entropy, 0)), Implies(Lt(sym.eps, B * M_W), Le(entropy, covered)))

STATEMENT = Statement(
    label="3.1",
    title="Maurey's cover of an l1 ball",
    claim=claim,
    source="theory.md 3.1 (Trauger and Tewari 2024, Lemma 3.6, with the ceiling)",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "H = ln N of {W : |W|_{1,1} <= M_W}, n entries, in the Frobenius norm at radius eps/B",
        "n_dist: Frobenius distance of a member to its centre, an average of ceil(B^2 M_W^2/eps^2) atoms",
    ),
    witness={entropy: 0, distance: 1, B: 1, M_W: 1, sym.eps: 1, sym.n: 2},
    derivation=(
        Step(
            "Maurey",
            Le(distance**2, M_W**2 / atoms),
            Axiom("an average of so many of 0 and the 2n vertices +-M_W e_i is so close", "Maurey; Pisier 1981"),
        ),
        Step("radius", Le(B * distance, sym.eps), Z3(), ("Maurey",)),
        Step(
            "centres",
            Le(entropy, tuples),
            Axiom("at most as many centres as tuples of the 2n + 1 atoms", "counting"),
            ("radius",),
        ),
        Step("logarithm", Eq(tuples, covered), Identity()),
        Step(
            "one centre",
            Implies(one_point, Le(entropy, 0)),
            Axiom("|W|_F <= |W|_{1,1} <= M_W <= eps/B: the centre 0 serves", "norms of R^n"),
        ),
        Step("conclusion", claim, Z3(), ("centres", "logarithm", "one centre")),
    ),
    not_claimed=(
        "The averages have l1 norm at most M_W; with a further constraint on W they may leave the class: 3.3.",
    ),
)
