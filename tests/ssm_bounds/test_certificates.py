"""Quick versions of the certificates of ``make certificates``, by the same commands."""

from __future__ import annotations

import re

import pytest

from tests import certificates, corpora
from tests.certificates import DEBIAN, ROWS, SNIPPETS, Place, quickly, reached
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        quickly(patch.setattr)
        yield Place(tmp_path_factory.mktemp("certificates"), quick=True)


@pytest.mark.parametrize("name", [name for name in ROWS if name not in ("head16000", *SNIPPETS)])
def test_a_quick_one(place, name):
    if name in DEBIAN and not (corpora.WORDNET.is_dir() and (corpora.GCIDE / "gcide.dict.dz").is_file()):
        pytest.skip("the Debian packages wordnet-base and dict-gcide are not installed")
    if name not in DEBIAN:
        pytest.importorskip("mnist1d", reason="the package mnist1d is not installed")
    found = reached(place, name)
    assert found.fine, found
    assert found.verdict == ("CERTIFIED" if name in ("scratch", "glosses", "documents") else "CONDITIONAL")


def test_a_number_that_misses_is_a_failure(tmp_path, monkeypatch, capsys):
    def made(value):
        return {"value": value, "unit": "risk", "verdict": "CERTIFIED", "must": 0.5, "least": False, "seen": "x"}

    monkeypatch.setattr(
        certificates, "ROWS", {"a": ("one", lambda place: made(0.4)), "b": ("two", lambda place: made(0.60001))}
    )
    assert certificates.run(["--place", str(tmp_path), "--only", "a"]) == 0
    assert certificates.run(["--place", str(tmp_path), "--out", str(tmp_path / "page.md")]) == 1
    assert (
        "missed: b" in capsys.readouterr().err and "| two | **0.6001** | <= 0.5 |" in (tmp_path / "page.md").read_text()
    )


def test_the_report_that_is_kept_reached_what_it_must():
    """And the numbers of the README are its numbers."""
    report = (ROOT / "docs" / "certificates.md").read_text()
    rows = re.findall(r"^\| (.*?) \| \*\*(-?[\d.]+)\*\*.*? \| ([<>]=) (-?[\d.]+) \|", report, re.M)
    assert len(rows) >= 5
    for name, value, sign, must in rows:
        assert float(value) <= float(must) if sign == "<=" else float(value) >= float(must), name
    readme = (ROOT / "README.md").read_text()
    told = re.findall(
        r"(-?0\.\d+|-?\d\.\d+)", readme.split("[What was reached](docs/certificates.md)")[0].rsplit("\n\n", 1)[1]
    )
    assert told and set(told) <= {value.rstrip("0") for _, value, *_ in rows} | {value for _, value, *_ in rows}
