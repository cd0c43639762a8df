"""What files rely on: prices and representatives of the paper's model, as they were when it had a code of its own.

The doubles and integers below were printed by that code. Here they are written a second time: masses letter by letter,
orbits by enumeration of the group.
"""

from __future__ import annotations

import math
from dataclasses import replace

import mpmath
import numpy as np
import pytest

from ssm_bounds.bounds.architectures.selective_ssm.layout import gate_of, layout
from ssm_bounds.bounds.codes.layout import row_count
from ssm_bounds.bounds.codes.scheme import UNPOOLED, Scheme
from ssm_bounds.bounds.codes.symbols import ALPHABETS
from ssm_bounds.bounds.codes.tensors import Code
from tests.bounds.codes.test_occam import mass_again
from tests.bounds.codes.test_symmetries import images, key

# sizes d, N, k, V, gate; scheme; channels and states kept; nats in both priors; the representative and its steps
PINNED = [
    (
        (3, 2, 2, None, "none"), ("narrow", "row", "block", "sparse"), (2, 2), 57.316598118315035, 60.08918684055482,
        ([-2, -3, 0, 1], [3, 1, 1, -2], [-1, -3, 0, 0], [2, -1, 0, -1]), (0, 1, 1, 0, 1, 0, 0, 1),
    ),
    (
        (3, 2, 1, 4, "softplus"), ("full", "model", "model", "geometric"), (3, 2), 75.46461873889398, 82.10840847204165,
        (
            [-2, 1, 0, 1, -2, -3], [3, -1, 0, 0, 1, -3], [-3, 2, 1, 0, 1, 2], [0, 0, 1], [-1], [1, 2, -3],
            [2, 1, 0, 0, -1, 3, 3, -1, 0, 0, 1, 2],
        ),
        (0,),
    ),
    (
        (2, 3, 3, 2, "none"), ("full", "block", "model", "counts"), (2, 3), 70.38000512781474, 72.86491177760274,
        (
            [-3, 1, -2, 0, -2, 1], [-3, -1, -1, -3, 0, 0], [-2, 1, -2, -3, 0, 1], [-1, 0, 0, -1, -3, -2],
            [1, 0, 1, -2],
        ),
        (0, 1, 0, 1, 0),
    ),
    (
        (4, 4, 1, 2, "softplus"), ("narrow", "row", "model", "sparse"), (3, 3), 114.10720773807637, 122.5427569404521,
        (
            [-2, 1, -3, 1, -2, 0, -1, 0, -3], [2, 1, 0, 1, 2, -3, 0, 1, -3], [-1, 3, -2, -1, 0, -1, 1, 0, 0],
            [2, -3, 1], [0], [0, 1, -3], [2, 1, 0, -1, -2, 3],
        ),
        (0, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0, 1),
    ),
    (
        (3, 3, 2, None, "softplus"), ("full", "row", "block", "geometric"), (3, 3), 117.50532056955885,
        122.06966876102668,
        (
            [-2, 1, -3, 1, -2, 0, -1, 0, -3], [2, -1, 0, 1, -2, -3, 0, 1, 3], [-1, -3, -2, -1, 0, -1, -1, 0, 0],
            [-2, -3, -1], [0], [0, 1, 3, 2, -1, 0],
        ),
        (0, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0),
    ),
    (
        (3, 4, 2, 3, "softplus"), ("narrow", "block", "block", "counts"), (2, 4), 121.55874331157298,
        125.42994432248086,
        (
            [-2, -3, -1, 1, -2, 1, 0, -3], [-3, -1, 1, -2, 1, 0, 0, 0], [0, -1, -1, 0, -2, -3, -3, -2], [0, 1], [1],
            [-3, -2, 0, -1], [-1, 0, -2, -3, 0, 1],
        ),
        (0, 1, 0, 1, 0, 1, 0),
    ),
]  # fmt: skip


def word(sizes, scheme, kept):
    """Integers by a formula, steps 1 and 1/2 in turn."""
    model, scheme, start = layout(*sizes), Scheme(*scheme), 0
    shapes, z = model.shapes(kept), {}
    for name, shape in shapes.items():
        flat = range(start, start + math.prod(shape))
        z[name], start = np.array([(5 * j * j + 3 * j) % 11 % 7 - 3 for j in flat]).reshape(shape), flat.stop
    steps = {"model": 1, "block": len(shapes), "row": sum(map(row_count, shapes.values()))}[scheme.steps]
    groups, kinds = len(shapes) if scheme.pool == "block" else 1, len(ALPHABETS[scheme.symbols])
    symbols = tuple((3 + i % 2) % kinds for i in range(groups))
    return Code(model, scheme, kept, tuple(i % 2 for i in range(steps)), symbols), z


@pytest.mark.parametrize(("sizes", "scheme", "kept", "nats", "alone", "integers", "steps"), PINNED)
def test_prices_and_representatives_are_what_they_were(sizes, scheme, kept, nats, alone, integers, steps):
    code, z = word(sizes, scheme, kept)
    assert gate_of(code.layout) == sizes[4]
    assert code.nats(z).float_upper() == nats
    assert replace(code, prior=UNPOOLED).nats(z).float_upper() == alone
    chosen = code.representative(z)
    assert (*chosen[1],) == (*z,) and [part.ravel().tolist() for part in chosen[1].values()] == [*integers]
    assert chosen[0].steps == steps and chosen[0].nats(chosen[1]).float_upper() == nats
    # and a second time: the masses written out, the orbit counted
    orbit = {key(*image) for image in images(code, z, signs=scheme[3] != "counts")}
    assert key(*chosen) in orbit
    for count, printed in ((len(orbit), nats), (1, alone)):
        mass = count * mass_again(code, z)
        with mpmath.workdps(50):
            exact = -mpmath.log(mpmath.mpf(mass.numerator) / mass.denominator)
            assert exact <= printed <= exact * (1 + mpmath.mpf(2) ** -50)


# what the orders in the table decide: which entry of W is positive, whether W or q sorts, whether q or W is positive
DECIDED = [
    ((2, 1, 2, None, "none"), {"W": [[0, 1], [-2, 0]]}, {"W": [[0, -1], [2, 0]]}, 15.268715624366793),
    (
        (2, 1, 1, 1),
        {"A": [[-1], [-1]], "W_B": [[1, 1]], "W_C": [[1, 1]], "q": [-3, 1], "W": [[1, -2]], "embedding": [[1, 1]]},
        {"A": [[-1], [-1]], "W_B": [[1, 1]], "W_C": [[-1, -1]], "q": [1, -3], "W": [[2, -1]], "embedding": [[1, 1]]},
        24.835027123637303,
    ),
    (
        (2, 1, 1, 1),
        {"A": [[-1], [-1]], "q": [-3, 2], "W": [[2, 1]]},
        {"A": [[-1], [-1]], "q": [3, 2], "W": [[2, -1]]},
        25.104209805749054,
    ),
]


@pytest.mark.parametrize(("sizes", "given", "chosen", "nats"), DECIDED)
def test_orders_of_the_table_are_part_of_the_prior(sizes, given, chosen, nats):
    model = layout(*sizes)
    code = Code(model, Scheme("full", "model", "model", "sparse"), sizes[:2], (0,), (0,))
    zeros = {name: np.zeros(shape, dtype=np.int64) for name, shape in model.shapes().items()}
    word, expected = (zeros | {name: np.array(z) for name, z in part.items()} for part in (given, chosen))
    _, found = code.representative(word)
    assert {name: z.tolist() for name, z in found.items()} == {name: z.tolist() for name, z in expected.items()}
    assert code.nats(word).float_upper() == nats
