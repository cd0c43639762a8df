"""``import ssm_bounds``: what ``help`` says of it is complete, and its example runs."""

from __future__ import annotations

import ast
import inspect
import pydoc
import re
import textwrap

import pytest

import ssm_bounds
from tests.notebooks import FOLDER

INTRODUCTION = inspect.getdoc(ssm_bounds)
NAMED = re.findall(r"^    (\w+) {2,}\w", INTRODUCTION, re.M)


def test_help_names_each_name_once_and_says_what_it_gives():
    assert sorted(NAMED) == sorted(ssm_bounds.__all__)
    assert set(NAMED) | {"__version__"} == set(dir(ssm_bounds))


def test_help_can_be_read():
    text = pydoc.render_doc(ssm_bounds, renderer=pydoc.plaintext)
    assert textwrap.indent(INTRODUCTION.splitlines()[2], "    ") in text
    assert max(map(len, INTRODUCTION.splitlines())) <= 110 and len(INTRODUCTION.splitlines()) <= 50


@pytest.mark.parametrize("name", ssm_bounds.__all__)
def test_each_name_has_a_help_of_its_own(name):
    assert inspect.getdoc(getattr(ssm_bounds, name)).strip()


def test_its_example_of_three_lines_prints_what_it_says(monkeypatch, capsys):
    lines = [line[4:] for line in INTRODUCTION.splitlines() if line.startswith("    ")]
    start = lines.index("import ssm_bounds")
    source, (promised, dots) = "\n".join(lines[start : start + 3]), lines[start + 3 : start + 5]
    assert [type(node) for node in ast.parse(source).body] == [ast.Import, ast.Assign, ast.Expr]
    monkeypatch.chdir(FOLDER)
    exec(compile(source, "help(ssm_bounds)", "exec"), {})
    printed = capsys.readouterr().out
    assert promised.startswith("CERTIFIED") and dots.startswith("...")
    assert printed.startswith(promised) and printed.rstrip().endswith(dots.removeprefix("..."))
