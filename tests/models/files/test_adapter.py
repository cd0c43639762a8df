"""Adapters as peft saves them: the model they make of a base, what is refused, and a word that begins there."""

from __future__ import annotations

import json

import numpy as np
import pytest
import safetensors.numpy

import ssm_bounds
from ssm_bounds.models.files import adapter
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.files.container import CheckpointError
from ssm_bounds.models.searches import head, qat
from tests.words import task, trained

MOVED = "backbone.layers.0.mixer.in_proj"
CONFIG = {"peft_type": "LORA", "r": 2, "lora_alpha": 8, "bias": "none", "target_modules": ["in_proj"]}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("adapters") / "base", seed=3)


def tensors(rng, base, name=MOVED, prefix="base_model.model."):
    rows, columns = files.tensors(base)[f"{name}.weight"].shape
    made = {"lora_A": rng.normal(size=(2, columns)) / 4, "lora_B": rng.normal(size=(rows, 2)) / 8}
    return {f"{prefix}{name}.{key}.weight": value.astype(np.float32) for key, value in made.items()}


def saved(folder, base, config=None, **changed):
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    score = rng.normal(size=(3, 16)).astype(np.float32)
    stored = tensors(rng, base) | {"base_model.model.score.weight": score} | changed
    safetensors.numpy.save_file({k: v for k, v in stored.items() if v is not None}, folder / adapter.WEIGHTS)
    (folder / adapter.CONFIG).write_text(json.dumps(CONFIG | (config or {})))
    return folder


@pytest.mark.parametrize(("config", "scale"), [({}, 4.0), ({"use_rslora": True}, 8 / 2**0.5), ({"lora_alpha": 1}, 0.5)])
def test_the_model_is_the_base_and_the_product(base, tmp_path, config, scale):
    folder = saved(tmp_path / "a", base, config)
    found, before = adapter.read(folder, base), files.tensors(base)
    stored = safetensors.numpy.load_file(folder / adapter.WEIGHTS)
    A, B = (stored[f"base_model.model.{MOVED}.lora_{each}.weight"].astype(np.float64) for each in "AB")
    expected = before[f"{MOVED}.weight"] + scale * B @ A
    assert np.abs(found.merged[f"{MOVED}.weight"] - expected).max() < 1e-12
    in_order = before[f"{MOVED}.weight"]
    for row, column in zip(A, (scale * B).T, strict=True):  # one rounded sum after another: no library's product
        in_order = in_order + np.outer(column, row)
    assert np.array_equal(found.merged[f"{MOVED}.weight"], in_order)
    assert np.array_equal(found.merged["score.weight"], stored["base_model.model.score.weight"])
    same = [name for name in before if name not in (f"{MOVED}.weight", "score.weight")]
    assert found.rank == 2 and all(np.array_equal(found.merged[name], before[name]) for name in same)


def test_names_without_the_backbone_are_found(base, tmp_path):
    rng = np.random.default_rng(1)
    short = {key.replace("backbone.", ""): value for key, value in tensors(rng, base).items()}
    long = dict.fromkeys(tensors(rng, base))
    found = adapter.read(saved(tmp_path / "a", base, **long, **short), base)
    assert set(found.start) == {f"{MOVED}.weight.A", f"{MOVED}.weight.B", "score.weight"}


A_NAME = f"base_model.model.{MOVED}.lora_A.weight"


@pytest.mark.parametrize(
    ("config", "changed", "message"),
    [
        ({"peft_type": "IA3"}, {}, "expected 'LORA', found 'IA3'"),
        ({"use_dora": True}, {}, "'use_dora' is another move"),
        ({"rank_pattern": {"x": 4}}, {}, "'rank_pattern' is another move"),
        ({"bias": "all"}, {}, "'bias': expected 'none'"),
        ({"r": 64}, {}, "ranks 1 to 8, found 64"),
        ({"r": 3}, {}, "expected shape"),
        ({"lora_alpha": None}, {}, "expected a number above 0"),
        ({}, {"base_model.model.other.lora_A.weight": np.zeros((2, 2), np.float32)}, "which is no matrix of its base"),
        ({}, {A_NAME: None}, "lora_B of .* and no lora_A"),
        ({}, {A_NAME: np.full((2, 16), np.nan, np.float32)}, "NaN"),
    ],
)
def test_what_is_refused(base, tmp_path, config, changed, message):
    folder = saved(tmp_path / "a", base, config, **changed)
    with pytest.raises(CheckpointError, match=message):
        adapter.read(folder, base)


def test_without_a_base(base, tmp_path):
    with pytest.raises(CheckpointError, match="give --base FOLDER"):
        ssm_bounds.ask(saved(tmp_path / "a", base), data=task(), search=ssm_bounds.Search(occam=True))


def test_a_word_begins_at_the_adapter(base, tmp_path, monkeypatch):
    """Its rank, and its product; certified as any word around that base."""
    folder, begun = saved(tmp_path / "a", base), []
    monkeypatch.setattr(qat, "_EPOCHS", 1)
    monkeypatch.setattr(qat, "_UPDATES", 20)
    monkeypatch.setattr(qat, "_FACTORS", (1.0,))
    monkeypatch.setattr(head, "_KICKS", 1)
    real = qat.Latents.around
    monkeypatch.setattr(
        qat.Latents, "around", lambda base, weights, *rest: begun.append(weights) or real(base, weights, *rest)
    )
    asked = ssm_bounds.Search(occam=True, base=base, family="lora", budget=100, save=tmp_path / "word")
    found = ssm_bounds.certify(ssm_bounds.ask(folder, data=task(), search=asked))
    word = found.rung("occam").argument.word
    start = adapter.read(folder, base).start
    assert (word.family, word.size) == ("lora", 2)
    assert all(np.array_equal(begun[0][name], value) for name, value in start.items())
    again = ssm_bounds.certify(ssm_bounds.ask(tmp_path / "word", data=task(), search=ssm_bounds.Search(base=base)))
    assert again.rung("occam").value == found.rung("occam").value
    assert again.rung("occam").verdict == "CONDITIONAL"
