"""The last block on a frozen backbone, and one block on real inputs, from folders to certificates (theory M6.4)."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
import safetensors.numpy

import ssm_bounds
from ssm_bounds.bounds.ladder.rung import Verdict
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.start import narrowed, start
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.report.document import documents, schema
from ssm_bounds.report.tables import markdown

T, M = 6, 300
SIZES = {"D": 4, "N": 2, "k": 2}


def written(folder, moved=("",), amount=0.3, like=None, **design):
    """A folder of weights that moved from a start, or from those of ``like``, where names begin so."""
    made, rng = Design(**SIZES | {"V": 2, "layers": 2} | design), np.random.default_rng(7)
    held = like if like is not None else narrowed(start(made, 0))
    tensors = {
        name: np.float32(x + (amount * rng.normal(size=x.shape) if name.startswith(tuple(moved)) else 0.0))
        for name, x in held.items()
    }
    folder.mkdir(exist_ok=True)
    files.write(folder, made, tensors, labels=("0", "1"), seed=0, training={"m": M, "T": T})
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("last")
    written(place / "base")
    base = files.tensors(place / "base")
    written(place / "tuned", ("backbone.layers.1.", "score."), 0.05, base)
    written(place / "below", ("backbone.layers.0.mixer.D", "score."), 0.05, base)
    written(place / "mean", ("score.",), 0.05, base, pooling="mean")
    written(place / "real", V=None, c=1, layers=1)
    return place


def tokens(seed=1) -> Task:
    rng = np.random.default_rng(seed)
    train, test = (rng.integers(0, 2, size=(M, T)) for _ in range(2))
    return Task("toy", *(Split(x, (x[:, -1] == 1).astype(np.int64)) for x in (train, test)), k=1, V=2)


def reals() -> Task:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(M, T, 1)).astype(np.float32)
    return Task("toy", Split(x, (x[:, -1, 0] > 0).astype(np.int64)), None, k=1, V=None)


def certified(place, name, data, base="base"):
    search = ssm_bounds.Search(base=place / base) if base else None
    return ssm_bounds.certify(ssm_bounds.ask(place / name, data=data, search=search))


@pytest.fixture(scope="module")
def found(place):
    return certified(place, "tuned", tokens())


def test_the_rung_rests_on_the_base(found):
    assert [rung.name for rung in found.rungs] == ["pac-bayes-last-block", "holdout"]
    rung = found.rung("pac-bayes-last-block")
    assert rung.verdict is Verdict.CONDITIONAL
    assert any("the base" in line and "was fixed before the sample" in line for line in rung.conditions)
    assert any("usually far smaller" in note for note in found.question.notes)
    assert any("features before the last block are those" in line for line in found.question.standing)
    details = documents([found])
    jsonschema.validate(details, schema())
    assert details["certificates"][0]["rungs"][0]["details"]["numbers"] == found.question.family.block.numbers
    assert "2 classes, one logit" in markdown([found]) and "k = 1" not in markdown([found]).splitlines()[0]


def test_errors_are_those_of_the_model_as_it_runs(place, found):
    from ssm_bounds.models.mamba.forward import logits

    model = files.read(place / "tuned")
    for split, tally in ((tokens().train, found.train), (tokens().test, found.test)):
        z = np.array([logits(model, row)[0] for row in split.x])
        assert tally.errors == int((np.where(split.y == 1, z, -z) <= 0).sum())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("below", "backbone.layers.0.mixer.D"),
        ("mean", "reads the last token"),
        ("real", "tensor"),
    ],
)
def test_what_is_no_tuned_last_block_is_refused(place, name, said):
    with pytest.raises(ValueError, match=said):
        certified(place, name, tokens() if name != "real" else reals())


def test_a_base_of_other_settings_is_refused(place, tmp_path):
    held = safetensors.numpy.load((place / "tuned" / files.WEIGHTS).read_bytes())
    config = json.loads((place / "tuned" / files.CONFIG).read_text()) | {"layer_norm_epsilon": 1e-3}
    (tmp_path / files.CONFIG).write_text(json.dumps(config))
    (tmp_path / files.WEIGHTS).write_bytes(safetensors.numpy.save(held, {"format": "pt"}))
    search = ssm_bounds.Search(base=place / "base")
    with pytest.raises(ValueError, match="other settings"):
        ssm_bounds.ask(tmp_path, data=tokens(), search=search)
    with pytest.raises(ValueError, match="--data"):
        ssm_bounds.ask(place / "tuned", search=search)


def test_a_base_that_saw_the_rows_claims_nothing(place):
    data = tokens(5)
    np.savez(place / "base" / files.DATA, x_train=data.train.x, y_train=data.train.y)
    try:
        rung = certified(place, "tuned", data).rung("pac-bayes-last-block")
    finally:
        (place / "base" / files.DATA).unlink()
    assert rung.verdict is Verdict.REFUSED and "was trained on these training rows" in rung.refusal


def test_the_head_of_the_base_may_be_any(place):
    """A base of other classes; and one block on real inputs is no last block of a base."""
    held = files.tensors(place / "base")
    more = held | {"score.weight": np.ones((5, 4)), "score.bias": np.zeros(5)}
    made = Design(**SIZES | {"V": 2, "layers": 2, "outputs": 5})
    (place / "five").mkdir()
    tensors = {name: np.float32(x) for name, x in more.items()}
    files.write(place / "five", made, tensors, labels=tuple("abcde"), seed=0, training={"m": 9, "T": T})
    asked = [
        ssm_bounds.ask(place / "tuned", data=tokens(), search=ssm_bounds.Search(base=place / base))
        for base in ("base", "five")
    ]
    starts = [each.family.block.start for each in asked]
    assert all(np.array_equal(starts[0][name], starts[1][name]) for name in starts[0])
    with pytest.raises(ValueError, match="leave --base out"):
        certified(place, "real", reals(), base="real")


def test_one_block_on_real_inputs(place):
    from ssm_bounds.models.mamba.forward import logits

    found = certified(place, "real", reals(), base=None)
    assert [rung.name for rung in found.rungs] == ["pac-bayes"]
    assert found.rung("pac-bayes").verdict is Verdict.CERTIFIED
    assert "L" in found.rung("pac-bayes").argument.record()["by_block"]
    model, data = files.read(place / "real"), reals().train
    z = np.array([logits(model, row)[0] for row in data.x])
    assert found.train.errors == int((np.where(data.y == 1, z, -z) <= 0).sum())
    assert ssm_bounds.certify(ssm_bounds.ask(place / "real")).headline.kind == "excess"


def test_it_is_said_why_no_bound_by_norms_is_about_a_model(tmp_path):
    folder = written(tmp_path / "normed", layers=1, final_norm=True)
    search = ssm_bounds.Search(occam=True, budget=0.1, family="head")
    found = ssm_bounds.ask(folder, data=replace(tokens(), test=None), search=search)
    assert any("no bound by norms is about this model: a bias beside a final norm" in note for note in found.notes)
