"""The ways to code a model that a prior holds, of equal mass. Source: theory 8.1."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Literal, get_args

from ssm_bounds.bounds.codes.symbols import Kind

Prior = Literal["integers-1", "integers-2"]
PRIOR: Prior = "integers-2"
"""Name of the prior below: masses are summed over symmetries. A changed prior is a new name."""
UNPOOLED: Prior = "integers-1"
"""Every codeword by itself: the prior of files that name none."""
STEPS = tuple(Fraction(1, 2**k) for k in range(10))
"""A weight is an integer times one of these."""
Width = Literal["full", "narrow"]
StepSharing = Literal["row", "block", "model"]
Pool = Literal["block", "model"]


@dataclass(frozen=True, slots=True)
class Scheme:
    """How a model is coded. ``width`` narrow: only the first values of the layout's narrow indices are coded, others
    are zero. ``steps``: one step per row, per tensor ("block") or for the model. ``pool``: one symbol code per tensor
    or for the model.
    """

    width: Width
    steps: StepSharing
    pool: Pool
    symbols: Kind


SCHEMES = tuple(
    Scheme(*choice) for choice in product(get_args(Width), get_args(StepSharing), get_args(Pool), get_args(Kind))
)
"""Every scheme, of equal prior mass; the one of theory 8.1 is ``PLAIN``."""
PLAIN = Scheme("full", "block", "block", "geometric")
