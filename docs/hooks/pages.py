"""Pages that lie outside ``docs``, the JSON schema, and links as they must read on the site."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from github import GitHub
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = {"README.md": "index.md"} | {name: name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")}
"""Where a page of the repository stands on the site."""
ATTACHED = ("CITATION.cff", "LICENSE")
SCHEMA = ROOT / "ssm_bounds" / "report" / "schema.json"

_LINK = re.compile(r"\]\((?![\w+.-]+:|#)([^)#\s]+)")


@event_priority(100)  # before mkdocstrings keeps the list for itself
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.markdown_extensions.append(GitHub())
    config.mdx_configs["toc"]["slugify"] = anchor
    return config


@event_priority(-100)  # after the other hooks have made their pages
def on_files(files: Files, config: MkDocsConfig) -> Files:
    for home, place in OUTSIDE.items():
        files.append(File.generated(config, place, content=(ROOT / home).read_text(encoding="utf-8")))
    for name in ATTACHED:
        files.append(File.generated(config, name, content=(ROOT / name).read_bytes()))
    schema = SCHEMA.read_text(encoding="utf-8")
    files.append(File.generated(config, "schema.json", content=schema))
    words = "As a file: [schema.json](schema.json). In words: [the JSON document](json.md)."
    files.append(File.generated(config, "schema.md", content=f"# JSON schema\n\n{words}\n\n```json\n{schema}```\n"))
    config.nav = [_filled(entry, files) for entry in config.nav or []]
    return files


def _filled(entry: object, files: Files) -> object:
    """The entry of the navigation, with folders spelled out: an index first, then by name."""
    if isinstance(entry, list):
        return [_filled(part, files) for part in entry]
    if isinstance(entry, dict):
        return {title: _filled(part, files) for title, part in entry.items()}
    if isinstance(entry, str) and entry.endswith("/"):
        found = [file.src_uri for file in files.documentation_pages() if file.src_uri.startswith(entry)]
        return sorted(found, key=lambda name: (not name.endswith("/index.md"), name.removesuffix(".md")))
    return entry


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to a file of the repository lead to its place on the site."""
    here = page.file.src_uri
    outside = {place: home for home, place in OUTSIDE.items()}
    home = posixpath.dirname(outside.get(here, here if here.startswith("notebooks/") else f"docs/{here}"))

    def moved(found: re.Match[str]) -> str:
        place = placed(posixpath.normpath(posixpath.join(home, found[1])))
        return f"]({posixpath.relpath(place, posixpath.dirname(here) or '.')}"

    return _LINK.sub(moved, markdown)


def placed(path: str) -> str:
    """Where a file of the repository stands on the site; what has no place there keeps its path, and is refused."""
    if path.endswith(".ipynb"):
        return path.removesuffix("ipynb") + "md"
    return OUTSIDE.get(path, path.removeprefix("docs/"))


def anchor(heading: str, separator: str = "-") -> str:
    """The anchor that GitHub gives a heading: lower case, blanks to hyphens, punctuation dropped."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", separator)
