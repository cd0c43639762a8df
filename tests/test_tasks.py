"""models.tasks: what the data are, and one clear line for every file that is not a task."""

import io
import zipfile

import numpy as np
import pytest

from models.tasks import arrays
from models.tasks.arrays import read_arrays
from models.tasks.files import read_task
from models.tasks.listops import VOCABULARY, read_listops
from models.tasks.majority import majority
from models.tasks.task import Split, Task, TaskError

TOKENS, LABELS = np.array([[0, 1, 2], [2, 2, 0]]), np.array([1, 0])


# Splits and tasks


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (TOKENS[0], LABELS, "x: expected integer tokens"),
        (TOKENS.astype(float), LABELS, "x: expected integer tokens"),
        (TOKENS > 1, LABELS, "x: expected integer tokens .* found bool"),
        (TOKENS[:, :0], LABELS, r"found int64 of shape \(2, 0\)"),
        (TOKENS - 1, LABELS, "tokens are numbered from 0, found -1"),
        (np.full((2, 3, 4), np.nan), LABELS, "found 24 NaN or inf"),
        (TOKENS, LABELS[:1], "x has 2 rows and y has 1"),
        (TOKENS, LABELS - 1, "labels are numbered from 0, found -1"),
        (TOKENS, LABELS * 0.5, "y: expected integer labels"),
        (TOKENS, LABELS[:, None], "y: expected integer labels"),
    ],
)
def test_bad_splits_are_refused(x, y, message):
    with pytest.raises(TaskError, match=message):
        Split(x, y)


def test_split_sizes_and_byte_order():
    split = Split(TOKENS.astype(">i4"), LABELS)
    assert (split.m, split.T, split.x.dtype.isnative) == (2, 3, True)
    assert (split.x == TOKENS).all()


@pytest.mark.parametrize(
    ("k", "V", "x", "y", "message"),
    [
        (1, 2, TOKENS, LABELS, r"train.x: tokens must lie in 0\.\.1, found 2"),
        (1, 3, TOKENS, LABELS * 2, r"train.y: labels must lie in 0\.\.1, found 2"),
        (3, 3, TOKENS, LABELS * 3, r"train.y: labels must lie in 0\.\.2, found 3"),
        (1, None, TOKENS, LABELS, "None with real inputs"),
        (1, 3, np.ones((2, 3, 4)), LABELS, "None with real inputs"),
    ],
)
def test_bad_tasks_are_refused(k, V, x, y, message):
    with pytest.raises(TaskError, match=message):
        Task("t", Split(x, y), None, k, V)


def test_train_and_test_have_the_same_inputs():
    with pytest.raises(TaskError, match="different inputs"):
        Task("t", Split(np.ones((2, 3, 4)), LABELS), Split(np.ones((2, 3, 5)), LABELS), 1, None)


# Majority


@pytest.mark.parametrize("T", [1, 2, 7, 10])
def test_majority_labels_counts_and_positions(T):
    task = majority(20_000, T, seed=3)
    assert (task.k, task.V, task.notes) == (1, 2, ())
    for split in (task.train, task.test):
        ones = split.x.sum(axis=1, dtype=int)
        assert set(np.unique(split.x)) <= {0, 1}
        assert ((2 * ones > T) == split.y).all()
        counts = [c for c in range(T + 1) if 2 * c != T]
        assert sorted(set(ones.tolist())) == counts
        expected = len(ones) / len(counts)
        assert abs(np.bincount(ones)[counts] - expected).max() < 5 * expected**0.5
        for column in split.x.T:  # positions uniform: each bit is one with probability 1/2
            assert abs(column.mean() - 0.5) < 5 * 0.5 / len(ones) ** 0.5


def test_majority_is_deterministic_and_its_streams_are_independent():
    one, same, other = majority(50, 20, seed=1), majority(50, 20, seed=1), majority(50, 20, seed=2)
    for name in ("train", "test"):
        assert (getattr(one, name).x == getattr(same, name).x).all()
        assert (getattr(one, name).x != getattr(other, name).x).any()
    assert (one.train.x != one.test.x).any()
    assert not {row.tobytes() for row in one.train.x} & {row.tobytes() for row in one.test.x if 3 < row.sum() < 17}


def test_paper_noise_flips_ones_of_the_training_set_only_and_says_so():
    clean, noisy = majority(5_000, 40, seed=1), majority(5_000, 40, seed=1, paper_noise=0.25)
    assert (noisy.test.x == clean.test.x).all() and (noisy.test.y == clean.test.y).all()
    assert (noisy.train.y == clean.train.y).all()
    assert (noisy.train.x <= clean.train.x).all()
    flipped = 1 - noisy.train.x.sum(dtype=int) / clean.train.x.sum(dtype=int)
    assert flipped == pytest.approx(0.25, abs=0.01)
    (note,) = noisy.notes
    assert "25%" in note and "differ in distribution" in note


@pytest.mark.parametrize(("m", "T", "noise"), [(0, 5, 0), (5, 0, 0), (5, 5, 1), (5, 5, -0.1), (5, 5, float("nan"))])
def test_majority_refuses(m, T, noise):
    with pytest.raises(ValueError, match="expected"):
        majority(m, T, seed=0, paper_noise=noise)


# Archives


def save(path, **contents):
    np.savez(path, **contents)
    return path


def test_archive_round_trip(tmp_path):
    path = save(tmp_path / "a.npz", x_train=TOKENS.astype(np.int8), y_train=LABELS * 1.0, note=np.array(["other"]))
    splits = read_arrays(path)
    assert splits.keys() == {"train"}
    assert (splits["train"].x == TOKENS).all() and splits["train"].x.dtype == np.int8
    assert splits["train"].y.tolist() == [1, 0]
    np.savez_compressed(path, x_train=np.ones((2, 3, 4)), y_train=LABELS, x_test=np.ones((2, 5, 4)), y_test=LABELS)
    task = read_task(path)
    assert (task.k, task.V, task.train.T, task.test.T) == (1, None, 3, 5)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"x_train": TOKENS}, "array 'y_train' is missing; the file has x_train"),
        ({"x_train": TOKENS, "y_train": LABELS, "y_test": LABELS}, "array 'x_test' is missing"),
        ({"data": TOKENS}, "found neither"),
        ({"x_train": TOKENS[0], "y_train": LABELS}, "x: expected integer tokens"),
        ({"x_train": np.full((2, 3, 4), np.inf), "y_train": LABELS}, "found 24 NaN or inf"),
        ({"x_train": TOKENS, "y_train": LABELS + 0.5}, "y_train: expected integer labels, found 1.5"),
        ({"x_train": TOKENS, "y_train": LABELS * np.nan}, "y_train: expected integer labels, found nan"),
        ({"x_train": TOKENS, "y_train": np.array([0, 1, 1])}, "x has 2 rows and y has 3"),
        ({"x_train": TOKENS, "y_train": np.array(["a", "b"])}, "y: expected integer labels"),
        ({"x_train": np.array([[object()]]), "y_train": LABELS}, "array 'x_train' cannot be read: .*Python objects"),
    ],
)
def test_bad_archives_are_refused_in_one_line(tmp_path, contents, message):
    path = save(tmp_path / "bad.npz", **contents)
    with pytest.raises(TaskError, match=message) as caught:
        read_arrays(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def crafted(path, header, data=b""):
    """An archive whose x_train has this header before its data."""
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, header)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", member.getvalue() + data)
        labels = io.BytesIO()
        np.save(labels, LABELS)
        archive.writestr("y_train.npy", labels.getvalue())
    return path


def test_a_header_cannot_announce_more_than_the_file_holds(tmp_path):
    header = {"descr": "|i1", "fortran_order": False, "shape": (1 << 40, 3)}
    with pytest.raises(TaskError, match=f"announces {3 << 40} bytes of data, the file has 6"):
        read_arrays(crafted(tmp_path / "bomb.npz", header, b"\0" * 6))


def test_archives_that_unpack_to_too_much_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "MAX_BYTES", 1000)
    path = tmp_path / "zeros.npz"
    np.savez_compressed(path, x_train=np.zeros((2, 5000), dtype=np.int8), y_train=LABELS)
    assert path.stat().st_size < 1000
    with pytest.raises(TaskError, match=r"unpack to .* more than the 1000"):
        read_arrays(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 truncated"])
def test_files_that_are_no_archives_are_refused(tmp_path, content):
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(TaskError, match=r"not an .npz archive"):
        read_arrays(path)


def test_damaged_members_are_refused(tmp_path):
    path = save(tmp_path / "bad.npz", x_train=TOKENS, y_train=LABELS)
    data = bytearray(path.read_bytes())
    data[data.index(TOKENS.tobytes())] ^= 1
    path.write_bytes(data)
    with pytest.raises(TaskError, match="array 'x_train' cannot be read: Bad CRC"):
        read_arrays(path)


# ListOps


def listops(path, *rows, header="Source\tTarget"):
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


def test_listops_rows(tmp_path):
    path = listops(tmp_path / "a.tsv", "( ( [MAX 3 ) ( 9 ) ] )\t9", "7\t7")
    split = read_listops(path)
    assert [[VOCABULARY[code] for code in row] for row in split.x] == [["[MAX", "3", "9", "]"], ["7"] + ["<pad>"] * 3]
    assert split.y.tolist() == [9, 7]
    assert read_listops(path, T=6).x.shape == (2, 6)
    assert (read_listops(path, T=6).x[:, 4:] == VOCABULARY.index("<pad>")).all()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["7\t7", "( [SUM 7 )\t7"], r"line 3: unknown token '\[SUM'"),
        (["7\t12"], "line 2: expected a label 0..9 after a tab, found '12'"),
        (["7 7"], "line 2: expected a label"),
        (["( )\t7"], "line 2: expected 1 to 3 tokens, found 0"),
        (["1 2 3 4\t7"], "line 2: expected 1 to 3 tokens, found 4"),
        ([], "at least one row"),
    ],
)
def test_bad_listops_rows_are_refused(tmp_path, rows, message):
    path = listops(tmp_path / "bad.tsv", *rows)
    with pytest.raises(TaskError, match=message) as caught:
        read_listops(path, T=3)
    assert str(caught.value).startswith(str(path))


def test_bad_listops_header_is_refused(tmp_path):
    with pytest.raises(TaskError, match="expected the header"):
        read_listops(listops(tmp_path / "bad.tsv", "7\t7", header="a,b"))


# Files by suffix


def test_read_task_tells_files_apart(tmp_path):
    train = listops(tmp_path / "train.tsv", "1 2 3\t7")
    test = listops(tmp_path / "test.tsv", "1 2\t7")
    task = read_task(train, test)
    assert (task.name, task.k, task.V, task.train.T, task.test.T) == ("train", 10, 16, 3, 2)
    assert read_task(train).test is None
    both = save(tmp_path / "b.npz", x_train=TOKENS, y_train=LABELS * 2, x_test=TOKENS, y_test=LABELS)
    fresh = save(tmp_path / "t.npz", x_test=TOKENS[:1], y_test=LABELS[:1])
    assert (read_task(both).k, read_task(both).V, read_task(both).test.m) == (3, 3, 2)
    alone = save(tmp_path / "c.npz", x_train=TOKENS, y_train=LABELS)
    assert read_task(alone, fresh).test.m == 1
    with pytest.raises(TaskError, match="has a test set of its own"):
        read_task(both, fresh)
    with pytest.raises(TaskError, match=r"t\.npz: expected x_train and y_train, found only test data"):
        read_task(fresh)
    with pytest.raises(TaskError, match=r"c\.npz: expected x_test and y_test, found only train data"):
        read_task(alone, alone)
    with pytest.raises(TaskError, match=r"expected a \.npz archive or a ListOps \.tsv file, found suffix '\.csv'"):
        read_task(tmp_path / "data.csv")
    with pytest.raises(FileNotFoundError):
        read_task(tmp_path / "none.npz")


def test_authors_data(shared):
    task = read_task(shared / "data" / "majority_T200_seed1.npz")
    assert (task.k, task.V, task.train.x.shape, task.test.x.shape) == (1, 2, (1000, 200), (1000, 200))
    assert ((2 * task.test.x.sum(axis=1, dtype=int) > 200) == task.test.y).all()  # the labels of majority()
    folder = shared / "data" / "listops_T100"
    task = read_task(folder / "train.tsv", folder / "test.tsv")
    assert (task.train.m, task.test.m) == (1000, 1000)
    assert 95 <= task.train.T <= 105
