"""A language model by its program: the bits that a word needs for a text, alone, chained to its base, and beside it.

Source: theory 8.5 to 8.7, 8.10 to 8.15. What a search finds is priced, decoded and run as what a file says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ssm_bounds import coding as codings
from ssm_bounds import words
from ssm_bounds.bases import Compared, compared
from ssm_bounds.bounds.codes.word import LENGTHS
from ssm_bounds.bounds.gaps.losses import CodeLength
from ssm_bounds.bounds.ladder.rung import Hypothesis, Kind
from ssm_bounds.bounds.ladder.text import Per
from ssm_bounds.bounds.values import DomainError, Draws, Sample, Scalar, require
from ssm_bounds.coding import Coding
from ssm_bounds.evidence import Evidence, Fact, exactly
from ssm_bounds.folders import File, count, require_stated
from ssm_bounds.inquiry import DELTA, Given, Inquiry, Search, require_models
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.files.tensors import read_json
from ssm_bounds.models.files.word import TOKENIZER, WORD, is_word
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.weights import Mamba1
from ssm_bounds.models.program.classifier import stack
from ssm_bounds.models.tasks.documents import LONGEST, Documents, read_documents
from ssm_bounds.models.tasks.rows import INDEPENDENT_REPEATS, Hashed, RowFacts, hashed_facts
from ssm_bounds.models.tasks.symbols import NAME, English, Symbols, Tokenizer
from ssm_bounds.models.tasks.task import Split

_MOST = 1 << 26
"""Logits of one document, where a word is searched for: what is counted alone may have any number of them."""

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
    word pays for it. ``fresh``: documents that the model has not met, and ``met`` where its file says that it was
    trained on them. ``tokenizer``: the file of the symbols, if they are of one."""

    checkpoint: File
    setting: TextSetting
    classifier: Classifier
    documents: Documents
    per: Per
    coding: Coding | None = None
    fresh: Documents | None = None
    length: int | None = None
    tokenizer: Path | None = None
    met: bool = False

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
            found = (INDEPENDENT_REPEATS,) if repeated else ()
            if self.tokenizer is None:
                return found
            symbols = next(str(fact.value) for fact in self.facts if fact.name == "symbols")
            return (*found, f"the tokenizer (sha256 {symbols[:8]}...) was fixed before the text")
        if hypothesis is Hypothesis.TEST:
            alone = "this model alone" if self.models == 1 else f"these {self.models} models alone"
            drawn = "" if self.per == "token" else "are independent draws and "
            met = "" if self.base is None else self.base.met_test
            return (f"the fresh documents {drawn}were met by {alone}, after it was trained{met}",)
        if hypothesis is Hypothesis.PROGRAM:
            return tuple(f"{line} (its config does not say it)" for line in self.classifier.assumed)
        return Inquiry.conditions(self, hypothesis)

    def refusal(self, hypothesis: Hypothesis) -> str | None:
        if hypothesis is Hypothesis.TEST and self.met:
            return "the model was trained on the fresh text: its config records the SHA-256"
        return Inquiry.refusal(self, hypothesis)

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
    draws: Draws = "iid",
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
    require(
        draws == "iid", f"{path}: documents are draws of one law, or a random sample, as they are: leave {draws} out"
    )
    require(data is None, f"{path}: is a language model: give --text FILE in the place of --data")
    coding = Coding.of(path, classifier, search)
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
    V = len(classifier.score)
    require(symbols.size <= V, f"{path}: its symbols go up to {symbols.size - 1}, and the model has {V} of them")
    training = classifier.config.get("training")
    recorded = training if isinstance(training, dict) else {}
    known, length = _length(T, count(recorded, "T"), coding)
    documents = _read(text, symbols, known)
    if known is None:
        require(coding is not None, f"{path}: records no T, to which documents are cut: give --T")
        length = next(each for each in LENGTHS if each >= documents.T)
        documents = replace(documents, T=length)
    fresh = None if test is None else _read(test, symbols, documents.T)
    met = () if fresh is None else (fresh,)
    longest, searches = documents.y.shape[1], coding is not None and coding.saved is None
    fits = not searches or V * longest <= _MOST
    require(
        fits, f"{documents.source}: a document of {longest} of {V} symbols is too long to search with; cut it (--T)"
    )
    train, *tested = map(Hashed.of, _rows(documents, *met))
    rows = hashed_facts(train, tested[0] if tested else None)
    how = Evidence.STATED if T is not None else Evidence.RECORDED if length is None else Evidence.CHECKED
    facts = (
        Fact("T", documents.T, how),
        Fact("layers", len(classifier.layers), Evidence.CHECKED),
        Fact("symbols", symbols.name, Evidence.RECORDED),
        Fact("documents", documents.m, Evidence.CHECKED),
        Fact("symbols of the text, ends included", documents.n, Evidence.CHECKED),
        Fact("documents cut", documents.cut, Evidence.CHECKED),
        Fact("distinct documents", documents.distinct, Evidence.CHECKED),
        *_of_fresh(fresh, rows),
        *codings.facts(coding),
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
        rows=rows,
        tokenizer=symbols.path if isinstance(symbols, Tokenizer) else None,
        met=fresh is not None and bool(fresh.sha256) and recorded.get("sha256") == fresh.sha256,
        per=per or "token",
        length=length,
        facts=facts,
        models=models_on_test,
        search=search,
        notes=_notes(documents),
        base=None if coding is None else _given(search, coding, documents, fresh, symbols),
    )


def symbols_of(path: Path, classifier: Classifier, coding: Coding | None = None) -> Symbols:
    """What turns a text into the tokens of this model, or of its base where it has one: a tokenizer file in the folder,
    or the list that the config names. Raises: DomainError, TaskError."""
    folder, config = path, classifier.config
    if coding is not None and coding.folder is not None:
        folder, config = coding.folder, coding.base.config
    found = _symbols_in(folder, config)
    if folder != path and not is_word(path):
        own = _symbols_in(path, classifier.config) if (path / TOKENIZER).is_file() or classifier.symbols else found
        same = own.name == found.name and own.end == found.end
        require(same, f"{path}: has other symbols than its base, {folder}: a text would be read in two ways")
    said = None if coding is None or coding.saved is None else coding.saved.record.get("symbols_of")
    require(said in (None, found.name), f"{path}: records symbols {str(said)[:8]}, and those of {folder} are others")
    return found


def _symbols_in(folder: Path, config: Mapping[str, Any]) -> Symbols:
    if (folder / TOKENIZER).is_file():
        end = config.get("eos_token_id")
        if type(end) is not int:
            raise DomainError(f"{folder}: its config names no eos_token_id, which ends documents")
        return Tokenizer(folder / TOKENIZER, end)
    if config.get("symbols") != NAME:
        raise DomainError(
            f"{folder}: no text can be read for it: it has no {TOKENIZER}, and its config no known 'symbols' ({NAME})"
        )
    return English()


def _read(text: str | os.PathLike[str] | Documents, symbols: Symbols, T: int | None) -> Documents:
    if not isinstance(text, Documents):
        return read_documents(Path(text), symbols, T)
    fits = text.symbols == symbols.name and T in (None, text.T)
    require(fits, f"{text.source}: documents of {text.symbols} cut to {text.T}, expected {symbols.name} and {T}")
    return text


def _of_fresh(fresh: Documents | None, rows: RowFacts) -> tuple[Fact, ...]:
    if fresh is None or rows.shared is None:
        return ()
    counts = {"fresh documents": fresh.m, "distinct fresh documents": fresh.distinct, "in both": rows.shared.observed}
    return tuple(Fact(name, value, Evidence.CHECKED) for name, value in counts.items())


def _length(stated: int | None, recorded: int | None, coding: Coding | None) -> tuple[int | None, int | None]:
    """T as it was fixed before the text, None where nothing says it; and T that a saved word pays for."""
    if stated is not None:
        require(1 <= stated <= LONGEST, f"--T: documents are cut to 1 to {LONGEST} symbols, got {stated}")
    if coding is None or coding.saved is None:
        return (recorded if stated is None else stated), None
    saved, paid = count(coding.saved.record, "T"), coding.saved.record.get("T_is_paid")
    fits = saved is not None and type(paid) is bool and (not paid or saved in LENGTHS)
    require(fits, f"the word records T = {saved}, and {str(paid)[:8]} of whether it is paid for; save it again")
    require(stated in (None, saved), f"--T {stated} contradicts the word, which records T = {saved}")
    return saved, saved if paid else None


def _notes(documents: Documents) -> tuple[str, ...]:
    counts = np.bincount(documents.rows(0, documents.m)[2], minlength=documents.V)
    p = counts[counts > 0] / documents.n
    unigram = float(-(p * np.log2(p)).sum())
    return (
        f"{documents.distinct} of the {documents.m} documents are distinct, {documents.cut} are cut to {documents.T} "
        f"symbols; the frequencies of the symbols in this very text need about {unigram:.2f} bits a symbol (no bound)",
    )


def _given(
    search: Search, coding: Coding, documents: Documents, fresh: Documents | None, symbols: Symbols
) -> Given | None:
    """What is known of a base that was given, from the text that its folder holds."""
    base = coding.base
    if base.sha256 is None:
        return None
    made_of = set(_trained_on(search.base))
    file, held = None if search.base is None else search.base / files.TEXT, "its folder"
    if search.base_data is not None:
        file, held = search.base_data, "--base-data"
    seen = None if file is None or not file.is_file() else read_documents(file, symbols, documents.T)

    def of(own: Documents, what: str, rows: str) -> Compared:
        if own.sha256 and own.sha256 in made_of:
            return Compared(refusal=f"the base was trained on this {what}: its folder records its SHA-256")
        if seen is None:
            return Compared()
        theirs, ours = _rows(seen, own)
        return compared(theirs, ours, rows, held)

    found = of(documents, "text", "documents")
    tested = Compared() if fresh is None else of(fresh, "fresh text", "fresh documents")
    return Given(base.sha256, found.met, found.refusal, tested.met, tested.refusal)


def _trained_on(folder: Path | None) -> Iterator[str]:
    """The SHA-256 of the texts that a folder says it was made of."""
    if folder is not None:
        training = read_json(folder / files.CONFIG).get("training")
        yield str(training.get("sha256")) if isinstance(training, dict) else ""
        if (folder / WORD).is_file():
            record = read_json(folder / WORD).get("record")
            yield str(record.get("text")) if isinstance(record, dict) else ""


def _rows(*texts: Documents) -> list[Split]:
    """Of each text, as rows to compare, all as wide as the longest document."""
    width, found = max(each.y.shape[1] for each in texts), list[Split]()
    for each in texts:
        x, t = np.full((each.m, width), each.V, dtype=np.int32), each.y.shape[1]
        x[:, :t] = np.where(np.arange(t) < each.lengths[:, None], each.y, each.V)
        found.append(Split(x, np.zeros(each.m, dtype=np.int64)))
    return found
