"""One question, or the same about several models, whatever kind of model a path holds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ssm_bounds import lti, one_block, question, stacks
from ssm_bounds.bounds.values import require
from ssm_bounds.data import Data, looked_at
from ssm_bounds.inquiry import Inquiry
from ssm_bounds.models.files import classifier, s4d
from ssm_bounds.models.files.checkpoint import Checkpoint
from ssm_bounds.models.files.word import is_word
from ssm_bounds.models.tasks.task import Task


def ask(path: str | os.PathLike[str] | Checkpoint, **stated: Any) -> Inquiry:
    """What is asked of the model in ``path``, or of one that was read.

    A file holds a model of the paper, or a linear S4D layer with its readout; a folder with a config a classifier of
    Mamba blocks, or a word. What can be stated has the names of the options of ``ssm-bounds certify``: m, T, delta,
    loss, margin, clip, inputs, embedding, gate, convention, input_bound, data, test, models_on_test, and ``search``, a
    :class:`ssm_bounds.Search`. What is left out comes from the data or the file. Raises: ValueError (a contradiction,
    something missing, something that this model has not, a file that cannot be read), OSError.
    """
    if not isinstance(path, Checkpoint) and Path(path).is_dir():
        return _classifier(Path(path), stated)
    if not isinstance(path, Checkpoint) and s4d.is_s4d(path):
        return lti.ask(path, **stated)
    return question.ask(path, **stated)


def _classifier(path: Path, stated: dict[str, Any]) -> Inquiry:
    """One block has a bound by norms; any other stack, and a word, is what its program answers."""
    found = classifier.read(path)
    if is_word(path):
        return stacks.ask(path, found, **stated)
    try:
        return one_block.ask(path, found, **stated)
    except one_block.NotOneBlockError as error:
        return stacks.ask(path, found, why=str(error), **stated)


def ask_each(
    paths: Sequence[str | os.PathLike[str] | Checkpoint],
    *,
    data: str | os.PathLike[str] | Task | Data | None = None,
    test: str | os.PathLike[str] | None = None,
    models_on_test: int | None = None,
    **stated: Any,
) -> list[Inquiry]:
    """The same about several models, which share the delta of one test set: it is read once, and each hold-out is at
    delta over their number, or over ``models_on_test`` where other calls met it too. Raises: as :func:`ask`.
    """
    number = len(paths) if models_on_test is None else models_on_test
    require(number >= len(paths), f"--models-on-test {number}: fewer than the {len(paths)} models of this call")
    known_data = looked_at(data, test)
    return [ask(path, data=known_data, models_on_test=number, **stated) for path in paths]
