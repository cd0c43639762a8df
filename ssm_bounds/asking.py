"""One question, or the same about several models, whatever kind of model a path holds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ssm_bounds import language, lti, one_block, question, stacks
from ssm_bounds.bounds.values import require
from ssm_bounds.data import Data, looked_at
from ssm_bounds.inquiry import Inquiry, Search
from ssm_bounds.models.files import adapter, classifier, s4d
from ssm_bounds.models.files.checkpoint import Checkpoint
from ssm_bounds.models.files.word import is_word
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.tasks.task import Task

_OF_TEXT = ("text", "per")
_OF_S4D = ("input_moments",)


def ask(path: str | os.PathLike[str] | Checkpoint, **stated: Any) -> Inquiry:
    """What is asked of the model in ``path``, or of one that was read.

    A file holds a model of the paper, or a linear S4D layer with its readout; a folder with a config a classifier or a
    language model of Mamba blocks, a word, or an adapter. What can be stated has the names of the options of
    ``ssm-bounds certify``: m, T, delta, loss, margin, clip, inputs, embedding, gate, convention, input_bound,
    input_moments, data, test, text, per, models_on_test, and ``search``, a :class:`ssm_bounds.Search`; and ``draws`` of
    the training rows: "iid", "stratified" or "without-replacement"; ``groups``: the array of the data that holds the
    group of each. What is left out comes from the data or the file. Raises: ValueError (a contradiction, something
    missing, something that this model has not, a file that cannot be read), OSError.
    """
    if not isinstance(path, Checkpoint) and Path(path).is_dir():
        _without(path, stated, _OF_S4D, "files of a linear S4D layer")
        return _classifier(Path(path), stated)
    _without(path, stated, _OF_TEXT, "folders of language models")
    if not isinstance(path, Checkpoint) and s4d.is_s4d(path):
        return lti.ask(path, **stated)
    _without(path, stated, _OF_S4D, "files of a linear S4D layer")
    return question.ask(path, **stated)


def _classifier(path: Path, stated: dict[str, Any]) -> Inquiry:
    """One block has a bound by norms, and the last one around a base; any other stack, and a word, is what its program
    answers, a language model what its program answers on a text."""
    found = _read(path, stated.get("search"))
    if found.pooling == "none":
        return language.ask(path, found, **stated)
    _without(path, stated, _OF_TEXT, "language models; give --data FILE")
    if is_word(path):
        return stacks.ask(path, found, **stated)
    try:
        return one_block.ask(path, found, **stated)
    except one_block.NotOneBlockError as error:
        return stacks.ask(path, found, why=str(error), **stated)


def _without(path: object, stated: dict[str, Any], names: Sequence[str], whose: str) -> None:
    """Take what only other models have out of what is stated. Raises: DomainError where it was given."""
    only = [f"--{name.replace('_', '-')}" for name in names if stated.pop(name, None) is not None]
    require(not only, f"{path}: {', '.join(only)} is for {whose}")


def _read(path: Path, search: Search | None) -> Classifier:
    """The model of a folder, or the one that an adapter makes of its base."""
    if not adapter.is_adapter(path):
        return classifier.read(path)
    found = adapter.read(path, None if search is None else search.base)
    return classifier.assembled(found.merged, found.config, path)


def ask_each(
    paths: Sequence[str | os.PathLike[str] | Checkpoint],
    *,
    data: str | os.PathLike[str] | Task | Data | None = None,
    test: str | os.PathLike[str] | None = None,
    models_on_test: int | None = None,
    groups: str | None = None,
    **stated: Any,
) -> list[Inquiry]:
    """The same about several models, which share the delta of one test set: it is read once, and each hold-out is at
    delta over their number, or over ``models_on_test`` where other calls met it too. Raises: as :func:`ask`.
    """
    number = len(paths) if models_on_test is None else models_on_test
    require(number >= len(paths), f"--models-on-test {number}: fewer than the {len(paths)} models of this call")
    if data is None and test is not None:  # fresh text, or an error that says what is missing
        stated["test"] = test
    known_data = None if data is None else looked_at(data, test, groups)
    return [ask(path, data=known_data, models_on_test=number, **stated) for path in paths]
