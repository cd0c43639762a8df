"""How the training rows were drawn, and so what a mean over them is a bound of (theory 8.5, hypothesis U)."""

from __future__ import annotations

from dataclasses import dataclass

from ssm_bounds.bounds.values import Draws, require
from ssm_bounds.evidence import Evidence, Fact
from ssm_bounds.models.tasks.rows import INDEPENDENT_REPEATS

OF_WORDS = "how the training rows were drawn is stated for a word alone"
_STANDING = {
    "iid": "the m training rows are independent and identically distributed, from the distribution whose risk is "
    "claimed",
    "stratified": "each class has a fixed number of training rows, independent draws of its own distribution; what is "
    "claimed of a word is the error rate under the proportions of these numbers",
    "without-replacement": "the m training rows are a random sample without replacement of one fixed finite collection "
    "of labelled rows, m fixed without a look at them; what is claimed of a word is its error rate over that whole "
    "collection",
}
_CLAIMED = {
    "iid": "on new rows from the training distribution",
    "stratified": "on new rows with the classes in the proportions of the training rows",
    "without-replacement": "over the whole collection that the training rows were sampled from",
}
_REPEATS = {
    "iid": INDEPENDENT_REPEATS,
    "stratified": INDEPENDENT_REPEATS,
    "without-replacement": "repeated rows are different members of the collection",
}


@dataclass(frozen=True, slots=True)
class Sampling:
    """What the person says of the draws. Raises: DomainError."""

    draws: Draws = "iid"

    def __post_init__(self) -> None:
        known = ", ".join(_STANDING)
        require(self.draws in _STANDING, f"how the training rows were drawn: one of {known}, got {self.draws!r}")

    @property
    def independent(self) -> bool:
        """Rows are i.i.d., as every bound by norms, and the binomial inversion, need them."""
        return self.draws == "iid"

    @property
    def facts(self) -> tuple[Fact, ...]:
        return () if self.independent else (Fact("training rows drawn", self.draws, Evidence.STATED),)

    @property
    def standing(self) -> str:
        """What is assumed of the training rows."""
        return _STANDING[self.draws]

    def over(self, m: int) -> str:
        """What the probability is over."""
        chosen = "the random choice of " if self.draws == "without-replacement" else ""
        return f"{chosen}the {m} training rows"

    def risk(self, subject: str) -> str:
        """The mean that is claimed of a model, in words."""
        return f"the error rate of {subject} {_CLAIMED[self.draws]}"

    def tested(self, subject: str) -> str:
        """What test rows bound, in words."""
        if self.draws == "without-replacement":
            return f"the error rate of {subject} on the rows of that collection that are not the training rows"
        return f"the error rate of {subject} on new rows from the distribution of the test rows"

    def fresh(self, alone: str) -> str:
        """The condition of a hold-out; ``alone``: the models that met its rows."""
        if self.draws == "without-replacement":
            return (
                "the test rows are a random sample without replacement of the other rows of that collection, their "
                f"number fixed without a look at them, and met by {alone}"
            )
        return f"the test rows are fresh, independent and met by {alone}"

    @property
    def repeats(self) -> str:
        """What has to be so of training rows that are equal."""
        return _REPEATS[self.draws]

    @property
    def no_holdout(self) -> str | None:
        """Why test rows bound nothing; None where they do."""
        if self.draws == "stratified":
            return (
                "a fixed number of rows of each class was drawn, and nothing says how the test rows were: the binomial "
                "inversion is for independent rows of one law (theory 8.5)"
            )
        return None


IID = Sampling()
"""What is assumed where nobody says otherwise."""
