"""A language model by its program: the bits that a word needs for a text, alone, chained to its base, and beside it.

Source: theory 8.5 to 8.7, 8.10 to 8.15. What a search finds is priced, decoded and run as what a file says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ssm_bounds import words
from ssm_bounds.answered import Answered
from ssm_bounds.bounds.codes.word import LENGTHS
from ssm_bounds.bounds.gaps.losses import CodeLength
from ssm_bounds.bounds.ladder.rung import Hypothesis, Kind, Rung
from ssm_bounds.bounds.ladder.text import Per
from ssm_bounds.bounds.values import DomainError, Sample, Scalar, require
from ssm_bounds.evidence import Evidence, Fact, exactly
from ssm_bounds.folders import File, count, require_stated
from ssm_bounds.inquiry import DELTA, Given, Inquiry, Search, require_models
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.weights import Mamba1
from ssm_bounds.models.program.classifier import stack
from ssm_bounds.models.tasks.documents import LONGEST, Documents, read_documents
from ssm_bounds.models.tasks.rows import INDEPENDENT_REPEATS, Hashed, hashed_facts
from ssm_bounds.models.tasks.symbols import NAME, English, Symbols, Tokenizer
from ssm_bounds.models.tasks.task import Split
from ssm_bounds.programs import Progress

TOKENIZER = "tokenizer.json"

ALWAYS = (
    "symbols, their number, T, delta, architecture, code family, the smoothings and bets on offer, and what is bounded "
    "(--per) were fixed before the text",
    f"for every rung: the model that is used runs as the program {words.PROGRAM}",
)
OF_TOKENS = "nothing is assumed of the text: what came before a symbol fixes the law that its bits are averaged over"
OF_DOCUMENTS = (
    "the documents are independent and identically distributed, or a random sample without replacement, their number "
    "fixed without a look at them"
)


@dataclass(frozen=True, slots=True)
class TextSetting:
    """What the bound is evaluated for: d channels, N states of each, V symbols."""

    sample: Sample
    loss: CodeLength
    delta: Fraction
    d: int
    N: int
    V: int
    margin: None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LanguageQuestion(Inquiry):
    """What is asked of a language model. ``length``: T where no file and no person fixed it before the text, so that a
    word pays for it. ``fresh``: documents that the model has not met."""

    checkpoint: File
    setting: TextSetting
    classifier: Classifier
    documents: Documents
    per: Per
    coding: words.Coding | None = None
    fresh: Documents | None = None
    length: int | None = None

    @property
    def standing(self) -> tuple[str, ...]:
        return (OF_TOKENS if self.per == "token" else OF_DOCUMENTS, *ALWAYS)

    @property
    def drawn(self) -> tuple[str, ...]:
        found = self.documents
        over = f"the {found.m} documents"
        if self.per == "token":
            over = f"the {found.n} symbols of {found.m} documents"
        return (over,) if self.fresh is None else (over, f"the {self.fresh.m} fresh documents")

    def conditions(self, hypothesis: Hypothesis) -> tuple[str, ...]:
        if hypothesis is Hypothesis.ROWS:
            repeated = self.per != "token" and self.rows is not None and self.rows.repeated
            return (INDEPENDENT_REPEATS,) if repeated else ()
        if hypothesis is Hypothesis.TEST:
            alone = "this model alone" if self.models == 1 else f"these {self.models} models alone"
            return (f"the fresh documents were met by {alone}, after it was trained",)
        if hypothesis is Hypothesis.PROGRAM:
            return tuple(f"{line} (its config does not say it)" for line in self.classifier.assumed)
        return Inquiry.conditions(self, hypothesis)

    def in_bits(self, kind: Kind, subject: str, *, of_test: bool) -> str:
        text = "fresh text" if of_test else "text"
        of = (
            f"{subject} needs"
            if kind == "bits"
            else f"{subject} needs beyond the base as it is (smoothed by alpha = 2^-12)"
        )
        if self.per == "token":
            return (
                f"the mean, over the contexts of this very {text}, of the bits that {of} for the next symbol, each "
                "averaged over the law of that symbol given everything before it"
            )
        cut = f"from the distribution of the {text}, cut to {self.documents.T} symbols and an end,"
        if self.per == "document":
            return f"the mean over new documents {cut} of the bits a symbol that {of}"
        return f"the expected bits that {of} for a new document {cut} over its expected number of symbols"


def ask(
    path: Path,
    classifier: Classifier,
    *,
    text: str | os.PathLike[str] | Documents | None = None,
    test: str | os.PathLike[str] | Documents | None = None,
    per: Per | None = None,
    m: int | None = None,
    T: int | None = None,
    delta: Scalar | str = DELTA,
    margin: Scalar | str = 1,
    data: Any = None,
    models_on_test: int = 1,
    search: Search | None = None,
    **stated: Any,
) -> LanguageQuestion:
    """What is asked of the language model that was read in a folder, or of a word of one.

    Raises: ValueError (what does not apply to it, something missing, a file that cannot be read), OSError.
    """
    search = search or Search()
    given = stated | {"m": m, "margin": None if margin in (1, "1") else margin}
    require_stated(path, search, given)
    require(data is None, f"{path}: is a language model: give --text FILE in the place of --data")
    coding = words.Coding.of(path, classifier, search)
    if text is None:
        raise DomainError(f"{path}: is a language model; nothing is certified of it without a text: give --text FILE")
    require(
        coding is not None or test is not None,
        f"{path}: give --occam to certify a word, or --test FILE for a hold-out",
    )
    require_models(models_on_test)
    model = classifier if coding is None or coding.saved is None else coding.saved.classifier
    stack(model)  # is there such a program?
    symbols = symbols_of(path, classifier, coding)
    recorded = classifier.config.get("training") or {}
    known, length = _length(T, count(recorded, "T"), coding)
    documents = text if isinstance(text, Documents) else read_documents(Path(text), symbols, known)
    if known is None:
        require(coding is not None, f"{path}: records no T, to which documents are cut: give --T")
        length = next(each for each in LENGTHS if each >= documents.T)
        documents = replace(documents, T=length)
    fresh = test if isinstance(test, Documents) or test is None else read_documents(Path(test), symbols, documents.T)
    V = len(classifier.score)
    require(documents.V <= V, f"{documents.source}: has symbols up to {documents.V - 1}, the model {V} of them")
    how = Evidence.STATED if T is not None else Evidence.RECORDED if length is None else Evidence.CHECKED
    facts = (
        Fact("T", documents.T, how),
        Fact("layers", len(classifier.layers), Evidence.CHECKED),
        Fact("symbols", symbols.name, Evidence.RECORDED),
        Fact("documents", documents.m, Evidence.CHECKED),
        Fact("symbols of the text, ends included", documents.n, Evidence.CHECKED),
        Fact("documents cut", documents.cut, Evidence.CHECKED),
        Fact("distinct documents", documents.distinct, Evidence.CHECKED),
        *words.facts(coding),
    )
    w = classifier.layers[0].mixer
    return LanguageQuestion(
        checkpoint=File(path, "word" if coding and coding.saved else "language model", classifier.sha256),
        setting=TextSetting(
            Sample(documents.m, documents.T),
            CodeLength(V),
            exactly(delta, "--delta, a probability", most=1),
            d=len(w.R_x),
            N=w.A_log.shape[1] if isinstance(w, Mamba1) else len(w.R_B) // w.groups,
            V=V,
        ),
        classifier=model,
        coding=coding,
        documents=documents,
        fresh=fresh,
        rows=hashed_facts(Hashed.of(_rows(documents)), None if fresh is None else Hashed.of(_rows(fresh))),
        per=per or "token",
        length=length,
        facts=facts,
        models=models_on_test,
        search=search,
        notes=_notes(documents),
        base=None if coding is None else _given(search, coding, documents, symbols),
    )


def symbols_of(path: Path, classifier: Classifier, coding: words.Coding | None = None) -> Symbols:
    """What turns a text into the tokens of this model: a tokenizer file in its folder, or in that of its base, or the
    list that its config names. Raises: DomainError, TaskError."""
    for folder in (path, None if coding is None else coding.folder):
        if folder is not None and (folder / TOKENIZER).is_file():
            end = classifier.config.get("eos_token_id")
            if type(end) is not int:
                raise DomainError(f"{path}: its config names no eos_token_id, which ends documents")
            return Tokenizer(folder / TOKENIZER, end)
    said = classifier.symbols
    if said != NAME:
        raise DomainError(
            f"{path}: no text can be read for it: it has no {TOKENIZER}, and its config no known 'symbols' ({NAME})"
        )
    return English()


def _length(stated: int | None, recorded: int | None, coding: words.Coding | None) -> tuple[int | None, int | None]:
    """T as it was fixed before the text, None where nothing says it; and T that a saved word pays for."""
    if stated is not None:
        require(1 <= stated <= LONGEST, f"--T: documents are cut to 1 to {LONGEST} symbols, got {stated}")
        return stated, None
    if coding is None or coding.saved is None:
        return recorded, None
    saved = count(coding.saved.record, "T")
    return saved, saved if coding.saved.record.get("T_is_paid") is True and saved in LENGTHS else None


def _notes(documents: Documents) -> tuple[str, ...]:
    counts = np.bincount(documents.rows(0, documents.m)[2], minlength=documents.V)
    p = counts[counts > 0] / documents.n
    unigram = float(-(p * np.log2(p)).sum())
    return (
        f"{documents.distinct} of the {documents.m} documents are distinct, {documents.cut} are cut to {documents.T} "
        f"symbols; the frequencies of the symbols in this very text need about {unigram:.2f} bits a symbol (no bound)",
    )


def _given(search: Search, coding: words.Coding, documents: Documents, symbols: Symbols) -> Given | None:
    """What is known of a base that was given, from the text that its folder holds."""
    base = coding.base
    if base.sha256 is None:
        return None
    file = None if search.base is None else search.base / files.TEXT
    if file is None or not file.is_file():
        return Given(base.sha256)
    seen = read_documents(file, symbols, documents.T)
    return words.compared(base.sha256, _rows(seen), _rows(documents), "documents")


def _rows(documents: Documents) -> Split:
    """As rows to compare, of one width whatever the longest."""
    found = np.full((documents.m, documents.T + 1), documents.V, dtype=np.int32)
    t = documents.y.shape[1]
    found[:, :t] = np.where(np.arange(t) < documents.lengths[:, None], documents.y, documents.V)
    return Split(found, np.zeros(documents.m, dtype=np.int64))


def answered(question: LanguageQuestion, progress: Progress) -> Answered:
    """The word, alone and with a base, and the hold-out."""
    from ssm_bounds import texts

    programs = tuple(texts.programs(question, progress))
    promised = sum(program.rung.kind == "bits" for program in programs)

    def at(share: Fraction) -> Iterator[Rung]:
        return iter(())

    return Answered(question, (), 0, at, programs, promised)
