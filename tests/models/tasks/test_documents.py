"""Symbols and documents: what a language model is given, and on what it is scored."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ssm_bounds.models.tasks.documents import LONGEST, of_texts, read_documents
from ssm_bounds.models.tasks.symbols import LETTERS, English, Tokenizer
from ssm_bounds.models.tasks.task import TaskError
from tests.texts import texts, write


def test_the_fixed_list_is_that_of_theory_data_8_16():
    expected = " abcdefghijklmnopqrstuvwxyz,;\"().-'0123456789`/:!?%ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert expected == LETTERS and English().size == 79 and len(set(LETTERS)) == 77
    codes = English().encode([LETTERS, "é\n\0€"])
    assert codes[0].tolist() == list(range(2, 79)) and codes[1].tolist() == [1] * 4


def test_each_document_is_scored_on_its_symbols_and_one_end():
    found = of_texts(["abc", "", "a"], English(), 2)
    assert found.lengths.tolist() == [3, 1, 2] and (found.m, found.n, found.cut, found.T) == (3, 6, 1, 2)
    given, lengths, came = found.rows(0, 3)
    assert came.tolist() == [3, 4, 0, 0, 3, 0] and lengths.tolist() == [3, 1, 2]
    assert [row[:n].tolist() for row, n in zip(given, lengths, strict=True)] == [[0, 3, 4], [0], [0, 3]]


def test_what_is_given_never_holds_what_comes():
    found = of_texts(texts(50), English(), 10)
    for x, y, n in zip(found.x, found.y, found.lengths, strict=True):
        assert x[0] == 0 and (x[1:n] == y[: n - 1]).all() and y[n - 1] == 0 and (y[: n - 1] != 0).all()


def test_some_and_distinct():
    found = of_texts(["a", "b", "a", "abc", "abd", "c"], English(), 2)
    assert found.distinct == 4  # the cut ones are alike
    assert found.some(2).y[:, 0].tolist() == [4, 3, 5]


def test_a_file_is_read_line_by_line(tmp_path):
    path = write(tmp_path / "t.jsonl", ["one", "two"])
    path.write_text(path.read_text() + "\n" + json.dumps({"text": "three", "label": 1}) + "\n")
    found = read_documents(path, English())
    assert (found.m, found.T) == (3, 5) and len(found.sha256) == 64 and found.source == str(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 is not JSON"),
        ("[" * 100_000, "line 2 is not JSON"),
        ('["text"]', "line 2 has no 'text' that is a string: it has no object"),
        ('{"txt": "a", "b": 1}', "it has the keys 'txt', 'b'"),
        ('{"text": 3}', "line 2 has no 'text' that is a string"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "a"}\n' + line + "\n")
    with pytest.raises(TaskError, match=message):
        read_documents(path, English())


def test_bad_texts(tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(TaskError, match="has no document"):
        read_documents(tmp_path / "empty.jsonl", English())
    for T in (0, LONGEST + 1):
        with pytest.raises(TaskError, match="cut to 1 to"):
            of_texts(["a"], English(), T)
    with pytest.raises(TaskError, match="too many"):
        of_texts(["a" * LONGEST] + ["a"] * 9000, English(), LONGEST)
    (tmp_path / "latin.jsonl").write_bytes('{"text": "é"}'.encode("latin-1"))
    with pytest.raises(TaskError, match="not UTF-8"):
        read_documents(tmp_path / "latin.jsonl", English())


class TestTokenizer:
    @pytest.fixture
    def path(self, tmp_path):
        library = pytest.importorskip("tokenizers")
        made = library.Tokenizer(library.models.WordLevel({"a": 0, "b": 1, "<end>": 2, "[UNK]": 3}, unk_token="[UNK]"))
        made.pre_tokenizer = library.pre_tokenizers.Whitespace()
        made.enable_truncation(1)
        made.save(str(tmp_path / "tokenizer.json"))
        return tmp_path / "tokenizer.json"

    def test_texts_become_its_tokens_whatever_it_cuts(self, path):
        found = of_texts(["b a x", ""], Tokenizer(path, 2), 5)
        assert found.y[0].tolist() == [1, 0, 3, 2] and found.V == 4 and found.lengths.tolist() == [4, 1]

    def test_bad_files(self, path):
        with pytest.raises(TaskError, match="the end of a document is said to be token 4"):
            Tokenizer(path, 4)
        path.write_text("{}")
        with pytest.raises(TaskError, match="is no tokenizer file"):
            Tokenizer(path, 2)

    def test_one_that_drops_at_random_is_refused(self, path):
        text = json.loads(path.read_text())
        text["model"] = {"type": "BPE", "dropout": 0.1, "unk_token": None, "continuing_subword_prefix": None} | {
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "vocab": {"a": 0}, "merges": [],
        }  # fmt: skip
        path.write_text(json.dumps(text))
        with pytest.raises(TaskError, match="drops merges at random"):
            Tokenizer(path, 0)

    def test_a_text_that_it_cannot_encode(self, path):
        with pytest.raises(TaskError, match="cannot encode the text"):
            Tokenizer(path, 2).encode(["ab\ud800c"])


def test_documents_of_equal_symbols_are_equal_rows():
    found = of_texts(["ab", "ab", "abc"], English())
    assert found.distinct == 2 and np.array_equal(found.y[0], found.y[1])
