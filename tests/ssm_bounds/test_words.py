"""Classifiers of any depth by a word: found, saved, read, counted anew; what it claims, and under which conditions."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from mpmath import binomial, mp, mpf

import ssm_bounds
from ssm_bounds.bounds.codes.word import Word
from ssm_bounds.bounds.gaps.inversion import binomial_upper
from ssm_bounds.bounds.ladder.rung import Verdict
from ssm_bounds.bounds.ladder.word import OfWord
from ssm_bounds.cli import main
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.files import word as folders
from ssm_bounds.models.program.classifier import answers, stack
from ssm_bounds.models.program.run import Pooled, pooled, prepared
from ssm_bounds.models.searches import head
from ssm_bounds.models.tasks.arrays import write_arrays
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.report.document import documents, schema
from ssm_bounds.report.html.page import page
from ssm_bounds.report.tables import latex, markdown
from ssm_bounds.stacks import StackQuestion
from tests.failures import whole
from tests.models.program import oracle
from tests.words import T, task, trained


@pytest.fixture(autouse=True, scope="module")
def quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(head, "_KICKS", 1)
        patch.setattr(head, "_ROWS", 1)
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A trained folder, a base, rows, and the words that were found around the start and around the base."""
    found = tmp_path_factory.mktemp("words")
    trained(found / "stack")
    trained(found / "base", seed=3)
    write_arrays(found / "data.npz", task())
    return found


def certified(place, name="stack", data=None, **search):
    asked = ssm_bounds.Search(**search) if search else None
    return ssm_bounds.certify(ssm_bounds.ask(place / name, data=data or task(), search=asked))


@pytest.fixture(scope="module")
def found(place):
    return certified(place, occam=True, save=place / "word")


@pytest.fixture(scope="module")
def around(place):
    return certified(place, occam=True, base=place / "base", save=place / "around")


def test_the_ladder_is_the_word_and_the_holdout(found):
    assert isinstance(found.question, StackQuestion)
    assert [(rung.name, rung.verdict) for rung in found.rungs] == [
        ("occam", Verdict.CERTIFIED), ("holdout", Verdict.CONDITIONAL),
    ]  # fmt: skip
    assert found.compared == 2 and found.rung("occam").value.float_upper() < 0.6  # guessing: 2/3
    assert "the error rate of the word (sha256" in found.headline.sentence


def test_the_bound_is_the_binomial_tail_at_the_price(found):
    argument = found.rung("occam").argument
    assert isinstance(argument, OfWord)
    nats, x = argument.word.nats(), found.rung("occam").value.float_upper()
    with mp.workdps(40):
        level = mpf(1) / 20 * mp.exp(-mpf(nats.float_upper()))

        def tail(p):
            return sum(binomial(300, i) * mpf(p) ** i * (1 - mpf(p)) ** (300 - i) for i in range(argument.errors + 1))

        assert tail(x) <= level <= tail(x - 1e-9)


def test_the_table_sums_to_the_nats(found):
    record = found.rung("occam").argument.record()
    for key in ("table", "by_block"):
        total = math.fsum(row["nats"].float_upper() for row in record[key])
        assert total == pytest.approx(record["nats"].float_upper(), abs=1e-9)
    argument = found.rung("occam").argument
    costs = math.fsum(cost.nats.float_upper() for cost in argument.costs())
    assert costs == pytest.approx(record["nats"].float_upper() + math.log(20), abs=1e-9)
    prices = {row["choice"].split(":")[0]: row["nats"].float_upper() for row in record["table"]}
    assert prices["family"] == pytest.approx(math.log(5)) and prices["seed 0 or another"] == pytest.approx(math.log(2))
    assert prices["d_model, layers, N, conv, expand, pooling"] == pytest.approx(math.log(9216))
    for choice in (row["choice"] for row in record["table"]):
        assert any(choice in line for line in argument.words())


def test_errors_are_those_of_the_program_row_by_row(place, found):
    """By its second writing, from the folder that was saved."""
    model, data = stack(files.read(place / "word")), task()
    z = answers(files.read(place / "word"), data.train)
    assert z[:12].tolist() == [oracle.logits(model, row, T)[0] for row in data.train.x[:12]]
    right = [row[y] > max(row[:y] + row[y + 1 :]) for row, y in zip(z.tolist(), data.train.y.tolist(), strict=True)]
    assert right.count(False) == found.rung("occam").argument.errors


def test_a_saved_word_gives_the_same_number_without_a_search(place, found, monkeypatch):
    monkeypatch.setattr(head, "search", None)
    again = certified(place, "word")
    assert again.rung("occam").value == found.rung("occam").value
    assert again.headline.sentence == found.headline.sentence
    assert again.train.errors == found.rung("occam").argument.errors
    assert not again.rung("occam").searched and found.rung("occam").searched
    assert "records" not in again.rung("occam").argument.sentence()


def test_a_second_run_gives_the_same_bytes(place, found, tmp_path):
    certified(place, occam=True, save=tmp_path / "again")
    for path in (place / "word").iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_a_record_is_compared_and_never_believed(place, found, tmp_path):
    import shutil

    copy = shutil.copytree(place / "word", tmp_path / "word")
    text = json.loads((copy / folders.WORD).read_text())
    text["record"] |= {"errors": 0, "nats": "1", "logits": "0", "delta": "1/2"}
    (copy / folders.WORD).write_text(json.dumps(text))
    again = ssm_bounds.certify(ssm_bounds.ask(copy, data=task()))
    assert again.rung("occam").value == found.rung("occam").value
    said = again.rung("occam").argument.sentence()
    assert "the file records 0 on 300" in said and "its logits are not those" in said


def test_around_a_base_it_is_conditional(place, around):
    rung = around.rung("occam")
    assert rung.verdict is Verdict.CONDITIONAL
    (condition,) = rung.conditions
    sha256 = files.read(place / "base").sha256
    assert condition == f"the base (sha256 {sha256[:8]}...) was fixed before the sample"
    choices = [row["choice"] for row in rung.argument.record()["table"]]
    assert not any("seed" in choice or "d_model" in choice or "centre" in choice for choice in choices)
    again = certified(place, "around", base=place / "base")
    assert again.rung("occam").value == rung.value and again.rung("occam").conditions == rung.conditions


def test_a_base_that_holds_these_rows_is_refused(place, tmp_path):
    base = trained(tmp_path / "base", seed=3)
    write_arrays(base / files.DATA, task(test=0))
    rung = certified(place, occam=True, base=base, budget=0.1).rung("occam")
    assert rung.verdict is Verdict.REFUSED and "trained on these training rows" in rung.refusal
    data, other = task(), task(seed=2, test=0)
    order = np.random.default_rng(0).permutation(data.train.m)[1:]
    write_arrays(base / files.DATA, Task("waves", Split(data.train.x[order], data.train.y[order]), None, k=3, V=None))
    rung = certified(place, occam=True, base=base, budget=0.1).rung("occam")
    assert rung.verdict is Verdict.REFUSED and "299 of the 300" in rung.refusal
    mixed = Split(np.concatenate([data.train.x[:7], other.train.x]), np.concatenate([data.train.y[:7], other.train.y]))
    write_arrays(base / files.DATA, Task("waves", mixed, None, k=3, V=None))
    (condition,) = certified(place, occam=True, base=base, budget=0.1).rung("occam").conditions
    assert "7 of the 300 training rows are among those" in condition


def test_random_labels_say_nothing(place):
    rng = np.random.default_rng(8)
    data = task(labels=lambda m: rng.integers(0, 3, m), test=0)
    value = certified(place, data=data, occam=True).rung("occam").value.float_upper()
    assert value > 2 / 3 - 0.02


@pytest.mark.parametrize("key", [90, 91])
def test_random_labels_of_ten_are_never_claimed_below_nine_tenths(place, tmp_path, key):
    """Whatever the search found in its time: a valid bound fails this on one labelling in twenty at most."""
    trained(tmp_path / "ten", k=10, outputs=10)
    data = Task("coins", Split(task().train.x, whole(key, 300) % 10), None, k=10, V=None)
    found = certified(tmp_path, "ten", data=data, occam=True, budget=2)
    assert [(rung.name, rung.kind) for rung in found.rungs] == [("occam", "risk")]
    assert found.rung("occam").value.float_upper() >= 0.9


def test_a_seed_pays_for_itself(place, tmp_path, found):
    trained(tmp_path / "five", seed=5)
    rung = certified(tmp_path, "five", occam=True, budget=0.1).rung("occam")
    (row,) = [row for row in rung.argument.word.table() if row.choice == "seed 1..2^16 - 1"]
    assert row.nats.float_upper() == pytest.approx(math.log(2**16 - 1))


def test_one_block_keeps_its_posterior(tmp_path):
    design = {"c": None, "V": 2, "D": 4, "N": 2, "k": 2, "layers": 1, "outputs": 1, "final_norm": False}
    trained(tmp_path / "block", pooling="last", **design)
    x = np.random.default_rng(0).integers(0, 2, (300, T))
    data = Task("last", Split(x, x[:, -1].copy()), None, k=1, V=2)
    found = certified(tmp_path, "block", data=data, occam=True, save=tmp_path / "word")
    assert [rung.name for rung in found.rungs] == ["pac-bayes", "occam"] and found.compared == 2
    assert found.headline.rung == "occam" and found.headline.value.float_upper() < 0.2
    assert "for every rung but occam" in " ".join(found.question.standing)
    again = certified(tmp_path, "word", data=data)
    assert [rung.name for rung in again.rungs] == ["occam"] and again.rung("occam").value == found.rung("occam").value


def test_every_form_of_the_report(found, around):
    document = documents([found, around])
    jsonschema.validate(document, schema())
    table = document["certificates"][0]["rungs"][0]["details"]["table"]
    assert {"choice", "times", "prior", "nats"} == set(table[0]) and len(table) >= 6
    for text in (markdown([found]), latex([found]).replace("\\", ""), page([found, around])):
        assert "occam" in text and "the word" in " ".join(text.split())
    assert "step s_j, j = 0..35" in page([found])


def test_without_rows_nothing_is_claimed_and_the_hold_out_stands_alone(place):
    with pytest.raises(ValueError, match=r"M6\.3.*--data.*--occam"):
        ssm_bounds.ask(place / "stack")
    with pytest.raises(ValueError, match=r"M6\.3.*--occam"):
        ssm_bounds.ask(place / "stack", data=task(test=0))
    alone = certified(place)
    assert [rung.name for rung in alone.rungs] == ["holdout"] and alone.verdict is Verdict.CONDITIONAL
    wrong = alone.rung("holdout").argument.errors
    assert alone.rung("holdout").value == binomial_upper(wrong, 100, Fraction(1, 20))


@pytest.mark.parametrize(
    ("name", "stated", "search", "said"),
    [
        ("stack", {"data": None}, {"occam": True}, "--data"),
        ("stack", {"margin": "auto"}, {"occam": True}, "--margin"),
        ("stack", {"gate": "softplus"}, {"occam": True}, "--gate"),
        ("stack", {"m": 5}, {"occam": True}, "contradicts"),
        ("stack", {"T": 3}, {"occam": True}, "contradicts"),
        ("stack", {"delta": "2"}, {"occam": True}, "--delta"),
        ("stack", {}, {"base": "base"}, "without --occam only the last block"),
        ("stack", {}, {"occam": True, "save": "stack"}, "no word"),
        ("stack", {}, {"occam": True, "one_draw": True}, "--one-draw"),
        ("stack", {}, {"occam": True, "family": "all"}, "--family"),
        ("word", {}, {"occam": True}, "a word already"),
        ("word", {}, {"base": "base"}, "leave --base out"),
        ("around", {}, {}, "give --base"),
    ],
)
def test_what_is_stated_wrongly_is_refused(place, found, around, name, stated, search, said):
    search = {key: place / value if key in ("base", "save") else value for key, value in search.items()}
    with pytest.raises(ValueError, match=said):
        ssm_bounds.ask(place / name, **{"data": task()} | stated, search=ssm_bounds.Search(**search))


def test_rows_that_are_not_its_inputs_are_refused(place):
    train = task().train
    for split, said in (
        (Split(np.ones((300, T), dtype=int), train.y), "expected real inputs"),
        (Split(np.repeat(train.x, 2, axis=2), train.y), "expected real inputs"),
        (Split(train.x, np.full(300, 3)), "labels"),
    ):
        V = None if split.x.ndim == 3 else 2
        data = Task("other", split, None, k=4, V=V, source="rows.npz")
        with pytest.raises(ValueError, match=said):
            ssm_bounds.ask(place / "stack", data=data, search=ssm_bounds.Search(occam=True))


def test_the_command(place, found, tmp_path):
    def run(*line):
        result = CliRunner().invoke(main, ["certify", *map(str, line)])
        assert "Traceback" not in result.output
        return result

    stack, rows = place / "stack", place / "data.npz"
    results = (
        run(stack, "--data", rows, "--occam", "--save", tmp_path / "w", "--format", "json"),
        run(tmp_path / "w", "--data", rows, "--format", "json"),
    )
    one, two = (json.loads(each.stdout)["certificates"][0]["rungs"][0] for each in results)
    assert one["value"] == two["value"] == found.rung("occam").value.float_upper()
    assert one["details"]["table"] == two["details"]["table"]
    for line, said in (([stack], "--occam"), ([stack, "--occam"], "--data"), ([place / "around"], "give --base")):
        result = run(*line)
        assert result.exit_code == 2 and said in result.output


def test_reals_without_a_last_axis_are_rows_of_one_real(place, tmp_path):
    data = task()
    np.savez(tmp_path / "flat.npz", x_train=data.train.x[:, :, 0], y_train=data.train.y)
    asked = ssm_bounds.ask(place / "stack", data=tmp_path / "flat.npz", search=ssm_bounds.Search(occam=True))
    assert asked.task.train.x.shape == (300, T, 1)


def test_how_often_it_fails(tmp_path, monkeypatch):
    """The whole pipeline, on a population that is known: tokens that say nothing of labels, so that each head errs on
    half of new rows; what is found errs on far less of the sample. Without the price the bound fails far too often."""
    monkeypatch.setattr(head, "_RATIOS", (1.0,))
    monkeypatch.setattr(head, "_DECAYS", (1e-2,))
    monkeypatch.setattr(head, "_BIASES", (3,))
    design = {"c": None, "V": 2, "outputs": 2, "layers": 2}
    trained(tmp_path / "stack", **design)
    base = folders.moved_by(None, files.read(tmp_path / "stack"))
    untrained = Word("head", dict.fromkeys(("score.bias", "score.weight")), start=base.start)
    _, model = folders.model(untrained, base)
    cells = np.array([[i >> bit & 1 for bit in range(4)] for i in range(16)])
    before = pooled(prepared(stack(model)), cells)
    rng, delta, m, repeats = np.random.default_rng(0), Fraction(1, 5), 24, 40
    priced, free = 0, 0
    for _ in range(repeats):
        which, y = rng.integers(0, 16, m), rng.integers(0, 2, m)
        stages = []
        sample = Pooled(before.h[:, which], before.ok[which])
        found = head.search(sample, y, 2, fixed=0.0, budget=60, progress=stages.append)
        word = Word("head", {"score.bias": found.bias, "score.weight": found.weight}, start=base.start)
        argument = OfWord(word, stages[-1].errors, m, delta, "", "")
        priced += argument.risk.float_upper() < 0.5
        free += binomial_upper(argument.errors, m, delta).float_upper() < 0.5
    assert priced <= delta * repeats
    assert free > delta * repeats
