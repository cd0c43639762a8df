"""Groups of rows out of archives and tables, as untrusted as the rows."""

from __future__ import annotations

import numpy as np
import pytest

from ssm_bounds.models.tasks.arrays import write_arrays
from ssm_bounds.models.tasks.files import read_task
from ssm_bounds.models.tasks.task import Split, Task, TaskError

X, Y = np.array([[0, 1], [1, 1], [0, 0], [1, 0]]), np.array([0, 1, 0, 1])


def archive(path, **arrays):
    np.savez(path, x_train=X, y_train=Y, **arrays)
    return path


@pytest.mark.parametrize("names", [[7, -2, 7, 9], ["b", "a", "b", "c"], np.array([7, 3, 7, 200], dtype=np.uint8)])
def test_an_array_of_an_archive(tmp_path, names):
    task = read_task(archive(tmp_path / "d.npz", patient=names), groups="patient")
    assert task.groups.tolist() == [1, 0, 1, 2] and task.train.m == 4
    assert read_task(tmp_path / "d.npz").groups is None


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([0.0, 1.0, 2.0, 3.0], "integers or strings"),
        ([0.0, np.nan, 0.0, 0.0], "integers or strings"),
        ([True, False, True, True], "integers or strings"),
        ([[0], [1], [0], [1]], "integers or strings"),
        ([0, 1, 0], "has 3 entries, for 4 training rows"),
        (["a", " ", "b", "c"], "row 1 has no group"),
        (["a", "b", "nan", "c"], "row 2 has no group \\('nan'\\)"),
        (["a", "b", "c", "None "], "row 3 has no group \\('None'\\)"),
        (np.array([{}, 1, 2, 3], dtype=object), "Python objects"),
    ],
)
def test_what_names_no_groups(tmp_path, names, said):
    with pytest.raises(TaskError, match=rf"d.npz: array 'patient'.*{said}") as error:
        read_task(archive(tmp_path / "d.npz", patient=np.array(names)), groups="patient")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("names", [["p0", "p0 ", "p1", "\tp1"], ["p0 ", " p0", "p1", "p1"]])
def test_spaces_around_a_name_are_none_of_it(tmp_path, names):
    """Two groups for one patient would count as two draws."""
    assert read_task(archive(tmp_path / "d.npz", who=np.array(names)), groups="who").groups.tolist() == [0, 0, 1, 1]
    lines = ["y,x1,who", *(f'{i % 2},0,"{name}"' for i, name in enumerate(names))]
    assert read_task(table(tmp_path / "d.csv", *lines), groups="who").groups.tolist() == [0, 0, 1, 1]


def test_an_array_that_is_not_there_or_is_something_else(tmp_path):
    path = archive(tmp_path / "d.npz")
    with pytest.raises(TaskError, match="array 'patient' of the groups is missing"):
        read_task(path, groups="patient")
    for name in ("y_train", "x_train", "shift"):
        with pytest.raises(TaskError, match="holds no groups"):
            read_task(path, groups=name)
    with pytest.raises(TaskError, match="of the groups is missing"):
        read_task(path, groups="")
    np.savez(tmp_path / "t.npz", x_test=X, y_test=Y, patient=Y)
    with pytest.raises(TaskError, match="expected x_train"):
        read_task(tmp_path / "t.npz", groups="patient")


def table(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_column_of_a_table(tmp_path):
    path = table(tmp_path / "d.csv", "y,x1, patient ,x2", "0,0,ann,1", "1,1, bob ,1", "0,0,ann,0")
    task = read_task(path, groups="patient")
    assert task.groups.tolist() == [0, 1, 0] and task.train.x.tolist() == [[0, 1], [1, 1], [0, 0]]
    test = table(tmp_path / "t.csv", "y,x1,patient,x2", "1,1,eve,0")
    assert read_task(path, test, groups="patient").test.x.tolist() == [[1, 0]]
    bare = table(tmp_path / "b.csv", "y,x1,x2", "1,1,0")
    assert read_task(path, bare, groups="patient").test.x.tolist() == [[1, 0]]
    with pytest.raises(TaskError, match="expected integers, found 'ann'"):
        read_task(path)


@pytest.mark.parametrize(
    ("lines", "name", "said"),
    [
        (("y,x1,x2", "0,1,2"), "patient", "no column 'patient'"),
        (("y,x1,x2", "0,1,2"), "y", "holds no groups"),
        (("y,x1", "0,1"), "x1", "holds no groups"),
        (("y,x1,p,p", "0,1,2,3"), "p", "holds no groups"),
        (("y,x1,p", "0,1, "), "p", "line 2: expected a group"),
        (("y,x1,p", "0,1," + "a" * 300), "p", "line 2: expected a group"),
    ],
)
def test_columns_that_name_no_groups(tmp_path, lines, name, said):
    with pytest.raises(TaskError, match=rf"d.csv.*{said}"):
        read_task(table(tmp_path / "d.csv", *lines), groups=name)


def test_listops_has_none(tmp_path):
    (tmp_path / "d.tsv").write_text("Source\tTarget\n")
    with pytest.raises(TaskError, match="no groups"):
        read_task(tmp_path / "d.tsv", groups="patient")


@pytest.mark.parametrize("groups", [[0, 1, 0], [0, 2, 0, 0], [0, -1, 0, 0], [0, 1, 2, 10**12], [0.0, 0.0, 0.0, 1.0]])
def test_a_task_holds_their_numbers(groups):
    with pytest.raises(TaskError, match="groups: expected an array of the numbers 0 to n - 1"):
        Task("t", Split(X, Y), None, k=1, V=2, groups=np.array(groups))


def test_they_are_written(tmp_path):
    write_arrays(tmp_path / "d.npz", Task("t", Split(X, Y), None, k=1, V=2, groups=np.array([0, 1, 1, 0])))
    assert read_task(tmp_path / "d.npz", groups="groups").groups.tolist() == [0, 1, 1, 0]


def test_a_cell_that_a_table_lost(tmp_path):
    with pytest.raises(TaskError, match=r"d.csv: column 'p': row 1 has no group \('nan'\); name"):
        read_task(table(tmp_path / "d.csv", "y,x1,p", "0,1,a", "1,0,nan"), groups="p")


def test_a_column_that_is_not_there_is_named_before_cells_are_read(tmp_path):
    path = table(tmp_path / "d.csv", "y,x1,p", "0,1,ann", "1,0,bob")
    with pytest.raises(TaskError, match=r"d.csv: has no column 'q' for the groups of its rows"):
        read_task(path, groups="q")
    assert read_task(path, column="p").groups is None and read_task(path, column="p").train.x.tolist() == [[1], [0]]
    with pytest.raises(TaskError, match="expected integers, found 'ann'"):
        read_task(path, column="q")


@pytest.mark.parametrize("groups", [[0, 1, 0, 1], "0101", 3, np.array(0)])
def test_numbers_that_are_no_array(groups):
    with pytest.raises(TaskError, match="groups: expected an array of the numbers 0 to n - 1"):
        Task("t", Split(X, Y), None, k=1, V=2, groups=groups)
