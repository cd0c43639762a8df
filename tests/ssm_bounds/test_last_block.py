"""The last block on a frozen backbone, and one block on real inputs, from folders to certificates (theory M6.4)."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import mpmath
import numpy as np
import pytest
import safetensors.numpy

import ssm_bounds
from ssm_bounds.bounds.ladder.last_block import fitted_last
from ssm_bounds.bounds.ladder.rung import Verdict
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.files import frozen
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.start import narrowed, start
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.report.document import documents, outcome, schema
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


@pytest.fixture(scope="module")
def real_found(place):
    return certified(place, "real", reals(), base=None)


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


def edited(source, target, tensors=None, **config):
    """A copy of a folder with other tensors or entries of its config."""
    held = safetensors.numpy.load((source / files.WEIGHTS).read_bytes()) | (tensors or {})
    said = json.loads((source / files.CONFIG).read_text()) | config
    target.mkdir()
    if tensors:
        said.pop("seed", None)
    (target / files.CONFIG).write_text(json.dumps(said))
    (target / files.WEIGHTS).write_bytes(safetensors.numpy.save(held, {"format": "pt"}))
    return target


def test_settings_of_every_layer_are_compared(place):
    found = files.read(place / "tuned")
    for i, layer in enumerate(found.layers):
        layers = list(found.layers)
        layers[i] = replace(layer, norm=replace(layer.norm, eps=2 * layer.norm.eps))
        with pytest.raises(ValueError, match=f"layers.{i}.* has other settings"):
            frozen.base_of(place / "tuned", replace(found, layers=tuple(layers)), place / "base")


@pytest.mark.parametrize("pads", [(1, None), (None, 1), (0, 1)])
def test_a_base_of_other_padding_is_refused(place, tmp_path, pads):
    """It decides which token is the last, and with it what line reads."""
    own, base = (
        edited(place / name, tmp_path / name, pad_token_id=pad)
        for name, pad in zip(("tuned", "base"), pads, strict=True)
    )
    with pytest.raises(ValueError, match=rf"tuned: pad_token_id is {pads[0] if pads[0] is not None else 'null'}"):
        ssm_bounds.ask(own, data=tokens(), search=ssm_bounds.Search(base=base))


def test_a_block_of_the_base_that_is_not_covered_is_blamed_on_the_base(place, tmp_path):
    width = len(files.tensors(place / "base")["backbone.layers.1.mixer.in_proj.weight"])
    biases = [
        {f"backbone.layers.{i}.mixer.in_proj.bias": np.full(width, np.float32(amount * i)) for i in range(2)}
        | {f"backbone.layers.{i}.mixer.out_proj.bias": np.zeros(4, np.float32) for i in range(2)}
        for amount in (0.0, 0.1)
    ]
    own, base = (
        edited(place / name, tmp_path / name, bias, use_bias=True)
        for name, bias in zip(("tuned", "base"), biases, strict=True)
    )
    with pytest.raises(ValueError, match=r"base: nothing is certified around .*in_proj without bias"):
        ssm_bounds.ask(own, data=tokens(), search=ssm_bounds.Search(base=base))


def test_a_base_that_is_the_model_itself_is_said(place, found):
    same = ssm_bounds.ask(place / "tuned", data=tokens(), search=ssm_bounds.Search(base=place / "tuned"))
    assert sum("--base is the model itself" in note for note in same.notes) == 1
    assert not any("--base is the model itself" in note for note in found.question.notes)


def weight(j: int) -> mpmath.mpf:
    """ln 1/pi_j of theory M5.3."""
    return mpmath.log(mpmath.mpf(3) * (abs(j) + 1) * (abs(j) + 2) / 2)


@pytest.mark.parametrize("real", [False, True])
def test_what_is_paid_is_the_formula(found, real_found, real):
    """KL of M5.4 in a second writing, with ln of one over the mass of all scales, of c, and of a start of seed 0."""
    certificate = real_found if real else found
    block, q = certificate.question.family.block, certificate.rungs[0].argument.rows.posterior
    own = block.over(q.g)
    width = fitted_last(own)
    with mpmath.workdps(40):
        paid = weight(int(np.log2(block.last.unit))) + (mpmath.log(4) if real else 0)
        for name, half in width.items():
            squares, logs, j = mpmath.mpf(0), mpmath.mpf(0), q.scales[name]
            ends, start = own.center[name], block.start[name].ravel()
            for low, high, at, h in zip(*(end.ravel() for end in ends), start, half.ravel(), strict=True):
                far = max(abs(mpmath.mpf(low) - mpmath.mpf(at)), abs(mpmath.mpf(high) - mpmath.mpf(at)))
                squares += far**2 + mpmath.mpf(h) ** 2 / 3
                logs += mpmath.log(mpmath.sqrt(2 * mpmath.pi * mpmath.mpf(2) ** j) / (2 * mpmath.mpf(h)))
            exact = logs + squares / (2 * mpmath.mpf(2) ** j)
            nats = q.by_block[name].float_upper()
            assert exact * (1 - mpmath.mpf(2) ** -50) <= nats <= exact + abs(exact) * 1e-9, name
            paid += weight(j)
        assert paid <= q.price.float_upper() <= paid * (1 + 1e-12)
    assert block.last.unit != 1  # so that c costs more than any scale of weight 2/6


def test_the_prior_is_around_the_block_of_the_base(place, found):
    """Not around the one that was trained; what reads it out is around 0."""
    start, own = found.question.family.block.start, found.question.family.block.center
    base = files.tensors(place / "base")
    at = {name.removeprefix("backbone.layers.1.mixer."): x for name, x in base.items()}
    rows = at["in_proj.weight"] * base["backbone.layers.1.norm.weight"]
    d, (R, N) = len(at["D"]), (1, SIZES["N"])
    expected = {
        "R_x": rows[:d], "R_z": rows[d:], "K": at["conv1d.weight"][:, 0, ::-1], "b": at["conv1d.bias"],
        "X_dt": at["x_proj.weight"][:R], "X_B": at["x_proj.weight"][R : R + N], "X_C": at["x_proj.weight"][R + N :],
        "W_dt": at["dt_proj.weight"], "p": at["dt_proj.bias"], "A_log": at["A_log"], "D": at["D"],
    } | {name: np.zeros_like(own[name][0]) for name in ("omega", "line", "beta")}  # fmt: skip
    assert start.keys() == expected.keys()
    for name, values in expected.items():
        assert np.allclose(start[name], values, rtol=1e-14, atol=0), name
        assert not np.allclose(own[name][0], values, rtol=1e-3, atol=0), name


def test_c_is_named_where_margins_are(place, found):
    real = ssm_bounds.certify(ssm_bounds.ask(place / "real"))
    for each, of in ((found, "|phi|_2"), (real, "|x_T|_2")):
        c = each.question.family.block.last.unit
        said = f"divided by c + {of} (c = {c!r})"
        rung = each.rungs[0]
        assert said in rung.argument.words()[1 if rung.argument.rows else 0] and rung.argument.record()["c"] == c
        assert f"training margins {said}" in each.question.margins
    assert "training margins divided by c + |x_T|_2 (c = 1.0) that are at most" in real.headline.sentence
    text = dict(outcome(found))["train"]
    assert "loss of margins divided by c + |phi|_2 (c = " in text and "units of" not in text
    assert documents([found])["certificates"][0]["rungs"][0]["details"]["c"] == found.question.family.block.last.unit


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


def test_one_block_on_real_inputs(place, real_found):
    from ssm_bounds.models.mamba.forward import logits

    found = real_found
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
