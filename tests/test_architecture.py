"""The arrows between the rooms, and what a start of the command may import."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.conftest import ROOT

ROOMS = ("bounds", "models", "proofs")
FILES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
CLI = ROOT / "bounds" / "cli"


def imports(source: str) -> set[str]:
    """Every imported module, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_data_flows_one_way(path):
    found = imports(path.read_text(encoding="utf-8"))
    tops = {name.split(".")[0] for name in found}
    room = path.relative_to(ROOT).parts[0]
    if path.parent == CLI:
        return
    if room == "bounds":
        assert not tops & {"torch", "models", "proofs"}
    if room == "models":
        assert "proofs" not in tops
        used = {name for name in found if name.startswith("bounds.") and name.count(".") == 1}
        allowed = {"bounds.constants", "bounds.losses"}
        if path.name in ("quantise.py", "integers.py", "rounded.py"):  # codes, and the search for the shortest
            allowed |= {"bounds.occam", "bounds.enclose"}
        if path.parent.name == "experiments":  # trains and certifies; nothing else in the room may import it
            return
        assert used <= allowed
        assert not any(name.startswith("models.experiments") for name in found)
    if room == "proofs" and path.name != "falsify.py":
        assert not tops & {"torch", "models"}


def test_only_one_file_touches_precision():
    for path in FILES:
        source = path.read_text(encoding="utf-8")
        if path.name not in ("enclose.py", "norms.py"):
            assert "workprec" not in source and "workdps" not in source, path


@pytest.mark.parametrize("statement", ["import bounds.cli", "import bounds.ladder, bounds.report, bounds.render"])
def test_bounds_start_without_torch(statement):
    check = f"{statement}; import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT).returncode == 0


def test_help_starts_without_sympy():
    check = "import sys, bounds.cli; sys.exit(bool({'sympy', 'torch', 'flint', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT).returncode == 0
