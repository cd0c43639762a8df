"""Rows compared: a test set made of training rows is refused, an honest one passes, and the counts are right."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.models.tasks import rows
from ssm_bounds.models.tasks.files import read_task
from ssm_bounds.models.tasks.listops import listops
from ssm_bounds.models.tasks.majority import majority
from ssm_bounds.models.tasks.rows import (
    Compared,
    RowFacts,
    against_chance,
    counted,
    in_both,
    pairs_of,
    refusal,
    row_facts,
)
from ssm_bounds.models.tasks.task import Split

CERTIFY = majority(20_000, 50, seed=1)  # the data of `make certify`


def split(x, y=None):
    return Split(np.asarray(x), np.zeros(len(x), dtype=int) if y is None else np.asarray(y))


def reordered(data, seed=0, m=None):
    order = np.random.default_rng(seed).permutation(data.m)[:m]
    return Split(data.x[order], data.y[order])


def joined(*parts):
    return Split(np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts]))


# What is counted


def test_counts():
    train = split([[0, 1], [0, 1], [1, 1], [2, 0], [2, 0], [3, 3]], [0, 0, 1, 0, 1, 0])
    test = split([[0, 1], [2, 0], [1, 1], [1, 1], [1, 1], [5, 5]], [0, 0, 1, 1, 0, 1])
    facts = row_facts(train, test)
    assert (facts.n_train, facts.distinct_train, facts.conflicting_train) == (6, 4, 1)
    assert (facts.n_test, facts.distinct_test, facts.equal_pairs) == (6, 4, 3)
    assert (facts.shared.observed, facts.conflicting, facts.pairs.observed) == (3, 2, 3)
    assert not facts.excess and refusal(facts) is None and not facts.repeated
    assert counted(facts).startswith(
        "4 distinct rows among 6 training rows (1 with more than one label); 4 among 6 test rows; in both 3 (random "
        "re-split "
    )
    shifted = row_facts(train, test, shifted=True)
    assert shifted.pairs is None and shifted.equal_pairs == 3 and shifted.shared == facts.shared
    alone = row_facts(train, None)
    assert alone == RowFacts(6, 4, 1, None, 0, 0, 0, 0, None, None) and not alone.excess and refusal(alone) is None


def test_equal_rows_are_equal_numbers_whatever_holds_them():
    tokens = np.array([[0, 1, 300], [2, 2, 0]])
    kinds = [tokens.astype(kind) for kind in ("<i2", ">i4", "u8")] + [np.asfortranarray(tokens)]
    assert all(rows.row_hashes(each) == rows.row_hashes(tokens) for each in kinds)
    reals = np.array([[[0.0, 1.5]], [[-0.0, 1.5]], [[0.0, 1.25]]])
    first, second, third = rows.row_hashes(reals)
    assert first == second != third and rows.row_hashes(reals.astype(">f4")) == [first, first, third]
    padded = np.array([[1, 0], [1, 1]])
    assert len({*rows.row_hashes(padded), *rows.row_hashes(padded[:, :1])}) == 3  # what ends a row is part of it


def test_hashing_in_parts_changes_nothing(monkeypatch):
    x = np.random.default_rng(0).normal(size=(30, 4, 2))
    whole = rows.row_hashes(x)
    monkeypatch.setattr(rows, "_ROW_BYTES", 200)
    assert rows.row_hashes(x) == whole and len(set(whole)) == 30


labelled_rows = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=12)


@given(labelled_rows, labelled_rows, st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_rows_and_the_names_of_tokens_do_not_matter(train, test, random, shifted):
    def facts(train, test, rename):
        sets = (split([[rename[a], b] for a, b, _ in each], [y for *_, y in each]) for each in (train, test))
        return row_facts(*sets, shifted=shifted)

    found = facts(train, test, range(4))
    for each in (train, test):
        random.shuffle(each)
    assert facts(train, test, [7, 0, 300, 2]) == found
    one, other = (Counter((a, b) for a, b, _ in each) for each in (train, test))
    assert found.shared.observed == len(one.keys() & other.keys())
    assert found.equal_pairs == sum(n * (n - 1) // 2 for n in other.values())


# Against chance


@pytest.mark.parametrize("statistic", [in_both, pairs_of])
@pytest.mark.parametrize(("copies", "n_test"), [((2, 2, 1), 2), ((3, 2, 2, 1), 3), ((5, 2), 1), ((4, 4, 3), 8)])
def test_resplits_are_uniform(statistic, copies, n_test):
    """The counts of many re-splits against all of them, one by one."""
    pooled = [row for row, count in enumerate(copies) for _ in range(count)]
    exact = Counter()
    for chosen in combinations(range(len(pooled)), n_test):
        tested = Counter(pooled[place] for place in chosen)
        exact[sum(int(statistic(np.array([tested[row]]), count)[0]) for row, count in enumerate(copies))] += 1
    draws, bits = 40_000, np.random.PCG64(7)
    repeated = [count for count in copies if count > 1]
    found = Counter(rows._resplit(statistic, repeated, len(pooled) - n_test, n_test, draws, bits).tolist())
    assert found.keys() <= exact.keys()
    for value, ways in exact.items():
        p = ways / exact.total()
        assert abs(found[value] - draws * p) <= 5 * (draws * p * (1 - p)) ** 0.5


def test_the_stream_is_the_same_everywhere():
    """Raw integers of PCG64, and correctly rounded products of them: these numbers hold on every machine."""
    sizes = {"n_train": 1000, "n_test": 1000}
    assert against_chance(1000, in_both, [2] * 1000, **sizes) == Compared(1000, 568, None)
    assert against_chance(540, in_both, [1] * 50 + [2] * 1000, **sizes) == Compared(540, 540, 4)
    assert against_chance(1200, pairs_of, [30] * 4, **sizes) == Compared(1200, 722, None)
    assert against_chance(0, pairs_of, [], **sizes) == Compared(0, 0, 1)


def test_where_comparing_ends_is_the_first_that_reaches_it():
    sizes = {"n_train": 60, "n_test": 40}
    counts = [2] * 20 + [3] * 5
    bits = np.random.PCG64(rows.SEED)
    found = np.concatenate([rows._resplit(in_both, counts, 60, 40, draws, bits) for draws in rows._BATCHES])
    assert len(found) == rows.RESPLITS == sum(rows._BATCHES)
    for observed in range(1, 27):
        reached = np.flatnonzero(found >= observed)
        expected = (found[reached[0]], reached[0] + 1) if reached.size else (found.max(), None)
        assert against_chance(observed, in_both, counts, **sizes) == Compared(observed, *expected)
    assert against_chance(int(found.max()) + 1, in_both, counts, **sizes).excess  # one more than the largest is refused
    assert not against_chance(int(found.max()), in_both, counts, **sizes).excess


def test_training_rows_in_another_order_are_refused(shared):
    task = read_task(shared / "field" / "test_is_permuted_train.npz")
    facts = row_facts(task.train, task.test)
    assert facts.shared.observed == 997 and 540 < facts.shared.largest < 600 and facts.excess
    assert refusal(facts).startswith("997 of the 997 distinct test rows are training rows, and none of 9,999")
    assert "more than chance allows, whatever the task" in refusal(facts)
    assert facts.conflicting == 0 and not facts.pairs.excess


@pytest.mark.parametrize(
    ("T", "copied", "refused"), [(200, 20, True), (200, 200, True), (50, 60, True), (8, 20, False)]
)
def test_leaks_are_found_where_rows_do_not_repeat_anyway(T, copied, refused):
    fresh = majority(1000, T, seed=2)
    leaked = joined(reordered(fresh.train, m=copied), Split(fresh.test.x[copied:], fresh.test.y[copied:]))
    assert not row_facts(fresh.train, fresh.test).excess
    facts = row_facts(fresh.train, leaked)
    assert facts.shared.excess is refused and (refusal(facts) is not None) is refused


def test_ten_rows_thirty_times_are_refused():
    fresh = majority(1000, 200, seed=1)
    ten = reordered(fresh.test, m=10)
    facts = row_facts(fresh.train, joined(*[ten] * 30))
    assert facts.equal_pairs == 10 * 30 * 29 // 2 == facts.pairs.observed and facts.pairs.excess
    assert facts.pairs.largest < 1000 and "4,350 pairs of test rows are equal" in refusal(facts)
    assert not row_facts(fresh.train, joined(*[ten] * 30), shifted=True).excess


def test_honest_data_pass(shared):
    facts = row_facts(CERTIFY.train, CERTIFY.test)
    assert not facts.excess and 280 < facts.shared.observed < 370
    test_rows = set(rows.row_hashes(CERTIFY.train.x))
    assert sum(row in test_rows for row in rows.row_hashes(CERTIFY.test.x)) > 1500  # rows, of which many are all 0 or 1
    flipped = read_task(shared / "data" / "majority_T200_seed1.npz")
    assert not row_facts(flipped.train, flipped.test, shifted=True).excess
    divided = read_task(shared / "field" / "split.npz")
    assert not row_facts(divided.train, divided.test).excess
    folder = shared / "data" / "listops_T100"
    theirs = read_task(folder / "train.tsv", folder / "test.tsv")
    assert not row_facts(theirs.train, theirs.test).excess


def test_a_copy_of_what_make_certify_trains_on_is_refused():
    facts = row_facts(CERTIFY.train, reordered(CERTIFY.train))
    assert facts.shared.observed == facts.distinct_train > 18_000 and facts.shared.largest < 10_000 and facts.excess


def test_counting_rows_instead_of_distinct_rows_would_refuse_honest_data():
    """A control: the wrong statistic fails here."""
    known = set(rows.row_hashes(CERTIFY.train.x))
    wrong = sum(row in known for row in rows.row_hashes(CERTIFY.test.x))
    copies = Counter(rows.row_hashes(np.concatenate([CERTIFY.train.x, CERTIFY.test.x]))).values()
    sizes = {"n_train": CERTIFY.train.m, "n_test": CERTIFY.test.m}
    assert against_chance(wrong, in_both, copies, **sizes).excess
    assert not against_chance(row_facts(CERTIFY.train, CERTIFY.test).shared.observed, in_both, copies, **sizes).excess


def test_false_alarms_are_as_rare_as_claimed():
    """Honest draws of several laws: none is refused, and the k-th re-split is needed as seldom as 1/k."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(400):
        T, m = (3, 8, 20)[number % 3], int(rng.integers(5, 120))
        laws = rng.random(T) ** 2
        train, test = (split((rng.random((n, T)) < laws).astype(int)) for n in (m, int(rng.integers(5, 120))))
        facts = row_facts(train, test)
        found += [facts.shared, facts.pairs]
    assert not any(each.excess for each in found)
    for k in (1, 3, 9, 39):
        later = Fraction(sum(each.reached > k for each in found), len(found))
        assert later <= 1 / (k + 1) + 4 * (1 / (k + 1) / 400) ** 0.5  # two counts of one draw are dependent: 400
    assert sum(each.reached > 1 for each in found) > 100  # and not for want of power


# Repeated training rows


def test_repeated_rows_from_the_field(shared):
    facts = row_facts(read_task(shared / "field" / "dups.npz").train, None)
    assert (facts.n_train, facts.distinct_train, facts.possible, facts.repeated) == (1000, 100, None, True)
    assert rows.INDEPENDENT_REPEATS == "repeated rows are independent draws"
    assert not row_facts(read_task(shared / "data" / "majority_T200_seed1.npz").train, None).repeated


@pytest.mark.parametrize("T", [3, 8, 10, 16])
def test_a_short_alphabet_explains_repeats(T):
    facts = row_facts(majority(2000, T, seed=0).train, None)
    assert not facts.repeated and (facts.possible == 2**T or 2 * facts.distinct_train >= 2000)
    padded = np.pad(majority(2000, T, seed=0).train.x, ((0, 0), (0, 100)), constant_values=0)
    assert not row_facts(split(padded), None).repeated  # constant positions make up no further rows


def test_half_of_the_rows_and_as_many_possible_ones_are_the_limits():
    rng = np.random.default_rng(0)
    distinct = rng.permutation(2**20)[:50, None] >> np.arange(20) & 1
    half = row_facts(split(np.repeat(distinct, 2, axis=0)), None)
    assert (half.n_train, half.distinct_train, half.repeated) == (100, 50, False)
    fewer = row_facts(split(np.concatenate([distinct, distinct, distinct[:1]])), None)
    assert (fewer.n_train, fewer.distinct_train, fewer.repeated) == (101, 50, True)
    for alphabet in (12, 13):  # rows of one token twice make up the square of their number
        diagonal = np.repeat(np.arange(alphabet), 2).reshape(-1, 2)
        assert rows._possible(diagonal, 144) == (144 if alphabet == 12 else None)


def test_real_inputs_may_repeat_too():
    x = np.random.default_rng(0).normal(size=(10, 3, 2))
    assert row_facts(split(np.repeat(x, 3, axis=0)), None).repeated and not row_facts(split(x), None).repeated


# Padding


def test_padding_is_asked_about(shared):
    task = read_task(shared / "field" / "padright.npz")
    assert rows.padding_question(task.train) == "every row ends in token 0, 50 to 250 times in a row: is it padding?"
    question = rows.padding_question(listops(200, 20, seed=0).train)
    assert question.endswith("of 200 rows end in token 15, which stands nowhere else: is it padding?")


@pytest.mark.parametrize(
    "x",
    [
        [[1, 0], [0, 1], [1, 1]],
        [[1, 2, 9], [2, 1, 9], [2, 2, 9]],  # an end of sequence, once in each row
        [[9, 2, 9], [2, 9, 9], [2, 2, 1]],  # most rows end in 9, which stands elsewhere too
        [[0, 0], [0, 0]],
    ],
)
def test_other_ends_are_not_asked_about(x):
    assert rows.padding_question(split(x)) is None


def test_nothing_is_asked_about_majority_or_reals():
    for seed in range(5):
        assert rows.padding_question(majority(100, 50, seed=seed, paper_noise=0.25).train) is None
    assert rows.padding_question(split(np.zeros((3, 2, 2)))) is None
