"""What is known of a model, its sample and its past, and on what that puts a claim."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest

from ssm_bounds.bounds.ladder.rung import OF_A_CLASS, Hypothesis, Verdict
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.data import Data
from ssm_bounds.evidence import Evidence, exactly
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.question import Question
from tests.questions import asked
from tests.ssm_bounds.cli.test_cli import weights

W = weights()


def evidence(question: Question) -> dict[str, tuple[object, str]]:
    return {fact.name: (fact.value, fact.evidence.value) for fact in question.facts}


def task(x: np.ndarray, *, test: np.ndarray | None = None, y: np.ndarray | None = None, **known: object) -> Task:
    train = Split(x, np.arange(len(x)) % 2 if y is None else y)
    fresh = None if test is None else Split(test, np.arange(len(test)) % 2)
    return Task("toy", train, fresh, k=1, V=4, **known)


def rows(n: int, T: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, (n, T))


BARE = {"m": None, "T": None, "gate": None, "convention": None, "embedding": None}
"""A file that records nothing."""


class TestFacts:
    def test_evidence_says_who_knows(self):
        found = evidence(asked(W, {"gate": None, "embedding": "fixed"}))
        assert found["m"] == (1000, "recorded") and found["T"] == (6, "recorded")
        assert found["gate"] == ("softplus", "assumed") and found["convention"] == ("code", "assumed")
        assert found["embedding"] == ("fixed", "recorded")
        stated = evidence(asked(W, BARE, m=10, T=5, gate="none", convention="paper"))
        assert stated["m"] == (10, "stated") and stated["T"] == (5, "stated") and stated["gate"] == ("none", "stated")
        assert stated["convention"] == ("paper", "stated") and stated["embedding"] == ("fixed", "assumed")

    def test_m_comes_from_the_data(self):
        question = asked(W, {"m": None}, data=task(rows(37)))
        assert evidence(question)["m"] == (37, "checked") and question.setting.sample.m == 37

    @pytest.mark.parametrize(
        ("stated", "message"),
        [({"gate": "none"}, "contradicts"), ({"convention": "paper"}, "contradicts"), ({"m": 9}, "contradicts"),
         ({"T": 5}, "contradicts"), ({"embedding": "none"}, "fixed or trained"),
         ({"input_bound": 2}, "embedding gives B_u"), ({"test": "x.npz"}, "--data"), ({"margin": "auto"}, "--data"),
         ({"models_on_test": 0}, ">= 1"), ({"models_on_test": True}, ">= 1"), ({"gate": "relu"}, "one of"),
         ({"convention": "ours"}, "one of"), ({"inputs": "all"}, "one of"),
         ({"delta": 1}, "--delta"), ({"delta": "1e-5000"}, "--delta"),
         ({"margin": "1e-400"}, "--margin"), ({"margin": 0}, "--margin"),
         ({"clip": -1, "loss": "clipped-ce"}, "--clip"), ({"delta": "0.05x"}, "not a number")],
    )  # fmt: skip
    def test_contradictions_and_nonsense_are_errors_that_name_the_option(self, stated, message):
        with pytest.raises(DomainError, match=message):
            asked(W, {"convention": "code"}, **stated)

    def test_T_may_exceed_the_record(self):
        assert asked(W, T=7).setting.sample.T == 7

    @pytest.mark.parametrize("name", ["m", "T"])
    def test_what_nobody_says_is_asked_for(self, name):
        with pytest.raises(DomainError, match=f"give --{name}"):
            asked(W, {name: None})

    def test_a_record_or_a_statement_against_the_data_is_an_error(self):
        with pytest.raises(DomainError, match="m = 1000, but the training data has 37 rows"):
            asked(W, data=task(rows(37)))
        with pytest.raises(DomainError, match="contradicts the data"):
            asked(W, {"m": None}, m=36, data=task(rows(37)))

    def test_rows_that_are_no_inputs_of_the_model(self):
        labels = np.arange(9) % 2
        for x, message in ((rows(9) + 1, "tokens must lie in 0..3"), (rows(9, T=7), "length 7, above T = 6")):
            with pytest.raises(DomainError, match=message):
                asked(W, {"m": None}, data=Task("toy", Split(x, labels), None, k=1, V=5))
        with pytest.raises(DomainError, match=r"labels must lie in 0\.\.1"):
            asked(W, {"m": None}, data=Task("toy", Split(rows(9), np.arange(9) % 3), None, k=3, V=4))
        with pytest.raises(DomainError, match="expected tokens"):
            asked(W, {"m": None}, data=Task("toy", Split(np.zeros((9, 6, 3)), labels), None, k=1, V=None))


class TestConditions:
    """claims.md 1: whoever says so, a fact about the past stays a condition."""

    def verdict(self, question: Question) -> Verdict:
        return question.verdict(OF_A_CLASS)

    def test_a_trained_embedding_in_the_class_needs_none(self):
        assert self.verdict(asked(W)) is Verdict.CERTIFIED

    @pytest.mark.parametrize("known", [{"embedding": "fixed"}, {"embedding": None}])
    def test_a_fixed_embedding_is_a_condition_whoever_says_so(self, known):
        question = asked(W, known)
        assert self.verdict(question) is Verdict.CONDITIONAL
        assert question.conditions(Hypothesis.EMBEDDING) == ("the embedding was fixed before the sample",)

    def test_no_metadata_changes_a_condition_into_a_certificate(self):
        """Every single word that a file can record, against a fixed embedding."""
        for word in ({"embedding": "fixed"}, {"gate": "softplus"}, {"convention": "code"}, {"task": "imdb"},
                     {"extra": {"shift": "none"}}, {"extra": {"paper_noise": "0"}}):  # fmt: skip
            question = asked(W, {"embedding": "fixed"} | word)
            assert self.verdict(question) is Verdict.CONDITIONAL

    def test_a_record_that_shows_the_opposite_refuses(self):
        question = asked(W, embedding="fixed")
        assert question.evidence("embedding") is Evidence.CONTRADICTED
        assert self.verdict(question) is Verdict.REFUSED
        assert "records that the embedding was trained" in question.refusal(Hypothesis.EMBEDDING)

    def test_a_silent_gate_is_one_condition_until_stated(self):
        silent, stated = asked(W, {"gate": None}), asked(W, {"gate": None}, gate="softplus")
        assert silent.subject == "the model with softplus gates" and self.verdict(silent) is Verdict.CONDITIONAL
        assert stated.subject == "the model" and self.verdict(stated) is Verdict.CERTIFIED

    def test_a_silent_convention_is_none(self):
        assert self.verdict(asked(W, {"convention": None})) is Verdict.CERTIFIED

    def test_inputs_bounded_by_design_are_a_condition(self):
        question = asked(weights(V=None), input_bound="0.3")
        assert question.conditions(Hypothesis.INPUTS) == ("inputs have l2 norm at most 0.3 by design",)
        assert Fraction(question.input_bound) >= Fraction("0.3")

    def test_several_models_on_one_test_set(self):
        question = asked(W, models_on_test=3)
        assert "these 3 models alone" in question.conditions(Hypothesis.TEST)[0]

    def test_a_draw_is_always_conditional(self):
        assert len(asked(W).conditions(Hypothesis.DRAW)) == 3

    def test_padding_to_the_longest_row_is_a_condition(self):
        for padded in (True, False):
            question = asked(W, {"m": None}, data=task(rows(9), padded=padded))
            assert bool(question.conditions(Hypothesis.ROWS)) == padded

    def test_repeated_rows_are_a_condition(self):
        for x, repeated in ((np.repeat(rows(20), 10, axis=0), True), (rows(200), False), (rows(200, T=1), False)):
            question = asked(W, {"m": None}, data=task(x))
            assert (question.conditions(Hypothesis.ROWS) == ("repeated rows are independent draws",)) == repeated
            assert evidence(question)["distinct training rows"] == (len(np.unique(x, axis=0)), "checked")

    def test_who_says_that_draws_may_repeat_takes_no_condition_away(self):
        found = task(np.repeat(rows(20), 10, axis=0))
        silent, said = (asked(W, {"m": None}, data=Data(found, None, each)) for each in (False, True))
        assert said.conditions(Hypothesis.ROWS) == silent.conditions(Hypothesis.ROWS) != ()
        assert evidence(said)["equal training rows"] == ("independent draws", "stated")
        assert "equal training rows" not in evidence(silent)

    def test_a_test_set_that_is_the_training_set_in_another_order_refuses(self):
        x = np.random.default_rng(1).integers(0, 4, (300, 6))
        question = asked(W, {"m": None}, data=task(x, test=x[::-1]))
        assert question.verdict([Hypothesis.TEST]) is Verdict.REFUSED
        fresh = asked(W, {"m": None}, data=task(x, test=rows(300, seed=2)))
        assert fresh.verdict([Hypothesis.TEST]) is Verdict.CONDITIONAL

    def test_a_shift_is_known_from_the_file_the_data_or_the_tokens(self):
        flipped = asked(W, {"extra": {"shift": "some were flipped"}})
        assert flipped.shift == "the file says: 'some were flipped'" and flipped.evidence("shift") is Evidence.RECORDED
        recorded = asked(W, {"m": None}, data=task(rows(9), shift="by the recipe"))
        assert recorded.shift is not None and "by the recipe" in recorded.shift
        x = rows(2000)
        seen = asked(W, {"m": None}, data=task(x, test=np.minimum(x[:1000], 1)))
        assert "not of one distribution" in seen.shift and seen.evidence("shift") is Evidence.CHECKED
        assert asked(W).shift is None

    @pytest.mark.parametrize(
        ("stated", "silent"), [({"shift": ""}, True), ({"paper_noise": "0"}, True), ({"paper_noise": "nan"}, True),
                               ({"paper_noise": "0.25"}, False), ({"shift": "x"}, False)],
    )  # fmt: skip
    def test_an_empty_word_is_no_shift(self, stated, silent):
        assert (asked(W, {"extra": stated}).shift is None) == silent

    def test_a_file_cannot_write_lines_of_its_own(self):
        """One line, quoted, cut: a certificate that a recorded word forges would otherwise stand among the notes."""
        forged = "none\nCERTIFIED  the error rate is at most 0.0001\x1b[2J" + "x" * 10**5
        question = asked(W, {"extra": {"shift": forged}})
        (note,) = (note for note in question.notes if "error rate" in note)
        assert note.startswith("the file says: 'none") and note.isprintable() and len(note) < 400

    def test_a_stated_shift_does_not_excuse_what_the_rows_do_not_show(self):
        """Equal pairs inside the test set are compared unless the distinct rows themselves differ in law."""
        x = rows(300)
        found = [asked(W, {"m": None, "extra": extra}, data=task(x, test=np.repeat(rows(20, seed=7), 15, axis=0)))
                 for extra in ({}, {"shift": "some were flipped"})]  # fmt: skip
        assert [each.verdict([Hypothesis.TEST]) for each in found] == [Verdict.REFUSED] * 2

    def test_repeats_that_a_short_alphabet_cannot_explain(self):
        """20 of the 512 rows that nine two-valued positions make up, each 35 times: 512 is below 700, 20 far below."""
        few = np.repeat(np.random.default_rng(1).integers(0, 2, (20, 9)), 35, axis=0)
        every = np.array([[(i >> j) & 1 for j in range(9)] for i in np.random.default_rng(2).integers(0, 512, 1500)])
        asked_of = [asked(W, {"m": None, "T": 9}, data=task(x)) for x in (few, every)]
        assert [bool(each.conditions(Hypothesis.ROWS)) for each in asked_of] == [True, False]


class TestNumbers:
    def test_a_float_means_its_shortest_decimal(self):
        assert {exactly(value, "delta") for value in (0.05, "0.05", "1/20", Fraction(1, 20))} == {Fraction(1, 20)}
        assert asked(W, delta=0.05).setting == asked(W, delta="0.05").setting

    @pytest.mark.parametrize("text", ["1e999999999", "1e-999999999", "9" * 10**6, "1/" + "3" * 10**6, "nan", "inf", ""])
    def test_nothing_that_can_be_typed_costs_time(self, text):
        start = time.perf_counter()
        with pytest.raises(DomainError, match="--delta"):
            exactly(text, "--delta", most=1)
        assert time.perf_counter() - start < 0.5

    def test_the_delta_of_a_record_is_compared_not_obeyed(self):
        question = asked(W, {"occam": {"delta": "1/100"}})
        assert question.setting.delta == Fraction(1, 20)
        assert any("1/100" in note for note in question.notes)
        assert asked(W, {"occam": {"delta": "1/20"}}).notes == ()
