"""What the rows themselves say: which repeat, which stand in both sets, and whether chance allows it.

**Claim.** If the rows of both sets are i.i.d. (their labels aside), the number of distinct rows in both sets exceeds
those of all 9,999 random re-splits of the pooled rows with probability at most 1/10,000, and so does the number of
equal pairs inside the test set: at most 1/5,000 for the two together.

**Derivation.** Given the pooled rows, every choice of n_test of them as the test set is equally likely, so that the
split that was made and 9,999 independent uniform ones are exchangeable, and so are their counts: one given of the
10,000 is above all others with probability at most 1/10,000. Only multiplicities matter, not what the rows are, and
only those above 1: a row that occurs once is never in both sets, and in no pair.

**Not claimed.** That a test set which passes is fresh: a leak of a few rows, or of rows that were changed, may pass.
The probability is over the rows *and* the re-splits; these come from one fixed seed, so that the answer is a function
of the rows. A row of a re-split is dealt to the test set with a probability within 2^-52 of the exact one. Where a
shift is known the claim's hypothesis fails: equal pairs are not compared then (a sharper test law repeats more), and
shared rows still are, because copies are what they show.

Source: permutation tests with a random sample of permutations (Hemerik and Goeman 2018, Theorem 2); theory 8.4
is what needs fresh rows.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.models.tasks.task import Split

RESPLITS = 9_999
SEED = 20_250_201
INDEPENDENT_REPEATS = "repeated rows are independent draws"
"""The condition of every rung about training rows where :attr:`RowFacts.repeated` says so."""

_BATCHES = (99, 900, 9_000)  # an honest split is mostly matched by one of the first
_CHUNK = 1 << 17  # random numbers made at once
_ROW_BYTES = 1 << 26  # of rows brought to canonical form at once


@dataclass(frozen=True, slots=True)
class Compared:
    """A count, beside those of random re-splits of the same rows.

    ``reached``: the number of the first re-split (from 1) whose count is at least ``observed``, where comparing ended;
    None: none of the 9,999 has one. ``largest``: the largest count of the re-splits that were compared.
    """

    observed: int
    largest: int
    reached: int | None

    @property
    def excess(self) -> bool:
        """More than in all 9,999 re-splits: more than chance allows."""
        return self.reached is None

    def __str__(self) -> str:
        """
        >>> print(Compared(997, 548, None), Compared(322, 331, 3), sep="; ")
        997 (at most 548 in each of 9,999 random re-splits); 322 (random re-split 3 has 331)
        """
        if self.reached is None:
            return f"{self.observed:,} (at most {self.largest:,} in each of {RESPLITS:,} random re-splits)"
        return f"{self.observed:,} (random re-split {self.reached:,} has {self.largest:,})"


@dataclass(frozen=True, slots=True)
class RowFacts:
    """Counts of rows; two rows are equal if all their tokens, padding included, or all their reals are.

    ``conflicting_train``: distinct training rows that come with more than one label. ``possible``: how many rows the
    tokens seen at each position can make up (the product over the positions of the number of different ones), None
    where they are more than n_train, or where at least half of the training rows are distinct and nobody asks.
    ``shared``: distinct rows in both sets; ``conflicting``: those of them whose sets of labels differ; ``pairs``: pairs
    of equal rows inside the test set. Without a test set ``n_test`` is 0 and ``shared`` and ``pairs`` are None;
    ``pairs`` is None under a known shift too.
    """

    n_train: int
    distinct_train: int
    conflicting_train: int
    possible: int | None
    n_test: int
    distinct_test: int
    conflicting: int
    equal_pairs: int
    shared: Compared | None
    pairs: Compared | None

    @property
    def excess(self) -> bool:
        """The hold-out is to be refused: shared rows or equal pairs are more than chance allows."""
        return any(each is not None and each.excess for each in (self.shared, self.pairs))

    @property
    def repeated(self) -> bool:
        """Fewer than half of the training rows are distinct, and no short alphabet explains it.

        An alphabet is short if it makes up at most n_train rows, and explains repeats if a third of these rows or more
        occur: uniform rows would leave 63 % of the smaller of the two numbers distinct, uneven ones less.
        """
        explained = self.possible is not None and 3 * self.distinct_train >= self.possible
        return 2 * self.distinct_train < self.n_train and not explained


@dataclass(frozen=True, slots=True, eq=False)
class Hashed:
    """Labelled sequences, and the hash of each row of theirs."""

    split: Split
    rows: tuple[bytes, ...]

    @classmethod
    def of(cls, split: Split) -> Self:
        return cls(split, tuple(row_hashes(split.x)))

    def distinct(self) -> Split:
        """The first of each row that occurs."""
        first = {row: i for i, row in reversed(list(enumerate(self.rows)))}
        kept = sorted(first.values())
        return Split(self.split.x[kept], self.split.y[kept])


def row_facts(train: Split, test: Split | None, *, shifted: bool = False) -> RowFacts:
    """:func:`hashed_facts` of a task's rows."""
    return hashed_facts(Hashed.of(train), None if test is None else Hashed.of(test), shifted=shifted)


def hashed_facts(hashed: Hashed, hashed_test: Hashed | None, *, shifted: bool = False) -> RowFacts:
    """What the rows of a task say about its split; ``shifted``: training and test law are known to differ.

    A function of the two multisets of labelled rows, on any machine: re-splits come from a fixed seed. Cost: where
    nothing reaches the observed counts 9,999 re-splits, about 0.1 ms for each repeated row.
    """
    train, rows = hashed.split, hashed.rows
    labels = _labels_of(rows, train.y)
    train_counts = Counter(rows)
    possible = _possible(train.x, train.m) if 2 * len(labels) < train.m else None
    conflicting_train = sum(len(found) > 1 for found in labels.values())
    facts = train.m, len(labels), conflicting_train, possible
    if hashed_test is None:
        return RowFacts(*facts, 0, 0, 0, 0, None, None)
    test, test_rows = hashed_test.split, hashed_test.rows
    test_labels = _labels_of(test_rows, test.y)
    test_counts = Counter(test_rows)
    both = labels.keys() & test_labels.keys()
    equal_pairs = sum(count * (count - 1) // 2 for count in test_counts.values())
    multiplicities = [count for count in (train_counts + test_counts).values() if count > 1]
    sizes = {"n_train": train.m, "n_test": test.m}
    shared = against_chance(len(both), in_both, multiplicities, **sizes)
    pairs = None if shifted else against_chance(equal_pairs, pairs_of, multiplicities, **sizes)
    conflicting = sum(labels[row] != test_labels[row] for row in both)
    return RowFacts(*facts, test.m, len(test_labels), conflicting, equal_pairs, shared, pairs)


def row_hashes(x: NDArray[np.integer | np.floating]) -> list[bytes]:
    """SHA-256 of each row: tokens as little-endian int64, reals as little-endian float64 with 0 for -0.

    >>> one, other = np.array([[0, 1]], dtype=np.int8), np.array([[0, 1]], dtype=">u4")
    >>> row_hashes(one) == row_hashes(other), row_hashes(one) == row_hashes(np.array([[0, 1, 0]]))
    (True, False)
    """
    real = x.dtype.kind == "f"
    size = max(1, _ROW_BYTES // (8 * max(1, x[0].size)))
    hashes = []
    for start in range(0, len(x), size):
        part = np.ascontiguousarray(x[start : start + size], dtype="<f8" if real else "<i8")
        if real:
            part = part + 0.0
        hashes += [hashlib.sha256(row.data).digest() for row in part.reshape(len(part), -1)]
    return hashes


Statistic = Callable[[NDArray[np.float64], int], NDArray[np.floating | np.bool_]]
"""What a distinct row adds to a count, from how many of its copies (and of how many) are test rows."""


def in_both(tested: NDArray[np.float64], copies: int) -> NDArray[np.bool_]:
    """Whether the row is in both sets."""
    return (tested > 0) & (tested < copies)


def pairs_of(tested: NDArray[np.float64], copies: int) -> NDArray[np.float64]:
    """Pairs of it inside the test set."""
    return tested * (tested - 1) / 2


def against_chance(
    observed: int, statistic: Statistic, multiplicities: Iterable[int], *, n_train: int, n_test: int
) -> Compared:
    """The count beside those of up to 9,999 random re-splits, the first of which that reaches it ends the comparison.

    ``multiplicities``: how often each distinct row occurs in the two sets together; those of 1 may be left out.
    """
    bits = np.random.PCG64(SEED)  # raw integers, and how a seed starts them, never change between versions (NEP 19)
    counts = sorted(count for count in multiplicities if count > 1)
    done = largest = 0
    for draws in _BATCHES:
        found = _resplit(statistic, counts, n_train, n_test, draws, bits)
        reached = np.flatnonzero(found >= observed)
        if reached.size:
            first = int(reached[0])
            return Compared(observed, int(found[first]), done + first + 1)
        done, largest = done + draws, max(largest, int(found.max()))
    return Compared(observed, largest, None)


def _resplit(
    statistic: Statistic, counts: Sequence[int], n_train: int, n_test: int, draws: int, bits: np.random.PCG64
) -> NDArray[np.int64]:
    """The statistic, summed over the distinct rows, of each of ``draws`` re-splits.

    Rows are dealt one after another: to the test set with probability (its free places) / (rows left).
    """
    left, free, total = n_train + n_test, np.full(draws, float(n_test)), np.zeros(draws)
    uniforms = _uniforms(bits, draws, sum(counts))
    for copies in counts:
        before = free.copy()
        for _ in range(copies):
            free -= next(uniforms) * left < free
            left -= 1
        total += statistic(before - free, copies)
    return total.astype(np.int64)


def _uniforms(bits: np.random.PCG64, draws: int, rows: int) -> Iterator[NDArray[np.float64]]:
    """``rows`` arrays of ``draws`` multiples of 2^-53 in [0, 1), made some at a time."""
    size = max(1, _CHUNK // draws)
    for start in range(0, rows, size):
        raw = bits.random_raw((min(size, rows - start), draws))
        yield from (raw >> np.uint64(11)) * 2.0**-53


def _labels_of(rows: Sequence[bytes], y: NDArray[np.int64]) -> dict[bytes, set[int]]:
    labels: dict[bytes, set[int]] = {}
    for row, label in zip(rows, y.tolist(), strict=True):
        labels.setdefault(row, set()).add(label)
    return labels


def _possible(x: NDArray[np.integer | np.floating], most: int) -> int | None:
    """The product over the positions of the number of different entries there; None above ``most``."""
    product = 1
    for column in x.reshape(len(x), -1).T:
        product *= len(np.unique(column))
        if product > most:
            return None
    return product


def counted(facts: RowFacts) -> str:
    """The counts in one line.

    >>> split = Split(np.array([[0, 1], [1, 1], [0, 1]]), np.array([0, 1, 1]))
    >>> counted(row_facts(split, None))
    '2 distinct rows among 3 training rows (1 with more than one label)'
    """
    parts = [f"{facts.distinct_train:,} distinct rows among {facts.n_train:,} training rows"]
    if facts.conflicting_train:
        parts[0] += f" ({facts.conflicting_train:,} with more than one label)"
    if facts.shared is not None:
        parts.append(f"{facts.distinct_test:,} among {facts.n_test:,} test rows")
        parts.append(f"in both {facts.shared}")
        if facts.conflicting:
            parts.append(f"{facts.conflicting:,} of these with different labels")
        if facts.equal_pairs:
            parts.append(f"equal pairs of test rows {facts.equal_pairs if facts.pairs is None else facts.pairs}")
    return "; ".join(parts)


def refusal(facts: RowFacts) -> str | None:
    """Why the test rows are no hold-out, None where chance allows what they share."""
    reasons = []
    if facts.shared is not None and facts.shared.excess:
        reasons.append(
            f"{facts.shared.observed:,} of the {facts.distinct_test:,} distinct test rows are training rows, and none "
            f"of {RESPLITS:,} random re-splits of the same rows shares more than {facts.shared.largest:,}"
        )
    if facts.pairs is not None and facts.pairs.excess:
        reasons.append(
            f"{facts.pairs.observed:,} pairs of test rows are equal, and none of {RESPLITS:,} random re-splits of the "
            f"same rows has more than {facts.pairs.largest:,}"
        )
    return f"{'; '.join(reasons)}: more than chance allows, whatever the task" if reasons else None


def padding_question(split: Split) -> str | None:
    """A question where the rows look padded on the right, with runs of various lengths of one last token.

    Asked if every row ends in it, or if most rows do and it stands nowhere else. Real inputs are not looked at.

    >>> padding_question(Split(np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]]), np.array([0, 1, 1])))
    'every row ends in token 0, 1 to 2 times in a row: is it padding?'
    >>> padding_question(Split(np.array([[1, 0, 9], [0, 1, 0], [1, 9, 9]]), np.array([0, 1, 1])))
    '2 of 3 rows end in token 9, which stands nowhere else: is it padding?'
    """
    x = split.x
    if x.ndim != 2:
        return None
    tokens, counts = np.unique(x[:, -1], return_counts=True)
    token = int(tokens[counts.argmax()])
    other = x[:, ::-1] != token
    runs = np.where(other.any(axis=1), other.argmax(axis=1), split.T)
    ending = int(np.count_nonzero(runs))
    if runs.min() == runs.max():
        return None
    if ending == split.m:
        return f"every row ends in token {token}, {runs.min()} to {runs.max()} times in a row: is it padding?"
    if 2 * ending > split.m and np.count_nonzero(~other) == runs.sum():
        return f"{ending:,} of {split.m:,} rows end in token {token}, which stands nowhere else: is it padding?"
    return None
