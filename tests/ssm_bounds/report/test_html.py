"""The HTML report: it says what the JSON says, its formulas are the library's, and nothing in a file can break out."""

from __future__ import annotations

import base64
import html.parser
import itertools
import json
import math
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import sympy
from click.testing import CliRunner, Result
from safetensors.numpy import save_file

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.lti.table import AVERAGES, S4D
from ssm_bounds.bounds.architectures.selective_ssm.perturbation import EMBEDDING, REPAIRED, SHARP, VOCABULARY
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS
from ssm_bounds.bounds.covers import lemmas as covering
from ssm_bounds.bounds.covers.lemmas import COVERS
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.gaps import chaining
from ssm_bounds.bounds.gaps.maurer import level
from ssm_bounds.bounds.ladder.argument import Cost, shares
from ssm_bounds.bounds.ladder.of_class import OfClass
from ssm_bounds.bounds.ladder.posterior import _EXCESS, _LEVEL
from ssm_bounds.bounds.ladder.rung import Verdict
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.certificate import Certificate, certify, sentence
from ssm_bounds.cli import main
from ssm_bounds.evidence import Evidence, Fact
from ssm_bounds.models.files.checkpoint import Metadata, write
from ssm_bounds.models.files.container import printable
from ssm_bounds.models.selective_ssm.weights import Weights
from ssm_bounds.models.tasks.majority import majority
from ssm_bounds.report.document import documents
from ssm_bounds.report.html.figures import inline
from ssm_bounds.report.html.mathml import mathml
from ssm_bounds.report.html.page import _constants, page
from ssm_bounds.report.plots.blocks import blocks
from ssm_bounds.report.plots.canvas import canvas
from ssm_bounds.report.plots.ladder import ladder
from tests.conftest import ROOT
from tests.mathml import read
from tests.questions import asked
from tests.ssm_bounds.cli.test_cli import weights

HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>\"'&{{ 7*7 }}\u202e"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def certificate(
    w: Weights | None = None,
    *,
    m: int = 10**6,
    T: int = 6,
    gate: str = "softplus",
    train: bool = True,
    **stated: object,
) -> Certificate:
    """A certificate of a small model, with the rung that needs its weights."""
    w = weights() if w is None else w
    recorded = {"m": m, "T": T, "gate": gate, "embedding": "trained" if train else "fixed"}
    return certify(asked(w, recorded, **stated))


@pytest.fixture(scope="module")
def sure() -> Certificate:
    return certificate()


@pytest.fixture(scope="module")
def unsure() -> Certificate:
    found = certificate(train=False)
    return replace(found, question=replace(found.question, notes=("a note on the data",)))


@pytest.fixture(scope="module")
def pages(sure: Certificate, unsure: Certificate) -> tuple[str, str]:
    """Of one certificate, and of two."""
    return page([sure]), page([sure, unsure], command="ssm-bounds certify a b")


@dataclass
class Seen(html.parser.HTMLParser):
    """What an HTML parser finds: elements with their attributes, and the text."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script" and self.scripts:
            self.scripts[-1] += data
        self.text.append(data)

    @classmethod
    def of(cls, text: str) -> Seen:
        seen = cls()
        seen.feed(text)
        seen.close()
        return seen


class TestPage:
    def test_the_json_inside_is_the_document(self, sure, unsure, pages):
        one, both = map(Seen.of, pages)
        assert json.loads(one.scripts[0]) == documents([sure])
        assert json.loads(both.scripts[0]) == documents([sure, unsure])
        for seen in (one, both):
            assert [tag for tag, _ in seen.elements].count("script") == 1
            link = next(a for tag, a in seen.elements if tag == "a" and "download" in a)
            head, _, body = str(link["href"]).partition(",")
            assert head == "data:application/json;base64"
            assert json.loads(base64.b64decode(body)) == json.loads(seen.scripts[0])

    def test_nothing_is_fetched(self, pages):
        text = pages[1]
        assert "http://" not in text and "https://" not in text and "@import" not in text
        assert set(re.findall(r"url\((.)", text)) <= {"#"}
        for tag, attributes in Seen.of(text).elements:
            assert tag not in ("img", "iframe", "object", "embed", "base", "form")
            assert not {"src", "srcset", "action", "ping"} & set(attributes)
            assert not [name for name in attributes if name.startswith("on")]
            if "href" in attributes:
                assert str(attributes["href"]).startswith(("#", "data:application/json;base64,", "data:,"))
        policy = next(a["content"] for tag, a in Seen.of(text).elements if a.get("http-equiv"))
        assert str(policy).startswith("default-src 'none';") and "script" not in str(policy)

    @pytest.mark.parametrize("which", [0, 1])
    def test_links_lead_somewhere_and_ids_are_unique(self, pages, which):
        elements = Seen.of(pages[which]).elements
        ids = [a["id"] for _, a in elements if "id" in a]
        assert len(ids) == len(set(ids))
        targets = {str(a[name])[1:] for _, a in elements for name in ("href", "aria-labelledby")
                   if str(a.get(name, "")).startswith("#")}  # fmt: skip
        named = {str(a["aria-labelledby"]) for _, a in elements if "aria-labelledby" in a}
        assert targets | named <= set(ids)

    def test_the_same_input_gives_the_same_bytes(self, sure, unsure, pages):
        assert page([sure, unsure], command="ssm-bounds certify a b") == pages[1]

    def test_the_skeleton(self, pages):
        for text in pages:
            elements = Seen.of(text).elements
            tags = [tag for tag, _ in elements]
            assert dict(elements)["html"] == {"lang": "en"} and tags.count("title") == tags.count("h1") == 1
            levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
            assert levels[0] == 1 and all(b <= a + 1 for a, b in itertools.pairwise(levels))
            assert tags.count("table") == tags.count("caption")
            assert all("scope" in a for tag, a in elements if tag == "th")
            assert all(a["role"] == "img" and a["aria-label"] for tag, a in elements if tag == "svg")
            regions = [a for _, a in elements if "scroll" in str(a.get("class", "")).split()]
            assert regions and all(a["tabindex"] == "0" and a["role"] == "region" and a["aria-label"] for a in regions)

    def test_it_says_what_the_certificate_says(self, unsure, pages):
        text = " ".join("".join(Seen.of(page([unsure])).text).split())
        assert "CONDITIONAL" in text and "Only if" in text and "the embedding was fixed before the sample" in text
        assert "a note on the data" in text and unsure.question.checkpoint.sha256 in text
        assert unsure.headline.sentence in text
        assert f" {decimal_string(unsure.headline.value.upper)} " in text
        text = " ".join("".join(Seen.of(pages[0]).text).split())
        assert "CERTIFIED" in text and "Only if" not in text and "probability at least 0.95" in text

    def test_every_assumption_and_every_fact_is_told(self, unsure):
        seen = " ".join("".join(Seen.of(page([unsure])).text).split())
        for line in unsure.question.standing:
            assert line in seen
        for fact in unsure.question.facts:
            assert f"{fact.name}{fact.value}{fact.evidence.value}" in seen.replace(" ", "")

    def test_lower_ends_are_rounded_down(self):
        """Delta_min and p_lo bound from below; the rest from above."""
        data = {"constants": {"Delta_min": 0.12345678, "B_u": 0.12345678}, "class": {"p_lo": -0.12345678}}
        values = {row["name"]: row["values"] for row in _constants(data)}
        assert values["Delta_min"][0] == "0.123456" and values["B_u"][0] == "0.123457"
        assert values["p_lo"][1] == "-0.123457"

    def test_a_shift_stands_in_the_verdict(self, sure):
        known = replace(sure.question, shift="some were flipped")
        shifted = replace(sure, question=replace(known, task=majority(9, 6, seed=1)))
        assert "Training and test data differ in distribution" in page([shifted])
        for unshifted in (sure, replace(sure, question=known)):  # without data there is nothing that could differ
            assert "Training and test data differ in distribution" not in page([unshifted])

    def test_what_rests_on_a_condition_is_not_called_certified(self, sure, unsure):
        text = "".join(Seen.of(page([unsure])).text)
        assert "CERTIFIED" not in text.replace("the smallest CERTIFIED", "")
        both = "".join(Seen.of(page([sure, unsure])).text)
        assert "CERTIFIED" in both and "CONDITIONAL" in both

    def test_a_vacuous_headline_is_called_so(self):
        text = page([certificate(m=5)])
        assert "says nothing about this model" in text and 'class="verdict vacuous"' in text

    def test_a_refused_one_has_no_number(self):
        found = certificate()
        nothing = {"rung": None, "kind": None, "value": None, "verdict": Verdict.REFUSED, "sentence": "Nothing."}
        text = page([replace(found, headline=replace(found.headline, **nothing))])
        assert "Nothing." in text and 'class="number"' not in text

    def test_a_gap_is_worded_as_one(self):
        found = certificate(w=weights(k=3), loss="clipped-ce", clip=1)
        gap = next(claim for claim in found.claims if claim.kind == "gap")
        assert "differ by at most" in sentence(found.question, gap)

    def test_files_without_a_certificate_are_named(self, sure):
        text = "".join(Seen.of(page([sure], [("b.pth", "b.pth: is empty")])).text)
        assert "Without a certificate" in text and "b.pth: is empty" in text


class TestHostileNames:
    def test_nothing_breaks_out(self, unsure):
        question = unsure.question
        read = replace(question.checkpoint, path=HOSTILE, format=HOSTILE, sha256=HOSTILE)
        facts = (*question.facts, Fact(HOSTILE, HOSTILE, Evidence.RECORDED))
        headline = replace(unsure.headline, sentence=HOSTILE, conditions=(HOSTILE,))
        asked = replace(question, checkpoint=read, notes=(HOSTILE,), facts=facts, shift=HOSTILE)
        bad = replace(unsure, question=asked, headline=headline)
        for found in ([bad], [bad, bad]):
            text = page(found, [(HOSTILE, HOSTILE)], command=f"ssm-bounds certify {HOSTILE}")
            seen = Seen.of(text)
            assert [tag for tag, _ in seen.elements].count("script") == 1 and "<!--" not in text
            assert not [tag for tag, _ in seen.elements if tag == "img"] and "49" not in seen.text
            data = json.loads(seen.scripts[0])["certificates"][0]
            assert data["checkpoint"]["path"] == HOSTILE and data["notes"] == [HOSTILE]
            assert "".join(seen.text).count(HOSTILE) >= 8

    def test_from_the_files_themselves(self, tmp_path):
        folder = tmp_path / "<"
        folder.mkdir()
        path = folder / "script><img src=x onerror=alert(1)>.safetensors"
        record = Metadata(m=400, T=6, gate="softplus", embedding="trained", extra={"shift": HOSTILE})
        write(path, weights(), record)
        other = tmp_path / "other.safetensors"
        save_file({HOSTILE: np.zeros(2)}, other)
        result = run("certify", path, other, "--format", "html")
        assert result.exit_code == 2 and "other.safetensors" in result.stderr
        seen = Seen.of(result.stdout)
        assert [tag for tag, _ in seen.elements].count("script") == 1
        assert not [tag for tag, _ in seen.elements if tag == "img"]
        (found,) = json.loads(seen.scripts[0])["certificates"]
        assert any(repr(printable(HOSTILE)) in line for line in found["notes"])

    def test_a_path_that_is_not_unicode(self, sure):
        read = replace(sure.question.checkpoint, path="a\udcff.pth")
        text = page([replace(sure, question=replace(sure.question, checkpoint=read))])
        assert "a\\udcff.pth" in text
        text.encode("utf-8")


class TestCommand:
    def test_one_file(self, tmp_path):
        model, out = tmp_path / "model.safetensors", tmp_path / "report.html"
        write(model, weights(), Metadata(m=400, T=6, gate="softplus", embedding="trained"))
        out.write_text("old")
        result = run("certify", model, "--delta", "0.1", "--format", "html", "--out", out)
        assert result.exit_code == 0 and not result.stdout
        text = out.read_text(encoding="utf-8")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors", "report.html"]
        expected = json.loads(run("certify", model, "--delta", "0.1", "--format", "json").stdout)
        assert json.loads(Seen.of(text).scripts[0]) == expected
        assert f"ssm-bounds certify {model} --delta 0.1 --format html --out {out}" in "".join(Seen.of(text).text)
        again = run("certify", model, "--delta", "1/10", "--format", "html")
        assert Seen.of(again.stdout).scripts == Seen.of(text).scripts

    def test_with_data(self, tmp_path):
        model, data = tmp_path / "model.safetensors", tmp_path / "data.npz"
        write(model, weights(), Metadata(m=400, T=6, gate="softplus", embedding="trained"))
        rng = np.random.default_rng(1)
        np.savez(data, x_train=rng.integers(0, 4, (400, 6)), y_train=rng.integers(0, 2, 400),
                 x_test=rng.integers(0, 4, (50, 6)), y_test=rng.integers(0, 2, 50))  # fmt: skip
        result = run("certify", model, "--data", data, "--occam", "--budget", 0.2, "--format", "html")
        text = " ".join("".join(Seen.of(result.stdout).text).split())
        assert result.exit_code == 0 and "holdout" in text
        assert "Nats of occam" in text and "the error rate of the rounded model" in text
        assert "given back: symmetric models share it" in text
        assert "byte for byte" not in text  # the search ends when its time does

    def test_one_of_several_that_fails_leaves_a_list(self, tmp_path):
        model = tmp_path / "model.safetensors"
        write(model, weights(), Metadata(m=400, T=6, gate="softplus", embedding="trained"))
        texts = [run("certify", model, tmp_path / "absent", "--format", form).stdout for form in ("html", "json")]
        assert json.loads(Seen.of(texts[0]).scripts[0]) == json.loads(texts[1])
        assert len(json.loads(texts[1])["failed"]) == 1

    def test_a_path_that_looks_like_an_option(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        write(Path("-m.safetensors"), weights(), Metadata(m=400, T=6, gate="softplus", embedding="trained"))
        text = run("certify", "--format", "html", "--", "-m.safetensors").stdout
        assert "ssm-bounds certify --format html -- -m.safetensors" in "".join(Seen.of(text).text)

    def test_a_path_that_cannot_be_written(self, tmp_path):
        model = tmp_path / "model.safetensors"
        write(model, weights(), Metadata(m=400, T=6, gate="softplus", embedding="trained"))
        result = run("certify", model, "--format", "html", "--out", tmp_path / "absent" / "report.html")
        assert result.exit_code == 2 and result.stderr.count("\n") == 1 and "there is no directory" in result.stderr

    def test_other_commands_do_not_offer_it(self):
        for command in ("growth", "verify"):
            assert run(command, "--format", "html").exit_code == 2


_GREEK = {"epsilon": "ε", "delta": "δ", "lambda": "λ", "kappa": "κ", "phi": "φ", "rho": "ρ", "tau": "τ", "xi": "ξ",
          "beta": "β", "alpha": "α"}  # fmt: skip
SHOWN = {
    **{f"sum {name}": formula for name, formula in DEFINITIONS.items()},
    **{f"{table} {name}": formula for table, formulas_ in
       {"sharp": SHARP, "vocabulary": VOCABULARY, "repaired": REPAIRED}.items() for name, formula in formulas_.items()},
    **COVERS, "embedding": EMBEDDING, "scale": chaining.SINGLE_SCALE, "margin": chaining.MARGIN_EXCESS,
    "exponent": chaining.MARGIN_EXPONENT, "level": _LEVEL, "excess": _EXCESS,
    "average gap": chaining.AVERAGE_GAP, **{f"average {name}": formula for name, formula in AVERAGES.items()},
    **{f"S4D {block.key}": block.beta["sharp"] for block in S4D.blocks},
}  # fmt: skip


@pytest.mark.parametrize("s_A", [-0.3, 0.0, 0.2])
@pytest.mark.parametrize("name", SHOWN, ids=str)
def test_mathml_reads_as_the_formula(name, s_A):
    formula = SHOWN[name]
    rng = np.random.default_rng(sum(map(ord, str(name))))
    values = {symbol: float(rng.uniform(0.2, 0.9)) for symbol in formula.free_symbols}
    values |= {symbol: int(rng.integers(2, 9)) for symbol in formula.free_symbols if symbol.is_integer}
    values |= {symbol: s_A for symbol in formula.free_symbols if symbol is sym.s_A}
    expected = float(formula.subs(values).evalf(30))
    named = {"_".join(_GREEK.get(part, part) for part in symbol.name.split("_")): x for symbol, x in values.items()}
    text = str(mathml(formula))
    assert read(ET.fromstring(text), named) == pytest.approx(expected, rel=1e-9)
    assert "piecewise" not in text and not re.findall(r"&(?!lt;|gt;|#\d+;)", text)


SETTINGS = {
    "trained": {},
    "fixed": {"train": False},
    "vocabulary": {"train": False, "inputs": "vocabulary"},
    "no gate": {"train": False, "gate": "none", "w": replace(weights(), q=np.zeros(3), p=0.0)},
    "k outputs": {"w": weights(k=3), "margin": Fraction(1, 2)},
    "growing": {"w": replace(weights(), A=weights().A + 2.2)},
    "clipped": {"loss": "clipped-ce", "clip": 2},
    "small": {"m": 5},
}


@pytest.mark.parametrize("case", SETTINGS)
def test_the_values_beside_a_formula_give_its_value(case):
    found = certificate(**SETTINGS[case])
    seen = 0
    for rung in found.rungs:
        for formula in rung.argument.formulas():
            values = {symbol: sympy.Float(value.float_upper(), 30) for symbol, value in formula.where.items()}
            value = float(formula.expression.subs(values))
            assert value == pytest.approx(formula.value.float_upper(), rel=1e-9), (rung.name, formula.name)
            seen += 1
        if isinstance(rung.argument, OfClass):
            assert rung.argument.formulas()[-1].value is rung.value
    assert seen >= 36


def test_the_formula_of_every_leaf_of_a_trace_is_found(sure):
    for rung in sure.rungs:
        leaves = [step for step in rung.argument.steps() if "one labelled split" not in step.rule]
        lemmas = [step for step in leaves if step.source in ("theory.md 3.1", "theory.md 3.2", "theory.md 5.2")]
        assert all(step.rule.split("): ", 1)[-1] in COVERS for step in lemmas)
    assert COVERS[covering.Volume.rule] is covering.Volume.formula


@pytest.mark.parametrize("case", SETTINGS)
def test_costs_add_up_to_what_is_divided_by_m(case):
    found = certificate(**SETTINGS[case])
    m, delta = found.setting.sample.m, found.setting.delta
    for rung in found.rungs:
        parts = rung.argument.costs()
        total = sum(part.nats.float_upper() for part in parts)
        if rung.name.startswith("margin"):
            assert total == pytest.approx(rung.argument.exponent.float_upper() * m, rel=1e-12)
        elif rung.name.startswith("scale"):
            nats = rung.argument.log_covering.float_upper() + rung.argument.selected.price.float_upper() + math.log(40)
            assert total == pytest.approx(nats, rel=1e-12)
        elif rung.name == "pac-bayes":
            nats = rung.argument.posterior.divergence.ball() + rung.argument.posterior.price.ball()
            assert total == pytest.approx(level(Enclosure.of(nats), m, delta).float_upper() * m, rel=1e-12)
        else:
            assert parts == ()
        assert not parts or sum(shares(parts)) == pytest.approx(1)


def test_what_symmetries_give_back_is_a_negative_bar():
    parts = (
        Cost("A", "block", Enclosure.point(30), "A"),
        Cost("symmetries", "symmetry", Enclosure.point(-3), "symmetries"),
    )
    assert shares(parts) == pytest.approx([30 / 27, -3 / 27])
    axes = blocks(parts).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [30, -3] and axes.get_xlim()[0] < -3
    assert all(text.xy[0] >= 0 for text in axes.texts)
    assert axes.get_yticklabels()[1].get_text() == "symmetries"


def test_bars_are_the_nats(sure):
    found = sure
    rung = next(rung for rung in found.rungs if rung.name == "margin-groups")
    parts = rung.argument.costs()
    figure = blocks(parts)
    bars = sorted((bar.get_y() + bar.get_height() / 2, bar.get_width()) for bar in figure.axes[0].patches)
    assert [width for _, width in bars] == [part.nats.float_upper() for part in parts]
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[-2:] == [r"$\ln(1/\pi)$", r"$\ln(1/\delta)$"] and any(label.startswith("$W_B$") for label in labels)
    with pytest.raises(DomainError, match="split into blocks"):
        blocks(())


@pytest.mark.parametrize("stated", [{}, {"loss": "clipped-ce", "clip": 4}], ids=["ramp", "clipped"])
def test_the_ladder_is_drawn_at_its_values(stated):
    found = certificate(**stated)
    axes = ladder(found.rungs).axes[0]
    drawn = {int(line.get_ydata()[0]): float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() != "None"}
    for i, rung in enumerate(found.rungs):
        if rung.refusal is None and rung.value.upper > 0:
            assert drawn[i] == pytest.approx(min(rung.value.float_upper() / float(rung.ceiling), 1e9), rel=1e-12)
        else:
            assert i not in drawn
    assert len(drawn) >= 7


def test_a_figure_follows_the_page():
    figure = canvas()
    axes = figure.subplots()
    axes.plot([1, 2], [3, 4], color="black", marker="o", markeredgecolor="white")
    axes.set_title("a < b")
    text = str(inline(figure, "one", 'says "<b>"'))
    assert text.startswith("<svg viewBox=") and "<style" not in text and "xmlns" not in text
    assert "currentColor" in text and "var(--page)" in text and "#000000" not in text
    assert 'aria-label="says &#34;&lt;b&gt;&#34;"' in text and "a &lt; b" in text
    ids = re.findall(r' id="([^"]*)"', text)
    assert all(name.startswith("one-") for name in ids) and len(ids) == len(set(ids))
    assert {name for pair in re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', text) for name in pair if name} <= set(ids)


def test_the_page_is_shipped():
    folder = ROOT / "ssm_bounds" / "report" / "html"
    assert (folder / "template.html").is_file() and (folder / "style.css").is_file()
