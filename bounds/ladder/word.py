"""*occam* of a word: what a model is worth whose every choice is in a priced table (theory 8.1, 8.12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from ssm_bounds.bounds.codes.word import Word
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.gaps.inversion import error_rate
from ssm_bounds.bounds.ladder.argument import Argument, Cost, confidence
from ssm_bounds.bounds.ladder.occam import level
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung
from ssm_bounds.bounds.values import Draws


@dataclass(frozen=True, slots=True)
class OfWord(Argument):
    """Errors on m rows of the model that ``word`` decodes to, at ``delta``. ``moved``: what the word moves;
    ``program``: what ran; ``remarks``: what else is to be said; ``draws``: how the rows were drawn."""

    word: Word
    errors: int
    m: int
    delta: Fraction
    moved: str
    program: str
    remarks: tuple[str, ...] = ()
    draws: Draws = "iid"

    def at(self, delta: Fraction) -> OfWord:
        return replace(self, delta=delta)

    @property
    def risk(self) -> Enclosure:
        """Source: theory 8.1, 8.5."""
        return error_rate(self.errors, self.m, level(self.word.nats(), self.delta), self.draws)

    def sentence(self) -> str:
        form = () if self.draws == "iid" else ("by kl: the binomial tail is for i.i.d. rows",)
        return "; ".join((self.counted(), *form))

    def counted(self) -> str:
        """The errors and the price, without the form of the bound."""
        nats = f"{decimal_string(self.word.nats().upper, 3)} nats ({self.word.family} of {self.moved})"
        return "; ".join((f"{self.errors} errors of the word's model on {self.m} rows, {nats}", *self.remarks))

    def record(self) -> Mapping[str, Any]:
        return {
            "errors": self.errors,
            "m": self.m,
            "nats": self.word.nats(),
            "family": self.word.family,
            "moved": self.moved,
            "program": self.program,
            **bill(self.word),
        }

    def costs(self) -> tuple[Cost, ...]:
        return (*paid(self.word), confidence(self.delta))

    def words(self) -> tuple[str, ...]:
        return told(self.word)


def bill(word: Word) -> Mapping[str, Any]:
    """What a word pays, choice by choice and by tensor, for the JSON document."""
    return {
        "table": [
            {"choice": row.choice, "times": row.times, "prior": row.prior, "nats": row.nats} for row in word.table()
        ],
        "by_block": [{"block": name, "parameters": n, "nats": nats} for name, n, nats in word.ledger()],
    }


def paid(word: Word) -> tuple[Cost, ...]:
    """The same, choice by choice, as summands of a bound."""
    return tuple(Cost(row.choice, "price", row.nats, row.choice) for row in word.table())


def told(word: Word) -> tuple[str, ...]:
    """The same in lines of text."""
    chosen = [f"{row.choice} ({row.prior}, {row.times} times): {_nats(row.nats)}" for row in word.table()]
    tensors = [f"{name}, {n} numbers: {_nats(nats)}" for name, n, nats in word.ledger()]
    return (*chosen, *tensors)


def _nats(found: Enclosure) -> str:
    return f"{decimal_string(found.upper, 4)} nats"


def occam(argument: OfWord, rests_on: tuple[Hypothesis, ...] = (), *, searched: bool = False) -> Rung:
    """The risk of the decoded model, by the tail inversion at the price of its word; *occam-kl*: by kl, of rows that
    were not drawn i.i.d. Source: theory 8.1, 8.5, 8.12."""
    name = "occam" if argument.draws == "iid" else "occam-kl"
    return Rung(name, "risk", False, argument.risk, 1, argument, (Hypothesis.ROWS, *rests_on), searched=searched)
