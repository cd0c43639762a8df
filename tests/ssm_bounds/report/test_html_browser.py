"""The HTML report in a real browser: silent, offline, legible in light and dark, narrow and wide, by keyboard."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ssm_bounds.report.document import documents
from ssm_bounds.report.html.page import page as written
from tests.conftest import ROOT
from tests.ssm_bounds.report.test_html import HOSTILE, certificate

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
if BROWSER is None:
    pytest.skip("no chromium on this machine: the report is not opened in a browser", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

SCREENSHOTS = ROOT / "build" / "screenshots"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip

# contrast of every piece of text with what lies behind it (WCAG 2, 1.4.3), as [ratio, element, text]
CONTRAST = """() => {
  const channel = x => (x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(node).backgroundColor);
      if (a === 1) return [r, g, b];
      if (a > 0) throw new Error("translucent background");
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const text = [...node.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()).join("");
    if (!text || node.tagName === "SCRIPT") continue;
    const style = getComputedStyle(node);
    const [a, b] = [light(parse(node.closest("svg") ? style.fill : style.color)), light(behind(node))];
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), node.tagName, text]);
  }
  return found;
}"""

# what a keyboard must reach, in the order of the page
REACHABLE = """[...document.querySelectorAll("a[href], summary, .scroll")].filter(node => node.checkVisibility())"""
FOCUSED = f"""() => {{
  const node = document.activeElement, style = getComputedStyle(node), box = node.getBoundingClientRect();
  const ringed = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return {{place: {REACHABLE}.indexOf(node), ringed, inside: box.bottom > 0 && box.top < innerHeight}};
}}"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Pages on disk by name, and the document of the single certificate."""
    folder = tmp_path_factory.mktemp("pages")
    one, other = certificate(train=False), certificate(m=5)
    path = "runs/" + "a_very_long_folder_name_" * 12 + "/" + HOSTILE.replace("/", "_") + ".pth"
    checkpoint = replace(other.question.checkpoint, path=path)
    long = replace(other, question=replace(other.question, checkpoint=checkpoint))
    texts = {
        "one": written([one], command="ssm-bounds certify runs/model.safetensors --format html --out report.html"),
        "several": written([one, long], command="c " + "x" * 300),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {"folder": folder, "document": documents([one]), **texts}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield found
        found.close()


@contextmanager
def opened(browser: Any, files: dict[str, Any], name: str = "one", **options: Any) -> Iterator[Any]:
    """The page by file://; at the end it must have said nothing and asked for nothing but itself."""
    context = browser.new_context(**options)
    said: list[str] = []
    asked: list[str] = []
    address = (files["folder"] / f"{name}.html").as_uri()

    def gate(route: Any) -> None:
        asked.append(route.request.url)
        if route.request.url == address:
            route.continue_()
        else:
            route.abort()

    context.route("**/*", gate)
    page = context.new_page()
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    try:
        page.goto(address)
        yield page
        assert said == []
        assert [url for url in asked if url != address and not url.startswith("data:")] == []
    finally:
        context.close()


def shot(page: Any, folder: Path, name: str) -> None:
    """A screenshot in the test's folder, and a copy where the next run overwrites it; of several only the top."""
    path = folder / f"{name}.png"
    page.screenshot(path=path, full_page=not name.startswith("several"))
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, SCREENSHOTS)
    assert path.stat().st_size > 20_000


def open_all(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(found => found.open = true)")


@pytest.mark.parametrize("name", ["one", "several"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_in_silence_and_is_legible(browser, files, tmp_path, name, scheme):
    with opened(browser, files, name, color_scheme=scheme, viewport={"width": 1200, "height": 900}) as page:
        open_all(page)
        found = page.evaluate(CONTRAST)
        kinds = {kind for _, kind, _ in found}
        assert {"text", "SUMMARY", "TD", "TH", "A", "STRONG", "FIGCAPTION"} <= kinds
        assert min(found)[0] >= 4.5, min(found)
        back = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (int(back[4:].split(",")[0]) < 60) == (scheme == "dark")
        shot(page, tmp_path, f"{name}-{scheme}")


@pytest.mark.parametrize("width", [360, 768, 1600])
@pytest.mark.parametrize("name", ["one", "several"])
def test_the_page_never_scrolls_sideways(browser, files, tmp_path, name, width):
    with opened(browser, files, name, viewport={"width": width, "height": 800}) as page:
        for _ in range(2):
            wide, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
            assert wide <= room == width
            # nothing but what lies in a scroll region reaches past the edge
            spilled = page.evaluate("""() => [...document.querySelectorAll("body *")].filter(node =>
                node.getBoundingClientRect().right > innerWidth + 1 && !node.parentElement.closest(".scroll, .skip")
            ).map(node => node.outerHTML.slice(0, 90))""")
            assert spilled == []
            open_all(page)
        if name == "one":
            scrolling = page.evaluate("""() => [...document.querySelectorAll(".scroll")].filter(
                node => node.scrollWidth > node.clientWidth + 1).length""")
            assert (scrolling > 0) == (width < 800)
        shot(page, tmp_path, f"{name}-{width}")


def test_every_part_is_reached_by_keyboard(browser, files):
    with opened(browser, files, viewport={"width": 900, "height": 700}) as page:
        expected = page.evaluate(f"{REACHABLE}.map(node => node.className || node.tagName)")
        assert expected[0] == "skip" and expected[-1] == "download"
        assert expected.count("SUMMARY") >= 6 and sum(kind.startswith("scroll") for kind in expected) >= 8
        met = []
        for _ in expected:
            page.keyboard.press("Tab")
            met.append(page.evaluate(FOCUSED))
        assert [step["place"] for step in met] == list(range(len(expected)))
        assert all(step["ringed"] and step["inside"] for step in met), met


def test_enter_opens_what_is_folded_and_the_skip_link_skips(browser, files):
    with opened(browser, files) as page:
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main" and page.url.endswith("#main")
        folded = page.locator("details", has_text="The other rungs")
        assert not folded.locator("table").first.is_visible()
        folded.locator("summary").focus()
        page.keyboard.press("Enter")
        assert folded.locator("table").first.is_visible()
        page.keyboard.press("Enter")
        assert not folded.locator("table").first.is_visible()


def test_the_json_is_read_and_downloaded(browser, files, tmp_path):
    with opened(browser, files, accept_downloads=True) as page:
        assert page.evaluate("JSON.parse(document.getElementById('certificate').textContent)") == files["document"]
        with page.expect_download() as waiting:
            page.locator("a.download").click()
        waiting.value.save_as(tmp_path / "certificate.json")
        assert waiting.value.suggested_filename == "certificate.json"
        assert json.loads((tmp_path / "certificate.json").read_text()) == files["document"]


def test_it_reads_without_scripts(browser, files):
    with opened(browser, files, java_script_enabled=False) as page:
        text = page.locator("main").inner_text()
        assert "With probability at least 0.95" in text and "CONDITIONAL" in text
        assert page.locator("svg[role=img]").first.is_visible()
        page.locator("summary", has_text="Setting").click()
        assert page.get_by_text("failure probability").is_visible()


def test_it_prints_whole(browser, files, tmp_path):
    with opened(browser, files, viewport={"width": 718, "height": 1000}) as page:  # A4 within margins of 1 cm
        page.emulate_media(media="print", color_scheme="dark")
        shown = """() => [...document.querySelectorAll("details table")].every(
            node => node.checkVisibility() && node.getBoundingClientRect().height > 20)"""
        assert page.evaluate(shown) and page.locator("details:not([open])").count() > 3
        assert not page.locator("nav").is_visible() and not page.locator("a.download").is_visible()
        ink, paper = page.evaluate("(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))")
        assert (ink, paper) == ("rgb(0, 0, 0)", "rgb(255, 255, 255)")
        assert page.evaluate("getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
        assert page.evaluate("document.documentElement.scrollWidth") <= 718
        shot(page, tmp_path, "one-print")


def test_a_hostile_name_is_text(browser, files):
    with opened(browser, files, "several") as page:
        assert page.locator("img").count() == 0 and page.locator("script").count() == 1
        assert page.locator("bdi", has_text="<img src=x onerror=alert(1)>").count() >= 2


def test_it_opens_without_a_file(browser, files):
    """As in a notebook: written into an empty document."""
    context = browser.new_context(offline=True)
    said: list[str] = []
    asked: list[str] = []
    try:
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.set_content(files["one"])
        assert page.locator("h1").inner_text() == "Certificate of model.safetensors"
        assert said == [] and [url for url in asked if not url.startswith("data:")] == []
    finally:
        context.close()


def test_formulas_are_laid_out(browser, files):
    """A fraction is taller than a line, a root has its base inside: the MathML is drawn, not printed as letters."""
    with opened(browser, files) as page:
        open_all(page)
        heights = page.evaluate("""() => ["mfrac", "msqrt", "msub"].map(tag => Math.max(
            ...[...document.querySelectorAll(tag)].map(node => node.getBoundingClientRect().height)))""")
        assert heights[0] > 25 and heights[1] > 30 and heights[2] > 8
        assert page.locator("merror, mfenced, apply").count() == 0
