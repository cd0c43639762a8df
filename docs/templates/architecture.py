"""A linear model, ``z = W u`` with |u|_2 <= B_u, as a table: a start for ``bounds/architectures/NAME.py``."""

from ssm_bounds.bounds.architectures.block import Architecture, Block, Flow
from ssm_bounds.bounds.covers.lemmas import Volume
from ssm_bounds.bounds.notation import B_u, B_w, d, k

ARCHITECTURE = Architecture(
    "linear model",
    (
        # a matrix in a ball of its spectral norm, covered by volume; the output moves by at most |dW|_2 |u|
        Block("W", "w", "W", k * d, B_w, "spectral", Volume, None, {"sharp": B_u}, words="the readout W"),
    ),
    items={},
    sources={"sharp": "theory.md 5.1"},
    coefficients=("w",),
    # what makes it a layer of a stack: radius in, radius out, Lipschitz constant
    flow=Flow(B_u, B_w * B_u, B_w),
)
