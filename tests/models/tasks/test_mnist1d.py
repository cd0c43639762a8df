"""MNIST-1D: the rows of theory 8.16, whatever part of them is asked for."""

from __future__ import annotations

import hashlib
import sys

import numpy as np
import pytest

from ssm_bounds.models.tasks import mnist1d as task
from ssm_bounds.models.tasks.mnist1d import curves1d, mnist1d
from ssm_bounds.models.tasks.task import TaskError

OF_500 = "ea75e47e9633007f6d87092b5b4ff07e7ec69cf85f1e3fcb94239b209711317c"
"""Of the first 300 and the last 200 of the 84,000 rows whose SHA-256 begins 1bfed9030431656a, with their labels."""


@pytest.fixture(scope="module")
def found():
    pytest.importorskip("mnist1d", reason="the package mnist1d is not installed")
    return mnist1d(300, test=200)


def test_the_rows_are_those_of_the_whole_sample(found):
    parts = (found.train.x, found.test.x, found.train.y, found.test.y)
    assert hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest() == OF_500
    assert found.train.x.dtype == np.float32 and found.train.x.shape == (300, 40, 1)
    assert (found.k, found.V, found.shift, found.train.y[:8].tolist()) == (10, None, None, [5, 8, 9, 5, 0, 0, 1, 7])


def test_rows_that_are_left_out_draw_what_they_would_have(found):
    whole, y = task._sample(60, seed=3)
    some, y_some = task._sample(60, seed=3, without=range(20, 50))
    kept = [*range(20), *range(50, 60)]
    assert (whole[kept] == some).all() and (y[kept] == y_some).all()


def test_labels_are_drawn_and_not_dealt(found):
    """Of i.i.d. labels no class is exactly a tenth in every part."""
    counts = np.bincount(found.train.y, minlength=10)
    assert len(counts) == 10 and len(set(counts)) > 1 and (counts > 10).all()


def test_the_global_generator_is_left_as_it_was(found, monkeypatch):
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.rand(3)  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    monkeypatch.setattr(task, "ROWS", 40)
    mnist1d(10, test=5)
    assert (np.random.rand(3) == expected).all()  # noqa: NPY002


@pytest.mark.parametrize(("m", "test"), [(0, 5), (10, -1), (84_000, 1), (76_001, 8_000)])
def test_more_rows_than_there_are(m, test):
    with pytest.raises(TaskError, match=f"84000 rows are drawn; .* got {m} \\+ {test}"):
        mnist1d(m, test=test)


def test_without_its_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mnist1d", None)
    with pytest.raises(TaskError, match=r"cannot be imported .*pip install 'ssm-bounds\[mnist1d\]'"):
        mnist1d(10)


def test_the_curves_of_a_base_are_forty_others():
    pytest.importorskip("mnist1d", reason="the package mnist1d is not installed")
    found = curves1d(30, test=5)
    assert (found.k, found.train.x.shape, found.test.m) == (40, (30, 40, 1), 5)
    curves = task._curves()
    assert curves.shape == (40, 12) and (curves[:, 0] == 0).all() and 0.1 < curves.std() < 0.3
    # as theory data 8.16 draws them: the first, to three digits
    assert np.round(curves[0, 1:4], 3).tolist() == [-0.059, -0.205, -0.352]
    for asked in ({"m": 0}, {"m": 40_000}):
        with pytest.raises(TaskError, match="40000 rows are drawn"):
            curves1d(**asked)
