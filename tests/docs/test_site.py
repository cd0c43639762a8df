"""The documentation site: built strictly without importing torch, whole, and read without a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from html.parser import HTMLParser
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml

from tests.conftest import ROOT

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
HOOKS = ROOT / "docs" / "hooks"
PACKAGES = ("ssm_bounds", "bounds", "models", "proofs")


def build(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """``make docs`` into another folder, where whoever imports torch fails."""
    poison = folder.parent / "poison"
    poison.mkdir(exist_ok=True)
    (poison / "torch.py").write_text("raise ImportError('the site needs no torch')")
    path = os.pathsep.join([str(poison), str(HOOKS)])
    environment = os.environ | {"PYTHONPATH": path, "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder), *options]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    found = build(folder, "--quiet")
    assert found.returncode == 0 and found.stderr == "", found.stderr[-4000:]
    return folder


class Page(HTMLParser):
    """The elements of a page: their names with attributes, and all text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def loaded(self) -> Iterator[str]:
        """What a browser fetches by itself."""
        for tag, attributes in self.elements:
            if tag == "link" and attributes.get("rel") in ("canonical", "prev", "next"):
                continue
            names = ("src", "srcset", "data", "poster") if tag != "link" else ("href",)
            yield from (attributes[name] for name in names if name in attributes)

    def links(self) -> Iterator[str]:
        yield from (attributes["href"] for tag, attributes in self.elements if tag == "a" and "href" in attributes)


def hook(name: str) -> ModuleType:
    spec = spec_from_file_location(f"site_{name}", HOOKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pages(site: Path) -> dict[str, Page]:
    # mkdocs writes 404.html for a server that answers every address with it: its links begin at the top
    return {str(path.relative_to(site)): Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def test_nothing_is_loaded_from_a_network(site):
    remote = re.compile(r"(?:https?:)?//")
    found = {(name, url) for name, page in pages(site).items() for url in page.loaded() if remote.match(url)}
    assert found == set()
    for path in (*site.rglob("*.css"), *site.rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"""@import\s*(?:url\()?["']?(?:https?:)?//|url\(\s*["']?(?:https?:)?//""", text), path
    for path in site.rglob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?://[^\"'`\s]*(?:unpkg|jsdelivr|cdnjs|googleapis|gstatic)", text), path
        assert not re.search(r"""(?:import|importScripts|fetch|new Worker)\(\s*["'`]https?:""", text), path


def test_the_check_sees_what_is_loaded(tmp_path):
    path = tmp_path / "page.html"
    path.write_text('<link rel="stylesheet" href="//a/b.css"><script src="https://c/d.js"></script><img src="e.png">')
    assert list(Page(path).loaded()) == ["//a/b.css", "https://c/d.js", "e.png"]


def test_every_file_and_anchor_that_a_page_names_is_there(site):
    """Beyond what mkdocs checks: links in HTML, the navigation and the theme's own files."""
    found = pages(site)
    anchors = {name: {a["id"] for _, a in page.elements if "id" in a} for name, page in found.items()}
    for name, page in found.items():
        for url in (*page.loaded(), *page.links()):
            parts = urlsplit(url)
            if parts.scheme or not (parts.path or parts.fragment):
                continue
            target = (site / name).parent / unquote(parts.path) if parts.path else site / name
            assert target.resolve().is_file(), (name, url)
            if parts.fragment and target.suffix == ".html":
                place = str(target.resolve().relative_to(site.resolve()))
                assert unquote(parts.fragment) in anchors[place], (name, url)


def test_every_page_and_package_is_in_the_navigation(site):
    index = {str((site / url).relative_to(site)) for url in pages(site)["index.html"].links()}
    written = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    notebooks = {path.relative_to(ROOT).with_suffix(".html") for path in (ROOT / "notebooks").glob("*.ipynb")}
    named = {f"{name}.html" for name in ("CONTRIBUTING", "CHANGELOG", "SECURITY", "schema")}
    assert {str(path) for path in written | notebooks} | named <= index
    for package in PACKAGES:
        for init in (ROOT / package).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT).parts
            name = "index" if parts == ("ssm_bounds",) else ".".join(("ssm_bounds", *parts[parts[0] == "ssm_bounds" :]))
            assert f"reference/{name}.html" in index, init


def test_every_module_has_a_place_in_the_reference(site):
    anchors = {
        attributes.get("id")
        for path in (site / "reference").glob("*.html")
        for _, attributes in Page(path).elements
        if "id" in attributes
    }
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts if parts[0] == "ssm_bounds" else ("ssm_bounds", *parts))
            if path.stem not in ("__init__", "__main__") and path.read_text(encoding="utf-8").startswith('"""'):
                assert name in anchors, path
    import ssm_bounds

    face = Page(site / "reference" / "index.html").text
    assert all(name in face for name in ssm_bounds.__all__)


def test_formulas_are_mathml_without_remains_of_latex(site):
    for name in ("theory/03-covers.html", "ledger.html", "notation.html", "notebooks/03-length-independence.html"):
        page = Page(site / name)
        assert [tag for tag, _ in page.elements].count("math") > 5
        assert "merror" not in {tag for tag, _ in page.elements}
        text = re.sub(r"<(code|pre|script|style)\b.*?</\1>", "", (site / name).read_text(encoding="utf-8"), flags=re.S)
        shown = re.sub(r"<[^>]*>", "", text)
        assert not re.search(r"\\(?:frac|left|leq|begin|sqrt|log)\b|\$`|`\$|```", shown), name
    display = hook("mathml").display
    lined = display(r"a \leq b \\ \lceil c \rceil < d")
    assert lined.count("<mtr>") == 2 and "<mo>&#x02308;</mo>" in lined and 'display="block"' in lined
    assert display("\\begin{aligned}\na &= b \\\\\nc &= d\n\\end{aligned}").count("<mtr>") == 2


def test_what_leads_nowhere_fails_the_build(tmp_path):
    """With the reader and the validation of the site, on pages of which each link but the first is wrong."""
    ours = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(
        "# A\n\n## In [order](#in-order)\n\n- a list\n  - [no page](none.md)\n  - [no anchor](other.md#none)\n"
    )
    (tmp_path / "docs" / "other.md").write_text("# Not in the navigation\n")
    (tmp_path / "hook.py").write_text(
        "from github import GitHub\n\n\ndef on_config(config):\n    config.markdown_extensions.append(GitHub())\n"
    )
    config = {"site_name": "a", "theme": "mkdocs", "nav": ["index.md", "missing.md"], "hooks": ["hook.py"]}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config | {"validation": ours["validation"]}))
    found = build(tmp_path / "site", "--config-file", str(tmp_path / "mkdocs.yml"))
    assert found.returncode == 1 and found.stderr.count("WARNING") == 4, found.stderr
    for reason in ("- other.md\n", "'missing.md' is included", "link 'none.md'", "not contain an anchor '#none'"):
        assert reason in found.stderr


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def test_outputs_of_a_notebook_are_shown_as_committed():
    output = nbformat.v4.new_output
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "box"}, "text/plain": "interactive(...)"}
    outputs = [
        output("stream", text="\x1b[31mred\x1b[0m ```\n"),
        output("display_data", {"image/png": PIXEL, "text/plain": "<Figure>"}),
        output("execute_result", {"text/html": "<table>\n\n<tr><td>1</td></tr></table>", "text/plain": "1"}),
        output("execute_result", {"text/latex": r"$\displaystyle x \leq y$", "text/plain": "x <= y"}),
        output("execute_result", {"text/markdown": "**Answer.** $x$ costs \\$1 or $2"}),
        output("display_data", view),
    ]
    cells = [
        nbformat.v4.new_markdown_cell("# A title\n\n$$a \\\\ b$$"),
        nbformat.v4.new_code_cell("f()", outputs=outputs),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    inner = {"box": {"state": {"children": ["IPY_MODEL_out"]}}, "out": {"state": {"outputs": [outputs[0]]}}}
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": inner}}
    text, images = hook("notebooks").page(notebook, "name")
    assert text.startswith("# A title\n\n```math\na \\\\ b\n```\n\n```python\nf()\n```\n\n````text\nred ```\n````\n")
    assert "](name-1.png)" in text and images["name-1.png"].startswith(b"\x89PNG")
    assert "```{=html}\n<table>" in text and "```math\n\\displaystyle x \\leq y\n```" in text
    assert "**Answer.** $`x`$ costs \\$1 or $2" in text
    assert "interactive" not in text and text.count("red ```") == 2


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if BROWSER is None:
        pytest.skip("no chromium on this machine: the site is not opened in a browser")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def page(browser, site) -> Iterator[Any]:
    """At the end it must have said nothing, and asked for nothing but files of the site."""
    context = browser.new_context(offline=True)
    said: list[str] = []
    shown = context.new_page()
    shown.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    shown.on("pageerror", lambda error: said.append(str(error)))
    shown.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
    home = site.as_uri()
    shown.on(
        "request", lambda request: said.append(request.url) if not request.url.startswith((home, "data:")) else None
    )
    yield shown
    context.close()
    assert said == []


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("index.html", "ssm-bounds"),
        ("theory/04-exponentials.html", "4. Exponentials and gates"),
        ("ledger.html", "Ledger"),
        ("notebooks/03-length-independence.html", "Length independence"),
        ("reference/ssm_bounds.bounds.html", "ssm_bounds.bounds"),
        ("schema.html", "JSON schema"),
    ],
)
def test_a_page_opens_in_silence(page, site, name, title):
    page.goto((site / name).as_uri())
    assert page.locator("h1").first.is_visible() and page.locator("h1").first.inner_text().rstrip("¶ \n") == title
    if name.startswith(("theory", "ledger", "notebooks")):
        # laid out, not printed as letters: an exponent is smaller than its base and stands higher
        base, power = (page.locator(f"msup > :nth-child({at})").first.bounding_box() for at in (1, 2))
        assert power["y"] < base["y"] and page.locator("math").first.is_visible()


def test_the_search_works_on_files(page, site):
    from playwright.sync_api import TimeoutError

    page.goto((site / "index.html").as_uri())
    found = page.locator(".md-search-result__item").first
    for _ in range(12):  # what is typed before the scripts have started is not searched for
        page.locator("input.md-search__input").fill("")
        page.locator("input.md-search__input").press_sequentially("Riemann")
        with suppress(TimeoutError):
            found.wait_for(timeout=10_000)
            break
    assert found.is_visible()
    assert "theory/04-exponentials.html" in " ".join(
        link.get_attribute("href") for link in page.locator("a.md-search-result__link").all()
    )
