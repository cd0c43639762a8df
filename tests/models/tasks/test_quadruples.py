"""Quadruples: what stands in the four sequences, that none is trivial, and the search for complete ones."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.tasks.complete import complete
from ssm_bounds.models.tasks.quadruples import LENGTHS, LONGEST, cut, drawn
from ssm_bounds.models.tasks.task import Split


def require_quadruples(batches, count):
    """Each is what the identity is about, and not trivial; which blocks and suffixes there were."""
    seen, total = Counter(), 0
    for batch in batches:
        total += len(batch)
        for qpe, q_e, other, other_e, (begin, end) in zip(*batch.sequences(), batch.block, strict=True):
            assert 2 <= begin - end <= LONGEST and end >= 1
            p, e = qpe[len(qpe) - begin : len(qpe) - end], qpe[len(qpe) - end :]
            q, q_other = qpe[: len(qpe) - begin], other[: len(other) - begin]
            assert len(q) and len(q_other)
            assert q.shape != q_other.shape or (q != q_other).any()
            assert (p != p[::-1]).any()
            for found, prefix, block in (
                (qpe, q, p), (q_e, q, p[::-1]), (other, q_other, p), (other_e, q_other, p[::-1])
            ):  # fmt: skip
                assert np.array_equal(found, np.concatenate([prefix, block, e]))
            seen["block", begin - end] += 1
            seen["suffix", end] += 1
    assert total == count
    return seen


class TestDrawn:
    @pytest.mark.parametrize("V", [2, 3, 30_000])
    def test_every_quadruple_is_one(self, V):
        seen = require_quadruples(drawn(V, 500, 3), 500)
        assert {key for key, n in seen.items() if n} == {
            *(("block", n) for n in range(2, 9)),
            *(("suffix", n) for n in range(1, 9)),
        }

    def test_prefixes_differ_in_length(self):
        (batch,) = drawn(4, 10, 0)
        assert batch.first.shape == (10, LENGTHS[0]) and batch.second.shape == (10, LENGTHS[1])
        assert batch.first.min() >= 0 and batch.first.max() <= 3

    def test_a_seed_is_a_sample(self):
        one, again, other = (next(drawn(9, 50, seed)).first for seed in (1, 1, 2))
        assert np.array_equal(one, again) and not np.array_equal(one, other)

    def test_batches_add_up(self):
        assert sum(map(len, drawn(2, 60_000, 0))) == 60_000

    def test_one_token_has_no_order(self):
        with pytest.raises(DomainError, match="has no order"):
            drawn(1, 10, 0)


class TestCut:
    @pytest.mark.parametrize("T", [4, 5, 12, 40])
    def test_every_quadruple_is_one(self, T):
        require_quadruples(cut(np.random.default_rng(T).integers(0, 3, (60, T)), 300, 5), 300)

    def test_real_inputs(self):
        require_quadruples(cut(np.random.default_rng(0).normal(size=(9, 7, 2)), 100, 0), 100)

    def test_the_first_of_four_is_a_row(self):
        x = np.random.default_rng(0).integers(0, 4, (30, 9))
        rows = set(map(tuple, x.tolist()))
        (batch,) = cut(x, 100, 0)
        assert set(map(tuple, batch.first.tolist())) <= rows

    def test_rows_without_order_hold_none(self):
        assert list(cut(np.zeros((5, 9), dtype=int), 10, 0)) == []
        assert list(cut(np.tile(np.arange(9), (5, 1)), 10, 0)) == []  # one prefix only

    @pytest.mark.parametrize(("shape", "said"), [((5, 3), "need four"), ((1, 9), "one row alone")])
    def test_what_cannot_be_cut(self, shape, said):
        with pytest.raises(DomainError, match=said):
            cut(np.zeros(shape, dtype=int), 10, 0)


def is_complete(rows, labels):
    """By the definition, for four rows in their order."""
    a, b, c, d = rows
    T = len(a)
    return (labels[0] == labels[3] != labels[1] == labels[2]) and any(
        a[:s] == b[:s] != c[:s] == d[:s]
        and a[t:] == b[t:] == c[t:] == d[t:]
        and a[s:t] == c[s:t] != b[s:t] == d[s:t]
        and sorted(a[s:t]) == sorted(b[s:t])
        for s in range(1, T - 2)
        for t in range(s + 2, min(s + LONGEST, T - 1) + 1)
    )


def require_found(found, x, y):
    used = [row for rows in found.rows for row in rows]
    assert len(set(used)) == len(used)
    for rows in found.rows:
        assert is_complete([tuple(x[row]) for row in rows], [y[row] for row in rows])


class TestComplete:
    @given(st.integers(0, 2**32 - 1), st.integers(4, 6), st.integers(2, 3), st.integers(2, 3))
    def test_one_is_found_where_there_is_one(self, seed, T, V, labels):
        rng = np.random.default_rng(seed)
        x, y = rng.integers(0, V, (14, T)), rng.integers(0, labels, 14)
        found = complete(Split(x, y))
        require_found(found, x.tolist(), y.tolist())
        listed, at = list(map(tuple, x.tolist())), range(len(x))
        there = any(
            is_complete([listed[i] for i in four], [y[i] for i in four]) for four in itertools.permutations(at, 4)
        )
        assert found.exhaustive and bool(found.rows) is there

    def test_planted_ones_are_found(self):
        """Balanced: context, noise, two in either order, an end token; label = context xor order."""
        rng = np.random.default_rng(2)
        rows, labels = [], []
        for _ in range(40):
            noise = rng.integers(4, 50, 6).tolist()
            for context, swap in itertools.product((0, 1), repeat=2):
                rows.append([context, *noise, *((2, 3)[::-1] if swap else (2, 3)), 50])
                labels.append(context ^ swap)
        order = rng.permutation(len(rows))
        x, y = np.array(rows)[order], np.array(labels)[order]
        found = complete(Split(x, y))
        require_found(found, x.tolist(), y.tolist())
        assert len(found.rows) == 40 and found.exhaustive

    def test_repeated_rows_count_as_often_as_they_stand_there(self):
        rows = [[0, 1, 2, 9], [0, 2, 1, 9], [3, 1, 2, 9], [3, 2, 1, 9]]
        x, y = np.array(rows * 5 + rows[:1]), np.array([0, 1, 1, 0] * 5 + [0])
        found = complete(Split(x, y))
        require_found(found, x.tolist(), y.tolist())
        assert len(found.rows) == 5

    @pytest.mark.parametrize(
        ("rows", "labels"),
        [
            ([[0, 1, 2, 9], [0, 2, 1, 9], [3, 1, 2, 9], [3, 2, 1, 9]], [0, 1, 0, 1]),  # order alone
            ([[0, 1, 2, 9], [0, 2, 1, 9], [3, 1, 2, 8], [3, 2, 1, 8]], [0, 1, 1, 0]),  # two suffixes
            ([[9, 0, 1, 2], [9, 0, 2, 1], [9, 3, 1, 2], [9, 3, 2, 1]], [0, 1, 1, 0]),  # no suffix
            ([[0, 1, 2, 9], [0, 2, 1, 9], [0, 1, 2, 9], [0, 2, 1, 9]], [0, 1, 1, 0]),  # one prefix
            ([[0, 1, 2, 9], [0, 2, 2, 9], [3, 1, 2, 9], [3, 2, 2, 9]], [0, 1, 1, 0]),  # no permutation
            ([[0, *range(1, 10), 11], [0, 9, *range(2, 9), 1, 11], [12, *range(1, 10), 11],
              [12, 9, *range(2, 9), 1, 11]], [0, 1, 1, 0]),  # a block of nine
        ],
    )  # fmt: skip
    def test_others_are_none(self, rows, labels):
        assert complete(Split(np.array(rows), np.array(labels))).rows == ()

    def test_real_inputs(self):
        u = np.random.default_rng(0).normal(size=(5, 2))
        x = np.array([u[row] for row in ([0, 1, 2, 4], [0, 2, 1, 4], [3, 1, 2, 4], [3, 2, 1, 4])])
        (rows,) = complete(Split(x, np.array([0, 1, 1, 0]))).rows
        assert sorted(rows) == [0, 1, 2, 3]

    def test_a_search_that_ends_early_says_so(self):
        x = np.array([list(row) for row in itertools.product(range(4), repeat=5)])
        y = np.random.default_rng(0).integers(0, 2, len(x))
        whole, part = complete(Split(x, y)), complete(Split(x, y), most=1000)
        assert whole.exhaustive and not part.exhaustive
        assert 0 < len(part.rows) <= len(whole.rows)
        require_found(part, x.tolist(), y.tolist())
