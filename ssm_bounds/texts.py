"""The rungs of a language model on a text: what its word, its base and both together need for it.

Source: theory 8.5 to 8.7, 8.10, 8.14. Everything is counted by the exact program, some documents at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any, TypeAlias

from ssm_bounds import words
from ssm_bounds.answered import Answered
from ssm_bounds.bounds.codes.families import Family
from ssm_bounds.bounds.codes.word import LENGTHS, POWERS, Word
from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, exact
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.gaps.wealth.differences import smoothed
from ssm_bounds.bounds.ladder.occam import level
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung
from ssm_bounds.bounds.ladder.text import Chained, Losses, OfText, Per, of_text, summed, uniform
from ssm_bounds.bounds.values import require
from ssm_bounds.coding import Coding, beginning
from ssm_bounds.finding import Staged
from ssm_bounds.folders import claiming
from ssm_bounds.language import LanguageQuestion
from ssm_bounds.models.files import atomic
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.files import word as folders
from ssm_bounds.models.mamba.base import Base
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.program.classifier import stack
from ssm_bounds.models.program.evaluate import canonical
from ssm_bounds.models.program.run import Program, prepared
from ssm_bounds.models.program.text import Ints, Scored, direct, distributions, joined, paired
from ssm_bounds.models.tasks.documents import Documents
from ssm_bounds.programs import Program as Rungs
from ssm_bounds.programs import Progress
from ssm_bounds.trials import Found, Trial, searched, several

OF_BASE, AS_IT_IS = 6, 12
"""The k of the smoothing 2^-k of a base: where its bits are bounded, and for the base as it is (theory 8.10)."""
_CHOSEN_ON = 500
"""Documents, evenly spread, on which a smoothing is chosen: any choice is paid for."""

Score: TypeAlias = Callable[[list[Floats], Ints], Scored]
"""Of the probabilities of the model, and of the base if there is one, and of what came."""


def answered(question: LanguageQuestion, progress: Progress) -> Answered:
    """The word, alone and with a base, and the hold-out. Raises: ValueError, OSError."""
    found = tuple(programs(question, progress))
    return Answered(question, programs=found, promised=claiming(found))


def programs(question: LanguageQuestion, progress: Progress) -> list[Rungs]:
    """The word alone; with a base that was given also chained to it and beside it; the hold-out. Raises: ValueError,
    OSError."""
    found = []
    if question.coding is not None:
        found += _of_word(question, question.coding, progress)
    if question.fresh is not None:
        found.append(_held_out(question, question.fresh))
    return found


def losses(
    scores: Mapping[str, Score],
    models: list[Program],
    documents: Documents,
    per: Per,
    watch: Callable[[Floats], None] = lambda logits: None,
) -> dict[str, Losses]:
    """By name, in one pass. Raises: DomainError where a base has no answer, as no mixture with it is defined."""
    gathered = {name: list[Scored]() for name in scores}
    for p, y in distributions(models, documents, watch):
        fine = all(bool((q == q).all()) for q in p[1:])
        require(fine, "the base has no finite answer at some position of the text")
        for name, score in scores.items():
            gathered[name].append(score(p, y))
    found = {}
    for name, parts in gathered.items():
        scored = joined(parts)
        lengths, longest = documents.lengths, documents.T + 1
        if per == "token":
            found[name] = Losses(per, scored.losses, scored.expected, lengths, longest, scored.span)
        else:
            found[name] = Losses(per, summed(scored.losses, lengths), None, lengths, longest, scored.span)
    return found


def _alone(k: int, p: list[Floats], y: Ints) -> Scored:
    return direct(p[0], y, k)


def _base_alone(p: list[Floats], y: Ints) -> Scored:
    return direct(p[1], y, OF_BASE)


def _beside(of_base: int, k: int, p: list[Floats], y: Ints) -> Scored:
    return paired(p[0], smoothed(p[1], of_base, p[1].shape[1]), y, k)


_FORMS: Mapping[str, Callable[..., Scored]] = {
    "alone": _alone,
    "beyond": partial(_beside, OF_BASE),
    "paired": partial(_beside, AS_IT_IS),
}
"""What is bounded, at each smoothing 2^-k of the word."""


def _chosen(question: LanguageQuestion, models: list[Program], nats: Enclosure, delta: Fraction) -> dict[str, int]:
    """The k of each form: of the least bound of some documents, which pay their share of the nats."""
    every = question.documents
    some = every.some(max(1, every.m // _CHOSEN_ON))
    forms = {name: form for name, form in _FORMS.items() if name == "alone" or len(models) > 1}
    scores = {f"{name} {k}": partial(form, k) for name, form in forms.items() for k in POWERS}
    with bits(START_BITS):
        share = level(nats, delta).ball() * exact(Fraction(some.m, every.m))
    found = losses(scores, models, some, question.per)
    bounds = {name: each.bounded(Enclosure.of(share)).value.upper for name, each in found.items()}
    return {name: min((bounds[f"{name} {k}"], k) for k in POWERS)[1] for name in forms}


def _of_word(question: LanguageQuestion, coding: Coding, progress: Progress) -> list[Rungs]:
    base, saved = coding.base, coding.saved
    word, remarks = _searched(question, coding, progress) if saved is None else (saved.word, ())
    word = word if question.length is None else replace(word, length=question.length)
    if saved is None and question.search.save is not None:  # before the counting, which takes its time
        _save(question, word, base, None)
    tensors = folders.model(word, base)[1] if saved is None else saved.classifier
    models = [prepared(stack(tensors))]
    if base.sha256 is not None:
        models.append(prepared(stack(folders.model(_still(word), base)[1])))
    delta = question.setting.delta
    powers = _chosen(question, models, word.nats(), delta)
    digest = hashlib.sha256()
    scores: dict[str, Score] = {name: partial(_FORMS[name], k) for name, k in powers.items()}
    if len(models) > 1:
        scores["base"] = _base_alone
    progress("counting", 0.0, 0.0, f"{question.documents.n} symbols by the exact program")
    found = losses(scores, models, question.documents, question.per, lambda z: digest.update(canonical(z)))
    logits = digest.hexdigest()
    told = remarks if saved is None else tuple(words.unlike(saved, delta, logits, "another text"))
    if saved is None and question.search.save is not None:
        _save(question, word, base, logits)
    return _rungs(question, word, base, tensors, found, powers, told, searched=saved is None)


def _still(word: Word) -> Word:
    """The word of this family that moves nothing: the base itself."""
    return replace(word, tensors=dict.fromkeys(word.tensors))


def _rungs(
    question: LanguageQuestion,
    word: Word,
    base: Base,
    model: Classifier,
    found: Mapping[str, Losses],
    powers: Mapping[str, int],
    remarks: tuple[str, ...],
    *,
    searched: bool,
) -> list[Rungs]:
    delta, V = question.setting.delta, question.setting.V
    rests_on = (Hypothesis.ROWS, *(() if base.sha256 is None else (Hypothesis.BASE,)))
    name = f"the word (sha256 {model.sha256[:8]}...)"
    told: dict[str, Any] = {"program": words.PROGRAM, "moved": base.words}

    def of(form: str, delta: Fraction, what: str, remarks: tuple[str, ...] = ()) -> OfText:
        k = powers[form]
        return of_text(found[form], replace(word, power=k), k, delta, what=what, remarks=remarks, **told)

    def alone(delta: Fraction) -> OfText:
        return of("alone", delta, "bits of the word's model", remarks)

    def chain(delta: Fraction) -> Chained:
        # where T was taken from the text, the base's bits depend on that choice as much as the word's
        lengths = 1 if word.length is None else len(LENGTHS)
        plain = of_text(
            found["base"], None, OF_BASE, delta / 2, lengths=lengths, what="bits of the base", program=words.PROGRAM
        )
        return Chained(plain, of("beyond", delta / 2, "bits of the mixture beyond those of the base"))

    def beside(delta: Fraction) -> OfText:
        return of("paired", delta, "bits of the mixture beyond those of the base as it is")

    own = alone(delta)
    smoothing = f"smoothed by alpha = 2^-{powers['alone']}"
    rung = Rung("occam", "bits", False, own.bounded.value, uniform(V), own, rests_on, searched=searched)
    rungs = [Rungs(rung, lambda share: alone(share).bounded.value, f"{name}, {smoothing},")]
    if len(found) > 1:
        both, pair, k = chain(delta), beside(delta), powers["paired"]
        mixed = f"the mixture of {name} with the share {{}} of its base smoothed by alpha = 2^-{{}}"
        rungs += [
            Rungs(
                Rung("chained", "bits", False, both.value, uniform(V), both, rests_on, searched=searched),
                lambda share: chain(share).value,
                mixed.format(f"2^-{powers['beyond']}", OF_BASE),
            ),
            Rungs(
                Rung("paired", "difference", False, pair.bounded.value, k, pair, rests_on, searched=searched),
                lambda share: beside(share).bounded.value,
                mixed.format(f"2^-{k}", AS_IT_IS),
            ),
        ]
    return rungs


def _held_out(question: LanguageQuestion, fresh: Documents) -> Rungs:
    """The model on documents that it has not met, at one smoothing that was fixed before."""
    model = prepared(stack(question.classifier))
    found = losses({"alone": partial(_alone, OF_BASE)}, [model], fresh, question.per)["alone"]
    delta = question.setting.delta

    def held(delta: Fraction) -> OfText:
        return of_text(found, None, OF_BASE, delta, what="bits of the model", program=words.PROGRAM)

    own = held(delta / question.models)
    rests_on = (Hypothesis.TEST, Hypothesis.PROGRAM)
    rung = Rung("holdout", "bits", False, own.bounded.value, uniform(question.setting.V), own, rests_on, of_test=True)
    subject = f"{question.named}, smoothed by alpha = 2^-{OF_BASE},"
    return Rungs(rung, lambda share: held(share).bounded.value, subject, each_model=True)


def _searched(question: LanguageQuestion, coding: Coding, progress: Progress) -> tuple[Word, tuple[str, ...]]:
    """The word, and what is to be said of the search."""
    search, setting, base = question.search, question.setting, coding.base
    family: Family = coding.family if search.family == "auto" else search.family
    trials = several(family, coding.size(family), search.budget, search.seed, search.trials)
    trained = beginning(question.checkpoint.path, coding)
    work = OfDocuments(replace(base, own=None), setting.delta, trained, coding.begun, question.documents, setting.V)
    best = min(searched(work, trials, search.executor, progress), key=lambda each: each.about)
    return Word(best.family, best.integers, best.size, base.start), best.remarks


@dataclass(frozen=True, slots=True, eq=False)
class OfDocuments(Staged):
    """The search of one trial on a text, of a model with so many ``outputs``."""

    documents: Documents
    outputs: int

    def __call__(self, trial: Trial, progress: Progress, halt: Callable[[], None]) -> Found:
        from ssm_bounds.models.searches.predict import Bits  # torch takes seconds to start

        design = files.design_of(self.base.config, self.outputs, language=True)
        bits = Bits(design, self.base.tensors, self.documents, self.delta)
        return self.stages(trial, bits, "{:.4f} bits", progress, halt)


def _save(question: LanguageQuestion, word: Word, base: Base, logits: str | None) -> None:
    """With the tokenizer of a word from scratch, which no base holds."""
    folder = question.search.save
    if folder is None:
        return
    folders.write(folder, word, base, _record(question, word, logits))
    if question.tokenizer is not None and base.sha256 is None:
        atomic.write(folder / folders.TOKENIZER, question.tokenizer.read_bytes())


def _record(question: LanguageQuestion, word: Word, logits: str | None) -> dict[str, Any]:
    found = question.documents
    return {
        "text": found.sha256,
        "symbols_of": found.symbols,
        "documents": found.m,
        "symbols": found.n,
        "T": found.T,
        "T_is_paid": word.length is not None,
        **words.recorded(word, question.setting.delta, logits),
    }
