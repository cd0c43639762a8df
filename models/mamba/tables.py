"""One Mamba block with its readout as tables over a small vocabulary: what a posterior is put around (theory M5.1).

The function of tokens depends on what in_proj makes of each normed embedding, ``X_vj``, on ``Om_vj = omega_j
SiLU(z_vj)`` with ``omega = W_o^T w``, and on ``rho_v``, which is linear in the embedding: the embedding itself is no
block. Every entry is enclosed; what the file holds as it is, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from flint import arb, arb_mat

from ssm_bounds.bounds.architectures.mamba.suprema import Range
from ssm_bounds.bounds.evaluate.balls import START_BITS, bits, float_above, float_below
from ssm_bounds.bounds.values import DomainError, require
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.weights import Array, Layer, Mamba1, Norm


def one_layer(classifier: Classifier) -> Layer:
    """Raises: DomainError for more than one block."""
    require(
        len(classifier.layers) == 1,
        f"norms say nothing end to end beyond one block (theory M6.3), and this model has {len(classifier.layers)}",
    )
    return classifier.layers[0]


def mixer(classifier: Classifier) -> Mamba1:
    """The one block, if the theorem is about it. Raises: DomainError naming the hypothesis that it breaks."""
    found = one_layer(classifier).mixer
    if not isinstance(found, Mamba1):
        raise DomainError("second derivatives are stated for Mamba blocks, not for Mamba-2 (theory M5.5)")
    require(found.inner is None, "norms on dt, B and C have no useful bound near 0 (theory M4.5)")
    require(found.convolution == "causal" and found.directions == 1, "theory M5.5 is about one causal direction")
    plain = found.step_offset == 0 and not (found.c_dt.any() or found.c_B.any() or found.c_C.any())
    require(plain, "theory M5.5 states no step offset and no biases of x_proj")
    require(bool(np.isfinite(found.A_log).all()), "A_log holds -infinity: a decay of 0 has no logarithm to move")
    return found


def tables(classifier: Classifier) -> dict[str, Range]:
    """By block of ``architectures.mamba.telescope.BLOCKS``. Raises: DomainError."""
    found = mixer(classifier)
    with bits(START_BITS):
        X = projected(classifier, found.R_x, found.c)
        z = projected(classifier, found.R_z, found.c_z)
        omega = read_out(classifier, found.W_o)
        rho = beside(classifier, found.b_o)
        Om = [omega[i % z.ncols()] * x / (1 + (-x).exp()) for i, x in enumerate(z.entries())]
        shape = z.nrows(), z.ncols()
        own = {"X": ranged(X.entries(), shape), "Om": ranged(Om, shape), "rho": ranged(rho, shape[:1])}
    names = ("K", "b", "X_dt", "W_dt", "p", "X_B", "X_C", "A_log", "D")
    return own | {name: (getattr(found, name), getattr(found, name)) for name in names}


def projected(classifier: Classifier, rows: Array, shift: Array) -> arb_mat:
    """What rows (n,D) of in_proj make of each normed token, (V,n)."""
    embedded, layer = _embedded(classifier), classifier.layers[0]
    normed = arb_mat([_normed(row, layer) for row in embedded])
    return normed * exact_matrix(rows).transpose() + _repeated(shift, len(embedded))


def read_out(classifier: Classifier, W_o: Array) -> list[arb]:
    """``W_o^T w`` (d,)."""
    w, _ = readout(classifier)
    return list((exact_matrix(W_o).transpose() * arb_mat([[x] for x in w])).entries())


def constant(classifier: Classifier, added: Array) -> arb:
    """``w.added + b_0`` for what is added to every token (D,)."""
    w, shift = readout(classifier)
    return sum((a * arb(b) for a, b in zip(w, added.tolist(), strict=True)), arb(0)) + shift


def beside(classifier: Classifier, b_o: Array) -> list[arb]:
    """``rho`` (V,): ``w.(e_v + b_o) + b_0``."""
    (w, _), beyond = readout(classifier), constant(classifier, b_o)
    return [sum((a * arb(e) for a, e in zip(w, row, strict=True)), arb(0)) + beyond for row in _embedded(classifier)]


def _embedded(classifier: Classifier) -> list[list[float]]:
    if classifier.embedding is None:
        raise DomainError("tables need a vocabulary: this model has real inputs")
    rows: list[list[float]] = classifier.embedding.tolist()
    return rows


def readout(classifier: Classifier) -> tuple[list[arb], arb]:
    """``w`` (D,) and ``b_0`` of two classes, times the positive number that a final norm divides by (theory M5.2).

    Raises: DomainError for more classes, for a norm that is no positive multiple, or a bias beside it.
    """
    score, bias, final = classifier.score, classifier.bias, classifier.final_norm
    require(len(score) <= 2, f"the theorem is about two classes, and this model has {len(score)} outputs")
    require(
        final is None or classifier.pooling == "last" or classifier.pool_before_norm,
        "a mean over tokens after the final norm is not covered (theory M5.2): pool before it",
    )
    with bits(START_BITS):
        rows = [[arb(x) for x in row] for row in score.tolist()]
        w = rows[0] if len(rows) == 1 else [b - a for a, b in zip(*rows, strict=True)]
        shift = arb(bias[0]) if len(rows) == 1 else arb(bias[1]) - arb(bias[0])
        if final is not None:
            require(final.kind == "rms" and final.beta is None, "the final norm is no RMS norm without bias")
            require(bool(shift == 0), "a bias beside a final norm is not covered (theory M5.2)")
            w = [a * arb(g) for a, g in zip(w, final.gamma.tolist(), strict=True)]
    return w, shift


def _normed(row: list[float], layer: Layer) -> list[arb]:
    """The block's input for one token. Raises: DomainError for an eps of 0 beside a row of zeros."""
    x, norm = [arb(value) for value in row], layer.norm
    if norm is None:
        return x
    if norm.kind == "layer":
        mean = sum(x, arb(0)) / len(x)
        x = [value - mean for value in x]
    return _scaled(x, norm)


def _scaled(x: list[arb], norm: Norm) -> list[arb]:
    square = sum((value**2 for value in x), arb(0)) / len(x) + arb(norm.eps)
    require(bool(square > 0), "a token whose embedding is 0 has no norm where eps is 0")
    length = square.sqrt()
    beta = norm.gamma * 0 if norm.beta is None else norm.beta
    triples = zip(x, norm.gamma.tolist(), beta.tolist(), strict=True)
    return [value / length * arb(gamma) + arb(b) for value, gamma, b in triples]


def exact_matrix(values: Array) -> arb_mat:
    return arb_mat([[arb(x) for x in row] for row in values.tolist()])


def _repeated(values: Array, times: int) -> arb_mat:
    return arb_mat([[arb(x) for x in values.tolist()]] * times)


def ranged(entries: list[arb], shape: tuple[int, ...]) -> Range:
    low, high = ([turn(x) for x in entries] for turn in (float_below, float_above))
    return np.array(low).reshape(shape), np.array(high).reshape(shape)


def middle(found: Mapping[str, Range]) -> dict[str, Array]:
    """One point of each range: of a start that is fixed before the data any will do."""
    return {name: low + (high - low) / 2 for name, (low, high) in found.items()}
