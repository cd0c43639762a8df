"""The pages under docs are what the objects print."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import sympy

from ssm_bounds.bounds import notation
from ssm_bounds.bounds.notation import NOTATION
from ssm_bounds.proofs import pages
from ssm_bounds.proofs.check import statements
from ssm_bounds.proofs.statement import Verdict
from ssm_bounds.report import pages as documents
from tests.conftest import ROOT

KNOWN = statements()
PAGES = pages.pages()


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_is_what_the_objects_print(name):
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == PAGES[name], (
        "run: python -m ssm_bounds.proofs.pages docs"
    )


def test_no_page_is_left_over(tmp_path):
    pages.write_pages(tmp_path / "docs")
    printed = {path.name for path in (tmp_path / "docs").iterdir()} | documents.pages().keys()
    assert printed == {path.name for path in (ROOT / "docs").glob("*.md")} - {
        "certificates.md",
        "compare.md",
        "experiments.md",
        "how-to-add.md",
        "mamba.md",
        "measure.md",
        "words.md",
        "order.md",
    }


@pytest.mark.parametrize("name", PAGES)
def test_markdown_that_renders(name):
    """Tables keep their columns, code fences close, links lead somewhere, and no macro that GitHub refuses."""
    text = PAGES[name]
    columns = None
    for line in text.splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("| ") else None
        assert None in (columns, cells) or cells == columns, line
        columns = cells
    assert (text.count("```math\n") + text.count("```coq\n")) * 2 == text.count("```")
    assert r"\operatorname" not in text
    for target, anchor in re.findall(r"\]\(([\w\-.]*)#?([\w\-]*)\)", text):
        page = PAGES[target or name]
        headings = [pages.anchor(heading) for heading in re.findall(r"^#+ (.*)$", page, re.M)]
        assert len(set(headings)) == len(headings)
        assert not anchor or anchor in headings, anchor


def section(page, label):
    return re.search(rf"^## {re.escape(label)}\n(.*?)(?=^## |\Z)", page, re.M | re.S)[1]


@pytest.mark.parametrize("label", KNOWN)
def test_a_statement_says_claim_hypotheses_source_verdict_and_why(label):
    s = KNOWN[label]
    found = section(PAGES["ledger.md"], label)
    assert f"**{s.recorded}" in found and pages.plain(s.source) in found and "\n- Because: " in found
    assert "```math\n" in found and found.count("- Hypothesis: ") == len(s.hypotheses) + len(s.prose)
    why = re.search(r"- Because: (.*)", found)[1]
    if s.recorded in (Verdict.REFUTED, Verdict.REPAIRED):
        assert why.startswith("Counterexample: ")
    elif s.recorded is Verdict.PROVED:
        assert why.startswith("Decided by ") and "Cited:" not in why
    else:
        assert "Cited: " in why or "Assumed: " in why or "statement " in why
    for text in s.not_claimed:
        assert pages.plain(text) in section(PAGES["not-claimed.md"], label)


def test_another_statement_is_another_page():
    first = KNOWN["4.1"]
    for change in (
        {"title": "another"},
        {"recorded": Verdict.CHECKED},
        {"prose": ("x = |y|",)},
        {"not_claimed": ("z",)},
    ):
        assert pages.ledger(KNOWN | {"4.1": replace(first, **change)}) != PAGES["ledger.md"]
    assert r"x = \|y\|" in pages.ledger(KNOWN | {"4.1": replace(first, prose=("x = |y|",))})


def test_no_character_of_a_text_is_markup():
    assert pages.plain("|x|_2 <= a*b `c` [d](e) $f$") == r"\|x\|\_2 \<= a\*b \`c\` \[d\](e) \$f\$"


def test_every_symbol_stands_under_one_heading():
    groups = pages.by_heading()
    listed = [pair for entries in groups.values() for pair in entries.items()]
    assert sorted(str(entry.symbol) for _, entry in listed) == sorted(NOTATION) and all(groups.values())
    assert "B_q" in groups["Radii of the class"] and "R_2" in groups["Derived constants"]
    for name, entry in listed:
        assert getattr(notation, name) is entry.symbol
        assert f"| $`{sympy.latex(entry.symbol)}`$ | `{name}` |" in PAGES["notation.md"]


@pytest.mark.parametrize("name", documents.pages())
def test_a_page_about_json_is_what_the_schema_prints(name):
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == documents.pages()[name], "run: make pages"
