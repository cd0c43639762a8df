"""What is asked of one model, of whatever kind, and on what an answer rests.

The one place that decides on what a claim rests: from the facts with their evidence, a hypothesis of a bound becomes a
condition that is printed with the claim, or a refusal where what was given shows the opposite.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from ssm_bounds.bounds.gaps.losses import Named
from ssm_bounds.bounds.ladder.one_draw import CONDITIONS as DRAWN_ONCE
from ssm_bounds.bounds.ladder.rung import Hypothesis, Kind, Rung, Verdict
from ssm_bounds.bounds.values import Sample, Scalar, require
from ssm_bounds.evidence import Evidence, Fact
from ssm_bounds.models.tasks.rows import RowFacts, refusal
from ssm_bounds.models.tasks.task import Task
from ssm_bounds.sampling import IID, Sampling

DELTA = Fraction(1, 20)
BUDGET = 150.0
MOST_TRIALS = 1000
Family = Literal["auto", "head", "bitfit", "lora", "full", "subspace"]
"""What of a classifier of Mamba blocks is coded in a word."""

FIXED = (
    "loss, margin rule, delta, T, d, N, k, V, inputs, architecture, code family and flags were fixed before the data"
)
STANDING = (IID.standing, FIXED)
"""What every certificate assumes, whatever its verdict; each kind of model adds what it has to say of programs."""


@dataclass(frozen=True, slots=True)
class Search:
    """Which rungs search with the training data. ``seed``: of the searches, and of the one draw. ``budget``: seconds of
    each. ``save``: where the rounded or drawn model, or the word, goes. ``certify_loss``: the mean loss of the rounded
    model too. ``base``: the folder of the model that a word moves (None: the start of the seed), and ``family`` how
    (auto: head); ``base_data``: what that model was trained on, where its folder does not hold it.
    ``resume``: go on from the word in ``save``. ``trials``: how many searches for a word of each family, at other
    kappas, first steps and seeds, all of which is free (theory 8.14); ``executor``: of ``concurrent.futures``, where
    they run, one after another here without it. Raises: DomainError."""

    occam: bool = False
    one_draw: bool = False
    certify_loss: bool = False
    budget: float = BUDGET
    seed: int = 0
    save: Path | None = None
    base: Path | None = None
    base_data: Path | None = None
    resume: bool = False
    family: Family = "auto"
    trials: int = 1
    executor: Executor | None = None

    def __post_init__(self) -> None:
        fits = type(self.trials) is int and 1 <= self.trials <= MOST_TRIALS
        require(fits, f"--trials: expected a number from 1 to {MOST_TRIALS}, got {self.trials!r}")


@dataclass(frozen=True, slots=True)
class Given:
    """A base that was not computed from a seed. ``met``: what its folder says of the training rows, in words;
    ``refusal``: what there shows that it saw them. ``met_test`` and ``no_holdout``: the same of the test rows.
    ``collection``: rows are drawn from one that the base may have read before."""

    sha256: str
    met: str = ""
    refusal: str | None = None
    met_test: str = ""
    no_holdout: str | None = None
    collection: bool = False

    @property
    def condition(self) -> str:
        base = f"the base (sha256 {self.sha256[:8]}...)"
        if self.collection:
            return f"the sample was drawn at random after {base} was fixed{self.met}"
        return f"{base} was fixed before the sample{self.met}"


class Model(Protocol):
    """A file that was read."""

    @property
    def path(self) -> Path: ...
    @property
    def format(self) -> str: ...
    @property
    def sha256(self) -> str: ...


class Terms(Protocol):
    """What every bound is evaluated for."""

    @property
    def sample(self) -> Sample: ...
    @property
    def loss(self) -> Named: ...
    @property
    def margin(self) -> Scalar | None: ...
    @property
    def delta(self) -> Fraction: ...


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Inquiry:
    """What is asked of one model, complete. ``models``: how many models in all meet the test rows. ``notes``: remarks
    that belong beside the claim. ``automatic``: the margin is chosen with the data. ``base``: what a word moves, where
    it was given. ``sampling``: how the training rows were drawn."""

    checkpoint: Model
    setting: Terms
    facts: tuple[Fact, ...]
    task: Task | None = None
    rows: RowFacts | None = None
    models: int = 1
    search: Search = Search()
    automatic: bool = False
    shift: str | None = None
    notes: tuple[str, ...] = ()
    base: Given | None = None
    sampling: Sampling = IID

    def evidence(self, name: str) -> Evidence:
        return next(fact.evidence for fact in self.facts if fact.name == name)

    @property
    def standing(self) -> tuple[str, ...]:
        """What is assumed, whatever the verdict."""
        return STANDING

    @property
    def one_law(self) -> bool:
        """Whether training and test rows bound one and the same error rate, for all that is known."""
        return self.shift is None and self.sampling.independent

    @property
    def named(self) -> str:
        """The model and its file."""
        return f"{self.subject} ({self._hash})"

    @property
    def _hash(self) -> str:
        return f"sha256 {self.checkpoint.sha256[:8]}..."

    @property
    def rounds(self) -> bool:
        """Whether what runs is known to be another function than the model in real arithmetic."""
        return False

    @property
    def in_real_arithmetic(self) -> str:
        """Whom the bounds are about that run no program."""
        return f"the real-arithmetic model of these weights ({self._hash})" if self.rounds else self.named

    @property
    def subject(self) -> str:
        """The model in the words of a sentence."""
        return "the model"

    @property
    def drawn(self) -> tuple[str, ...]:
        """What the probability of a claim is over."""
        task = self.task
        rows = (self.sampling.over(self.setting.sample.m),)
        return rows if task is None or task.test is None else (*rows, f"the {task.test.m} test rows")

    def in_bits(self, kind: Kind, subject: str, *, of_test: bool) -> str:
        """What a claim in bits bounds, in words."""
        raise TypeError(f"no claim in bits for {type(self).__name__}")

    @property
    def claims_risks(self) -> bool:
        """Whether some bound of such a model is one of a risk, given rows."""
        return True

    @property
    def margins(self) -> str:
        """What is compared with g."""
        return "training margins"

    def conditions(self, hypothesis: Hypothesis) -> tuple[str, ...]:
        """What has to be so for a bound that rests on ``hypothesis``, and that nobody can check."""
        task = self.task
        match hypothesis:
            case Hypothesis.ROWS if task is not None:
                found = []
                if task.padded:
                    found.append(f"the length to which rows are padded, {task.train.T}, was fixed before the data")
                if self.rows is not None and self.rows.repeated:
                    found.append(self.sampling.repeats)
                return tuple(found)
            case Hypothesis.TEST:
                alone = "this model alone" if self.models == 1 else f"these {self.models} models alone"
                return (self.sampling.fresh(alone) + ("" if self.base is None else self.base.met_test),)
            case Hypothesis.BASE:
                if self.base is None:
                    raise ValueError("a bound rests on a base, and the question knows of none")
                return (self.base.condition,)
            case Hypothesis.OUTPUTS:
                return ("output i of the base means label i",)
            case Hypothesis.DRAW:
                return DRAWN_ONCE
        return ()

    def refusal(self, hypothesis: Hypothesis) -> str | None:
        """What shows that ``hypothesis`` is false; None where nothing does."""
        if hypothesis is Hypothesis.TEST and self.sampling.no_holdout is not None:
            return self.sampling.no_holdout
        if hypothesis is Hypothesis.TEST and self.base is not None and self.base.no_holdout is not None:
            return self.base.no_holdout
        if hypothesis is Hypothesis.TEST and self.rows is not None:
            return refusal(self.rows)
        if hypothesis is Hypothesis.BASE and self.base is not None:
            return self.base.refusal
        return None

    def verdict(self, rests_on: Sequence[Hypothesis]) -> Verdict:
        """Of a bound that rests on these."""
        if any(self.refusal(each) is not None for each in rests_on):
            return Verdict.REFUSED
        return Verdict.CONDITIONAL if any(map(self.conditions, rests_on)) else Verdict.CERTIFIED

    def resolved(self, rung: Rung) -> Rung:
        """The rung with the conditions of all that it rests on, or with the reason why it is refused."""
        refusals = (rung.refusal, *map(self.refusal, rung.rests_on))
        return replace(
            rung,
            conditions=tuple(condition for each in rung.rests_on for condition in self.conditions(each)),
            refusal=next((refusal for refusal in refusals if refusal is not None), None),
        )


def require_models(models: object) -> None:
    """Raises: DomainError unless it is a number of models that meet the test rows."""
    whole = type(models) is int and models >= 1
    require(whole, f"--models-on-test: a number of models >= 1, got {models!r}")


def require_no_other(path: Path, model: str, stated: Mapping[str, Any]) -> None:
    """Nothing that only other models have, other than as it is where nobody states it. Raises: DomainError."""
    usual = {"loss": "ramp", "inputs": "ball"}
    names = _flags(name for name, value in stated.items() if value is not None and value != usual.get(name))
    require(not names, f"{path}: {model} has no {names}; leave it out")


def require_no_search(path: Path, models: str, search: Search, *flags: str) -> None:
    """None of these fields of ``search``. Raises: DomainError."""
    names = _flags(flag for flag in flags if getattr(search, flag))
    require(not names, f"{path}: {names} is not there for {models}; leave it out")


def require_of_a_file(path: Path, search: Search) -> None:
    """Nothing that only a folder of Mamba blocks has. Raises: DomainError."""
    fields = {name: name for name in ("base", "base_data", "resume", "family", "trials")} | {"executor": "jobs"}
    for field, flag in fields.items():
        unasked = getattr(search, field) == getattr(Search(), field)
        require(unasked, f"{path}: {_flags([flag])} is for folders of Mamba blocks; leave it out")


def _flags(names: Iterable[str]) -> str:
    """As options of the command."""
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)


Asked = TypeVar("Asked", bound=Inquiry)


def shifted(question: Asked, told: str | None, sign: str | None) -> Asked:
    """How the training rows are known to differ in distribution from the test rows: what the file or the data say of
    it, else the ``sign`` that the rows show."""
    found, how = told, Evidence.RECORDED
    if found is None and sign is not None:
        found = f"training and test rows are not of one distribution: {sign} (chance below 0.001)"
        how = Evidence.CHECKED
    if found is None:
        return question
    return replace(
        question,
        shift=found,
        facts=(*question.facts, Fact("shift", found, how)),
        notes=(*question.notes, f"{found}: the training distribution is that of the training rows"),
    )
