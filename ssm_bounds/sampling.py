"""What the training data are draws of, and so what a mean over them is a bound of (theory 8.5, hypothesis U)."""

from __future__ import annotations

from dataclasses import dataclass

from ssm_bounds.bounds.values import Draws, require
from ssm_bounds.evidence import Evidence, Fact
from ssm_bounds.models.tasks.rows import INDEPENDENT_REPEATS
from ssm_bounds.models.tasks.task import Task

OF_WORDS = "how the training rows were drawn, or grouped, is stated for a word alone"
_STANDING = {
    "iid": "the m training rows are independent and identically distributed, from the distribution whose risk is "
    "claimed",
    "stratified": "each class has a fixed number of training rows, independent draws of its own distribution; what is "
    "claimed of a word is the error rate under the proportions of these numbers",
    "without-replacement": "the m training rows are a random sample without replacement of one fixed finite collection "
    "of labelled rows, m fixed without a look at them; what is claimed of a word is its error rate over that whole "
    "collection",
}
_OF_GROUPS = {
    "iid": "independent draws from one distribution of groups, each with its rows",
    "without-replacement": "a random sample without replacement of one fixed finite collection of groups, each with "
    "its rows",
}
_CLAIMED = {
    "iid": "on new rows from the training distribution",
    "stratified": "on new rows with the classes in the proportions of the training rows",
    "without-replacement": "over the whole collection that the training rows were sampled from",
}
_MEMBERS = "are different members of the collection"


@dataclass(frozen=True, slots=True)
class Sampling:
    """What the person says of the draws. ``groups``: how many were drawn, where rows that share one are one draw.

    Raises: DomainError.
    """

    draws: Draws = "iid"
    groups: int | None = None

    def __post_init__(self) -> None:
        known = ", ".join(_STANDING)
        stated = isinstance(self.draws, str) and self.draws in _STANDING
        require(stated, f"how the training rows were drawn: one of {known}, got {self.draws!r}")
        both = self.draws == "stratified" and self.groups is not None
        require(not both, "--stratified is about the classes of single rows, --groups about groups: leave one out")

    @classmethod
    def of(cls, draws: Draws, task: Task | None) -> Sampling:
        """Of the training rows of a task. Raises: DomainError."""
        return cls(draws, None if task is None or task.groups is None else int(task.groups.max()) + 1)

    @property
    def independent(self) -> bool:
        """Rows are i.i.d., as every bound by norms, and the binomial inversion, need them."""
        return self.draws == "iid" and self.groups is None

    @property
    def facts(self) -> tuple[Fact, ...]:
        drawn = () if self.draws == "iid" else (Fact("training rows drawn", self.draws, Evidence.STATED),)
        return drawn if self.groups is None else (*drawn, Fact("groups", self.groups, Evidence.CHECKED))

    @property
    def standing(self) -> str:
        """What is assumed of the training rows."""
        if self.groups is None:
            return _STANDING[self.draws]
        drawn = f"{self._groups} of training rows are"
        if self.groups == 1:
            drawn = f"{self._groups} of training rows is one draw, and groups are"
        return (
            f"{drawn} {_OF_GROUPS[self.draws]}, their number fixed without a look at them; rows of one group may "
            "depend on one another; what is claimed of a word is the mean over groups of its error rate within the "
            "group, whatever its size"
        )

    @property
    def _groups(self) -> str:
        return "the one group" if self.groups == 1 else f"the {self.groups} groups"

    def over(self, m: int) -> str:
        """What the probability is over."""
        chosen = "the random choice of " if self.draws == "without-replacement" else ""
        return f"{chosen}the {m} training rows" if self.groups is None else f"{chosen}{self._groups} of {m} rows"

    def risk(self, subject: str) -> str:
        """The mean that is claimed of a model, in words."""
        if self.groups is None:
            return f"the error rate of {subject} {_CLAIMED[self.draws]}"
        if self.draws == "without-replacement":
            whole = "all groups of the collection that these were sampled from"
            return f"the mean over {whole} of the error rate of {subject} within the group"
        return f"the mean over new groups of the error rate of {subject} within the group"

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
        """What has to be so where many training rows are equal."""
        if self.groups is not None:
            drawn = "independent draws" if self.draws == "iid" else _MEMBERS.removeprefix("are ")
            return f"groups that hold equal rows are {drawn}"
        return f"repeated rows {_MEMBERS}" if self.draws == "without-replacement" else INDEPENDENT_REPEATS

    @property
    def no_holdout(self) -> str | None:
        """Why test rows bound nothing; None where they do."""
        if self.groups is not None:
            return (
                "training rows come in groups, and nothing says of which the test rows are: rows that share one are "
                "not independent"
            )
        if self.draws == "stratified":
            return (
                "a fixed number of rows of each class was drawn, and nothing says how the test rows were: the binomial "
                "inversion is for independent rows of one law (theory 8.5)"
            )
        return None


IID = Sampling()
"""What is assumed where nobody says otherwise."""
