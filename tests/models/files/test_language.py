"""Language models as transformers saves them: one embedding, a head of its own, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import safetensors.numpy

from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.files import word as folders
from ssm_bounds.models.files.container import CheckpointError
from tests.texts import V, folder


def changed(path, config=None, **tensors):
    """The folder as others would have written it: other entries in its config, other tensors; None: without."""
    found = safetensors.numpy.load_file(path / files.WEIGHTS) | tensors
    safetensors.numpy.save_file({k: v for k, v in found.items() if v is not None}, path / files.WEIGHTS)
    read = json.loads((path / files.CONFIG).read_text()) | (config or {})
    (path / files.CONFIG).write_text(json.dumps({k: v for k, v in read.items() if v is not None}))
    return path


EMBEDDING, HEAD, BIAS = "backbone.embeddings.weight", "lm_head.weight", "lm_head.bias"


def embedding(path):
    return safetensors.numpy.load_file(path / files.WEIGHTS)[EMBEDDING]


def test_a_file_without_a_bias_that_holds_its_embedding_twice(tmp_path):
    """As transformers may save a tied model: it is the same one, and a word moves its embedding once."""
    ours, theirs = folder(tmp_path / "a", training={}), folder(tmp_path / "b", training={})
    changed(theirs, {"pooling": None, "seed": None}, **{BIAS: None, HEAD: embedding(theirs)})
    first, second = files.read(ours), files.read(theirs)
    assert second.pooling == "none" and np.array_equal(first.score, second.score) and not second.bias.any()
    assert files.tensors(theirs).keys() == files.tensors(ours).keys()
    assert files.tensors(theirs)[BIAS].shape == (V,) and HEAD not in files.tensors(theirs)
    assert folders.moved_by(theirs, second).tensors.keys() == files.tensors(ours).keys()


def test_a_head_of_its_own(tmp_path):
    path = folder(tmp_path / "lm", training={})
    other = embedding(path) + np.float32(1)
    own = files.read(changed(path, {"tie_word_embeddings": False, "seed": None}, **{HEAD: other}))
    assert np.array_equal(own.score, other) and not np.array_equal(own.score, own.embedding)
    assert own.assumed == () and HEAD in files.tensors(path)
    unsaid = files.read(changed(path, {"tie_word_embeddings": None}))
    assert any("its own, not tied" in line for line in unsaid.assumed)


@pytest.mark.parametrize(
    ("config", "tensors", "message"),
    [
        ({"tie_word_embeddings": "false"}, {}, "expected true or false"),
        ({"tie_word_embeddings": False}, {}, "lacks tensor 'lm_head.weight'"),
        ({}, {HEAD: np.ones((V, 16), np.float32)}, "as 'lm_head.weight' is not the embedding"),
        ({}, {"score.weight": np.ones((2, 16), np.float32)}, "'score.weight', which no classifier"),
        ({"seed": None}, {EMBEDDING: np.ones((1, 16), np.float32), BIAS: None}, "foretells 1 token"),
        ({"symbols": 3}, {}, "the name of a list of symbols"),
    ],
)
def test_what_is_refused(tmp_path, config, tensors, message):
    with pytest.raises(CheckpointError, match=message):
        files.read(changed(folder(tmp_path / "lm", training={}), config, **tensors))
