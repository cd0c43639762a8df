"""Tasks: what the data are, and one clear line for every file that is not a task."""

import io
import math
import shutil
import sys
import zipfile
from collections import Counter
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest

from ssm_bounds.models.tasks import arrays, text
from ssm_bounds.models.tasks import listops as listops_module
from ssm_bounds.models.tasks.arrays import read_arrays, write_arrays
from ssm_bounds.models.tasks.files import read_task
from ssm_bounds.models.tasks.imdb import HASHED_WORDS, hashing_tokenizer, imdb
from ssm_bounds.models.tasks.listops import VOCABULARY, read_listops
from ssm_bounds.models.tasks.listops import listops as draw
from ssm_bounds.models.tasks.majority import majority
from ssm_bounds.models.tasks.table import read_table
from ssm_bounds.models.tasks.task import Split, Task, TaskError

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
    assert (task.k, task.V, task.shift) == (1, 2, None)
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


def test_majority_with_ties_is_that_of_rows_with_a_chance_of_their_own():
    """Against the recipe as it is said: p uniform, bits of chance p, label 1 where the sum exceeds T/2."""
    T, m = 4, 20_000
    task, rng = majority(m, T, seed=0, ties=True), np.random.default_rng(1)
    said = (rng.random((m, T)) < rng.random((m, 1))).astype(np.int8)
    assert (task.train.y == (2 * task.train.x.sum(axis=1) > T)).all()
    for rows in (task.train.x, said):
        assert np.bincount(rows.sum(axis=1), minlength=T + 1) / m == pytest.approx(0.2, abs=0.012)
        # 16 rows, those with n ones at 1/(5 C(4,n)) each
        counts = np.bincount(rows @ [1, 2, 4, 8], minlength=16) / m
        ones = [number.bit_count() for number in range(16)]
        assert counts == pytest.approx([1 / 5 / math.comb(4, n) for n in ones], abs=0.012)
    assert not (2 * majority(1_000, T, seed=0).train.x.sum(axis=1) == T).any()  # the control
    odd, plain = majority(50, 5, seed=0, ties=True), majority(50, 5, seed=0)
    assert (odd.train.x == plain.train.x).all() and (odd.test.x == plain.test.x).all()


def test_majority_has_as_many_test_rows_as_are_asked_for():
    assert majority(10, 5, seed=0, test=7).test.m == 7 and majority(10, 5, seed=0, test=0).test is None
    with pytest.raises(ValueError, match="test: expected a number of rows >= 0, got -1"):
        majority(10, 5, seed=0, test=-1)


def test_paper_noise_flips_ones_of_the_training_set_only_and_says_so():
    clean, noisy = majority(5_000, 40, seed=1), majority(5_000, 40, seed=1, paper_noise=0.25)
    assert (noisy.test.x == clean.test.x).all() and (noisy.test.y == clean.test.y).all()
    assert (noisy.train.y == clean.train.y).all()
    assert (noisy.train.x <= clean.train.x).all()
    flipped = 1 - noisy.train.x.sum(dtype=int) / clean.train.x.sum(dtype=int)
    assert flipped == pytest.approx(0.25, abs=0.01)
    assert noisy.shift.startswith("25% of the ones of x_train") and "none of x_test" in noisy.shift


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
    found, shift = read_arrays(path)
    assert found.keys() == {"train"} and shift is None
    assert (found["train"].x == TOKENS).all() and found["train"].x.dtype == np.int8
    assert found["train"].labels.values.tolist() == [1, 0]
    np.savez_compressed(path, x_train=np.ones((2, 3, 4)), y_train=LABELS, x_test=np.ones((5, 3, 4)), y_test=[0] * 5)
    task = read_task(path)
    assert (task.k, task.V, task.train.m, task.test.m, task.label_map) == (1, None, 2, 5, ())


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
        ({"x_train": TOKENS, "y_train": np.array(["a", "1"])}, "y_train: expected integer labels, or words alone"),
        ({"x_train": TOKENS, "y_train": np.array(["a", ""])}, "expected labels of 1 to 100 printable characters"),
        ({"x_train": TOKENS, "y_train": np.array(["a", "b\n"])}, "expected labels of 1 to 100 printable characters"),
        ({"x_train": TOKENS, "y_train": np.array([b"a", b"b"])}, "y_train: expected integer labels of shape"),
        ({"x_train": TOKENS, "y_train": np.array(["a", object()])}, "array 'y_train' cannot be read: .*Python objects"),
        ({"x_train": TOKENS, "y_train": np.array([[0, 1], [1, 1]])}, "y_train: expected one-hot .* row 1 is not"),
        ({"x_train": TOKENS, "y_train": np.array([[0, 0], [1, 0]])}, "y_train: expected one-hot .* row 0 is not"),
        (
            {"x_train": TOKENS, "y_train": np.array([-1, 0])},
            "the training set: y: labels are numbered from 0, found -1",
        ),
        ({"x_train": TOKENS, "y_train": np.array([0, 2**63], np.uint64)}, "labels are at most 2147483647"),
        ({"x_train": TOKENS.astype(np.uint64) << np.uint64(40), "y_train": LABELS}, "tokens are at most 2147483647"),
        ({"x_train": np.array([[object()]]), "y_train": LABELS}, "array 'x_train' cannot be read: .*Python objects"),
    ],
)
def test_bad_archives_are_refused_in_one_line(tmp_path, contents, message):
    path = save(tmp_path / "bad.npz", **contents)
    with pytest.raises(TaskError, match=message) as caught:
        read_task(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_shift_survives_the_file(tmp_path):
    for noise in (0, 0.25):
        task = majority(5, 8, seed=0, paper_noise=noise)
        write_arrays(tmp_path / "a.npz", task)
        again = read_task(tmp_path / "a.npz")
        assert (
            again.shift == task.shift and (again.train.x == task.train.x).all() and (again.test.y == task.test.y).all()
        )
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
    path = save(tmp_path / "bad.npz", x_train=TOKENS, y_train=LABELS, shift=LABELS)
    with pytest.raises(TaskError, match="shift: expected one string"):
        read_arrays(path)


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


def test_entries_without_bytes_are_refused(tmp_path):
    header = {"descr": "<U0", "fortran_order": False, "shape": (1 << 40,)}
    with pytest.raises(TaskError, match="'x_train' cannot be read: its entries have no bytes"):
        read_arrays(crafted(tmp_path / "bomb.npz", header))


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


# Tables


def table(path, *rows, header="y,x1,x2,x3"):
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


def test_tables(tmp_path):
    train = table(tmp_path / "train.csv", "1,0,1,2", "", "0, 2,2,0")
    found = read_table(train)
    assert found.x.tolist() == TOKENS.tolist() and found.labels.values.tolist() == [1, 0]
    task = read_task(train, table(tmp_path / "test.csv", "2,4,0,0"))
    assert (task.name, task.k, task.V, task.test.m, task.label_map) == ("train", 3, 5, 1, ())
    words = read_task(table(tmp_path / "a.csv", "pos,0,1,2", " neg,2,2,0"), table(tmp_path / "b.csv", "pos,1,1,1"))
    assert (words.k, words.label_map) == (1, (("neg", 0), ("pos", 1)))
    assert (words.train.y.tolist(), words.test.y.tolist()) == ([1, 0], [1])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["1,0,1"], "line 2: expected 4 cells as in the header, found 3"),
        (["1,0,1,2", "1,0,1.5,2"], r"line 3: expected integers, found '1\.5'; real-valued inputs go in an \.npz"),
        (["1,0,-1,2"], r"line 2: expected integers in 0\.\.\d+, found -1"),
        ([f"1,0,1,{10**30}"], "line 2: expected integers in"),
        (["1,0,1,2", "no,0,1,2"], "y: expected integer labels, or words alone, found 'no' beside '1'"),
        (["1.5,0,1,2"], r"y: expected integer labels, found 1\.5"),
        (["nan,0,1,2"], "y: expected integer labels, found nan"),
        (["-3,0,1,2"], "the training set: y: labels are numbered from 0, found -3"),
        ([",0,1,2"], "expected labels of 1 to 100 printable characters, found ''"),
        ([f"{'a' * 300},0,1,2"], "line 2: expected a label, found 300 characters"),
        ([], "at least one row"),
    ],
)
def test_bad_tables_are_refused(tmp_path, rows, message):
    path = table(tmp_path / "bad.csv", *rows)
    with pytest.raises(TaskError, match=message) as caught:
        read_task(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"1,2,3\n", b"y\n1\n", b"y,x\n\xff,1\n"])
def test_files_that_are_no_tables_are_refused(tmp_path, content):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(TaskError, match=r"expected a header 'y,x1,\.\.\.,xT'|not UTF-8 text"):
        read_table(path)


# IMDb


@pytest.fixture
def reviews(tmp_path):
    for split in ("train", "test"):
        for label in ("pos", "neg"):
            folder = tmp_path / "aclImdb" / split / label
            folder.mkdir(parents=True)
            for number in range(3):
                text = f"{'Great' if label == 'pos' else 'Awful'}!<br /><br />{split} film no. {number}"
                (folder / f"{number}_7.txt").write_text(text, encoding="utf-8")
    return tmp_path / "aclImdb"


def test_imdb_folder(reviews):
    task = imdb(8, data=reviews)
    assert (task.name, task.k, task.V, task.train.x.shape, task.test.x.shape) == (
        "imdb",
        1,
        HASHED_WORDS,
        (6, 8),
        (6, 8),
    )
    great, awful = (hashing_tokenizer().encode([word], 1)[0, 0] for word in ("great", "awful"))
    for split in (task.train, task.test):
        assert sorted(split.y) == [0, 0, 0, 1, 1, 1]
        assert (split.x[:, 0] == np.where(split.y == 1, great, awful)).all()
        assert (split.x[:, 5:] == 0).all() and (split.x[:, :5] > 0).all()
    assert len({row.tobytes() for row in task.train.x}) == 6
    assert imdb(2, data=reviews).train.x.shape == (6, 2)
    assert (imdb(8, data=reviews).train.x == task.train.x).all()
    orders = {imdb(8, data=reviews, seed=seed).train.x.tobytes() for seed in range(4)}
    assert len(orders) > 1
    few = imdb(8, data=reviews, m=2)
    assert (few.train.m, few.test.m) == (2, 2) and (few.train.x == task.train.x[:2]).all()
    shutil.rmtree(reviews / "test")
    assert imdb(8, data=reviews).test is None


def test_bad_imdb_folders_are_refused(reviews):
    with pytest.raises(TaskError, match="the train set has 6 reviews, fewer than m = 7"):
        imdb(8, data=reviews, m=7)
    with pytest.raises(TaskError, match="expected T >= 1"):
        imdb(0, data=reviews)
    with pytest.raises(TaskError, match="found no train/ in it"):
        imdb(8, data=reviews / "train")
    (reviews / "train" / "pos" / "0_7.txt").write_bytes(b"caf\xe9")
    with pytest.raises(TaskError, match=r"0_7\.txt: expected UTF-8 text"):
        imdb(8, data=reviews)
    shutil.rmtree(reviews / "train" / "neg")
    with pytest.raises(TaskError, match=r"train/neg: expected reviews as \.txt files, found none"):
        imdb(8, data=reviews)


class FakeTokenizer:
    """What this package asks of transformers' tokenizers: tokens are word lengths."""

    pad_token, padding_side = "[PAD]", "left"

    def __len__(self):
        return 20

    def __call__(self, texts, *, padding, truncation, max_length):
        assert (padding, truncation, self.padding_side) == ("max_length", True, "right")
        assert all(text == text.lower() for text in texts)
        return {"input_ids": [([*map(len, text.split()), *[0] * max_length])[:max_length] for text in texts]}


def test_imdb_through_the_libraries(reviews, monkeypatch):
    auto = SimpleNamespace(from_pretrained=lambda name: FakeTokenizer())
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(AutoTokenizer=auto))
    rows = {"text": ["A fine film", "Bad"], "label": [1, 0]}
    asked = []

    def load_dataset(name):
        asked.append(name)
        return {"train": rows, "test": rows}

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    task = imdb(4, tokenizer="bert-base-uncased")
    assert asked == ["stanfordnlp/imdb"]
    assert task.V == 20
    assert {(*row, label) for row, label in zip(task.train.x.tolist(), task.train.y.tolist(), strict=True)} == {
        (1, 4, 4, 0, 1), (3, 0, 0, 0, 0)
    }  # fmt: skip
    monkeypatch.setattr(FakeTokenizer, "pad_token", None)
    with pytest.raises(TaskError, match="has no padding token"):
        imdb(4, tokenizer="gpt2")

    def offline(name):
        raise ConnectionError("no route\nto host")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=offline))
    monkeypatch.setattr(auto, "from_pretrained", offline)
    for options in ({}, {"data": reviews, "tokenizer": "bert-base-uncased"}):
        with pytest.raises(TaskError, match=r"ConnectionError: no route\); give .*folder") as caught:
            imdb(4, **options)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("library", ["datasets", "transformers"])
def test_imdb_says_what_to_install(reviews, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    options = {"data": reviews, "tokenizer": "bert-base-uncased"} if library == "transformers" else {}
    with pytest.raises(TaskError, match=rf"'{library}' is not installed.*pip install 'ssm-bounds\[imdb\]'"):
        imdb(4, **options)


# ListOps


def value(tokens):
    """The value of an expression, by a stack; also its depth and the numbers of arguments of its operations."""
    stack, depth, counts = [[]], 0, []
    for token in tokens:
        if token in OPERATIONS:
            stack.append([token])
            depth = max(depth, len(stack))
        elif token == "]":
            operator, *values = stack.pop()
            counts.append(len(values))
            stack[-1].append(OPERATIONS[operator](values))
        else:
            stack[-1].append(int(token))
    ((found,),) = stack
    return found, depth, counts


OPERATIONS = {
    "[MIN": min,
    "[MAX": max,
    "[MED": lambda values: int(np.median(values)),
    "[SM": lambda values: sum(values) % 10,
}


@pytest.mark.parametrize(("m", "T"), [(100, 5), (100, 12), (60, 100), (4, 1000)])
def test_drawn_expressions_have_their_values_and_lengths(m, T):
    task = draw(m, T, seed=1)
    assert (task.k, task.V, task.train.x.shape, task.test.x.shape) == (10, 16, (m, T + 4), (m, T + 4))
    for split in (task.train, task.test):
        for row, label in zip(split.x, split.y, strict=True):
            tokens = [VOCABULARY[code] for code in row]
            length = (*tokens, "<pad>").index("<pad>")
            assert T - 5 < length < T + 5 and set(tokens[length:]) <= {"<pad>"}
            found, depth, counts = value(tokens[:length])
            assert found == label and depth <= 10 and all(2 <= n <= 10 for n in counts)


def test_drawing_is_deterministic():
    one, same, other = draw(20, 30, seed=1), draw(20, 30, seed=1), draw(20, 30, seed=2)
    assert (one.train.x == same.train.x).all() and (one.test.y == same.test.y).all()
    assert (one.train.x != other.train.x).any() and (one.train.x != one.test.x).any()
    with pytest.raises(ValueError, match="T >= 5"):
        draw(20, 4, seed=0)


def original(random, longest, depth=1):
    """Long Range Arena's generator, as it is defined: one expression; given up beyond the longest wanted length."""
    if depth == 10 or random.random() > 0.25:
        return [random.choice("0123456789")]
    arguments, found = random.randint(2, 10), []
    for _ in range(arguments):
        found += original(random, longest, depth + 1)
        if len(found) + 2 > longest:
            return found + ["too long"] * 2
    return [random.choice(("[MIN", "[MAX", "[MED", "[SM")), *found, "]"]


FEATURES = {
    "length": len,
    "operator": lambda tokens: tokens[0],
    "last": lambda tokens: tokens[-2],
    "value": lambda tokens: value(tokens)[0],
    "operations": lambda tokens: sum(token in OPERATIONS for token in tokens),
    "arguments": lambda tokens: value(tokens)[2][-1],
}


def test_drawn_expressions_have_the_distribution_of_long_range_arena():
    """Chi-square of six features against trying until the length fits, in 9 lengths around T = 8."""
    random = Random(0)
    tried = (original(random, 12) for _ in range(60_000))
    kept = [tokens for tokens in tried if 3 < len(tokens) < 13]
    rows = [[VOCABULARY[code] for code in row if code != 15] for row in draw(4_000, 8, seed=0).train.x]
    assert len(kept) > 2_000
    for feature in FEATURES.values():
        one, two = (Counter(map(feature, sample)) for sample in (kept, rows))
        cells = [cell for cell in one | two if one[cell] + two[cell] >= 20]
        statistic = 0.0
        for counts, sample in ((one, kept), (two, rows)):
            for cell in cells:
                expected = (one[cell] + two[cell]) * len(sample) / (len(kept) + len(rows))
                statistic += (counts[cell] - expected) ** 2 / expected
        assert len(cells) > 2
        assert statistic < len(cells) + 5 * (2 * len(cells)) ** 0.5


def test_drawn_expressions_look_like_the_authors(shared):
    theirs = read_listops(shared / "data" / "listops_T100" / "train.tsv")
    mine = draw(1000, 100, seed=0).train
    assert theirs.x.shape[1] == mine.x.shape[1] == 104  # Long Range Arena's window is open at both ends
    for split in (theirs, mine):
        assert set(np.unique((split.x != 15).sum(axis=1))) == set(range(96, 105))
    labels, drawn = np.bincount(theirs.y), np.bincount(mine.y)
    assert ((labels - drawn) ** 2 / (labels + drawn)).sum() < 30
    for code in range(15):  # how often each token stands in a row
        one, two = ((split.x == code).sum(axis=1) for split in (theirs, mine))
        assert abs(one.mean() - two.mean()) < 5 * (one.var() / 1000 + two.var() / 1000) ** 0.5


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
    assert (task.name, task.k, task.V, task.train.T, task.test.T) == ("train", 10, 16, 3, 3)
    pad = VOCABULARY.index("<pad>")
    assert task.test.x.tolist() == [[1, 2, pad]] and read_task(test, train).train.x.tolist() == [[1, 2, pad]]
    assert read_task(train, test, T=4).test.x.tolist() == [[1, 2, pad, pad]]
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
    with pytest.raises(TaskError, match=r"expected a \.npz archive, a \.csv table or .*, found suffix '\.parquet'"):
        read_task(tmp_path / "data.parquet")
    with pytest.raises(FileNotFoundError):
        read_task(tmp_path / "none.npz")


# Labels


@pytest.mark.parametrize(
    ("train", "test", "numbers", "label_map"),
    [
        ([1, 0], [1], ([1, 0], [1]), ()),
        ([[1.0], [0.0]], [[1]], ([1, 0], [1]), ()),
        ([2, 0], [1], ([2, 0], [1]), ()),
        ([1, 2], [2], ([1, 2], [2]), ()),
        (["1", "0"], ["1"], ([1, 0], [1]), ()),
        ([1, -1], [-1.0], ([1, 0], [0]), (("-1", 0), ("1", 1))),
        ([[-1], [-1]], [1], ([0, 0], [1]), (("-1", 0), ("1", 1))),
        (["-1", "1"], ["-1"], ([0, 1], [0]), (("-1", 0), ("1", 1))),
        ([True, True], [[False]], ([1, 1], [0]), (("False", 0), ("True", 1))),
        (["neg", "pos"], ["pos"], ([0, 1], [1]), (("neg", 0), ("pos", 1))),
        (["b", "a"], ["b"], ([1, 0], [1]), (("a", 0), ("b", 1))),
        (np.eye(3)[[2, 0]], np.eye(3, dtype=bool)[[1]], ([2, 0], [1]), tuple((f"column {c}", c) for c in range(3))),
    ],
)
def test_usual_labels_become_numbers(tmp_path, train, test, numbers, label_map):
    path = save(tmp_path / "a.npz", x_train=TOKENS, y_train=train, x_test=TOKENS[:1], y_test=test)
    task = read_task(path)
    assert (task.train.y.tolist(), task.test.y.tolist()) == numbers and task.label_map == label_map
    assert task.k == (1 if max(map(max, numbers)) < 2 and len(label_map) < 3 else 3)
    other = save(tmp_path / "b.npz", x_test=TOKENS[:1], y_test=test)
    alone = save(tmp_path / "c.npz", x_train=TOKENS, y_train=train)
    task = read_task(alone, other)
    assert (task.train.y.tolist(), task.test.y.tolist()) == numbers and task.label_map == label_map


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (["neg", "pos"], ["new"], "the test label 'new' is not among the training labels: 'neg', 'pos'"),
        ([1, -1], [0], "the test label '0' is not among the training labels: '-1', '1'"),
        ([1, 0], [-1], "the test set: y: labels are numbered from 0, found -1"),
        ([1, 0], ["yes"], "the training labels are integers, the test labels words: write both alike"),
        (np.eye(3)[[2, 0]], np.eye(2)[[1]], "labels are one-hot rows of 3, the test labels one-hot rows of 2"),
    ],
)
def test_labels_of_two_sets_go_by_one_map(tmp_path, train, test, message):
    alone = save(tmp_path / "c.npz", x_train=TOKENS, y_train=train)
    other = save(tmp_path / "t.npz", x_test=TOKENS[:1], y_test=test)
    with pytest.raises(TaskError, match=message) as caught:
        read_task(alone, other)
    assert str(caught.value).startswith(f"{other}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["labels_pm1", "labels_n1", "labels_onehot"])
def test_label_layouts_from_the_field(shared, name):
    task, plain = read_task(shared / "field" / f"{name}.npz"), read_task(shared / "data" / "majority_T200_seed1.npz")
    assert (task.train.x == plain.train.x).all() and (task.train.y == plain.train.y).all() and task.k == 1
    pairs = {"labels_pm1": ("-1", "1"), "labels_n1": (), "labels_onehot": ("column 0", "column 1")}[name]
    assert task.label_map == tuple((theirs, ours) for ours, theirs in enumerate(pairs))


# One length


def test_training_and_test_rows_have_one_length(tmp_path):
    longer = np.hstack([TOKENS, TOKENS])
    path = save(tmp_path / "a.npz", x_train=TOKENS, y_train=LABELS, x_test=longer, y_test=LABELS)
    message = "training rows have length 3, test rows 6: pad both to one length"
    with pytest.raises(TaskError, match=message) as caught:
        read_task(path)
    assert str(caught.value).startswith(f"{path}: ")
    save(path, x_train=TOKENS * np.ones((3, 2, 3)), y_train=[0] * 3, x_test=np.ones((2, 1, 3)), y_test=LABELS)
    with pytest.raises(TaskError, match="training rows have length 2, test rows 1"):
        read_task(path)
    wide = table(tmp_path / "wide.csv", "0,1,1,1,1", header="y,x1,x2,x3,x4")
    with pytest.raises(TaskError, match=r"wide\.csv: training rows have length 3, test rows 4"):
        read_task(table(tmp_path / "b.csv", "0,1,1,1"), wide)


def test_one_long_row_does_not_pad_many_to_death(tmp_path, monkeypatch):
    monkeypatch.setattr(listops_module, "_MAX_TOKENS", 1000)
    path = listops(tmp_path / "a.tsv", *["1\t1"] * 20, " ".join("1" * 60) + "\t1")
    with pytest.raises(TaskError, match=r"a\.tsv: 21 rows padded to 60 tokens are more than the 1000"):
        read_task(path)
    short = listops(tmp_path / "b.tsv", *["1\t1"] * 20)
    with pytest.raises(TaskError, match=r"c\.tsv: 20 rows padded to 60 tokens are more than the 1000"):
        read_task(short, listops(tmp_path / "c.tsv", " ".join("1" * 60) + "\t1"))
    monkeypatch.setattr(text, "MAX_BYTES", 50)
    with pytest.raises(TaskError, match=r"a\.tsv: has \d+ bytes, and at most 50 of text are read"):
        read_task(path)


# Whatever the file holds


def test_damaged_archive_from_the_field(shared):
    path = shared / "field" / "corrupt_deflate.npz"
    with pytest.raises(TaskError, match=r"corrupt_deflate\.npz: array '._train' cannot be read: Error -3"):
        read_task(path)


def mutated(random, data):
    """The bytes with a few changed, cut out, doubled or put in."""
    data = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 5))):
        at, size = random.randrange(len(data)), random.randrange(1, 9)
        new = random.choice(
            (bytes([random.randrange(256)]), b"", data[at : at + size] * 2, random.randbytes(size), b"\0")
        )
        data[at : at + random.choice((1, size))] = new
    return bytes(data) or b"\0"


def archives(random):
    """Archives of several kinds; the changed ones with the check sums of what they hold."""
    words = np.array(["neg", "pos", "neg"])
    reals = np.linspace(-1, 1, 12).reshape(3, 2, 2)
    arrays = [
        {"x_train": np.arange(12, dtype=np.int16).reshape(3, 4), "y_train": words, "shift": np.array("ones fell")},
        {"x_train": reals, "y_train": np.eye(2)[[0, 1, 1]], "x_test": reals[:1], "y_test": np.eye(2)[:1]},
    ]
    for contents in arrays:
        for write in (np.savez, np.savez_compressed):
            whole = io.BytesIO()
            write(whole, **contents)
            yield mutated(random, whole.getvalue())
        again = io.BytesIO()
        with zipfile.ZipFile(again, "w") as archive:
            for name, array in contents.items():
                member = io.BytesIO()
                np.save(member, array)
                found = member.getvalue()
                header = mutated(random, found[: found.index(b"\n") + 1]) + found[found.index(b"\n") + 1 :]
                archive.writestr(f"{name}.npy", random.choice((found, header, mutated(random, found))))
        yield again.getvalue()


def test_nothing_but_a_task_error_escapes_a_data_file(tmp_path):
    random, errors, files = Random(0), 0, 0
    csv = b"y,x1,x2,x3\nneg,0,1,2\npos,2,2,0\n"
    tsv = b"Source\tTarget\n( ( [MAX 3 ) ( 9 ) ] )\t9\n7\t7\n"
    for round in range(70):
        contents = [("npz", each) for each in archives(random)]
        contents += [("csv", mutated(random, csv)), ("tsv", mutated(random, tsv))]
        for suffix, content in contents:
            path = tmp_path / f"{round}.{suffix}"
            path.write_bytes(content)
            files += 1
            try:
                read_task(path)
            except TaskError as error:
                errors += 1
                assert str(error).startswith(str(path)) and str(error).isprintable() and len(str(error)) < 1000
    assert files == 560 and 200 < errors < files


def test_authors_data(shared):
    task = read_task(shared / "data" / "majority_T200_seed1.npz")
    assert (task.k, task.V, task.train.x.shape, task.test.x.shape) == (1, 2, (1000, 200), (1000, 200))
    assert ((2 * task.test.x.sum(axis=1, dtype=int) > 200) == task.test.y).all()  # the labels of majority()
    folder = shared / "data" / "listops_T100"
    task = read_task(folder / "train.tsv", folder / "test.tsv")
    assert (task.train.m, task.test.m) == (1000, 1000)
    assert 95 <= task.train.T <= 105
