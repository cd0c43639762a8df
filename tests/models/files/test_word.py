"""The folder of a word: what is written is read; what was changed, or is no word, is refused in one line."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import safetensors.numpy

from ssm_bounds.bounds.codes.moves import STEPS
from ssm_bounds.bounds.codes.word import Coded, Seeded, Start, Word
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.files import word as folders
from ssm_bounds.models.files.container import CheckpointError
from ssm_bounds.models.mamba.base import BIAS, WEIGHT
from tests.words import trained

FILES = ("config.json", "model.safetensors", "word.json", "word.safetensors")


def made(base) -> Word:
    z = np.arange(48, dtype=np.int64).reshape(3, 16) % 5 - 2
    return Word("head", {BIAS: None, WEIGHT: Coded(z, 7, 13)}, start=base.start)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A folder, a base of another seed and head, and a word around each: of the start, and of the base."""
    place = tmp_path_factory.mktemp("words")
    stack = files.read(trained(place / "stack"))
    trained(place / "base", seed=3, outputs=1)
    for name, source in (("own", None), ("around", place / "base")):
        base = folders.moved_by(source, stack)
        folders.write(place / name, made(base), base, {"errors": 3})
    return place


@pytest.fixture
def copy(places, tmp_path):
    """Of the word around the start, to be changed."""
    return shutil.copytree(places / "own", tmp_path / "word")


def refused(folder, said, base=None):
    with pytest.raises(CheckpointError, match=said) as found:
        folders.read(folder, base)
    assert "\n" not in str(found.value) and str(folder) in str(found.value)


def rewritten(folder, change):
    text = json.loads((folder / folders.WORD).read_text())
    change(text)
    (folder / folders.WORD).write_text(json.dumps(text))


def test_what_is_written_is_read(places):
    found = folders.read(places / "own")
    assert found.base.start == Start(16, 2, 8, 3, 2, "mean", 0) and found.record == {"errors": 3}
    expected = made(found.base)
    assert (found.word.tensors[WEIGHT].z == expected.tensors[WEIGHT].z).all() and found.word.tensors[BIAS] is None
    assert found.word.nats() == expected.nats()
    assert (found.classifier.score == expected.tensors[WEIGHT].z * float(STEPS[7])).all()
    assert found.classifier.sha256 == files.read(places / "own").sha256  # it loads as any classifier
    assert {path.name for path in (places / "own").iterdir()} == set(FILES)


def test_a_word_around_a_base_needs_it(places):
    found = folders.read(places / "around", places / "base")
    assert found.base.start is None and len(found.classifier.score) == 3
    layer = files.read(places / "base").layers[1].mixer
    assert (found.classifier.layers[1].mixer.W_o == layer.W_o).all()
    refused(places / "around", "give --base FOLDER")
    refused(places / "around", "another base", places / "stack")
    refused(places / "own", "leave --base out", places / "base")


class TestSubspace:
    """A word of a vector that moves all weights: its signs come from a paid seed, and no file may say others."""

    @pytest.fixture
    def folder(self, places, tmp_path):
        base = folders.moved_by(None, files.read(places / "stack"))
        z = np.random.default_rng(0).integers(-2, 3, 64)
        tensors = {BIAS: None, WEIGHT: None, "subspace": Coded(z, 3, 13)}
        folders.write(tmp_path / "word", Word("subspace", tensors, 64, base.start), base, {})
        return tmp_path / "word"

    def test_it_is_read(self, folder, places):
        found = folders.read(folder)
        assert (found.word.family, found.word.size) == ("subspace", 64)
        weights, starts = files.tensors(folder), files.tensors(places / "stack")
        moved = [name for name in weights if not name.startswith("score") and (weights[name] != starts[name]).any()]
        assert len(moved) == len(weights) - 2

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda text: text.update(size=128), "integers"),
            (lambda text: text.update(size=48), "size"),
            (lambda text: text.update(size=64.0), "size"),
            (lambda text: text.update(family="head", size=None), "expected score.bias, score.weight"),
            (lambda text: text["tensors"]["subspace"].update(step=4), "other weights"),
            (lambda text: text["from"].update(seed=1), "seed"),
        ],
    )
    def test_a_changed_text_is_refused(self, folder, change, said):
        rewritten(folder, change)
        refused(folder, said)

    def test_so_are_changed_integers(self, folder):
        kept = safetensors.numpy.load((folder / folders.INTEGERS).read_bytes())
        kept["subspace"][5] += 1
        (folder / folders.INTEGERS).write_bytes(safetensors.numpy.save(kept))
        refused(folder, "holds other weights than its word decodes to")


def test_the_same_word_gives_the_same_bytes(places, tmp_path):
    found = folders.read(places / "own")
    folders.write(tmp_path / "again", found.word, found.base, found.record)
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (places / "own" / name).read_bytes()


@pytest.mark.parametrize("name", ["score.weight", "backbone.layers.1.mixer.D", "backbone.norm_f.weight"])
def test_changed_weights_are_refused(copy, name):
    weights = files.tensors(copy)
    weights[name].ravel()[-1] = np.nextafter(weights[name].ravel()[-1], 9)
    (copy / files.WEIGHTS).write_bytes(files.packed(weights))
    refused(copy, "holds other weights than its word decodes to")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text["tensors"][WEIGHT].update(step=8), "other weights"),
        (lambda text: text["tensors"][WEIGHT].update(step=36), "step"),
        (lambda text: text["tensors"][WEIGHT].update(step="7"), "step"),
        (lambda text: text["tensors"][WEIGHT].update(code=1), "integers that their code does not have"),
        (lambda text: text["tensors"][WEIGHT].update(centre="elsewhere"), "centre"),
        (lambda text: text["tensors"][WEIGHT].pop("step"), "step, code and centre"),
        (lambda text: text["tensors"].update({WEIGHT: None}), "other tensors"),
        (lambda text: text["tensors"].pop(BIAS), "expected score.bias, score.weight"),
        (lambda text: text.update(tensors=[]), "expected an object"),
        (lambda text: text.update(family="bitfit"), "expected backbone"),
        (lambda text: text.update(family="all"), "unknown family"),
        (lambda text: text.update(family=[]), "family"),
        (lambda text: text.update(size=3), "size"),
        (lambda text: text.update(format=2), "format 1"),
        (lambda text: text.update(more=0), "format 1"),
        (lambda text: text["from"].update(seed=1), "seed"),
        (lambda text: text.update({"from": {}}), "a seed or a base"),
        (lambda text: text["program"].update(version=2), "program"),
    ],
)
def test_a_changed_text_is_refused(copy, change, said):
    rewritten(copy, change)
    refused(copy, said)


@pytest.mark.parametrize(
    ("integers", "said"),
    [
        ({WEIGHT: np.zeros((3, 16))}, "int64"),
        ({WEIGHT: np.zeros((16, 3), dtype=np.int64)}, "integers"),
        ({WEIGHT: np.full((3, 16), 2**62)}, "integers"),
        ({}, "other tensors"),
        ({WEIGHT: np.zeros((3, 16), dtype=np.int64), "more": np.zeros(1, dtype=np.int64)}, "other tensors"),
    ],
)
def test_other_integers_are_refused(copy, integers, said):
    (copy / folders.INTEGERS).write_bytes(safetensors.numpy.save(integers))
    refused(copy, said)


def test_damaged_files_are_refused(copy):
    whole = (copy / folders.INTEGERS).read_bytes()
    for data in (whole[:-8], b"\xff" * 8 + whole[8:], b"\x80\x04N."):
        (copy / folders.INTEGERS).write_bytes(data)
        refused(copy, "damaged")
    (copy / folders.INTEGERS).write_bytes(whole)
    (copy / folders.WORD).write_text("{")
    refused(copy, "not JSON")


def test_another_config_is_refused(copy):
    config = json.loads((copy / files.CONFIG).read_text())
    (copy / files.CONFIG).write_text(json.dumps(config | {"seed": 1}))
    refused(copy, "seed")


def test_a_folder_of_others_is_left_alone(places):
    found = folders.read(places / "own")
    for folder, said in ((places / "stack", "no word"), (places / "no" / "parent", "create it first")):
        with pytest.raises(CheckpointError, match=said):
            folders.write(folder, found.word, found.base, {})


def test_sizes_of_no_list_were_fixed_beforehand(tmp_path):
    base = folders.moved_by(None, files.read(trained(tmp_path / "odd", seed=7, D=12)))
    assert base.start == Seeded(7)
    assert [row.choice for row in made_for(base).table()][1:3] == ["seed 0 or another", "seed 1..2^16 - 1"]


def made_for(base) -> Word:
    return Word("head", {BIAS: None, WEIGHT: None}, start=base.start)


def test_only_seeds_of_the_prior_are_starts(tmp_path):
    with pytest.raises(DomainError, match=r"below 2\^16"):
        folders.moved_by(None, files.read(trained(tmp_path / "late", seed=2**16)))
    config = json.loads((tmp_path / "late" / files.CONFIG).read_text())
    del config["seed"]
    (tmp_path / "late" / files.CONFIG).write_text(json.dumps(config))
    with pytest.raises(DomainError, match="no seed"):
        folders.moved_by(None, files.read(tmp_path / "late"))
