"""The chapters under docs/theory: printed from the objects, complete, and holding every statement that is cited."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ssm_bounds.certificate import certify
from ssm_bounds.proofs import chapters
from ssm_bounds.proofs.check import statements
from ssm_bounds.proofs.pages import anchor
from ssm_bounds.proofs.statement import Verdict
from ssm_bounds.report.document import document
from tests.conftest import ROOT
from tests.questions import asked
from tests.ssm_bounds.cli.test_cli import weights

KNOWN = statements()
CHAPTERS = chapters.read(ROOT / "docs" / "theory")
HEADINGS = {label for name, text in CHAPTERS.items() if name != "claims.md" for label in chapters.labels(text)}
CLAIMS = set(chapters.labels(CHAPTERS["claims.md"]))

_LABEL = r"(?:M?\d+(?:\.\d+)?|[A-Z]\.\d+|Table 1)"
_LIST = rf"{_LABEL}(?:(?:, | and | to ){_LABEL})*"
_CITATION = re.compile(rf"\b([Tt]heory|claims)(?:\.md)? ({_LIST})(?: \(({_LIST})\))?(?:, ({_LIST}))?")
_KINDS = {".py", ".md", ".html", ".json", ".ipynb"}
CITING = [
    path
    for folder in ("bounds", "models", "proofs", "ssm_bounds", "tests", "notebooks", "docs")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in _KINDS
] + [ROOT / "README.md"]


def cited(text: str) -> Iterator[tuple[str, str]]:
    """Page ("theory" or "claims") and label of every citation, those that a line break or a quote cuts as well."""
    for page, *lists in _CITATION.findall(re.sub(r'(?:\\n|[\s"`#])+', " ", text)):
        for label in re.findall(_LABEL, " ".join(lists)):
            yield page.lower(), label


def dangling(text: str) -> set[tuple[str, str]]:
    return {(page, label) for page, label in cited(text) if label not in (CLAIMS if page == "claims" else HEADINGS)}


@pytest.mark.parametrize("path", CITING, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_citation_is_a_heading(path):
    assert not dangling(path.read_text(encoding="utf-8"))


def test_citations_are_found():
    """Lists, ranges, brackets, line breaks, strings in pieces; an invented one is seen."""
    page = "theory" + ".md"
    assert [label for _, label in cited(f"{page} 2 (C.9, D.4), 3.1, and {page} 5.1 to 5.4")] == [
        *("2", "C.9", "D.4", "3.1"),
        *("5.1", "5.4"),
    ]
    assert [*cited(f'see {page}\n    # 4.5."')] == [("theory", "4.5")]
    assert [*cited(f'"x ({page} "\n "8.1)"')] == [("theory", "8.1")]
    assert [*cited("(claims" + ".md 1 to 4)")] == [("claims", "1"), ("claims", "4")]
    for invented in (f"{page} 5.9", f"{page} 5.1, 99", f"{page} 2, C.11", "Theory" + " 0", "claims" + ".md 7"):
        assert len(dangling(invented)) == 1, invented
    assert sum(1 for path in CITING for _ in cited(path.read_text(encoding="utf-8"))) > 500


def test_every_source_of_a_json_document_is_a_heading():
    certificate = certify(asked(weights(V=2, d=6, N=4), {"embedding": "fixed"}))
    found = json.dumps(document(certificate))
    sources = re.findall(r'"source": "(.*?)"', found)
    assert len(set(sources)) >= 6 and all(any(cited(source)) for source in sources)
    assert not dangling(found)


def test_labels_are_read_from_headings():
    text = "# 4. Exponentials\n## 4.1 Growth\n### C.1, C.2 Norms\n### Theorem 3.2\n### Table 1\n## Notes 5\n"
    assert chapters.labels(text) == ["4", "4.1", "C.1", "C.2", "3.2", "Table 1"]


@pytest.mark.parametrize("label", KNOWN)
def test_the_source_of_a_statement_is_a_heading(label):
    """Labels of the first paper, which bear no letters of another one, stand in chapter 2."""
    found = [name for _, name in cited(KNOWN[label].source)]
    assert found
    if label.startswith("paper:") and not re.match(r"paper:[A-Z]{2}-", label):
        assert set(found) - {"10"} <= set(chapters.labels(CHAPTERS["02-published.md"]))


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_committed_chapter_is_what_the_objects_print(name):
    assert chapters.printed(CHAPTERS[name], KNOWN, CHAPTERS) == CHAPTERS[name], "run: make pages"


def test_every_statement_stands_in_one_chapter():
    boxes = Counter(label for text in CHAPTERS.values() for label in re.findall(r"<!-- statement (.*?) -->", text))
    assert boxes == Counter(list(KNOWN))


def test_another_statement_is_another_chapter():
    changed = KNOWN | {"4.1": replace(KNOWN["4.1"], recorded=Verdict.CHECKED)}
    text = CHAPTERS["04-exponentials.md"]
    assert chapters.printed(text, changed, CHAPTERS) == text.replace(
        f"{KNOWN['4.1'].title}.** {KNOWN['4.1'].recorded}", f"{KNOWN['4.1'].title}.** CHECKED"
    )


@pytest.mark.parametrize(
    ("box", "error"),
    [
        ("statement 5.9", KeyError),
        ("formula x = sums.R_9", AttributeError),
        ("formula x = architectures.selective_ssm.sums.DEFINITIONS[R_9]", KeyError),
        ("formula sums.RHO", ValueError),
    ],
)
def test_a_box_that_names_nothing_is_refused(box, error):
    with pytest.raises(error):
        chapters.printed(f"<!-- {box} -->\n<!-- end -->\n", KNOWN, CHAPTERS)


def test_boxes_are_closed_and_known():
    for name, text in CHAPTERS.items():
        marks = re.findall(r"^<!-- (\w+)", text, re.M)
        assert marks[1::2] == ["end"] * (len(marks) // 2) and len(marks) % 2 == 0, name
        assert set(marks[::2]) <= {"statement", "formula", "contents"}


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_link_leads_somewhere(name):
    folder = ROOT / "docs" / "theory"
    assert len(set(anchors(CHAPTERS[name]))) == len(anchors(CHAPTERS[name]))
    for target, fragment in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", CHAPTERS[name]):
        file = folder / (target or name)
        assert file.exists(), target
        assert not fragment or fragment in anchors(file.read_text(encoding="utf-8")), (target, fragment)


@pytest.mark.parametrize("name", CHAPTERS)
def test_markdown_that_renders(name):
    """Tables keep their columns, fences close, no macro that GitHub refuses, no code span over two lines."""
    columns = None
    for line in CHAPTERS[name].splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("| ") else None
        assert None in (columns, cells) or cells == columns, line
        columns = cells
    assert CHAPTERS[name].count("```math\n") * 2 == CHAPTERS[name].count("```")
    assert r"\operatorname" not in CHAPTERS[name]
    for line in chapters.prose(CHAPTERS[name]).splitlines():
        assert line.startswith("|") or len(line) <= 120, line
        assert line.count("`") % 2 == 0, f"a code span is cut: {line}"


def anchors(text: str) -> list[str]:
    return [anchor(title) for _, title in chapters.headings(text)]


def test_the_index_lists_every_chapter():
    listed = re.findall(r"^- \[.*?\]\((.*?)\)$", CHAPTERS["index.md"], re.M)
    assert listed == [name for name in CHAPTERS if name != "index.md"]
    assert "docs/theory/index.md" in (ROOT / "README.md").read_text(encoding="utf-8")
