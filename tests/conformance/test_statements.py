"""Every statement: it has a source that is a heading, a title, and a verdict that its derivation can give."""

from __future__ import annotations

import re

import pytest

from ssm_bounds.proofs import chapters, check
from ssm_bounds.proofs.papers import papers
from ssm_bounds.proofs.statement import Verdict
from tests.conftest import ROOT
from tests.lists import STATEMENTS, template

HEADINGS = {label for text in chapters.read(ROOT / "docs" / "theory").values() for label in chapters.labels(text)}


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.label)
class TestEach:
    def test_it_says_what_it_is(self, statement):
        assert statement.title and statement.title[0].isupper() and not statement.title.endswith(".")
        cited = re.findall(r"M?\d+(?:\.\d+)?|\b[A-Z]\.\d+", statement.source.split(" (")[0])
        assert set(cited) & HEADINGS or "paper" in statement.source or "arXiv" in statement.source

    def test_it_is_refuted_or_derived(self, statement):
        refuted = statement.recorded in (Verdict.REFUTED, Verdict.REPAIRED)
        assert (statement.counterexample is not None) is refuted
        assert bool(statement.derivation) is not refuted


def test_every_folder_of_a_paper_says_which():
    folders = {path.name for path in (ROOT / "proofs" / "papers").iterdir() if (path / "__init__.py").is_file()}
    assert {paper.key for paper in papers()} == folders
    for paper in papers():
        assert re.fullmatch(r"\d{4}\.\d{5}", paper.arxiv) and paper.version >= 1 and paper.title and paper.read


def test_the_template_is_proved():
    entry = check.check(template("statement").STATEMENT)
    assert entry.verdict is Verdict.PROVED and entry.as_recorded
