"""The comparison as a Python function: rows of classes beside rows of models, their conditions, and what is refused."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import ssm_bounds
from ssm_bounds.bounds.gaps.losses import Ramp
from ssm_bounds.bounds.ladder.equal import Equal
from ssm_bounds.bounds.ladder.rung import Verdict
from ssm_bounds.bounds.ladder.scale import scale
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.comparison import LENGTHS, STANDING, compare
from ssm_bounds.models.files.checkpoint import Metadata, read, write
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.question import ask
from tests.ssm_bounds.cli.test_cli import weights

FEW = Equal(d=2, N=1, s_A=(0,), beta=(1,))
KNOWN = Metadata(m=400, T=60, gate="softplus", convention="code", embedding="fixed")


@pytest.fixture
def saved(tmp_path):
    def save(name="model.safetensors", metadata=KNOWN, **changes):
        path = tmp_path / name
        write(path, weights(**changes), metadata)
        return path

    return save


def test_it_is_on_the_face():
    assert ssm_bounds.compare is compare


def test_classes_alone():
    found = compare(equal=FEW)
    assert found.m == 25000 and found.lengths == LENGTHS == (100, 500, 2000) and found.delta == Fraction(1, 20)
    assert {row.kind for row in found.rows} == {"class"} and len(found.rows) == 7
    for row in found.rows:
        assert [row.verdict(value) for value in row.values] == [Verdict.CERTIFIED] * 3 and not row.conditions
    assert "if the class was fixed before" in found.sentence and "at most T tokens" in STANDING[0]


def test_a_model_has_its_own_norms_and_conditions(saved):
    path = saved()
    found = compare([path], T=(60, 100), equal=FEW)
    row = found.rows[0]
    assert found.m == 400 and row.kind == "model" and row.name == "model.safetensors"
    assert row.parameters == 3 * 3 * 2 + 3 + 3 + 1
    assert row.conditions == (
        "the embedding was fixed before the sample",
        "its constants had been fixed before the data (they were measured on the trained model)",
    )
    assert row.paid_conditions == row.conditions[:1]
    for value in row.values:
        rung = scale(ask(path, T=value.T).setting)
        assert value.bound.upper == rung.before_selection.upper and value.paid.upper == rung.value.upper
        assert value.bound.upper < value.paid.upper and row.verdict(value) is Verdict.CONDITIONAL


def test_a_trained_embedding_is_in_the_class(saved):
    path = saved(metadata=replace(KNOWN, embedding="trained"))
    row = compare([path], T=60, equal=FEW).rows[0]
    cover = "one scale (6.2), cover of A, W_B, W_C, W, p, q by 5.1; E by 5.4"
    assert row.rule == f"{cover}, at its own norms; d = 3, N = 2, k = 1" and row.source == "theory.md 5.1, 5.4"
    assert row.parameters == 25 + 4 * 3 and "the embedding was fixed before the sample" not in row.conditions
    assert not row.vacuous(row.values[0].bound)
    row = compare([path], T=60, margin="1e-9", equal=FEW).rows[0]
    assert row.vacuous(row.values[0].bound) and row.capped(row.values[0].bound) == 1
    with pytest.raises(DomainError, match="no embedding"):
        compare([saved("real.safetensors", Metadata(m=400), V=None)], embedding="fixed", input_bound=1, equal=FEW)


def test_what_the_file_contradicts_is_refused(saved):
    """An embedding that is said to be fixed and was trained."""
    path = saved(metadata=replace(KNOWN, embedding="trained"))
    found = compare([path], T=(60, 100), embedding="fixed", equal=FEW)
    row = found.rows[0]
    for value in row.values:
        assert (value.bound, value.paid, value.paid_claim, found.claim(row, value)) == (None,) * 4
        assert "was trained" in value.refusal and row.verdict(value) is row.paid_verdict(value) is Verdict.REFUSED


def test_a_length_below_the_record_is_an_error(saved):
    """However many others there are, and however the model is given."""
    path = saved()
    for T in (20, (20, 60), (1000, 20)):
        with pytest.raises(DomainError, match="--T 20 contradicts the file, which records T = 60"):
            compare(path, T=T, equal=FEW)
        with pytest.raises(DomainError, match=r"model\.safetensors: --T 20 contradicts the file, which records T = 60"):
            compare(ask(path), T=T, equal=FEW)


def test_a_length_below_the_rows_is_an_error(saved):
    task = Task("rows", Split(np.zeros((400, 9), dtype=np.int64), np.arange(400) % 2), None, 1, 4)
    question = ask(saved(metadata=replace(KNOWN, T=None)), T=9, data=task)
    assert compare(question, T=9, equal=FEW).rows[0].values[0].bound is not None
    with pytest.raises(DomainError, match="rows have length 9, above T = 8"):
        compare(question, T=(8, 9), equal=FEW)


def test_several_models_of_several_sizes(saved):
    """Two outputs have the margin's constant sqrt 2, real inputs a bound of their own."""
    paths = [saved(), saved("two.safetensors", replace(KNOWN, embedding="none"), k=2, V=None)]
    questions = [ask(paths[0]), ask(paths[1], input_bound=2)]
    one, two, *rest = compare(questions, T=60, equal=FEW).rows
    assert [one.name, two.name] == ["model.safetensors", "two.safetensors"] and "k = 2" in two.rule
    assert "inputs have l2 norm at most 2 by design" in two.conditions
    assert all(row.kind == "class" for row in rest)
    assert two.values[0].bound.upper == scale(questions[1].setting).before_selection.upper


def test_the_terms_of_the_table_hold_for_models_too(saved):
    """A question's own delta and margin are replaced."""
    question = ask(saved(), delta="1/100", margin=5)
    found = compare([question], T=60, delta="1/10", margin="1/2", equal=FEW)
    same = replace(question.setting, delta=Fraction(1, 10), loss=Ramp(Fraction(1, 2)), margin=Fraction(1, 2))
    assert found.rows[0].values[0].bound.upper == scale(same).before_selection.upper


def test_one_m(saved):
    first, second = saved(), saved("other.safetensors", replace(KNOWN, m=500))
    with pytest.raises(DomainError, match="one m"):
        compare([first, second], equal=FEW)
    with pytest.raises(DomainError, match="records m = 400"):
        compare([first], m=500, equal=FEW)
    with pytest.raises(DomainError, match="one m"):
        compare([ask(first)], m=500, equal=FEW)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"T": 0}, "--T"),
        ({"T": ()}, "--T"),
        ({"T": (1, 2.0)}, "--T"),
        ({"T": range(1, 99)}, "at most 64 lengths"),
        ({"m": 0}, "--m"),
        ({"m": 10**19}, "--m"),
        ({"delta": 0}, "--delta"),
        ({"delta": "nan"}, "--delta"),
        ({"margin": -1}, "--margin"),
        ({"margin": "inf"}, "--margin"),
        ({"equal": Equal(beta=tuple(range(1, 60)))}, "at most 64 classes"),
        ({"equal": None}, "equal: constants of the classes, an Equal, got None"),
        ({"T": None}, "--T: lengths from 1 to 10.18, got None"),
        ({"T": "60"}, "--T: lengths from 1 to 10.18, got '60'"),
        ({"T": True}, "--T"),
        ({"T": 60.0}, "--T"),
        ({"T": (60, None)}, "--T"),
        ({"T": itertools.count(1)}, "at most 64 lengths"),
        ({"m": "400"}, "--m: not 1 to 10.18: '400'"),
        ({"m": 400.0}, "--m"),
        ({"models": None}, "models: files with one selective SSM, or questions about them, got None"),
        ({"models": 3}, "models: files .*, got 3"),
        ({"models": [b"file"]}, "models: files .*, got b'file'"),
        ({"delta": None}, "--delta"),
    ],
)
def test_bad_terms(given, said):
    with pytest.raises(ValueError, match=said):
        compare(**{"equal": FEW} | given)


def test_what_means_the_same_is_accepted(saved):
    """One model or length alone, numpy's numbers, any iterable."""
    path = saved()
    same = [row.values[0].bound.upper for row in compare([path], m=400, T=60, equal=FEW).rows]
    for models in (path, str(path), (path,), iter([path]), ask(path), read(path)):
        found = compare(models, T=60, equal=FEW)
        assert [row.values[0].bound.upper for row in found.rows] == same
    for T in (np.int64(60), np.array(60), np.array([60]), {60}, iter([60])):
        found = compare(m=np.int64(400), T=T, equal=FEW)
        assert [row.values[0].bound.upper for row in found.rows] == same[1:] and found.lengths == (60,)
        assert type(found.m) is int and type(found.lengths[0]) is int


def test_files_of_one_name_are_told_apart(saved, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    a, b, c = saved("a/model.safetensors"), saved("b/model.safetensors", k=2), saved("c.safetensors", k=3)
    names = [row.name for row in compare([a, b, c], T=60, equal=FEW).rows[:3]]
    assert names == [str(a), str(b), "c.safetensors"]
    found = compare([ask(c), ask(c, T=80)], T=80, equal=FEW).rows[:2]
    assert [row.name for row in found] == [f"{c} (1)", f"{c} (2)"]


def test_lengths_are_sorted_and_once():
    assert compare(T=[20, 5, 20], equal=FEW).lengths == (5, 20)


def test_any_length_has_a_value_at_once():
    for row in compare(T=10**18, m=10**18, equal=Equal(s_A=(Fraction(1, 2),), beta=(3,))).rows:
        assert row.values[0].bound.upper.is_finite()


def test_the_authors_model(shared):
    path = shared / "checkpoints" / "imdb_T500_m25000_seed1.pth"
    row = compare([path], m=25000, T=500, gate="softplus", equal=FEW).rows[0]
    assert row.values[0].bound.float_upper() == pytest.approx(0.33674, rel=1e-4)
    assert row.values[0].paid.float_upper() == pytest.approx(0.33717, rel=1e-4)
    assert row.parameters == 225
