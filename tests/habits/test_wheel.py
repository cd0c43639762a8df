"""One import name: what is installed shadows no folder of anybody, and everything is in it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
import zipfile

import pytest

from tests.conftest import ROOT

ROOMS = ("bounds", "models", "proofs")
FILES = [path for room in (*ROOMS, "ssm_bounds", "tests") for path in sorted((ROOT / room).rglob("*.py"))]


def test_every_package_is_listed():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    found = {path.parent.relative_to(ROOT) for path in FILES if path.relative_to(ROOT).parts[0] != "tests"}
    names = {".".join(path.parts if path.parts[0] == "ssm_bounds" else ("ssm_bounds", *path.parts)) for path in found}
    assert set(listed) == names and len(listed) == len(names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_imports_a_room_by_its_bare_name(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        assert not {name.split(".")[0] for name in names} & set(ROOMS)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    source = folder / "source"  # building leaves folders beside the sources
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    needed = (*ROOMS, "ssm_bounds", "pyproject.toml", "README.md", "LICENSE")
    for name in files:
        if name.split("/")[0] in needed and (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run([*pip, "--no-build-isolation", "--wheel-dir", folder, source], check=True, timeout=300)
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_one_top_level_name_and_all_its_data(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"ssm_bounds"}
    for name in (
        "py.typed",
        "report/schema.json",
        "report/inspect.json",
        "report/html/base.html",
        "report/html/layers.html",
        "report/html/template.html",
        "report/html/style.css",
        "proofs/rocq/claims.v",
        "proofs/rocq/sums.v",
    ):
        assert f"ssm_bounds/{name}" in names
    assert "ssm_bounds/bounds/ladder/rung.py" in names and "ssm_bounds/proofs/ours/perturbation/sharp.py" in names


def test_it_lives_beside_folders_of_the_same_names(wheel, tmp_path):
    target, work = tmp_path / "target", tmp_path / "work"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--target", target, wheel], check=True, timeout=300)
    for room in ROOMS:
        (work / room).mkdir(parents=True)
        (work / room / "mine.py").write_text("x = 1\n")
    check = (
        "import bounds.mine, models.mine, proofs.mine\n"
        "import ssm_bounds, ssm_bounds.bounds.ladder.rung, ssm_bounds.models.norms\n"
        "assert bounds.mine.x == models.mine.x == proofs.mine.x == 1\n"
        f"assert ssm_bounds.bounds.ladder.rung.__file__.startswith({str(target)!r})\n"
        "print(ssm_bounds.__version__)"
    )
    environment = os.environ | {"PYTHONPATH": str(target)}
    done = subprocess.run([sys.executable, "-c", check], cwd=work, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "0.1.0"
