"""The arrows between the rooms, and what a start of the command may import."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.conftest import ROOT

ROOMS = ("ssm_bounds", "bounds", "models", "proofs")
FILES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
ABOVE = {
    "bounds": {"models", "proofs", "ssm_bounds", "torch"},
    "models": {"proofs", "ssm_bounds"},
    "proofs": {"ssm_bounds"},
}


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
    assert not tops & ABOVE.get(room, set())
    if room == "models":
        used = {name for name in found if name.startswith("bounds.") and name.count(".") == 1}
        allowed = {"ssm_bounds.bounds.values", "ssm_bounds.bounds.gaps.losses"}
        if path.name in ("quantise.py", "integers.py", "rounded.py"):  # codes, and the search for the shortest
            allowed |= {"ssm_bounds.bounds.codes.tensors", "ssm_bounds.bounds.evaluate.balls"}
        assert used <= allowed
    if room == "proofs" and path.name != "falsify.py":
        assert not tops & {"torch", "models"}


def test_architectures_read_what_lies_below():
    below = {"architectures", "constants", "covering", "notation", "selection"}
    for path in FILES:
        if path.parent.name == "architectures":
            found = {name for name in imports(path.read_text(encoding="utf-8")) if name.startswith("bounds.")}
            assert {name.split(".")[1] for name in found} <= below, path


def test_only_one_file_touches_precision():
    for path in FILES:
        source = path.read_text(encoding="utf-8")
        if path.name not in ("enclose.py", "spectral.py"):
            assert "workprec" not in source and "workdps" not in source, path


@pytest.mark.parametrize(
    "statement",
    ["import ssm_bounds.cli", "import ladder.covering", "import ssm_bounds.report.document, ssm_bounds.report.tables"],
)
def test_bounds_start_without_torch(statement):
    check = f"{statement}; import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT).returncode == 0


def test_help_starts_without_sympy():
    check = "import sys, ssm_bounds.cli; sys.exit(bool({'sympy', 'torch', 'flint', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("command", ["", "certify", "sweep", "explain", "experiment", "train", "verify"])
def test_help_of_a_command_starts_without_sympy(command):
    arguments = [*command.split(), "--help"]
    heavy = ("sympy", "torch", "flint", "numpy", "pandas", "matplotlib", "z3", "IPython", "distributed")
    check = (
        f"import sys; from ssm_bounds.cli import main; main({arguments}, standalone_mode=False); "
        f"sys.exit(', '.join({set(heavy)} & set(sys.modules)) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_a_certificate_starts_without_what_it_does_not_use():
    heavy = ("torch", "pandas", "matplotlib", "z3", "IPython", "distributed", "jinja2")
    check = (
        "import sys, ssm_bounds.certificate, ssm_bounds.report.document, ssm_bounds.report.tables; "
        f"sys.exit(', '.join({set(heavy)} & set(sys.modules)) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
