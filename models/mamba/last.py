"""The last block of a classifier and what reads it out, as a posterior is put around them (theory M6.4).

Rows of in_proj are folded with the weight of the block's norm, ``omega = W_o^T w`` with that of a norm after the gate,
``w`` with that of a final norm. ``line`` reads the features beside the block: frozen ones by w, real inputs x under a
trained map by ``W^T w``. Every entry is enclosed; what the file holds as it is, exactly.

A trained map of real inputs is no block: with ``M = [W, b] = Q L``, Q of orthonormal columns and L upper triangular,
the block is a function of ``L xi``, ``xi = (x, 1)``, through the rows ``R Q``, and ``|M xi| = |L xi|``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from flint import arb, arb_mat

from ssm_bounds.bounds.architectures.mamba.last import ENTRY, Last
from ssm_bounds.bounds.architectures.mamba.suprema import Range
from ssm_bounds.bounds.evaluate.balls import START_BITS, bits, float_above
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.evaluate.outward import above, below
from ssm_bounds.bounds.values import DomainError, require
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.measure import root_above
from ssm_bounds.models.mamba.perturbation import primitives1, primitives2
from ssm_bounds.models.mamba.tables import constant, exact_matrix, middle, mixer, ranged, read_out, readout
from ssm_bounds.models.mamba.tables2 import mixer2
from ssm_bounds.models.mamba.weights import Array, Layer, Mamba1, Mamba2

SURE_BITS = 256  # of the inverse of a Gram matrix: its condition is the square of the map's
DEPENDENT = (
    "the map of real inputs, with its bias, has columns that are not independent: some input is mapped to 0, where the "
    "norm before the block has no useful slope (theory M6.1)"
)


def alone(classifier: Classifier) -> Classifier:
    """With its last block only."""
    return replace(classifier, layers=classifier.layers[-1:])


def last(classifier: Classifier, T: int, unit: float) -> Last:
    """What theory M6.4 is evaluated from; of a classifier of real inputs with one block, its map of inputs with it.

    Raises: DomainError naming the hypothesis that the classifier breaks.
    """
    found = center(classifier)
    layer = classifier.layers[-1]
    own, reach = layer.mixer, None
    if not is_frozen(classifier):
        layer, reach = _turned(layer, middle(found)), distances(entry(classifier))
    at = primitives1(layer) if isinstance(own, Mamba1) else primitives2(layer)
    eps = own.norm.eps if isinstance(own, Mamba2) and own.norm is not None else None
    return Last(at, found, T, eps, unit, reach)


def _turned(layer: Layer, at: Mapping[str, Array]) -> Layer:
    """The layer on inputs ``L xi`` normed to the ball of the same radius, at given rows ``R Q``."""
    own, radius = layer.mixer, root_above(len(layer.mixer.W_o))
    if isinstance(own, Mamba1):
        return replace(layer, norm=None, radius=radius, mixer=replace(own, R_x=at["R_x"], R_z=at["R_z"]))
    d, n = len(own.R_x), len(own.R_B)
    R_x, R_B, R_C = np.split(at["R_xBC"], [d, d + n])
    return replace(
        layer,
        norm=None,
        radius=radius,
        mixer=replace(own, R_x=R_x, R_B=R_B, R_C=R_C, R_z=at["R_z"], R_dt=at["R_dt"]),
    )


def is_frozen(classifier: Classifier) -> bool:
    """Whether what the last block is given comes from parts that are fixed: else the map of inputs is trained."""
    return classifier.input_weight is None or len(classifier.layers) > 1


def center(classifier: Classifier) -> dict[str, Range]:
    """By block of ``architectures.mamba.last``. Raises: DomainError."""
    found = alone(classifier)
    layer, own = found.layers[0], found.layers[0].mixer
    _require_covered(found, layer)
    same: tuple[str, ...]
    if isinstance(own, Mamba1):
        mixer(found)
        rows, same = {"R_x": own.R_x, "R_z": own.R_z}, ("K", "b", "X_dt", "X_B", "X_C", "W_dt", "p", "A_log", "D")
    else:
        mixer2(found)
        rows = {"R_xBC": np.vstack([own.R_x, own.R_B, own.R_C]), "R_z": own.R_z, "R_dt": own.R_dt}
        same = ("K", "b", "p", "A_log", "D")
    with bits(START_BITS):
        omega, (w, _) = read_out(found, own.W_o), readout(found)
        if isinstance(own, Mamba2) and own.norm is not None:
            omega = [x * arb(gamma) for x, gamma in zip(omega, own.norm.gamma.tolist(), strict=True)]
        line, beta = w, constant(found, own.b_o)
        found_rows = {name: _weighted(each, layer) for name, each in rows.items()}
        if not is_frozen(classifier):
            M = entry(classifier)
            Q, L = triangular(M)
            gamma = np.ones(len(M)) if layer.norm is None else layer.norm.gamma
            turn = arb_mat([[arb(g) * x for x in row] for g, row in zip(gamma.tolist(), Q.tolist(), strict=True)])
            found_rows = {
                name: ranged((exact_matrix(each) * turn).entries(), (len(each), M.shape[1]))
                for name, each in rows.items()
            } | {ENTRY: ranged(L, (len(L),))}
            image = (exact_matrix(M).transpose() * arb_mat([[x] for x in w])).entries()
            line, beta = image[:-1], beta + image[-1]
        read = {name: ranged(each, (len(each),)) for name, each in (("omega", omega), ("line", line), ("beta", [beta]))}
    return found_rows | {name: (getattr(own, name), getattr(own, name)) for name in same} | read


def entry(classifier: Classifier) -> Array:
    """The map of real inputs (D,c+1), its bias the last column."""
    if classifier.input_weight is None or classifier.input_bias is None:
        raise DomainError("this classifier has tokens, not real inputs")
    return np.column_stack([classifier.input_weight, classifier.input_bias])


def distances(M: Array) -> Floats:
    """``nu`` (c+1,): one over the distance of each column from the span of the others, from above.

    Raises: DomainError where they are not proven to be independent.
    """
    D, columns = M.shape
    require(columns <= D, DEPENDENT)
    with bits(SURE_BITS):
        exact = arb_mat([[arb(x) for x in row] for row in M.tolist()])
        try:
            inverse = (exact.transpose() * exact).inv()
        except ZeroDivisionError:
            raise DomainError(DEPENDENT) from None
        return np.array([float_above(inverse[i, i].sqrt().upper()) for i in range(columns)])


def triangular(M: Array) -> tuple[arb_mat, list[arb]]:
    """Q (D,c+1) and the upper triangle of L, column by column: Gram-Schmidt, with positive lengths. A bias of zeros, as
    at a start, has a column of zeros in both. Raises: DomainError where columns are not proven to be independent."""
    with bits(SURE_BITS):
        columns, L = list[list[arb]](), list[arb]()
        for column in M.T.tolist():
            rest = [arb(x) for x in column]
            for q in columns:
                along = _dot(q, rest)
                L.append(along)
                rest = [x - along * y for x, y in zip(rest, q, strict=True)]
            length = _dot(rest, rest).sqrt()
            if any(column):
                require(bool(length > 0), DEPENDENT)
                rest = [x / length for x in rest]
            columns.append(rest)
            L.append(length)
        return arb_mat(columns).transpose(), L


def _dot(x: list[arb], y: list[arb]) -> arb:
    return sum((a * b for a, b in zip(x, y, strict=True)), arb(0))


def _require_covered(found: Classifier, layer: Layer) -> None:
    own, norm = layer.mixer, layer.norm
    require(found.pooling == "last", "theory M6.4 reads the last token, and this model takes the mean over tokens")
    fits = norm is not None and norm.kind == "rms" and norm.beta is None
    require(fits, f"{layer.name}: theory M6.4 is about a block behind an RMS norm without bias")
    shifts = [own.c, own.c_z] + ([own.c_B, own.c_C] if isinstance(own, Mamba2) else [])
    require(not any(shift.any() for shift in shifts), f"{layer.name}: theory M6.4 is stated for in_proj without bias")


def _weighted(rows: Array, layer: Layer) -> Range:
    """Rows times the norm's weight."""
    gamma = np.ones(rows.shape[1]) if layer.norm is None else layer.norm.gamma
    if (gamma == 1).all():
        return rows, rows
    return below(rows * gamma), above(rows * gamma)
