"""What a word moves: a start that a number decides, or the tensors of a model that was there before the data.

Either way the head of a classifier is zero, so that it is a function of nothing but the backbone; a language model is
moved as it is (theory 8.12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ssm_bounds.bounds.codes.families import Part
from ssm_bounds.bounds.codes.word import SEEDS, Seeded, Start
from ssm_bounds.bounds.values import DomainError, require
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.roles import parts
from ssm_bounds.models.mamba.weights import Array

_DTYPE = {"dtype": "float64"}
WEIGHT, BIAS = "score.weight", "score.bias"


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """``tensors``: by the names of the file, in their order. ``config``: of every model that a word makes of it.
    ``start``: from scratch. ``sha256``: of a model that was given, and ``own`` that model, its head included."""

    tensors: Mapping[str, Array]
    config: Mapping[str, Any]
    start: Start | Seeded | None = None
    sha256: str | None = None
    own: Classifier | None = None

    @property
    def parts(self) -> dict[str, Part]:
        return parts(self.tensors)

    @property
    def labels(self) -> tuple[str, ...]:
        """What each output of a model that a word makes of it is called; none where no config says it."""
        named = self.config.get("id2label", {})
        return tuple(str(named[str(i)]) for i in range(len(named)))

    @property
    def words(self) -> str:
        """Which it is, for a sentence."""
        if self.start is not None:
            return f"the start of seed {self.start.seed}"
        return f"the base (sha256 {str(self.sha256)[:8]}...)"


def started(classifier: Classifier, design: Design) -> Base:
    """The start that the file names by its seed, computed anew. Raises: DomainError."""
    seed = classifier.seed
    if seed is None or classifier.start is None:
        raise DomainError("the file names no seed of its start (ssm-bounds train mamba records it): give --base FOLDER")
    require(seed < SEEDS, f"the start of seed {seed} is not priced, only those below 2^16: give --base FOLDER")
    config = {key: value for key, value in classifier.config.items() if key != "training"} | _DTYPE
    return Base(_held(classifier.start, classifier, classifier.score.shape[1]), config, _start(classifier, design))


def given(tensors: Mapping[str, Array], found: Classifier, like: Classifier) -> Base:
    """The tensors of ``found``, with the outputs and labels of ``like``; without its own head, which ``own`` keeps."""
    kept = {key: value for key, value in found.config.items() if key not in ("seed", "training")}
    labels = {key: like.config[key] for key in ("id2label", "label2id", "num_labels") if key in like.config}
    predicts = [each.pooling == "none" for each in (found, like)]
    require(len(set(predicts)) == 1, "a word moves a language model to a language model, and a classifier to another")
    return Base(_held(tensors, like, found.score.shape[1]), kept | labels | _DTYPE, sha256=found.sha256, own=found)


def _held(tensors: Mapping[str, Array], like: Classifier, width: int) -> dict[str, Array]:
    """In float64, in the order of their names, with a head of the outputs of ``like`` on so many features."""
    held = {name: np.asarray(value, dtype=np.float64) for name, value in tensors.items()}
    if like.pooling != "none":
        held |= {WEIGHT: np.zeros((len(like.score), width)), BIAS: np.zeros(len(like.score))}
    return dict(sorted(held.items()))


def _start(classifier: Classifier, design: Design) -> Start | Seeded:
    """Sizes of the prior's list are paid for; others were fixed before the data, or the model is no Mamba-1."""
    seed = classifier.seed or 0
    if design.mixer != "mamba":
        return Seeded(seed)
    try:
        pooling = None if classifier.pooling == "none" else classifier.pooling
        return Start(design.D, design.layers, design.N, design.k, design.expand, pooling, seed)
    except DomainError:
        return Seeded(seed)
