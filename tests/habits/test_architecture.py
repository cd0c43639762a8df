"""The arrows between the rooms, and what a start of the command may import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

ROOMS = ("ssm_bounds", "bounds", "models", "proofs")
FILES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
# What each room may import, besides itself: arrows go down only, without exemption.
GROUND = {"bounds.notation", "bounds.values"}
EVALUATE = GROUND | {"bounds.evaluate"}
COVERS = EVALUATE | {"bounds.covers"}
MIDDLE = COVERS | {"bounds.gaps", "bounds.selection"}
LADDER = MIDDLE | {"bounds.architectures", "bounds.codes", "bounds.ladder"}
BOUNDS = LADDER | {"bounds.explain", "bounds.sweeps"}
BELOW = {
    "bounds.notation": set(),
    "bounds.values": set(),
    "bounds.evaluate": GROUND,
    "bounds.covers": EVALUATE,
    "bounds.gaps": COVERS,
    "bounds.selection": COVERS,
    "bounds.architectures": MIDDLE | {"bounds.codes"},
    "bounds.codes": MIDDLE,
    "bounds.ladder": LADDER,
    "bounds.explain": LADDER,
    "bounds.sweeps": LADDER,
    "bounds": BOUNDS,
    "models": BOUNDS | {"torch"},
    "proofs.systems": BOUNDS | {"models", "proofs", "torch"},
    "proofs.falsify": BOUNDS | {"models", "proofs", "torch"},
    "proofs": BOUNDS | {"proofs.systems", "proofs.falsify"},
    "ssm_bounds": BOUNDS | {"models", "proofs", "proofs.systems", "proofs.falsify", "torch"},
}


def room(name: str) -> str | None:
    """The room of a module, by the most special entry of BELOW; None for other people's packages but torch."""
    parts = name.removeprefix("ssm_bounds.").split(".")
    if name.split(".")[0] == "torch":
        return "torch"
    if name.split(".")[0] != "ssm_bounds":
        return None
    if parts[0] not in ("bounds", "models", "proofs"):
        return "ssm_bounds"
    return next(found for found in (".".join(parts[:2]), parts[0]) if found in BELOW)


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts if parts[0] == "ssm_bounds" else ("ssm_bounds", *parts))


def imports(source: str) -> set[str]:
    """Every imported module, wherever in the file; of ``from a import b`` both a.b, and a where b is no module."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports are not used here"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_go_down(path):
    here = room(module(path))
    found = {name for name in map(room, imports(path.read_text(encoding="utf-8"))) if name is not None}
    assert found - {here} <= BELOW[here]


def test_no_banner_divides_a_file():
    """What needs one is another file."""
    banner = re.compile(r"^\s*#\s*([-=*#])\1\1", re.MULTILINE)
    assert [path for path in FILES if banner.search(path.read_text(encoding="utf-8"))] == []


def test_only_the_top_floor_prints():
    for path in FILES:
        if path.relative_to(ROOT).parts[0] != "ssm_bounds":
            packages = {name.split(".")[0] for name in imports(path.read_text(encoding="utf-8"))}
            assert not packages & {"rich", "click"}, path


def test_every_room_of_the_ground_floor_has_its_arrows():
    rooms = {".".join(module(path).split(".")[1:3]) for path in FILES if path.parts[len(ROOT.parts)] == "bounds"}
    assert rooms - {"bounds.__init__"} == {name for name in BELOW if name.startswith("bounds.")}


def test_an_arrow_that_goes_up_is_seen():
    assert room("ssm_bounds.bounds.ladder.rung.Rung") not in BELOW["bounds.covers"]
    assert room("ssm_bounds.question.Question") not in BELOW["models"]
    assert room("torch.nn") not in BELOW["proofs"] | BELOW["bounds"]
    assert imports("def f():\n    from ssm_bounds.bounds import ladder") == {"ssm_bounds.bounds.ladder"}


def test_only_one_file_touches_precision():
    for path in FILES:
        source = path.read_text(encoding="utf-8")
        if path.name not in ("balls.py", "spectral.py"):
            assert not any(word in source for word in ("workprec", "workdps", "ctx.prec")), path


@pytest.mark.parametrize(
    "statement",
    [
        "import ssm_bounds.cli",
        "import ssm_bounds.bounds.ladder.registry",
        "import ssm_bounds.report.document, ssm_bounds.report.tables",
    ],
)
def test_bounds_start_without_torch(statement):
    check = f"{statement}; import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT).returncode == 0


def test_help_starts_without_sympy():
    check = "import sys, ssm_bounds.cli; sys.exit(bool({'sympy', 'torch', 'flint', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT).returncode == 0


@pytest.mark.parametrize(
    "command", ["", "certify", "compare", "sweep", "explain", "experiment", "order", "train", "verify"]
)
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
