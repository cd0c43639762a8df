"""Claim: the S4 layer of the public code takes no step below ln 2, whatever dt it is given."""

import sympy
from sympy import Ge, Integer, Le, log

from ssm_bounds.bounds.architectures.selective_ssm.sums import softplus
from ssm_bounds.proofs.solvers import Z3, Monotone
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

dt = sympy.Symbol("dt", nonnegative=True)
claim = Le(log(2), softplus(dt))

STATEMENT = Statement(
    label="paper:MC-step",
    title="The step of the S4 layer is at least ln 2",
    claim=claim,
    source="theory.md 15.9 (public code of arXiv:2402.19047, commit 18a0a8d: torch_sequence_models.py)",
    kind=Kind.LOWER,
    recorded=Verdict.PROVED,
    prose=(
        "dt = exp(log_dt), which starts between 1/1000 and 1/10, is passed on with delta_softplus=True: the step is "
        "softplus(dt)",
    ),
    witness={dt: 0},
    derivation=(
        Step("rising", Ge(softplus(dt) - log(2), 0), Monotone(dt, Integer(0))),
        Step("at least that at 0", claim, Z3(), ("rising",)),
    ),
    not_claimed=(
        "What the paper says of S4: its text is not what was read here.",
        "That it matters to what is learned.",
    ),
)
