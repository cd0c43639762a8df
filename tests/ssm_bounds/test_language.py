"""Language models by a word: what is claimed on a text, alone, chained to a base and beside it, and when."""

from __future__ import annotations

import io
import json
import math
import shutil
from dataclasses import asdict, replace
from fractions import Fraction

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

import ssm_bounds
from ssm_bounds import language, texts
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.ladder.occam import level
from ssm_bounds.bounds.ladder.rung import Hypothesis, Verdict
from ssm_bounds.bounds.ladder.text import uniform
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.cli import main
from ssm_bounds.experiments.language import train_on
from ssm_bounds.models.files import word as folders
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.searches import qat
from ssm_bounds.models.tasks.documents import of_texts
from ssm_bounds.models.tasks.symbols import English
from ssm_bounds.models.training.mamba import MambaSettings
from ssm_bounds.report.document import documents, schema
from ssm_bounds.report.html.page import page
from ssm_bounds.report.tables import latex, markdown
from tests.texts import DESIGN, T, V, folder, write
from tests.texts import texts as drawn


@pytest.fixture(autouse=True, scope="module")
def quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(qat, "_EPOCHS", 1)
        patch.setattr(qat, "_UPDATES", 100)
        patch.setattr(qat, "_FACTORS", (1.0,))
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A language model as it starts, a base that was found on one language, and texts of two languages."""
    found = tmp_path_factory.mktemp("texts")
    write(found / "train.jsonl", drawn(600))
    settings = MambaSettings(epochs=8, batch=24, lr=1e-2)
    quiet = Console(file=io.StringIO())
    (found / "rows.csv").write_text("y,a,b\n0,1,1\n1,0,0\n")
    train_on(found / "train.jsonl", found / "lm", DESIGN, settings, T=T, console=quiet)
    write(found / "fresh.jsonl", drawn(200, seed=9))
    write(found / "other.jsonl", drawn(800, seed=2, words=("jolt", "muck", "pry", "wow")))
    return found


def certified(place, name="lm", text="train.jsonl", per=None, test=None, T=None, **search):
    asked = ssm_bounds.Search(budget=300, **search) if search else None
    fresh = None if test is None else place / test
    question = ssm_bounds.ask(place / name, text=place / text, per=per, test=fresh, T=T, search=asked)
    return ssm_bounds.certify(question)


@pytest.fixture(scope="module")
def found(place):
    return certified(place, occam=True, save=place / "word", test="fresh.jsonl")


@pytest.fixture(scope="module")
def tuned(place, found):
    """A word around the model that the first word decodes to."""
    return certified(place, "word_base", text="other.jsonl", per="document", T=T, **base_of(place))


def base_of(place):
    if not (place / "word_base").exists():
        shutil.copytree(place / "word", place / "word_base")
        for name in ("word.json", "word.safetensors"):
            (place / "word_base" / name).unlink()
    return {"occam": True, "base": place / "word_base", "save": place / "tuned"}


def test_the_word_says_something_of_the_text_and_assumes_nothing_of_it(found):
    rung = found.rung("occam")
    assert rung.verdict is Verdict.CERTIFIED and found.headline.rung == "occam" and not found.headline.vacuous
    assert float(rung.argument.losses.seen) < rung.value.float_upper() < float(uniform(V)) - 1
    assert "over the contexts of this very text" in found.headline.sentence and "law" in found.headline.sentence
    assert found.question.standing[0] == language.OF_TOKENS
    assert found.compared == 2 and found.rung("holdout").verdict is Verdict.CONDITIONAL


def test_the_price_is_the_words_and_the_smoothings(found):
    argument = found.rung("occam").argument
    record = argument.record()
    total = math.fsum(row["nats"].float_upper() for row in record["table"])
    assert total == pytest.approx(record["nats"].float_upper(), abs=1e-9)
    prices = {row["choice"].split(":")[0]: row["nats"].float_upper() for row in record["table"]}
    assert prices["alpha = 2^-1..2^-8"] == pytest.approx(math.log(8))
    assert prices["d_model, layers, N, conv, expand"] == pytest.approx(math.log(4608))
    costs = math.fsum(cost.nats.float_upper() for cost in argument.costs())
    assert costs == pytest.approx(record["nats"].float_upper() + math.log(64) + math.log(20), abs=1e-9)


def test_the_number_is_the_wealth_bound_at_that_level(found):
    """At the bet that the record names, by (8.6) in floats; dearer by a percent of the nats it would be larger."""
    argument = found.rung("occam").argument
    losses, nats = argument.losses, float(level(argument.nats, Fraction(1, 20)).upper) + math.log(64)
    seen, h = losses.losses * 2.0**-24, losses.expected * 2.0**-24
    a, b = losses.span.low * 2.0**-24, losses.span.high * 2.0**-24
    own = [31 / 32 * 2 ** (-j / 3) / (b - a) for j in range(24)]
    constant = [2 ** (10 - j / 2) / 2 ** math.ceil(math.log2(b)) for j in range(39)]

    def bounds(nats):
        n = len(seen)
        for factor in own:
            yield h.mean() + (1 - math.exp(np.log1p(factor * (h - seen)).mean() - nats / n)) / factor
        for factor in constant:
            yield b + (1 - math.exp(np.log1p(factor * (b - seen)).mean() - nats / n)) / factor

    assert found.rung("occam").value.float_upper() == pytest.approx(min(bounds(nats)), abs=3e-3)
    assert min(bounds(0.97 * nats)) < found.rung("occam").value.float_upper() - 3e-3


def test_a_saved_word_gives_the_same_double_without_a_search(place, found, monkeypatch):
    monkeypatch.setattr(qat, "searched", None)
    again = certified(place, "word")
    assert again.rung("occam").value == found.rung("occam").value
    other = certified(place, "word", text="fresh.jsonl")
    assert "not those that the file records" in other.rung("occam").argument.sentence()


def test_a_search_goes_on_from_the_saved_word(place, found, tmp_path):
    shutil.copytree(place / "word", tmp_path / "word")
    again = certified(place, occam=True, save=tmp_path / "word", resume=True)
    # chosen by float32 on some documents, counted on all
    assert again.rung("occam").value.float_upper() < 1.01 * found.rung("occam").value.float_upper()
    with pytest.raises(DomainError, match="and there is none"):
        certified(place, occam=True, save=tmp_path / "other", resume=True)
    with pytest.raises(DomainError, match="of family full, not of bitfit"):
        certified(place, occam=True, save=tmp_path / "word", resume=True, family="bitfit")


@pytest.mark.parametrize("per", ["document", "symbol"])
def test_new_documents(place, found, per):
    certificate = certified(place, "word", per=per)
    rung = certificate.rung("occam")
    assert certificate.question.standing[0] == language.OF_DOCUMENTS and "document" in certificate.headline.sentence
    assert float(rung.argument.losses.seen) < rung.value.float_upper() < 8
    assert per == "symbol" or rung.argument.floor.upper <= rung.value.upper
    assert ("floor" in rung.argument.record()) is (per == "document")


def test_a_base_is_a_condition_and_is_beside_and_chained(tuned):
    assert [rung.name for rung in tuned.rungs] == ["occam", "chained", "paired"] and tuned.compared == 2
    assert {rung.verdict for rung in tuned.rungs} == {Verdict.CONDITIONAL}
    assert "was fixed before the sample" in tuned.headline.sentence
    chained, paired = tuned.rung("chained"), tuned.rung("paired")
    parts = chained.argument.base.bounded.value, chained.argument.beyond.bounded.value
    assert chained.value.float_upper() == pytest.approx(sum(each.float_upper() for each in parts), rel=1e-12)
    assert paired.value.upper < 0  # tuning helped: the second language has other words
    (apart,) = tuned.apart
    assert apart.rung.name == "paired" and apart.share == Fraction(1, 20)
    assert float(paired.argument.losses.seen) < paired.value.float_upper()


def test_the_base_pays_no_word_and_half_of_delta(tuned):
    plain = tuned.rung("chained").argument.base
    assert plain.word is None and plain.delta == Fraction(1, 40)
    own = plain.losses.bounded(level(Enclosure.point(0), Fraction(1, 40)))
    assert own.value == plain.bounded.value


def test_a_base_that_does_not_move_gains_nothing(place, found):
    """The control: a word of zeros around the base, on a text of its own language."""
    base = base_of(place)["base"]
    coding = language.Coding(folders.moved_by(base, language.files.read(base)))
    question = ssm_bounds.ask(
        base, text=place / "fresh.jsonl", per="document", search=ssm_bounds.Search(occam=True, base=base)
    )
    still = texts._still(qat.Around("bitfit", coding.base.parts, coding.base.tensors).word(None))
    model = folders.model(still, coding.base)[1]
    powers = {"alone": 3, "beyond": 1, "paired": 1}
    both = [texts.prepared(texts.stack(model))] * 2
    scores = {name: texts.partial(texts._FORMS[name], k) for name, k in powers.items()} | {"base": texts._base_alone}
    losses = texts.losses(scores, both, question.documents, "document")
    rungs = texts._rungs(question, still, coding.base, model, losses, powers, (), searched=False)
    assert 0 < rungs[2].rung.value.float_upper() < 0.3


def test_a_base_that_was_trained_on_the_text(place, found, tmp_path):
    base = base_of(place)["base"]
    (base / "train.jsonl").write_bytes((place / "train.jsonl").read_bytes())
    try:
        asked = ssm_bounds.Search(occam=True, base=base)
        same = ssm_bounds.ask(base, text=place / "train.jsonl", T=T, search=asked)
        assert "its folder holds them" in same.base.refusal
        other = ssm_bounds.ask(base, text=place / "other.jsonl", T=T, search=asked)
        assert "of the 800 documents are among those" in other.base.condition
        fresh = ssm_bounds.ask(base, text=place / "other.jsonl", test=place / "train.jsonl", T=T, search=asked)
        refused = fresh.refusal(Hypothesis.TEST)
        assert "trained on these fresh documents: its folder holds them" in refused and fresh.base.refusal is None
        some = ssm_bounds.ask(base, text=place / "other.jsonl", test=place / "fresh.jsonl", T=T, search=asked)
        (condition,) = some.conditions(Hypothesis.TEST)
        assert "fresh documents are among those that its folder holds" in condition
        assert some.refusal(Hypothesis.TEST) is None
    finally:
        (base / "train.jsonl").unlink()


def test_a_length_that_nothing_fixed_is_paid_for(place, found, tmp_path):
    folder(tmp_path / "lm", training={})
    asked = ssm_bounds.Search(occam=True, save=tmp_path / "word", budget=300)
    certificate = ssm_bounds.certify(ssm_bounds.ask(tmp_path / "lm", text=place / "train.jsonl", search=asked))
    table = {row["choice"] for row in certificate.rung("occam").argument.record()["table"]}
    assert "T: 2^4..2^15" in table and certificate.question.documents.T == 32
    again = ssm_bounds.certify(ssm_bounds.ask(tmp_path / "word", text=place / "train.jsonl"))
    assert again.rung("occam").value == certificate.rung("occam").value


def test_fresh_documents_that_are_those_of_the_training_are_refused(place, found):
    again = certified(place, "word", test="train.jsonl")
    assert (
        again.rung("holdout").verdict is Verdict.REFUSED
        and "test rows are training rows" in again.rung("holdout").refusal
    )
    assert again.headline.rung == "occam"


def test_documents_that_mostly_repeat(place, tmp_path):
    write(tmp_path / "t.jsonl", ["abba", "cede", "fig"] * 50)
    question = ssm_bounds.ask(
        place / "lm", text=tmp_path / "t.jsonl", per="symbol", search=ssm_bounds.Search(occam=True)
    )

    assert question.conditions(Hypothesis.ROWS) and not language.ask(
        place / "lm", question.classifier, text=tmp_path / "t.jsonl", search=ssm_bounds.Search(occam=True)
    ).conditions(Hypothesis.ROWS)


def test_reports(found, tuned):
    for certificate in (found, tuned):
        shown = documents([certificate])
        jsonschema.validate(json.loads(json.dumps(shown, allow_nan=False)), schema())
        assert shown["certificates"][0]["best"]["kind"] == "bits" and shown["certificates"][0]["empirical"] is None
        assert [shown["certificates"][0]["setting"][key] for key in ("gate", "convention", "embedding")] == [None] * 3
        for text in (markdown([certificate]), latex([certificate]), page([certificate])):
            assert "bits" in text and "occam" in text
    assert "paired" in markdown([tuned])


def test_where_the_text_gave_T_the_base_pays_for_it_too(place, found):
    """Its bits depend on T as much as the word's: 12 lengths, each bounded."""
    base = base_of(place)["base"]
    asked = ssm_bounds.Search(occam=True, base=base)
    question = ssm_bounds.ask(base, text=place / "other.jsonl", per="document", search=asked)
    assert question.length == question.documents.T == 32
    coding = question.coding
    still = replace(texts._still(qat.Around("bitfit", coding.base.parts, coding.base.tensors).word(None)), length=32)
    model = folders.model(still, coding.base)[1]
    powers = {"alone": 3, "beyond": 1, "paired": 1}
    scores = {name: texts.partial(texts._FORMS[name], k) for name, k in powers.items()} | {"base": texts._base_alone}
    losses = texts.losses(scores, [texts.prepared(texts.stack(model))] * 2, question.documents, "document")
    for length, lengths in ((32, 12), (None, 1)):
        word = replace(still, length=length)
        rungs = texts._rungs(question, word, coding.base, model, losses, powers, (), searched=False)
        plain = rungs[1].rung.argument.base
        own = plain.losses.bounded(level(Enclosure.point(0), Fraction(1, 40) / lengths))
        assert plain.bounded.value.float_upper() == pytest.approx(own.value.float_upper(), rel=1e-9)
        assert math.fsum(cost.nats.float_upper() for cost in plain.costs()) == pytest.approx(
            math.log(lengths * 40 * 40), abs=1e-9
        )


class TestRecords:
    """What a word's file says is held to, and is no way around a price."""

    @pytest.fixture
    def saved(self, place, found, tmp_path):
        shutil.copytree(place / "word", tmp_path / "word")

        def change(**record):
            text = json.loads((tmp_path / "word" / "word.json").read_text())
            text["record"] |= record
            (tmp_path / "word" / "word.json").write_text(json.dumps(text))
            return tmp_path / "word"

        return change

    @pytest.mark.parametrize("record", [{"T": 19, "T_is_paid": True}, {"T_is_paid": "yes"}, {"T": None}])
    def test_a_length_that_is_no_length(self, place, saved, record):
        with pytest.raises(DomainError, match="save it again"):
            ssm_bounds.ask(saved(**record), text=place / "train.jsonl")

    def test_a_stated_length_is_the_recorded_one(self, place, saved):
        with pytest.raises(DomainError, match="--T 12 contradicts the word, which records T = 16"):
            ssm_bounds.ask(saved(), text=place / "train.jsonl", T=12)
        paid = ssm_bounds.ask(saved(T_is_paid=True), text=place / "train.jsonl", T=16)
        assert paid.length == 16

    def test_other_symbols(self, place, saved):
        with pytest.raises(DomainError, match=r"those of .* are others"):
            ssm_bounds.ask(saved(symbols_of="0" * 64), text=place / "train.jsonl")

    def test_another_delta_is_said(self, place, saved):
        certificate = ssm_bounds.certify(ssm_bounds.ask(saved(delta="1/10"), text=place / "train.jsonl"))
        assert "records delta = 1/10" in certificate.rung("occam").argument.sentence()

    def test_the_text_that_a_base_was_made_of(self, place, found):
        """By the SHA-256 that a training or a word leaves, with no rows beside it."""
        shutil.copytree(place / "lm", place / "bare")
        (place / "bare" / "train.jsonl").unlink()
        for base in ("bare", "word"):
            asked = ssm_bounds.Search(occam=True, base=place / base)
            question = ssm_bounds.ask(place / "lm", text=place / "train.jsonl", T=T, search=asked)
            assert "its folder records its SHA-256" in question.base.refusal
            other, met = place / "other.jsonl", place / "train.jsonl"
            fresh = ssm_bounds.ask(place / "lm", text=other, test=met, T=T, search=asked)
            assert fresh.base.refusal is None and fresh.refusal(Hypothesis.TEST) is not None
            assert "on this fresh text: its folder records its SHA-256" in fresh.base.no_holdout
        fresh = ssm_bounds.ask(place / "bare", text=place / "other.jsonl", test=place / "train.jsonl")
        assert "trained on the fresh text" in fresh.refusal(Hypothesis.TEST)


class TestTokenizer:
    @pytest.fixture
    def lm(self, tmp_path):
        library = pytest.importorskip("tokenizers")
        design = Design(**{**asdict(DESIGN), "V": 8, "outputs": 8})
        model = library.models.WordLevel({"abba": 0, "cede": 1, "fig": 2, "hi": 3, "<end>": 4, "?": 5}, unk_token="?")
        made = library.Tokenizer(model)
        made.pre_tokenizer = library.pre_tokenizers.Whitespace()
        found = folder(tmp_path / "lm", design=design, symbols=None)
        config = json.loads((found / "config.json").read_text()) | {"eos_token_id": 4}
        (found / "config.json").write_text(json.dumps(config))
        made.save(str(found / "tokenizer.json"))
        return found

    def test_a_word_from_scratch_keeps_it_and_it_is_a_condition(self, lm, place, tmp_path):
        asked = ssm_bounds.Search(occam=True, save=tmp_path / "word", budget=300)
        made = ssm_bounds.certify(ssm_bounds.ask(lm, text=place / "train.jsonl", search=asked))
        assert made.rung("occam").verdict is Verdict.CONDITIONAL and "the tokenizer (sha256" in made.headline.sentence
        again = ssm_bounds.certify(ssm_bounds.ask(tmp_path / "word", text=place / "train.jsonl"))
        assert again.rung("occam").value == made.rung("occam").value
        changed = (tmp_path / "word" / "tokenizer.json").read_text().replace('"abba"', '"abbb"')
        (tmp_path / "word" / "tokenizer.json").write_text(changed)
        with pytest.raises(DomainError, match="are others"):
            ssm_bounds.ask(tmp_path / "word", text=place / "train.jsonl")

    def test_one_that_is_not_that_of_the_base(self, lm, place, tmp_path):
        shutil.copytree(lm, tmp_path / "base")
        (lm / "tokenizer.json").write_text((lm / "tokenizer.json").read_text().replace('"abba"', '"abbb"'))
        with pytest.raises(DomainError, match="has other symbols than its base"):
            ssm_bounds.ask(lm, text=place / "train.jsonl", search=ssm_bounds.Search(occam=True, base=tmp_path / "base"))

    def test_more_symbols_than_the_model_has(self, lm, place):
        (lm / "tokenizer.json").write_text((lm / "tokenizer.json").read_text().replace('"?": 5', '"?": 9'))
        text = json.loads((lm / "tokenizer.json").read_text())
        assert text["model"]["vocab"]["?"] == 9
        with pytest.raises(DomainError, match="its symbols go up to 9, and the model has 8"):
            ssm_bounds.ask(lm, text=place / "train.jsonl", test=place / "fresh.jsonl")


def test_documents_from_python_are_held_to_the_question(place, found):
    ours = of_texts(drawn(50), English(), 12)
    with pytest.raises(DomainError, match="cut to 12, expected"):
        ssm_bounds.ask(place / "word", text=ours)
    with pytest.raises(DomainError, match="cut to 12, expected"):
        ssm_bounds.ask(place / "word", text=place / "train.jsonl", test=ours)


class TestCommand:
    def run(self, *arguments):
        return CliRunner().invoke(main, [str(each) for each in arguments])

    def test_a_word(self, place, found):
        made = self.run("certify", place / "word", "--text", place / "train.jsonl", "--require", "6")
        assert made.exit_code == 0 and "CERTIFIED" in made.output
        low = self.run("certify", place / "word", "--text", place / "train.jsonl", "--require", "0.5")
        assert low.exit_code == 1 and "above 0.5" in low.output

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["lm", "--data", "rows.csv", "--occam"], "give --text FILE in the place of --data"),
            (["lm"], "nothing is certified of it without a text"),
            (["lm", "--text", "train.jsonl"], "give --occam to certify a word, or --test FILE"),
            (["lm", "--text", "train.jsonl", "--data", "x.npz", "--occam"], "give one"),
            (["lm", "--per", "token"], "--per goes with --text"),
            (["lm", "--text", "train.jsonl", "--occam", "--gate", "softplus"], "has no --gate"),
            (["lm", "--text", "train.jsonl", "--occam", "--T", "200000"], "cut to 1 to"),
            (["lm", "--text", "absent.jsonl", "--occam"], "absent.jsonl"),
        ],
    )
    def test_bad_options(self, place, arguments, message):
        given = [place / each if each.endswith((".jsonl", ".csv", "lm")) else each for each in arguments]
        made = self.run("certify", *given)
        assert made.exit_code == 2 and message in " ".join(made.output.split()) and "Traceback" not in made.output


def test_a_model_without_symbols(tmp_path, place):
    with pytest.raises(DomainError, match="no text can be read for it"):
        ssm_bounds.ask(folder(tmp_path / "lm", symbols=None), text=place / "train.jsonl", test=place / "fresh.jsonl")
