"""Markdown as GitHub reads it: lists, escapes and formulas of a page mean the same there and on the site."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, fromstring

import mathml
from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor
from markdown.util import AtomicString
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

_STASHED = str.maketrans({"\x02": "\ue000", "\x03": "\ue001"})  # XML has no place for Python-Markdown's own marks
_BACK = str.maketrans({"\ue000": "\x02", "\ue001": "\x03"})
_DOCTEST = re.compile(r"^>>> .*\n?(?:.+\n?)*", re.M)
_NOT_WRAPPED = re.compile(r"^\x08\n((?:.+\n?)+)", re.M)  # a mark of click's
_COMMENT = re.compile(r"\s*<!--.*?-->\s*", re.S)


class GitHub(Extension):
    """Replaces the parser of Python-Markdown, but for a page that asks mkdocstrings for objects (``:::``).

    Headings, links and images stay elements, so that contents are made of them and links are checked.
    """

    def extendMarkdown(self, md: Markdown) -> None:
        source = _Source(md)
        usual = md.parser.parseDocument

        def document(lines: Sequence[str]) -> ElementTree:
            return usual(lines) if source.text is None else ElementTree(_tree(source.text, md))

        md.preprocessors.register(source, "github", 1000)
        md.parser.parseDocument = document


class _Source(Preprocessor):
    """Keeps the text from the preprocessors of Python-Markdown."""

    text: str | None = None

    def run(self, lines: list[str]) -> list[str]:
        if any(line.startswith("::: ") for line in lines):
            self.text = None
            return lines
        self.text = "\n".join(lines)
        return []


def _tree(text: str, md: Markdown) -> Element:
    reader = MarkdownIt("commonmark", {"xhtmlOut": True}, renderer_cls=_Renderer).enable("table")
    reader.inline.ruler.before("backticks", "formula", _formula)
    text = _NOT_WRAPPED.sub(lambda found: f"```text\n{found[1].rstrip()}\n```\n", text)
    text = _DOCTEST.sub(lambda found: f"```pycon\n{found[0].rstrip()}\n```\n", text)
    found = fromstring(f"<div>{reader.render(text, {'stash': md.htmlStash.store})}</div>")
    for node in found.iter():
        node.text, node.tail = (AtomicString((part or "").translate(_BACK)) for part in (node.text, node.tail))
    return found


def _formula(state: StateInline, silent: bool) -> bool:
    """``$`...`$`` is a formula."""
    found = re.compile(r"\$`([^`]+)`\$").match(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        state.push("formula", "math", 0).content = found[1]
    state.pos = found.end()
    return True


class _Renderer(RendererHTML):
    """XHTML, in which a mark stands for whatever the next reader must leave alone."""

    def formula(self, tokens: Sequence[Token], at: int, options: Any, env: Mapping[str, Any]) -> str:
        return _stashed(mathml.inline(tokens[at].content), env)

    def fence(self, tokens: Sequence[Token], at: int, options: Any, env: Mapping[str, Any]) -> str:
        language, text = tokens[at].info.strip(), tokens[at].content
        match language:
            case "math":
                return _block(mathml.display(text), env)
            case "{=html}":  # as Pandoc writes it
                return _block(f"<div>{text}</div>", env)
        lexer = get_lexer_by_name(language or "text", stripnl=False)
        return _block(highlight(text, lexer, HtmlFormatter(cssclass="highlight", wrapcode=True)), env)

    def code_block(self, tokens: Sequence[Token], at: int, options: Any, env: Mapping[str, Any]) -> str:
        return self.fence(tokens, at, options, env)

    def html_block(self, tokens: Sequence[Token], at: int, options: Any, env: Mapping[str, Any]) -> str:
        text = tokens[at].content
        return "" if _COMMENT.fullmatch(text) else _block(text, env)

    def html_inline(self, tokens: Sequence[Token], at: int, options: Any, env: Mapping[str, Any]) -> str:
        text = tokens[at].content
        return "" if _COMMENT.fullmatch(text) else _stashed(text, env)


def _stashed(html: str, env: Mapping[str, Any]) -> str:
    return str(env["stash"](html)).translate(_STASHED)


def _block(html: str, env: Mapping[str, Any]) -> str:
    return f"<p>{_stashed(html, env)}</p>\n"
