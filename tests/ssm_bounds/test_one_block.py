"""A folder with one Mamba block, from its training to its certificate."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import jsonschema
import numpy as np
import pytest
import safetensors.numpy
from click.testing import CliRunner

import ssm_bounds
from ssm_bounds.bounds.ladder.rung import Verdict
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.cli import main
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.start import narrowed, start
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.one_block import BlockQuestion
from ssm_bounds.report.document import documents, schema
from ssm_bounds.report.html.page import page
from ssm_bounds.report.tables import latex, markdown

T = 12


def trained(folder, seed=0, **design):
    """A folder of random weights near a start, as a training would leave them."""
    made = Design(**{"V": 2, "D": 4, "N": 2, "k": 3} | design)
    rng = np.random.default_rng(7)
    tensors = {
        name: (value + 0.3 * rng.normal(size=value.shape)).astype(np.float32)
        for name, value in narrowed(start(made, seed)).items()
    }
    if made.final_norm:
        tensors["score.bias"] = np.zeros_like(tensors["score.bias"])
    folder.mkdir(exist_ok=True)
    files.write(folder, made, tensors, labels=("0", "1"), seed=seed, training={"m": 300, "T": T})
    return folder


def task(m=300, seed=1, test=True, T=T) -> Task:
    rng = np.random.default_rng(seed)
    sets = [rng.integers(0, 2, size=(m, T)) for _ in range(2)]
    train, other = (Split(x, (x[:, -1] == 1).astype(np.int64)) for x in sets)
    return Task("toy", train, other if test else None, k=1, V=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("block"))


@pytest.fixture(scope="module")
def found(folder):
    return ssm_bounds.certify(ssm_bounds.ask(folder, data=task()))


def test_the_ladder_is_the_posterior_and_the_holdout(found):
    assert isinstance(found.question, BlockQuestion)
    assert [rung.name for rung in found.rungs] == ["pac-bayes", "holdout"]
    assert found.compared == 2
    assert found.rung("pac-bayes").verdict is Verdict.CERTIFIED
    assert found.rung("holdout").verdict is Verdict.CONDITIONAL
    assert "pays for" in found.rung("pac-bayes").argument.sentence()


def test_errors_are_those_of_the_model_as_it_runs(folder, found):
    from ssm_bounds.models.mamba.forward import logits

    data, model = task(), files.read(folder)
    for split, tally in ((data.train, found.train), (data.test, found.test)):
        z = np.array([logits(model, row, T)[0] for row in split.x])
        assert tally.errors == int((np.where(split.y == 1, z, -z) <= 0).sum())


def test_every_form_of_the_report(found):
    document = documents([found])
    jsonschema.validate(document, schema())
    (one,) = document["certificates"]
    assert one["constants"] is one["class"] is one["sums"] is one["beta"] is None
    assert one["setting"]["V"] == 2 and one["setting"]["d"] == 8
    for text in (markdown([found]), latex([found]).replace("\\", ""), page([found])):
        assert "pac-bayes" in text and "computes the real-arithmetic model" in " ".join(text.split())


@pytest.fixture(scope="module")
def folder2(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("block2"), mixer="mamba2", P=4)


@pytest.fixture(scope="module")
def found2(folder2):
    return ssm_bounds.certify(ssm_bounds.ask(folder2, data=task()))


class TestMamba2:
    def test_the_same_rungs(self, found2):
        assert [rung.name for rung in found2.rungs] == ["pac-bayes", "holdout"]
        assert found2.rung("pac-bayes").verdict is Verdict.CERTIFIED
        assert any("norm after the gate" in note or "one after the gate" in note for note in found2.question.notes)

    def test_errors_are_those_of_the_model_as_it_runs(self, folder2, found2):
        from ssm_bounds.models.mamba.forward import logits

        data, model = task(), files.read(folder2)
        for split, tally in ((data.train, found2.train), (data.test, found2.test)):
            z = np.array([logits(model, row, T)[0] for row in split.x])
            assert tally.errors == int((np.where(split.y == 1, z, -z) <= 0).sum())

    def test_every_form_of_the_report(self, found2):
        document = documents([found2])
        jsonschema.validate(document, schema())
        (one,) = document["certificates"]
        assert one["constants"] is one["class"] is one["sums"] is one["beta"] is None
        assert one["setting"]["V"] == 2 and one["setting"]["d"] == 8 and one["setting"]["N"] == 2
        details = one["rungs"][0]["details"]
        assert details["numbers"] == sum(low.size for low, _ in found2.question.family.block.center.values())
        assert {"XBC", "Z", "L", "omega"} <= details["by_block"].keys()
        for text in (markdown([found2]), latex([found2]).replace("\\", ""), page([found2])):
            assert "pac-bayes" in text and "pays for" in text

    def test_without_a_norm_after_the_gate_margins_are_plain(self, found2):
        from ssm_bounds.reading import Tabled

        model = found2.question.classifier
        layer = model.layers[0]
        bare = replace(model, layers=(replace(layer, mixer=replace(layer.mixer, norm=None)),), pooling="mean")
        assert Tabled.of(bare).fixed.eps is None and Tabled.of(bare).kind.startswith("Mamba-2")


def test_without_data_it_is_an_excess(folder):
    found = ssm_bounds.certify(ssm_bounds.ask(folder, margin="0.5"))
    assert found.headline.kind == "excess" and found.compared == 1
    assert "at most 0.5 " in found.headline.sentence


def test_the_margin_chosen_with_the_data_changes_no_risk(folder, found):
    chosen = ssm_bounds.certify(ssm_bounds.ask(folder, data=task(), margin="auto"))
    assert chosen.rung("pac-bayes").risk == found.rung("pac-bayes").risk


def test_several_kinds_in_one_call(folder, found, tmp_path):
    text = markdown([found, found])
    assert text.count("pac-bayes") >= 1


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"gate": "softplus"}, "--gate"),
        ({"convention": "code"}, "--convention"),
        ({"input_bound": "3"}, "--input-bound"),
        ({"embedding": "fixed"}, "--embedding"),
        ({"loss": "clipped-ce"}, "--loss"),
        ({"inputs": "vocabulary"}, "--inputs"),
        ({"search": ssm_bounds.Search(occam=True)}, "--occam"),
        ({"m": 7}, "contradicts"),
        ({"T": 5}, "contradicts"),
        ({"margin": "auto"}, "--data"),
        ({"margin": "-1"}, "--margin"),
        ({"delta": "2"}, "--delta"),
        ({"models_on_test": 0}, "--models-on-test"),
    ],
)
def test_what_is_stated_wrongly_is_refused(folder, stated, said):
    with pytest.raises(ValueError, match=said):
        ssm_bounds.ask(folder, **stated)


def test_rows_that_are_not_its_inputs_are_refused(folder):
    for data, said in (
        (task(T=T + 1), "above T"),
        (Task("toy", Split(np.full((300, T), 2), np.zeros(300, dtype=int)), None, k=1, V=3), "tokens"),
        (Task("toy", Split(np.ones((300, T, 2)), np.zeros(300, dtype=int)), None, k=1, V=None), "expected tokens"),
        (Task("toy", Split(np.ones((300, T), dtype=int), np.full(300, 2)), None, k=3, V=2), "labels"),
    ):
        with pytest.raises(DomainError, match=said):
            ssm_bounds.ask(folder, data=data)


@pytest.mark.parametrize(
    ("design", "said"),
    [
        ({"layers": 2}, r"M6\.3"),
        ({"mixer": "mamba2", "P": 4, "pooling": "mean"}, "mean over tokens after the norm"),
        ({"outputs": 3}, "two classes"),
    ],
)
def test_what_is_no_single_block_is_refused(tmp_path, design, said):
    made = Design(**{"V": 2, "D": 4, "N": 2, "k": 3} | design)
    tensors = {name: value.astype(np.float32) for name, value in start(made, 0).items()}
    labels = ("0", "1", "2")[: max(made.outputs, 2)]
    files.write(tmp_path, made, tensors, labels=labels, seed=0, training={"m": 9, "T": T})
    with pytest.raises(DomainError, match=said):
        ssm_bounds.ask(tmp_path)
    result = CliRunner().invoke(main, ["certify", str(tmp_path)])
    assert result.exit_code == 2 and "Traceback" not in result.output


def test_padding_is_not_read(tmp_path):
    padded = trained(tmp_path / "padded", V=3, pad=2)
    rng = np.random.default_rng(3)
    x, lengths = rng.integers(0, 2, size=(300, T)), rng.integers(1, T + 1, size=300)
    x = np.where(np.arange(T) < lengths[:, None], x, 2)
    data = Task("toy", Split(x, np.zeros(300, dtype=int)), None, k=1, V=3, padded=True)
    answered = ssm_bounds.certify(ssm_bounds.ask(padded, data=data))
    from ssm_bounds.models.mamba.forward import logits

    model = files.read(padded)
    z = np.array([logits(model, row, int(n))[0] for row, n in zip(x, lengths, strict=True)])
    assert answered.train.errors == int((z >= 0).sum())
    empty = np.where(np.arange(300)[:, None] == 5, 2, x)
    with pytest.raises(DomainError, match="row 5 is padding alone"):
        ssm_bounds.ask(padded, data=replace(data, train=Split(empty, np.zeros(300, dtype=int))))


def test_the_seed_pays_for_its_prior(tmp_path, folder):
    other = trained(tmp_path / "other", seed=5)
    prices = [ssm_bounds.ask(path).family.block.price.float_upper() for path in (folder, other)]
    assert prices == pytest.approx([np.log(4), np.log(4 * (2**16 - 1))])


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """The recipe of theory M5.6, whole."""
    place = tmp_path_factory.mktemp("recipe") / "block"
    arguments = "train mamba --task majority --m 20000 --T 50 --layers 1 --out"
    result = CliRunner().invoke(main, [*arguments.split(), str(place)])
    assert result.exit_code == 0, result.output
    return place


def test_the_recipe_is_certified_below_one_fifth(recipe):
    result = CliRunner().invoke(
        main, ["certify", str(recipe), "--data", str(recipe / "train.npz"), "--require", "0.20", "--format", "json"]
    )
    assert result.exit_code == 0, result.output
    (one,) = json.loads(result.stdout)["certificates"]
    assert one["headline"]["verdict"] == "CERTIFIED" and one["headline"]["rung"] == "pac-bayes"
    assert one["rungs"][0]["details"]["numbers"] == 402
    assert Fraction(one["headline"]["value"]) < one["rungs"][0]["value"]


def changed(folder, place, tensors=None, **config):
    """A copy of a folder without its seed, with other entries of the config and more tensors."""
    place.mkdir()
    held = safetensors.numpy.load((folder / files.WEIGHTS).read_bytes()) | (tensors or {})
    known = json.loads((folder / files.CONFIG).read_text()) | {"seed": None} | config
    (place / files.CONFIG).write_text(json.dumps({key: value for key, value in known.items() if value != "out"}))
    (place / files.WEIGHTS).write_bytes(safetensors.numpy.save(held, {"format": "pt"}))
    return place


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("backbone.layers.0.mlp.fc1.weight", "mlp"),
        ("backbone.layers.1.self_attn.q_proj.weight", "self_attn"),
        ("backbone.pos_embeddings.weight", "pos_embeddings"),
        ("score.0.weight", "score"),
        ("backbone.embedding.weight", "two embeddings"),
    ],
)
def test_a_file_with_other_parts_is_another_function(folder, tmp_path, name, said):
    with pytest.raises(ValueError, match=said):
        ssm_bounds.ask(changed(folder, tmp_path / "more", {name: np.ones((2, 4), np.float32)}))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"num_hidden_layers": 24}, "num_hidden_layers"),
        ({"use_conv_bias": False}, "use_conv_bias"),
        ({"use_bias": True}, "use_bias"),
    ],
)
def test_a_config_that_says_otherwise_is_refused(folder, tmp_path, config, said):
    with pytest.raises(ValueError, match=said):
        ssm_bounds.ask(changed(folder, tmp_path / "other", **config))


def test_what_the_file_leaves_open_is_a_condition(folder, tmp_path):
    silent = ssm_bounds.certify(
        ssm_bounds.ask(changed(folder, tmp_path / "silent", layer_norm_epsilon="out"), data=task())
    )
    assert silent.rung("pac-bayes").verdict is Verdict.CONDITIONAL
    assert "eps" in "".join(silent.rung("pac-bayes").conditions) and "eps" in markdown([silent])


def test_with_a_final_norm_margins_are_those_before_it(tmp_path):
    found = ssm_bounds.certify(ssm_bounds.ask(trained(tmp_path / "normed", final_norm=True), data=task(test=False)))
    text = markdown([found])
    assert "loss of margins before its norms" in text and "margins before its norms" in text
    alone = ssm_bounds.certify(ssm_bounds.ask(trained(tmp_path / "alone", final_norm=True)))
    assert "the fraction of its training margins before its norms that" in alone.headline.sentence


def test_what_leaves_the_range_of_float64_says_nothing(folder, tmp_path):
    """And warns of nothing: warnings are errors here."""
    names = ("A_log", "dt_proj.bias", "conv1d.weight")
    for i, (name, value) in enumerate(zip(names, (-1e200, -1e200, 1e300), strict=True)):
        held = safetensors.numpy.load((folder / files.WEIGHTS).read_bytes())
        key = f"backbone.layers.0.mixer.{name}"
        place = changed(folder, tmp_path / str(i), {key: np.full(held[key].shape, value)})
        found = ssm_bounds.certify(ssm_bounds.ask(place, data=task()))
        assert found.rung("pac-bayes").risk.float_upper() == 1 and found.rung("holdout").refusal is None


def test_recorded_counts_have_a_range(folder, tmp_path):
    place = changed(folder, tmp_path / "many", training={"m": 300, "T": 10**200})
    with pytest.raises(ValueError, match="give --T"):
        ssm_bounds.ask(place)


def test_a_mamba2_block_is_certified_below_one_third(tmp_path):
    """The recipe of theory M5.6 with fewer and shorter rows."""
    arguments = "train mamba --mixer mamba2 --task majority --m 6000 --T 20 --layers 1 --out"
    result = CliRunner().invoke(main, [*arguments.split(), str(tmp_path / "block")])
    assert result.exit_code == 0, result.output
    data = str(tmp_path / "block" / "train.npz")
    asked = ["certify", str(tmp_path / "block"), "--data", data, "--require", "0.333", "--format", "json"]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 0, result.output
    (one,) = json.loads(result.stdout)["certificates"]
    assert one["headline"]["verdict"] == "CERTIFIED" and one["headline"]["rung"] == "pac-bayes"
    assert one["rungs"][0]["details"]["numbers"] == 226 and one["rungs"][0]["details"]["tau"]["upper"] == 0
