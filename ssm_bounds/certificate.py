"""A question and what can be claimed in answer: the ladder of bounds, the claims compared, and the headline."""

from __future__ import annotations

import decimal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ssm_bounds import ladder, lti, one_block, stacks, texts
from ssm_bounds.answered import Answered
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.ladder.rung import WHOLE, Kind, Rung, Verdict, exactly
from ssm_bounds.inquiry import Inquiry, Terms
from ssm_bounds.language import LanguageQuestion
from ssm_bounds.lti import LtiQuestion
from ssm_bounds.models.selective_ssm.tally import Tally
from ssm_bounds.one_block import BlockQuestion
from ssm_bounds.programs import Program, Progress, silent
from ssm_bounds.question import Question
from ssm_bounds.stacks import StackQuestion

NOTHING = "says nothing about this model"
_BOUNDED = {"risk": "error rate", "gap": "gap of the loss", "excess": "excess", "loss": "mean loss"}


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """What one rung claims at its share of delta. ``subject``: whom the sentence is about; ``over``: what its
    probability is over besides the rows; ``elsewhere``: the claim is about another mean than that of the training
    rows, or about another model than the one that runs, so that it is not compared with the others.
    """

    rung: Rung
    kind: Kind
    value: Enclosure
    share: Fraction
    subject: str
    over: tuple[str, ...] = ()
    elsewhere: bool = False

    @property
    def ratio(self) -> float:
        """The value in units of its range, to compare with."""
        return float(self.value.upper / exactly(self.rung.ceiling))


@dataclass(frozen=True, slots=True)
class Headline:
    """One line that stands for a certificate. ``rung`` is None where nothing at all can be claimed."""

    sentence: str
    rung: str | None
    kind: Kind | None
    value: Enclosure | None
    delta: Fraction
    verdict: Verdict
    conditions: tuple[str, ...]
    vacuous: bool

    def __str__(self) -> str:
        return f"{self.verdict}: {self.sentence}"

    def meets(self, level: Fraction) -> bool:
        """A risk, or bits, of at most ``level``."""
        return self.kind in WHOLE and self.value is not None and bool(self.value.upper <= exactly(level))


@dataclass(frozen=True, slots=True, eq=False)
class Trivial:
    """What can be said of the risk without looking at the model: guessing, and the commonest training label."""

    chance: Fraction
    commonest: Fraction


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """The answer. ``rungs``: each by itself at delta. ``claims``: those compared for the headline, each at its share;
    ``compared``: their number, fixed by the options before any verdict. ``apart``: mean losses, and differences to a
    base, each by itself at delta: they are no error rates, and are compared with nothing. ``setting``: with the margin
    that was chosen.
    """

    question: Inquiry
    setting: Terms
    rungs: tuple[Rung, ...]
    claims: tuple[Claim, ...]
    compared: int
    headline: Headline
    headline_conditional: Headline | None
    train: Tally | None = None
    test: Tally | None = None
    trivial: Trivial | None = None
    apart: tuple[Claim, ...] = ()

    def rung(self, name: str) -> Rung:
        return next(rung for rung in self.rungs if rung.name == name)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """How a notebook shows it: in full, or in one line where it shows no Markdown."""
        from ssm_bounds.report.tables import markdown

        return {"text/markdown": markdown([self]), "text/plain": str(self.headline)}

    @property
    def verdict(self) -> Verdict:
        return self.headline.verdict

    @property
    def by_itself(self) -> Rung | None:
        """The rung of the headline, at delta rather than its share; None where the headline is no risk."""
        return self.rung(self.headline.rung) if self.headline.rung and self.headline.kind in WHOLE else None

    def met(self, level: Fraction, *, accept_conditions: bool = False) -> str | None:
        """None where the risk is claimed to be at most ``level``; else why that cannot be said."""
        lines = [self.headline]
        if accept_conditions and self.headline_conditional is not None:
            lines.append(self.headline_conditional)
        if self.headline.rung is None:
            return "nothing can be claimed"
        if self.headline.kind not in WHOLE:
            more = "give --data" if self.question.claims_risks else "no bound of this kind of model is one"
            return f"the headline is no risk: {more}"
        if not any(line.meets(level) for line in lines):
            values = ", ".join(decimal_string(line.value.upper) for line in lines if line.value is not None)
            what = "risk" if self.headline.kind == "risk" else "bound in bits"
            return f"the smallest {what} that can be claimed is {values}, above {float(level):g}"
        if self.headline.verdict is Verdict.CONDITIONAL and not accept_conditions:
            return f"it is claimed under conditions (--accept-conditions): {'; '.join(self.headline.conditions)}"
        return None


def certify(question: Inquiry, *, progress: Progress = silent) -> Certificate:
    """The certificate of one question. Raises: ValueError, OSError."""
    found = _answered(question, progress)
    question, asked = found.question, found.question.setting
    rungs = tuple(map(question.resolved, [*found.bounds, *(program.rung for program in found.programs)]))
    number, claims = _claims(found)
    headline, below = _headlines(question, claims, number)
    trivial = None if question.task is None else _trivial(question)
    apart = tuple(_apart(question, found.programs))
    return Certificate(question, asked, rungs, claims, number, headline, below, found.train, found.test, trivial, apart)


def _answered(question: Inquiry, progress: Progress) -> Answered:
    """By the kind of the model."""
    if isinstance(question, Question):
        return ladder.answered(question, progress)
    if isinstance(question, BlockQuestion):
        return one_block.answered(question, progress)
    if isinstance(question, StackQuestion):
        return stacks.answered(question, progress)
    if isinstance(question, LanguageQuestion):
        return texts.answered(question, progress)
    if isinstance(question, LtiQuestion):
        return lti.answered(question)
    raise TypeError(f"no ladder of bounds for {type(question).__name__}")


def _claims(found: Answered) -> tuple[int, tuple[Claim, ...]]:
    """Risks where there are any, else gaps and excesses, each at delta over their number; a claim whose event is one of
    this model alone at that over the number of models. Refused ones count."""
    question, with_data = found.question, found.train is not None
    number = found.compared + found.promised
    share = question.setting.delta / number
    claims = []
    for rung in map(question.resolved, found.at(share)):
        if with_data and rung.risk is None and rung.refusal is None:
            continue  # an excess is not to be compared with risks
        kind, value = (rung.kind, rung.value) if rung.risk is None else ("risk", rung.risk)
        elsewhere = with_data and question.rounds
        claims.append(Claim(rung, kind, value, share, question.in_real_arithmetic, elsewhere=elsewhere))
    risks = [program for program in found.programs if program.rung.kind in WHOLE]
    if len(risks) != found.promised:
        raise ValueError(f"{len(risks)} programs claim a risk, and delta was shared among {found.promised}")
    for program in risks:
        own = share / question.models if program.each_model else share
        rung = question.resolved(program.rung)
        elsewhere = rung.of_test and not question.one_law
        claims.append(Claim(rung, rung.kind, program.at(own), own, program.subject, program.over, elsewhere))
    return number, tuple(claims)


def _apart(question: Inquiry, ran: Sequence[Program]) -> Iterator[Claim]:
    """What programs claim besides risks, by itself at delta."""
    for program in ran:
        if program.rung.kind not in WHOLE:
            rung = question.resolved(program.rung)
            if rung.refusal is None:
                yield Claim(rung, rung.kind, rung.value, question.setting.delta, program.subject, program.over)


def _headlines(question: Inquiry, claims: Sequence[Claim], number: int) -> tuple[Headline, Headline | None]:
    """The smallest CERTIFIED claim, and the smallest CONDITIONAL one if it is smaller; else the latter alone."""

    def smallest(verdict: Verdict) -> Claim | None:
        found = [claim for claim in claims if claim.rung.verdict is verdict and not claim.elsewhere]
        return min(found, key=lambda claim: claim.ratio, default=None)

    certified, conditional = smallest(Verdict.CERTIFIED), smallest(Verdict.CONDITIONAL)
    delta = question.setting.delta
    first = certified or conditional
    if first is None:
        reasons = "; ".join(f"{claim.rung.name}: {claim.rung.refusal}" for claim in claims if claim.rung.refusal)
        nothing = f"Nothing can be claimed about this model: {reasons or 'no rung is about its training distribution'}."
        return Headline(nothing, None, None, None, delta, Verdict.REFUSED, (), True), None
    second = conditional if certified is not None else None
    if second is not None and not second.ratio < first.ratio:
        second = None
    return _headline(question, first, number), None if second is None else _headline(question, second, number)


def _headline(question: Inquiry, claim: Claim, number: int) -> Headline:
    rung, delta = claim.rung, question.setting.delta
    vacuous = not claim.value.upper < exactly(rung.ceiling)
    text = sentence(question, claim)
    if vacuous:
        text = f"This certificate {NOTHING}: {_vacuous(claim)}. {text}"
    return Headline(text, rung.name, claim.kind, claim.value, delta, rung.verdict, rung.conditions, vacuous)


def _vacuous(claim: Claim) -> str:
    value, most = decimal_string(claim.value.upper), f"{float(claim.rung.ceiling):g}"
    if claim.kind == "bits":
        return f"the fewest bits a symbol that can be claimed are {value}, and guessing needs {most}"
    return f"the smallest {_BOUNDED[claim.kind]} that can be claimed is {value}, and none exceeds {most}"


def probability(delta: Fraction) -> decimal.Decimal:
    """1 - delta, rounded down."""
    rest = 1 - delta
    floor = decimal.Context(prec=12, rounding=decimal.ROUND_FLOOR)
    return floor.divide(decimal.Decimal(rest.numerator), decimal.Decimal(rest.denominator)).normalize()


def sentence(question: Inquiry, claim: Claim) -> str:
    """The claim in words: with which probability, over what, about which model, on what, and under which conditions."""
    setting = question.setting
    over = _listed([*question.drawn, *claim.over])
    start = f"With probability at least {probability(setting.delta):f} over {over}"
    value = decimal_string(claim.value.upper)
    tested = claim.rung.of_test
    where = "from the distribution of the test rows" if tested else "from the training distribution"
    if claim.kind == "gap":
        text = (
            f"for every model of the class that {claim.subject} was found in, the mean {setting.loss.words} on "
            f"new rows {where} and on the training rows differ by at most {value}"
        )
    elif claim.kind == "excess":
        text = (
            f"the error rate of {claim.subject} on new rows {where} exceeds the fraction of its {question.margins} "
            f"that are at most {float(setting.margin or 0)!r} by at most {value}"
        )
    elif claim.kind == "bits" or (claim.kind == "difference" and question.task is None):
        bounded = question.in_bits(claim.kind, claim.subject, of_test=tested)
        text = f"{bounded}, is at most {value}".replace(",,", ",")
    elif claim.kind == "difference":
        text = f"{question.sampling.risk(claim.subject)} {_beside(question, claim.value)}"
    elif claim.kind == "loss":
        text = f"the mean {setting.loss.words} of {claim.subject} on new rows {where} is at most {value}"
    else:
        mean = question.sampling.tested if tested else question.sampling.risk
        text = f"{mean(claim.subject)} is at most {value}"
    if question.models > 1 and tested:
        text += f" ({question.models} models share the test rows, each at delta over their number)"
    conditions = "".join(f"{', and' if i else ','} if {each}" for i, each in enumerate(claim.rung.conditions))
    return f"{start}, {text}{conditions}."


def _beside(question: Inquiry, value: Enclosure) -> str:
    """How far it is above that of the base, or certainly below."""
    if question.base is None:
        raise ValueError("a difference is to a base, and the question knows of none")
    base = f"that of the base (sha256 {question.base.sha256[:8]}..., with its own head, by the same program)"
    shown = decimal_string(value.upper)
    if value.upper < 0:
        return f"is below {base} by at least {shown.removeprefix('-')}"
    return f"exceeds {base} by at most {shown}"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _trivial(question: Inquiry) -> Trivial:
    import numpy as np

    task = question.task
    if task is None:
        raise ValueError("no data, no labels")
    most = int(np.bincount(task.train.y).max())
    return Trivial(1 - Fraction(1, max(task.k, 2)), 1 - Fraction(most, task.train.m))
