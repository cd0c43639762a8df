"""Which examples are right, hashes, and lengths of masks."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.program.evaluate import digest, errors, lengths_of, logits, right
from ssm_bounds.models.program.run import prepared
from ssm_bounds.models.program.stack import Stack
from tests.models.program.models import inputs, stack

VALUES = st.sampled_from([0.0, -0.0, 1.0, 1.0000000000000002, -1e308, 1e308, np.inf, -np.inf, np.nan, 5e-324])


class TestRight:
    @given(st.lists(st.tuples(VALUES, VALUES, VALUES, st.integers(0, 2)), min_size=1, max_size=20))
    def test_as_the_rule_reads(self, rows):
        z, y = np.array([row[:3] for row in rows]), np.array([row[3] for row in rows])
        expected = [
            all(np.isfinite(values)) and all(values[label] > values[j] for j in range(3) if j != label)
            for *values, label in rows
        ]
        assert right(z, y).tolist() == expected and errors(z, y) == len(rows) - sum(expected)

    def test_a_tie_is_an_error_whatever_the_label(self):
        z = np.array([[1.0, 1.0, 0.0]] * 3)
        assert errors(z, np.arange(3)) == 3
        assert errors(np.zeros((4, 5)), np.arange(4)) == 4

    def test_an_example_with_another_logit_that_is_not_finite(self):
        z = np.array([[1.0, -np.inf], [1.0, np.nan], [np.inf, 0.0], [1.0, 0.0]])
        assert right(z, np.zeros(4, int)).tolist() == [False, False, False, True]

    def test_an_all_zero_head_errs_on_every_example(self):
        model = stack(0)
        model = Stack(model.entry, model.layers, model.norm, np.zeros((3, 8)), np.zeros(3), "mean")
        x, lengths = inputs(0, 6, 5)
        assert errors(logits(prepared(model), x, lengths), np.arange(6) % 3) == 6

    @pytest.mark.parametrize(
        ("y", "message"),
        [([0, 3], r"0\.\.2"), ([0, -1], r"0\.\.2"), ([0], "expected 2 integers"), ([0.0, 1.0], "expected 2 integers")],
    )
    def test_labels_that_are_none(self, y, message):
        with pytest.raises(DomainError, match=message):
            right(np.zeros((2, 3)), np.array(y))

    def test_one_output_has_no_others(self):
        with pytest.raises(DomainError, match="2 outputs or more"):
            right(np.zeros((2, 1)), np.zeros(2, int))


class TestDigest:
    def test_by_hand(self):
        words = b"".join(struct.pack("<d", value) for value in (1.0, -2.5, float("nan"), 0.0))
        assert digest(np.array([[1.0, -2.5], [np.nan, 0.0]])) == hashlib.sha256(words).hexdigest()

    def test_every_nan_is_one(self):
        other = np.array([0xFFF8000000000001, 0x7FF0000000000001, 0x7FF8000000000000], dtype=np.uint64).view(np.float64)
        assert np.isnan(other).all() and digest(other) == digest(np.full(3, np.nan))

    def test_parts_and_order(self):
        z = np.random.default_rng(0).normal(size=(5, 3))
        assert digest(z[:2], z[2:]) == digest(z) == digest(np.asfortranarray(z)) == digest(z.astype(">f8"))
        assert digest(z[::-1]) != digest(z) and digest(z, z) != digest(z)
        assert digest(np.nextafter(z, np.inf)) != digest(z) and digest(np.array([0.0])) != digest(np.array([-0.0]))


def test_lengths_of_masks():
    mask = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 0]])
    assert lengths_of(mask).tolist() == lengths_of(mask.astype(bool)).tolist() == [3, 1, 2]
    for bad in ([0, 1, 1], [1, 0, 1]):
        with pytest.raises(DomainError, match="row 1 of the mask has padding before a token"):
            lengths_of(np.array([[1, 1, 0], bad]))
