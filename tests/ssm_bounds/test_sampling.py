"""Rows that were not drawn i.i.d. (theory 8.5): what a word and test rows then claim, and what they do not."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from fractions import Fraction

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from mpmath import log, mp, mpf
from rich.console import Console

import ssm_bounds
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.inversion import binomial_upper, binomial_upper_nats
from ssm_bounds.bounds.ladder.holdout import limit
from ssm_bounds.bounds.ladder.occam import level
from ssm_bounds.bounds.ladder.rung import Verdict
from ssm_bounds.bounds.ladder.word import OfWord
from ssm_bounds.certificate import sentence
from ssm_bounds.cli import main
from ssm_bounds.models.files.checkpoint import Metadata, write
from ssm_bounds.models.searches import head
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.report.document import documents, outcome, rows, schema
from ssm_bounds.report.html.page import page
from ssm_bounds.report.tables import latex, markdown, table
from tests.ssm_bounds.cli.test_cli import weights
from tests.words import task, trained, worded

OTHERS = ("stratified", "without-replacement")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A trained folder, rows, and a word that was found around the start."""
    return worded(tmp_path_factory.mktemp("sampling"), task())


def certified(place, draws="iid", data=None, **stated):
    return ssm_bounds.certify(ssm_bounds.ask(place / "word", data=data or task(), draws=draws, **stated))


@dataclass(frozen=True)
class Priced:
    """A word of which the price alone is asked."""

    price: Fraction

    def nats(self) -> Enclosure:
        return Enclosure.point(self.price)


@pytest.mark.parametrize("size", [40, 400])
def test_the_counterexample(size):
    """2 of ``size`` rows, of which all but one are errors: one error is seen with probability 2/size, and then the
    binomial inversion is below the truth at a level that small; kl is not."""
    true, chance = Fraction(size - 1, size), Fraction(2, size)

    def risk(draws, delta):
        return Fraction(OfWord(Priced(Fraction(0)), 1, 2, delta, "", "", draws=draws).risk.float_upper())

    assert risk("iid", chance * Fraction(999, 1000)) < true
    for draws in OTHERS:
        assert risk(draws, chance) >= true
        assert Fraction(limit(1, 2, chance, draws).float_upper()) >= true
    assert Fraction(limit(1, 2, chance * Fraction(999, 1000)).float_upper()) < true


@pytest.mark.parametrize("draws", OTHERS)
def test_the_word_is_bounded_by_kl(place, draws):
    rung = certified(place, draws).rung("occam-kl")
    errors, nats, x = rung.argument.errors, rung.argument.word.nats(), rung.value.float_upper()
    with mp.workdps(30):
        q, budget = mpf(errors) / 300, (mpf(nats.float_upper()) + log(20)) / 300

        def kl(p):
            return q * log(q / p) + (1 - q) * log((1 - q) / (1 - p))

        assert kl(mpf(x)) >= budget * (1 - mpf(10) ** -20) and kl(mpf(x) * 0.98) < budget
    binomial = binomial_upper_nats(errors, 300, level(nats, Fraction(1, 20))).float_upper()
    assert certified(place).rung("occam").value.float_upper() == binomial < x < 1.05 * binomial
    assert "binomial" in rung.argument.sentence() and rung.verdict is Verdict.CERTIFIED


def test_it_says_what_the_mean_is_over(place):
    found = certified(place, "without-replacement")
    sentence = found.headline.sentence
    assert sentence.startswith("With probability at least 0.95 over the random choice of the 300 training rows and the")
    assert "over the whole collection that the training rows were sampled from is at most" in sentence
    assert "new rows" not in sentence
    first, *rest = found.question.standing
    assert "without replacement of one fixed finite collection" in first and "m fixed without a look" in first
    assert not any("identically" in line for line in (first, *rest)) and any("fixed before" in line for line in rest)
    assert "proportions of the training rows is at most" in certified(place, "stratified").headline.sentence
    assert "independent draws of its own distribution" in certified(place, "stratified").question.standing[0]
    stated = {fact.name: (fact.value, fact.evidence) for fact in found.question.facts}
    assert stated["training rows drawn"] == ("without-replacement", "stated")
    assert "training rows drawn" not in {fact.name for fact in certified(place).question.facts}


def test_test_rows_bound_the_rest_of_the_collection(place):
    found = certified(place, "without-replacement", models_on_test=2)
    rung = found.rung("holdout-kl")
    q, x = rung.argument.errors / 100, rung.value.float_upper()
    kl = q * math.log(q / x) + (1 - q) * math.log((1 - q) / (1 - x))
    assert kl == pytest.approx(math.log(40) / 100, rel=1e-9)  # delta/2 for each of two models
    assert x > binomial_upper(rung.argument.errors, 100, Fraction(1, 40)).float_upper()
    (condition,) = rung.conditions
    assert "without replacement of the other rows of that collection" in condition
    claim = next(claim for claim in found.claims if claim.rung.name == "holdout-kl")
    assert claim.elsewhere and found.compared == 2 and found.headline.rung == "occam-kl"
    assert "on the rows of that collection that are not the training rows is at most" in sentence(found.question, claim)
    assert not any("the hold-out is smaller" in row.why for row in rows(found))


def test_what_test_rows_bound_elsewhere_is_said_where_people_read(place):
    """With its conditions, at its share of delta: of a finite collection, and under a shift that somebody stated."""
    shifted = replace(task(), shift="training rows are balanced, test rows are not")
    for draws, data, name, said in (
        ("without-replacement", task(), "holdout-kl", "on the rows of that collection that are not the training rows"),
        ("iid", shifted, "holdout", "on new rows from the distribution of the test rows"),
    ):
        found = certified(place, draws, data)
        (claim,) = [claim for claim in found.claims if claim.rung.name == name]
        text = sentence(found.question, claim)
        assert said in text and claim.rung.conditions[0] in text and claim.value.upper > claim.rung.value.upper
        assert dict(outcome(found))["elsewhere"] == f"CONDITIONAL: {text}"
        assert "that are not elsewhere the smallest" in dict(outcome(found))["compared"]
        console = Console(width=500, record=True, file=io.StringIO())
        table([found], console)
        forms = (markdown([found]), console.export_text(), page([found]), latex([found]).replace("\\", ""))
        for form in forms:
            assert said in " ".join(form.split()) and claim.rung.conditions[0] in " ".join(form.split())
        document = documents([found])
        jsonschema.validate(document, schema())
        (beside,) = document["certificates"][0]["beside"]
        assert (beside["sentence"], beside["rung"], beside["together"]) == (text, name, True)
        assert beside["value"] == claim.value.float_upper() and beside["conditions"] == list(claim.rung.conditions)


def test_nothing_is_elsewhere_for_independent_rows_or_where_it_is_refused(place):
    for draws in ("iid", "stratified"):
        found = certified(place, draws)
        assert "elsewhere" not in dict(outcome(found)) and documents([found])["certificates"][0]["beside"] == []


def test_no_holdout_of_a_stratified_sample(place):
    rung = certified(place, "stratified").rung("holdout-kl")
    assert rung.verdict is Verdict.REFUSED and "nothing says how the test rows were" in rung.refusal


def test_no_sign_of_a_shift_is_read_from_them(place):
    """Its chance is that of i.i.d. rows."""
    data = task()
    skewed = Task("waves", data.train, Split(data.test.x, np.zeros(100, dtype=int)), k=3, V=None)
    assert certified(place, data=skewed).question.shift is not None
    assert certified(place, "without-replacement", data=skewed).question.shift is None


def test_repeated_rows_are_members_of_the_collection(place):
    data = task(m=100, test=0)
    split = Split(np.repeat(data.train.x, 3, axis=0), np.repeat(data.train.y, 3))
    repeated = Task("waves", split, None, k=3, V=None)
    for draws, said in (
        ("iid", "repeated rows are independent draws"),
        ("stratified", "repeated rows are independent draws"),
        ("without-replacement", "repeated rows are different members of the collection"),
    ):
        (rung,) = certified(place, draws, data=repeated).rungs
        assert rung.conditions == (said,) and rung.verdict is Verdict.CONDITIONAL


def test_it_is_for_words_alone(place, tmp_path):
    with pytest.raises(ValueError, match="stated for a word alone"):
        ssm_bounds.ask(place / "stack", data=task(), draws="without-replacement")
    with pytest.raises(ValueError, match="got 'urn'"):
        certified(place, "urn")
    write(tmp_path / "model.safetensors", weights(V=2), Metadata(m=20, T=5, gate="softplus"))
    with pytest.raises(ValueError, match="folder of Mamba blocks"):
        ssm_bounds.ask(tmp_path / "model.safetensors", draws="stratified")


def test_bounds_by_norms_take_no_part(tmp_path, monkeypatch):
    monkeypatch.setattr(head, "_KICKS", 1)
    monkeypatch.setattr(head, "_ROWS", 1)
    design = {"c": None, "V": 2, "D": 4, "N": 2, "k": 2, "layers": 1, "outputs": 1, "final_norm": False}
    trained(tmp_path / "block", pooling="last", **design)
    x = np.random.default_rng(0).integers(0, 2, (100, 8))
    data = Task("last", Split(x, x[:, -1].copy()), None, k=1, V=2)
    search = ssm_bounds.Search(occam=True, family="head", budget=5)
    question = ssm_bounds.ask(tmp_path / "block", data=data, draws="without-replacement", search=search)
    assert [rung.name for rung in ssm_bounds.certify(question).rungs] == ["occam-kl"]
    with pytest.raises(ValueError, match="give --occam"):
        ssm_bounds.ask(tmp_path / "block", data=data, draws="without-replacement")


def test_every_form_of_the_report(place):
    found = certified(place, "without-replacement")
    jsonschema.validate(documents([found]), schema())
    for text in (markdown([found]), page([found])):
        assert "occam-kl" in text and "whole collection" in " ".join(text.split())
    assert "number of training sequences" in page([found]) and "number of i.i.d." not in page([found])


def test_the_command(place):
    line = ["certify", str(place / "word"), "--data", str(place / "data.npz"), "--format", "markdown"]
    told = CliRunner().invoke(main, [*line, "--sampled-without-replacement"])
    assert told.exit_code == 0 and "occam-kl" in told.stdout and "holdout-kl" in told.stdout
    assert "proportions" in CliRunner().invoke(main, [*line, "--stratified"]).stdout
    both = CliRunner().invoke(main, [*line, "--stratified", "--sampled-without-replacement"])
    assert both.exit_code == 2 and "drawn in one way" in both.output
