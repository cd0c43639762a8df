"""What there is to make a word of, or the word itself, and where a search for one begins (theory 8.12, 8.14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ssm_bounds.bounds.codes.decode import centres
from ssm_bounds.bounds.codes.families import Family
from ssm_bounds.bounds.codes.word import Word
from ssm_bounds.bounds.values import DomainError, require
from ssm_bounds.evidence import Evidence, Fact
from ssm_bounds.inquiry import Family as Asked
from ssm_bounds.inquiry import Search
from ssm_bounds.models.files import adapter as adapters
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.files import word as folders
from ssm_bounds.models.files.adapter import Adapter
from ssm_bounds.models.mamba.base import Base
from ssm_bounds.models.mamba.classifier import Classifier

DIMENSION = 256
"""Of the subspace that is searched where nobody says another: theory 8.16 tried about as many."""


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """What there is to make a word of, or the word itself. ``folder``: of the base. ``adapter``: where a word of the
    family lora begins; ``begun``: a word to go on from."""

    base: Base
    saved: folders.Saved | None = None
    folder: Path | None = None
    adapter: Adapter | None = None
    begun: Word | None = None

    @classmethod
    def of(cls, path: Any, found: Classifier, search: Search) -> Coding | None:
        """Of a folder of a word, or where a word was asked for; else None. Raises: CheckpointError, DomainError."""
        require(search.base is None or search.occam or folders.is_word(path), "--base goes with --occam, or a word")
        require(search.base_data is None or search.base is not None, "--base-data FILE goes with --base FOLDER")
        if folders.is_word(path):
            require(not search.occam, f"{path}: is a word already, which is certified as it is; leave --occam out")
            saved = folders.read(path, search.base)
            return cls(saved.base, saved, search.base)
        if not search.occam:
            return None
        require(search.family in get_args(Asked), f"--family {search.family!r}: one of {', '.join(get_args(Asked))}")
        if search.save is not None:
            folders.require_own(search.save)
        adapter = adapters.read(path, search.base) if adapters.is_adapter(path) else None
        begun = _begun(search) if search.resume else None
        return cls(folders.moved_by(search.base, found), folder=search.base, adapter=adapter, begun=begun)

    def size(self, family: Family) -> int | None:
        """Of a word of this family: the rank of lora, the dimension of the subspace."""
        if self.begun is not None and self.begun.family == family:
            return self.begun.size
        if family == "lora":
            return 1 if self.adapter is None else self.adapter.rank
        return DIMENSION if family == "subspace" else None

    @property
    def family(self) -> Family:
        """What a word codes beyond the head where nobody says."""
        if self.begun is not None:
            return self.begun.family
        if self.adapter is not None:
            return "lora"
        return "bitfit" if self.base.start is None else "full"


def _begun(search: Search) -> Word:
    """The word in the folder that a search writes. Raises: DomainError, CheckpointError."""
    if search.save is None or not folders.is_word(search.save):
        raise DomainError("--resume goes on from the word in --save FOLDER, and there is none")
    word = folders.read(search.save, search.base).word
    fits = search.family in ("auto", word.family)
    require(fits, f"{search.save}: is a word of family {word.family}, not of {search.family}")
    return word


def facts(coding: Coding | None) -> tuple[Fact, ...]:
    """What a word moves."""
    if coding is None:
        return ()
    config = coding.base.config
    said = {key: config[key] for key in ("pooling", "num_hidden_layers", "layer_norm_epsilon") if key in config}
    return (
        Fact("the word moves", coding.base.words, Evidence.CHECKED),
        *(Fact(f"{key} of the word", value, Evidence.RECORDED) for key, value in said.items()),
    )


STILL = "the search began at the base: the tensors of the folder that was given have other shapes"


def beginning(path: Path, coding: Coding) -> Mapping[str, np.ndarray] | None:
    """Weights to begin with: those of the adapter, or of the folder where they are of the shapes of the base."""
    base = coding.base.tensors
    if coding.adapter is not None:
        starts = centres("lora", coding.base.parts, base, coding.adapter.rank)
        return starts | dict(coding.adapter.start)
    tensors = files.tensors(path)
    shapes = {name: value.shape for name, value in base.items()}
    return tensors if {name: value.shape for name, value in tensors.items()} == shapes else None
