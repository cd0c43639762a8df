"""What a language model answers on documents: distributions, losses from above, whatever goes together."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from ssm_bounds.bounds.gaps.wealth.differences import smoothed
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.program import run, text
from ssm_bounds.models.program.classifier import stack
from ssm_bounds.models.program.evaluate import digest
from ssm_bounds.models.program.losses import probable
from ssm_bounds.models.program.run import prepared
from ssm_bounds.models.tasks.documents import of_texts
from ssm_bounds.models.tasks.symbols import English
from tests.models.program import oracle
from tests.texts import folder, texts


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    place = tmp_path_factory.mktemp("lm")
    return [prepared(stack(files.read(folder(place / str(seed), seed)))) for seed in (0, 1)]


DOCUMENTS = of_texts(texts(40), English(), 12)


def scored(models, score, documents=DOCUMENTS):
    return text.joined([score(p, y) for p, y in text.distributions(models, documents)])


def test_logits_are_those_of_the_second_writing(tmp_path, models):
    model = stack(files.read(folder(tmp_path / "lm")))
    seen = []
    for _ in text.distributions(models[:1], DOCUMENTS, seen.append):
        pass
    x, lengths, _ = DOCUMENTS.rows(0, 5)
    own = [row for i in range(5) for row in oracle.logits(model, x[i, : lengths[i]], int(lengths[i]))]
    assert np.concatenate(seen)[: len(own)].tolist() == own


def test_losses_bound_the_bits_of_the_exact_fractions(models):
    """Of E/S in rational arithmetic: never below, never two units above."""
    for (p,), y in text.distributions(models[:1], DOCUMENTS):
        found = text.direct(p, y, 3)
        for i in range(0, len(y), 7):
            exact = Fraction(7, 8) * Fraction(p[i, y[i]]) + Fraction(1, 8 * 79)
            bits = -math.log2(exact)
            assert bits * 2**24 <= found.losses[i] <= bits * 2**24 + 2.01
        assert abs(p.sum(axis=1) - 1).max() < 1e-9


def test_a_mixture_with_the_base_needs_no_more_than_its_share(models):
    found = scored(models, lambda p, y: text.paired(p[0], smoothed(p[1], 6, 79), y, 2))
    assert found.span.high == 2 * 2**24 >= found.losses.max() and found.losses.min() < 0
    same = scored(models[:1] * 2, lambda p, y: text.paired(p[0], smoothed(p[1], 12, 79), y, 2))
    assert np.abs(same.losses).max() < 0.1 * 2**24
    swapped = scored(models, lambda p, y: text.paired(p[1], smoothed(p[0], 6, 79), y, 2))
    assert (np.sign(found.losses) != np.sign(swapped.losses)).mean() > 0.8


def test_what_goes_together_changes_nothing(models, monkeypatch):
    whole = scored(models, lambda p, y: text.direct(p[0], y, 1))
    monkeypatch.setattr(text, "_VALUES", 79 * 13 * 3)
    parts = scored(models, lambda p, y: text.direct(p[0], y, 1))
    assert (whole.losses == parts.losses).all() and (whole.expected == parts.expected).all()


def test_a_long_document_goes_in_pieces(models, monkeypatch):
    """The same logits and probabilities, from no more of them at once; several programs in step."""
    documents = of_texts([*texts(3, seed=4), "a" * 90], English(), 60)
    monkeypatch.setattr(run, "POSITIONS", 16)

    def seen():
        logits, held = list[np.ndarray](), list[int]()
        parts = list(text.distributions(models, documents, logits.append))
        for p, y in parts:
            assert len(p) == 2 and len(p[0]) == len(p[1]) == len(y)
            held.append(p[0].size)
        joined = [np.concatenate(each) for each in zip(*(p for p, _ in parts), strict=True)]
        return digest(*logits), joined, np.concatenate([y for _, y in parts]), max(held)

    whole, p, y, _ = seen()
    for values in (1, 79 * 7, 79 * 16):
        monkeypatch.setattr(text, "_VALUES", values)
        again, q, z, most = seen()
        assert again == whole and (y == z).all() and most <= max(values, 79)
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(p, q, strict=True))


def test_what_is_not_ok_stays_so_in_pieces(models, monkeypatch):
    """Numbers beyond the range from a token on: every later position of the row has no answer."""
    program = models[0]
    E = program.entry.copy()
    E[:, 5] = 1e200
    broken = replace(program, entry=E)
    x = np.array([[1, 2, 3, 1, 2, 5, 1, 2, 3, 4, 1, 2]])
    whole = run.run(broken, x)
    assert np.isfinite(whole[:5]).all() and np.isnan(whole[5:]).all()
    monkeypatch.setattr(run, "POSITIONS", 4)
    for positions in (1, 3, 4, 12):
        assert np.array_equal(np.concatenate(list(run.along(broken, x, positions))), whole, equal_nan=True)


def test_whoever_reads_the_pieces_keeps_their_own_arithmetic(models):
    """Between two pieces errors are what the caller said."""
    with np.errstate(all="raise"):
        said = np.geterr()
        pieces = [run.along(each, np.array([[1, 2, 3, 4]]), 1) for each in models[:2]]
        for _ in zip(*pieces, strict=True):
            assert np.geterr() == said
        assert np.geterr() == said


def test_memory_does_not_grow_with_the_length(models, monkeypatch):
    monkeypatch.setattr(text, "_VALUES", 79 * 64)
    monkeypatch.setattr(run, "POSITIONS", 64)
    peaks = []
    for T in (500, 4000):
        documents = of_texts(["ab" * (T // 2)], English(), T)
        tracemalloc.start()
        for _ in text.distributions(models[:1], documents):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 3500 * 8 * 10 < 4000 * 79 * 8  # a few integers a symbol, no logits


def test_a_position_without_an_answer_has_the_largest_loss(models):
    p = probable(np.array([[0.0, 1.0], [np.nan, 1.0]]))
    assert np.isnan(p[1]).all() and p[0].sum() == pytest.approx(1)
    found = text.direct(p, np.array([0, 0]), 2)
    assert found.losses[1] == found.expected[1] == found.span.high > found.losses[0]
    beside = text.paired(p, np.full((2, 2), 0.5), np.array([0, 0]), 2)
    assert beside.losses[1] == beside.span.high
