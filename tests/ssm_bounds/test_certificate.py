"""What may be claimed: verdicts, the headline, and the sentences around the numbers (claims.md 1 to 4)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

import ssm_bounds
from ssm_bounds import certificate as certificates
from ssm_bounds import ladder as answers
from ssm_bounds.bounds.codes.gaussian import prior_center
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.inversion import binomial_upper
from ssm_bounds.bounds.ladder.margin_rows import with_margins
from ssm_bounds.bounds.ladder.one_draw import Draw
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung, Verdict
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.certificate import Certificate, Claim, certify, sentence
from ssm_bounds.inquiry import Search
from ssm_bounds.models.files.checkpoint import Convention, Metadata, write
from ssm_bounds.models.searches import posterior
from ssm_bounds.models.selective_ssm import tally
from ssm_bounds.models.tasks import rows
from ssm_bounds.models.tasks.majority import majority
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.programs import number
from ssm_bounds.report.document import document, documents, outcome, schema
from ssm_bounds.report.html.page import page
from ssm_bounds.report.tables import latex, markdown
from tests import rungs as ladder
from tests.questions import asked
from tests.ssm_bounds.cli.test_cli import weights

W = weights()
DELTA = Fraction(1, 20)


def toy(n: int = 300, tests: int | None = 200, seed: int = 0) -> Task:
    rng = np.random.default_rng(seed)
    sets = [Split(rng.integers(0, 4, (size, 6)), rng.integers(0, 2, size)) for size in (n, tests) if size is not None]
    return Task("toy", sets[0], sets[1] if tests else None, k=1, V=4)


@pytest.fixture(scope="module")
def with_data() -> Certificate:
    return certify(asked(W, {"m": None}, data=toy()))


@pytest.fixture(scope="module")
def without_data() -> Certificate:
    return certify(asked(W, {"m": 10**6}))


def claim(name: str, value: object, *conditions: str, refusal: str | None = None, **changes: object) -> Claim:
    number = Enclosure.point(Fraction(str(value)))
    rung = Rung(name, "risk", False, number, 1, conditions=conditions, refusal=refusal)
    return Claim(rung, "risk", number, DELTA / 5, "the model", **changes)


def headlines(*claims: Claim):
    question = asked(W)
    return certificates._headlines(question, claims, len(claims))


class TestHeadline:
    """claims.md 3, on hand-made claims."""

    def test_the_smallest_certified_and_a_smaller_conditional_below_it(self):
        first, second = headlines(claim("a", 0.3), claim("b", 0.2), claim("c", 0.1, "so"), claim("d", 0.05, "and so"))
        assert (first.rung, first.verdict) == ("b", Verdict.CERTIFIED)
        assert (second.rung, second.verdict, second.conditions) == ("d", Verdict.CONDITIONAL, ("and so",))
        assert ", if and so." in second.sentence and " if " not in first.sentence

    def test_a_conditional_that_is_not_smaller_is_not_told(self):
        assert headlines(claim("a", 0.3), claim("b", 0.3, "so"))[1] is None

    def test_without_a_certified_one_the_smallest_conditional(self):
        first, second = headlines(claim("a", 0.3, "so"), claim("b", 0.2, "thus"))
        assert (first.rung, first.verdict, second) == ("b", Verdict.CONDITIONAL, None)

    def test_a_refused_claim_is_never_the_headline(self):
        first, second = headlines(claim("a", 0.3), claim("b", 0.01, refusal="not fresh"))
        assert first.rung == "a" and second is None

    def test_nothing_but_refusals(self):
        first, second = headlines(claim("a", 0.3, refusal="it was trained"))
        assert first.verdict is Verdict.REFUSED and first.rung is None and first.value is None and first.vacuous
        assert "a: it was trained" in first.sentence and second is None

    def test_a_claim_about_another_distribution_is_not_compared(self):
        first, second = headlines(claim("a", 0.3), claim("holdout", 0.01, "fresh", elsewhere=True))
        assert first.rung == "a" and second is None

    def test_a_vacuous_headline_says_so(self):
        first, _ = headlines(claim("a", 1), claim("b", 2))
        assert first.vacuous and "says nothing about this model" in first.sentence
        assert not headlines(claim("a", 0.999))[0].vacuous

    @pytest.mark.parametrize(
        ("claims", "level", "accept", "met"),
        [
            ([claim("a", 0.1)], "0.1", False, True),
            ([claim("a", 0.1)], "0.09", True, False),
            ([claim("a", 0.1, "so")], "0.5", False, False),
            ([claim("a", 0.1, "so")], "0.5", True, True),
            ([claim("a", 0.3), claim("b", 0.1, "so")], "0.2", False, False),
            ([claim("a", 0.3), claim("b", 0.1, "so")], "0.2", True, True),
            ([claim("a", 0.1, refusal="no")], "0.5", True, False),
        ],
    )
    def test_require(self, with_data, claims, level, accept, met):
        first, second = headlines(*claims)
        found = replace(with_data, headline=first, headline_conditional=second)
        reason = found.met(Fraction(level), accept_conditions=accept)
        assert (reason is None) == met
        if not met and claims[0].rung.conditions and not accept:
            assert "so" in reason and "--accept-conditions" in reason

    def test_require_of_what_is_no_risk(self, without_data):
        assert "give --data" in without_data.met(Fraction(1, 2))


class TestCompared:
    def test_without_data_five_gaps_and_excesses(self, without_data):
        assert without_data.compared == 5 and len(without_data.claims) == 5
        assert {claim.share for claim in without_data.claims} == {DELTA / 5}
        assert without_data.headline.kind in ("gap", "excess") and without_data.headline_conditional is None
        named = {claim.rung.name: claim for claim in without_data.claims}
        for make in ladder.SELECTED:
            expected = make(without_data.setting, DELTA / 5).value
            assert named[make.__name__.replace("_", "-")].value == expected

    def test_with_data_risks_at_delta_over_their_number(self, with_data):
        assert [claim.rung.name for claim in with_data.claims] == ["margin", "margin-groups", "pac-bayes", "holdout"]
        assert with_data.compared == 4 and {claim.share for claim in with_data.claims} == {DELTA / 4}
        assert all(claim.kind == "risk" for claim in with_data.claims)
        test = with_data.test
        assert with_data.claims[-1].value == binomial_upper(test.errors, test.n, DELTA / 4)
        assert with_data.rung("holdout").value == binomial_upper(test.errors, test.n, DELTA)
        share = ladder.margin(with_data.setting, DELTA / 4)
        assert with_data.claims[0].value == ladder.margin_risk(share, with_data.train.margin_errors, 300)

    def test_pac_bayes_takes_its_share_and_lower_bounds_of_the_margins(self, with_data):
        question = with_data.question
        family = answers._fitted(question)
        rows, _ = answers._evaluated(question)
        for delta, value in ((DELTA / 4, with_data.claims[2].value), (DELTA, with_data.rung("pac-bayes").risk)):
            assert value == with_margins(family, 300, delta, rows.below).risk
        assert with_data.claims[2].value.upper > with_data.rung("pac-bayes").risk.upper
        assert (rows.below < rows.margin - rows.radius / 2).all()

    def test_margins_that_rounding_may_have_made_are_no_margins(self, monkeypatch):
        """With every radius as large as its margin nothing is known of any row."""
        question = asked(W, {"m": None}, data=toy())
        monkeypatch.setattr(tally, "radius", lambda run, y: np.full(len(y), 1e9))
        found = certify(question)
        assert found.train.errors == found.train.margin_errors == 300 == found.train.inside
        assert all(claim.value.upper >= 1 for claim in found.claims)
        assert found.train.program_errors < 300

    def test_the_number_is_fixed_before_any_verdict(self, with_data):
        """A refused hold-out counts, and so does everything that was asked for."""
        x = toy().train
        refused = certify(asked(W, {"m": None}, data=Task("toy", x, Split(x.x[::-1], x.y[::-1]), k=1, V=4)))
        assert refused.rung("holdout").verdict is Verdict.REFUSED
        assert refused.compared == with_data.compared
        assert refused.claims[0].value == certify(asked(W, {"m": None}, data=toy())).claims[0].value
        both = asked(W, {"m": None}, data=toy(), search=Search(occam=True, one_draw=True))
        assert number(both) == 3 and number(asked(W)) == 0

    def test_several_models_share_the_delta_of_the_test_set_alone(self, with_data):
        three = certify(asked(W, {"m": None}, data=toy(), models_on_test=3))
        test = three.test
        assert three.claims[-1].value == binomial_upper(test.errors, test.n, DELTA / 12)
        assert three.rung("holdout").value == binomial_upper(test.errors, test.n, DELTA / 3)
        assert [c.value for c in three.claims[:-1]] == [c.value for c in with_data.claims[:-1]]
        assert "3 models share the test rows" in sentence(three.question, three.claims[-1])

    def test_a_known_shift_keeps_the_holdout_out_of_the_headline(self):
        found = certify(asked(W, {"m": None, "extra": {"shift": "flipped"}}, data=toy()))
        assert found.claims[-1].elsewhere and found.compared == 4
        assert found.headline.rung != "holdout" and found.headline_conditional is None

    def test_several_paths_are_asked_about_at_once(self):
        questions = ssm_bounds.ask_each([asked(W).checkpoint] * 2, data=toy(1000))
        assert [question.models for question in questions] == [2, 2]
        more = ssm_bounds.ask_each([asked(W).checkpoint], data=toy(1000), models_on_test=8)
        assert more[0].models == 8
        with pytest.raises(ValueError, match="fewer than the 2 models"):
            ssm_bounds.ask_each([asked(W).checkpoint] * 2, models_on_test=1)

    def test_several_models_look_at_the_rows_once(self, monkeypatch):
        hashed, compared = [], []
        hashes, against = rows.row_hashes, rows.against_chance
        monkeypatch.setattr(rows, "row_hashes", lambda x: hashed.append(x.shape) or hashes(x))
        monkeypatch.setattr(rows, "against_chance", lambda *a, **k: compared.append(a) or against(*a, **k))
        questions = ssm_bounds.ask_each([asked(W).checkpoint] * 5, data=toy(1000))
        assert len(hashed) == len(compared) == 2  # training and test rows; shared rows and equal pairs
        assert len({id(question.rows) for question in questions}) == 1
        assert questions[0].rows == ssm_bounds.ask(asked(W).checkpoint, data=toy(1000)).rows


class TestSentences:
    def test_it_says_with_which_probability_over_what_about_whom(self, with_data):
        (holdout,) = (claim for claim in with_data.claims if claim.rung.name == "holdout")
        text = sentence(with_data.question, holdout)
        assert text.startswith("With probability at least 0.95 over the 300 training rows and the 200 test rows, the")
        assert "the error rate of the model (sha256 abababab...)" in text
        assert "on new rows from the distribution of the test rows is at most 0." in text
        assert text.endswith("if the test rows are fresh, independent and met by this model alone.")

    def test_a_risk_from_the_training_rows_is_about_their_distribution(self, with_data):
        text = sentence(with_data.question, with_data.claims[0])
        assert "on new rows from the training distribution" in text

    def test_a_silent_gate_is_in_the_subject_and_a_condition(self):
        found = certify(asked(W, {"gate": None}))
        assert "the model with softplus gates" in found.headline.sentence
        assert "if the gate is softplus" in found.headline.sentence
        assert "softplus" not in certify(asked(W)).headline.sentence

    def test_a_gap_is_about_a_class_and_an_excess_about_margins(self, without_data):
        kinds = {claim.kind: sentence(without_data.question, claim) for claim in without_data.claims}
        assert "every model of the class" in kinds["gap"] and "ramp loss" in kinds["gap"]
        assert "the fraction of its training margins that are at most 1.0" in kinds["excess"]

    def test_standing_assumptions_are_printed_whatever_the_verdict(self, with_data, without_data):
        refused = certify(asked(W, embedding="fixed"))
        for found in (with_data, without_data, refused):
            for text in (markdown([found]), latex([found]).replace("\\", "")):
                assert all(line in text for line in found.question.standing)

    def test_a_rung_that_loses_to_the_holdout_says_so(self, with_data):
        text = markdown([with_data])
        rows = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if line.startswith("| ")}
        assert ("the hold-out is smaller" in rows["margin"]) == (
            with_data.rung("holdout").value.upper < with_data.rung("margin").risk.upper
        )
        assert "the hold-out is smaller" in rows["margin"] and "hold-out" not in rows["holdout"]


class TestRungs:
    def test_comparison_rungs_claim_nothing_alone(self, without_data):
        for name in ("repaired", "sharp"):
            rung = without_data.rung(name)
            assert rung.comparison and rung.verdict is Verdict.CONDITIONAL
            assert any("measured on the trained model" in condition for condition in rung.conditions)
        assert {claim.rung.name for claim in without_data.claims} & {"published", "repaired", "sharp"} == set()

    def test_published_takes_inputs_that_were_given(self, without_data):
        """The embedding was trained and is in the class: the printed route does not cover it."""
        assert "takes the inputs as given" in without_data.question.refusal(Hypothesis.PRINTED)
        small = replace(W, A=-np.abs(W.A), W=1e-9 * W.W, W_B=1e-3 * W.W_B)
        found = certify(asked(small, {"m": 10**9, "embedding": "fixed"})).rung("published")
        assert found.verdict is Verdict.CONDITIONAL
        assert any("some are false" in condition for condition in found.conditions)
        trained = certify(asked(small, {"m": 10**9})).rung("published")
        assert trained.verdict is Verdict.REFUSED and trained.value == found.value

    def test_a_refused_rung_quotes_no_value(self):
        found = certify(asked(W, embedding="fixed"))
        assert found.headline.value is None and found.verdict is Verdict.REFUSED
        for rung in document(found)["rungs"]:
            assert rung["value"] is None and rung["risk"] is None and rung["would_be"] is not None
        text = markdown([found])
        assert "| refused |" in text and "would be" in text

    def test_nothing_quotes_a_refused_value(self):
        """Everything of a class is refused: no reading of it says a number, least of all a certificate's."""
        question = asked(W, embedding="fixed")
        found = certify(question)
        assert found.headline.rung is None and found.met(Fraction(1)) == "nothing can be claimed"
        data = document(found)
        assert data["class"] is None and data["best"]["value"] is None and data["trace"] == {}
        for rung in data["rungs"]:
            assert (rung["value"], rung["risk"], rung["lower"], rung["details"]) == (None, None, None, {})
        text = page([found])
        assert "Which parameters" not in text and "nothing can be claimed" in text.lower()
        with pytest.raises(DomainError, match="nothing can be claimed"):
            ssm_bounds.explain(question)

    def test_occam_rests_on_the_rows_alone(self):
        """No gate, no embedding: they belong to the program that is written out."""
        task = majority(200, 6, seed=1)
        w = weights(V=2)
        record = {"m": None, "gate": None, "embedding": "fixed"}
        found = certify(asked(w, record, data=task, search=Search(occam=True, budget=1)))
        rung = found.rung("occam")
        assert rung.verdict is Verdict.CERTIFIED and rung.rests_on == (Hypothesis.ROWS,)
        assert found.rung("margin").verdict is Verdict.CONDITIONAL
        assert found.verdict is Verdict.CERTIFIED and found.headline.rung == "occam"
        assert "the rounded model (sha256 " in found.headline.sentence and "gates" not in found.headline.sentence

    def test_a_mean_loss_is_claimed_apart(self):
        """At delta, of the program that is written out: no claim of an error rate, and none of those compared."""
        record = {"m": None, "gate": None, "embedding": "fixed"}
        search = Search(occam=True, certify_loss=True, budget=1)
        question = asked(weights(V=2), record, data=majority(200, 6, seed=1), search=search, delta="0.1")
        found = certify(question)
        (claimed,) = found.apart
        rung = found.rung("occam-loss")
        assert claimed.rung.name == rung.name and claimed.value is rung.value and claimed.share == Fraction(1, 10)
        assert all(each.rung.kind != "loss" for each in found.claims) and found.compared == number(question) + 3
        assert rung.rests_on == (Hypothesis.ROWS,) and rung.verdict is Verdict.CERTIFIED
        text = sentence(found.question, claimed)
        assert text.startswith(
            "With probability at least 0.9 over the 200 training rows and the 200 test rows, the mean ramp loss at "
        )
        assert "error rate" not in text and f"{claimed.subject} on new rows" in text
        assert f"CERTIFIED: {text}" in dict(outcome(found))["mean loss"]

    def test_what_a_mean_loss_needs(self):
        for stated, message in (({"data": toy()}, "give --occam"), ({}, "give --data FILE")):
            with pytest.raises(DomainError, match=message):
                asked(W, {"m": 300}, search=Search(certify_loss=True), **stated)

    def test_repeated_rows_make_every_rung_of_the_data_conditional(self):
        rng = np.random.default_rng(3)
        x, y = np.repeat(rng.integers(0, 4, (30, 6)), 10, axis=0), np.repeat(np.arange(30) % 2, 10)
        found = certify(asked(W, {"m": None}, data=Task("toy", Split(x, y), None, k=1, V=4)))
        for name in ("scale", "margin", "margin-groups", "pac-bayes"):
            assert "repeated rows are independent draws" in found.rung(name).conditions


class TestOneDraw:
    def file(self, folder: Path, *, honest: bool, convention: Convention | None = "code") -> Path:
        """A recorded draw; the dishonest one chose its mean after its noise, so that theta is where P is dense."""
        sizes = posterior.sizes(weights(V=2))
        center = prior_center(sizes)
        factor = np.full(len(center), 0.5 if honest else 30.0)
        draw = Draw.once(center=center, mean=center, factor=factor, seed=0)
        if not honest:
            draw = Draw(center, center - factor * draw.noise, factor, 0, draw.noise)
        path = folder / "drawn.safetensors"
        metadata = Metadata(
            m=200, T=6, gate="softplus", convention=convention, embedding="trained", one_draw=draw.record()
        )
        write(path, posterior.unflatten(draw.parameters, weights(V=2)), metadata)
        return path

    def test_an_honest_one_is_conditional(self, tmp_path):
        found = certify(ssm_bounds.ask(self.file(tmp_path, honest=True), data=majority(200, 6, seed=1)))
        rung = found.rung("one-draw")
        assert rung.verdict is Verdict.CONDITIONAL and len(rung.conditions) == 3

    def test_a_file_that_does_not_say_how_its_program_runs_is_one_condition_more(self, tmp_path):
        """The draw was of parameters; which program they are, is what the file left open."""
        path = self.file(tmp_path, honest=True, convention=None)
        rung = certify(ssm_bounds.ask(path, data=majority(200, 6, seed=1))).rung("one-draw")
        assert rung.conditions[-1] == "its convention is code (its file does not record it)"

    def test_a_mean_chosen_after_the_noise_is_refused(self, tmp_path):
        found = certify(ssm_bounds.ask(self.file(tmp_path, honest=False), data=majority(200, 6, seed=1)))
        rung = found.rung("one-draw")
        assert rung.verdict is Verdict.REFUSED and "ln dQ/dP" in rung.refusal
        assert found.headline.rung != "one-draw"


class TestSharedFiles:
    """The inputs of the field, and the real models."""

    def certificate(self, shared, data, **stated):
        path = shared / "checkpoints" / "majority_T200_m1000_seed1.pth"
        return certify(ssm_bounds.ask(path, T=200, data=data, **stated))

    def test_a_permuted_training_set_is_no_test_set(self, shared):
        found = self.certificate(shared, shared / "field" / "test_is_permuted_train.npz")
        rung = found.rung("holdout")
        assert rung.verdict is Verdict.REFUSED and "997" in rung.refusal
        assert found.headline.rung != "holdout"

    def test_rows_that_count_ten_times(self, shared):
        found = self.certificate(shared, shared / "field" / "dups.npz")
        assert "repeated rows are independent draws" in found.rung("pac-bayes").conditions
        assert any("100 distinct rows among 1,000" in note for note in found.question.notes)

    @pytest.mark.parametrize("name", ["labels_pm1", "labels_n1", "labels_onehot"])
    def test_usual_labels_are_mapped_and_the_mapping_is_printed(self, shared, name):
        found = self.certificate(shared, shared / "field" / f"{name}.npz")
        assert found.train.program_errors < 100
        if name != "labels_n1":
            assert any(fact.name == "labels" for fact in found.question.facts)

    def test_the_embedding_of_imdb_in_its_class_says_nothing(self, shared):
        path = shared / "checkpoints" / "imdb_T500_m25000_seed1.pth"
        found = certify(ssm_bounds.ask(path, m=25000, T=500, embedding="trained", gate="softplus"))
        assert found.verdict is Verdict.CERTIFIED and found.headline.vacuous
        assert "says nothing about this model" in found.headline.sentence

    def test_three_lines_of_python_and_the_command_say_the_same(self, shared):
        import json

        from tests.ssm_bounds.cli.test_cli import run

        data = shared / "data" / "majority_T200_seed1.npz"
        cases = [
            ("majority_T200_m1000_seed1", {"m": 1000, "T": 200, "gate": "softplus", "data": data}),
            ("listops_T100_m1000_seed1", {"m": 1000, "T": 105}),
            ("imdb_T500_m25000_seed1", {"m": 25000, "T": 500}),
        ]
        for name, stated in cases:
            path = shared / "checkpoints" / f"{name}.pth"
            found = documents([certify(ssm_bounds.ask(path, **stated))])
            options = [word for key, value in stated.items() for word in (f"--{key}", value)]
            assert found == json.loads(run("certify", path, *options, "--format", "json").stdout)


class TestSchema:
    def test_it_is_a_schema(self):
        jsonschema.Draft202012Validator.check_schema(schema())

    def test_documents_follow_it(self, with_data, without_data):
        refused = certify(asked(W, embedding="fixed"))
        real = certify(asked(weights(V=None), input_bound=2))
        found = documents([with_data, without_data, refused, real], [("a", "a: broken")])
        jsonschema.validate(found, schema())
        assert found["schema"] == 2 and found["tool"]["name"] == "ssm-bounds"

    @pytest.mark.parametrize("key", ["headline", "facts", "standing_assumptions", "rungs"])
    def test_a_missing_key_is_noticed(self, without_data, key):
        broken = document(without_data)
        del broken[key]
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(documents([]) | {"certificates": [broken]}, schema())


def test_a_training_that_collapsed_is_told():
    still = replace(W, W=0 * W.W)
    assert any(
        "the same on every training row" in note
        for note in certify(asked(still, {"m": None}, data=toy())).question.notes
    )
    assert not any("the same on" in note for note in certify(asked(W, {"m": None}, data=toy())).question.notes)


def test_a_notebook_shows_it_in_full():
    found = certify(asked(W, {"m": None}, data=toy()))
    shown, _ = DisplayFormatter().format(found)
    assert shown == {"text/markdown": markdown([found]), "text/plain": str(found.headline)}


def test_the_face_is_small_and_lazy():
    import subprocess
    import sys

    check = "import sys, ssm_bounds; sys.exit(bool({'sympy', 'numpy', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0
    assert all(hasattr(ssm_bounds, name) for name in ssm_bounds.__all__)
    assert set(dir(ssm_bounds)) >= {"ask", "certify", "explain", "sweep", "read", "BoundMonitor", "__version__"}
    with pytest.raises(AttributeError, match="nonsense"):
        _ = ssm_bounds.nonsense
