"""What the README tells a stranger to type is there to be typed."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from models.checkpoint import Metadata, write
from ssm_bounds.cli import main
from tests.conftest import ROOT
from tests.test_cli import weights

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (ssm-bounds .*?)(?:\s{2,}#.*)?$", README, re.M)


def test_there_are_commands():
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize("line", COMMANDS)
def test_every_option_of_a_command_exists(line):
    _, name, *words = shlex.split(line)
    command = main.commands[name]
    if isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known | {"--help"}


def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "model.safetensors", weights(), Metadata(m=20000, T=50, gate="softplus", embedding="trained"))
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "margin excess" in printed and "[9 rows" in printed


def test_every_link_leads_to_a_file():
    links = re.findall(r"\]\(([^)#]+?)\)", README)
    assert links and all((ROOT / link).exists() for link in links)


def test_the_map_names_what_is_there():
    named = set(re.findall(r"\b(\w+\.py)\b", README.split("## The map")[1]))
    rooms = [ROOT / room for room in ("ssm_bounds", "bounds", "models", "proofs")]
    assert {path.name for room in rooms for path in room.glob("*.py")} - named == {"__init__.py"}
    assert named <= {path.name for room in rooms for path in room.rglob("*.py")}
