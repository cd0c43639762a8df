"""Texts with labels as a classifier's rows."""

from __future__ import annotations

import json

import pytest

from ssm_bounds.models.tasks.files import read_task
from ssm_bounds.models.tasks.task import TaskError


def written(path, entries):
    path.write_text("".join(json.dumps(each) + "\n" for each in entries))
    return path


GOOD = [{"text": "good", "label": "pos"}, {"text": "bad film", "label": "neg"}, {"text": "fine", "label": "pos"}]


def test_rows_are_symbols_with_ends_behind(tmp_path):
    fresh = written(tmp_path / "test.jsonl", [{"text": "a very long one", "label": "neg"}])
    task = read_task(written(tmp_path / "train.jsonl", GOOD), fresh)
    assert task.train.x.shape == (3, 15) and task.test.x.shape == (1, 15) and (task.V, task.k) == (79, 1)
    assert task.train.x[0].tolist() == [9, 17, 17, 6] + [0] * 11
    assert task.train.y.tolist() == [1, 0, 1] and task.label_map == (("neg", 0), ("pos", 1)) and task.padded


def test_numbers_and_truth_values_are_labels(tmp_path):
    task = read_task(written(tmp_path / "t.jsonl", [{"text": "a", "label": i} for i in (2, 0, 1)]))
    assert task.train.y.tolist() == [2, 0, 1] and task.k == 3
    task = read_task(written(tmp_path / "b.jsonl", [{"text": "a", "label": i} for i in (True, False)]))
    assert task.label_map == (("False", 0), ("True", 1))


def test_a_key_names_the_group(tmp_path):
    entries = [each | {"by": name} for each, name in zip(GOOD, ("ann", "bob", "ann"), strict=True)]
    task = read_task(written(tmp_path / "t.jsonl", entries), groups="by")
    assert task.groups.tolist() == [0, 1, 0]
    with pytest.raises(TaskError, match="line 3 has no group 'by'"):
        read_task(written(tmp_path / "u.jsonl", [*entries[:2], GOOD[2]]), groups="by")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"text": "a"}, "line 4 has no 'label'"),
        ({"text": "a", "label": ["x"]}, "line 4 has no 'label'"),
        ({"text": "", "label": "pos"}, "line 4 has an empty 'text'"),
        ({"label": "pos"}, "line 4 has no 'text'"),
    ],
)
def test_a_bad_line_is_named(tmp_path, entry, message):
    with pytest.raises(TaskError, match=message):
        read_task(written(tmp_path / "t.jsonl", [*GOOD, entry]))
