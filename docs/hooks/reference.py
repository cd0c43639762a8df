"""A page for each package, written from its docstrings as they stand in the files: nothing is imported."""

from __future__ import annotations

import ast
import re
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
FACE = "ssm_bounds"
ROOMS = ("bounds", "models", "proofs")
"""Folders that are installed under the face, and lie beside it in the repository."""

_links: list[tempfile.TemporaryDirectory[str]] = []


@event_priority(100)  # before mkdocstrings makes its handlers
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    folder = tempfile.TemporaryDirectory(prefix="ssm-bounds-docs-")
    _links.append(folder)
    installed(Path(folder.name))
    config.plugins["mkdocstrings"].config.handlers["python"]["paths"] = [folder.name]
    return config


def on_post_build(config: MkDocsConfig) -> None:
    while _links:
        _links.pop().cleanup()


def installed(folder: Path) -> None:
    """Links that lay the packages out as an installation does."""
    (folder / FACE).mkdir()
    for path in (*(ROOT / FACE).iterdir(), *(ROOT / room for room in ROOMS)):
        (folder / FACE / path.name).symlink_to(path)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name, text in pages().items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def pages() -> dict[str, str]:
    """Markdown by the name of the page. The face stands first, with what it offers at the top."""
    found = {}
    for top, folder in ((FACE, ROOT / FACE), *((f"{FACE}.{room}", ROOT / room) for room in ROOMS)):
        for init in sorted(folder.rglob("__init__.py")):
            package = ".".join((top, *init.parent.relative_to(folder).parts))
            modules = sorted(path for path in init.parent.glob("*.py") if path.stem not in ("__init__", "__main__"))
            parts = [f"# {package}", _package(package, init), *(f"::: {package}.{path.stem}\n" for path in modules)]
            if package == FACE:
                parts.insert(2, "\n".join(offered(init)))
            found["index" if package == FACE else package] = "\n\n".join(parts)
    return found


def _package(name: str, init: Path) -> str:
    """The package itself: its docstring and what it defines; what it passes on stands where it is defined."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = [node.name for node in _body(init) if isinstance(node, kinds) and not node.name.startswith("_")]
    options = {"show_root_heading": "false", "members": f"[{', '.join(names)}]" if names else "false"}
    return "\n".join([f"::: {name}", "    options:", *(f"      {key}: {value}" for key, value in options.items())])


def offered(init: Path) -> Iterator[str]:
    """A line for each name that a caller may import from the face, with the first sentence of its docstring."""
    imports = [
        (alias.name, node.module or "")
        for branch in _body(init)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    for name, home in sorted(imports, key=lambda pair: pair[0].lower()):
        module = home if home.startswith(FACE) else f"{FACE}.{home}"
        yield f"- [`{name}`][{module}.{name}]: {_sentence(module, name)}"


def _sentence(module: str, name: str) -> str:
    """The first of its docstring."""
    first, *rest = module.removeprefix(f"{FACE}.").split(".")
    path = (ROOT if first in ROOMS else ROOT / FACE).joinpath(first, *rest)
    body = _body(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))
    (node,) = (node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name)
    paragraph = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
    return escape(re.split(r"(?<=[.?]) ", paragraph)[0], quote=False)


def _body(path: Path) -> list[ast.stmt]:
    return ast.parse(path.read_text(encoding="utf-8")).body
