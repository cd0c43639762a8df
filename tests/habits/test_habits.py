"""What surrounds the code: how it is run, changed, cited and laid out."""

from __future__ import annotations

import ast
import importlib
import os
import re
import stat
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

README, CONTRIBUTING, CHANGELOG, SECURITY = (
    (ROOT / f"{name}.md").read_text(encoding="utf-8") for name in ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY")
)
RECIPES = (ROOT / "docs" / "how-to-add.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
JOB = WORKFLOW["jobs"]["test"]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
LOCK = dict(
    line.split("==") for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")
)
NEEDED = [*map(Requirement, PROJECT["dependencies"]), *map(Requirement, PROJECT["optional-dependencies"]["test"])]
RUN = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

TOP = {"README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile",
       "mkdocs.yml", "pyproject.toml", "requirements.lock", "bounds", "models", "proofs", "ssm_bounds", "notebooks",
       "docs", "tests"}  # fmt: skip


def tracked() -> list[str]:
    found = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if found.returncode:
        pytest.skip("not a git checkout: which files are the project's own is not known")
    return found.stdout.rstrip("\0").split("\0")


def recipe(target: str) -> list[str]:
    """The commands of one target of the Makefile."""
    (lines,) = re.findall(rf"^{target}:.*\n((?:\t.*\n)*)", MAKEFILE, re.M)
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in lines.splitlines()]


class TestLayout:
    def test_the_top_level_holds_only_what_belongs_there(self):
        visible = {name.split("/")[0] for name in tracked() if not name.startswith(".")}
        assert visible == TOP

    def test_hidden_files_are_few_and_known(self):
        hidden = {name.split("/")[0] for name in tracked() if name.startswith(".")}
        assert hidden == {".ci", ".github", ".gitignore", ".pre-commit-config.yaml"}

    @pytest.mark.parametrize("page", ["CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/how-to-add.md"])
    def test_pages_name_what_is_there(self, page):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert f"({page})" in README + CONTRIBUTING
        for name in re.findall(r"`([\w./-]+?)/?`", text):
            if "/" in name or Path(name).suffix in (".md", ".py", ".lock", ".toml"):
                assert (ROOT / name).exists(), name
        assert all(re.search(rf"^{target}:", MAKEFILE, re.M) for target in re.findall(r"`make (\w+)`", text))
        assert max(map(len, text.splitlines())) <= 120

    def test_everything_that_a_recipe_names_can_be_imported(self):
        names = re.findall(r"`(ssm_bounds(?:\.\w+)+)`", CONTRIBUTING + RECIPES)
        assert len(names) >= 20
        for name in names:
            found, parts = importlib.import_module(name.split(".")[0]), name.split(".")
            for at, part in enumerate(parts[1:], 2):
                if not hasattr(found, part):
                    importlib.import_module(".".join(parts[:at]))
                found = getattr(found, part)

    def test_each_recipe_ends_with_one_command_about_tests_that_exist(self):
        recipes = re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", RECIPES, re.M | re.S)
        kinds = ("architecture", "bound", "code", "format", "statement", "task", "experiment")
        assert [name.split()[1] for name, _ in recipes] == list(kinds)
        assert {path.stem for path in (ROOT / "docs" / "templates").glob("*.py")} == {*kinds} - {"task", "experiment"}
        for _, text in recipes:
            (files,) = re.findall(r"^ {7}\.venv/bin/python -m pytest (.*)$", text, re.M)
            assert files and all((ROOT / file).exists() for file in files.split())

    def test_no_page_names_a_machine(self):
        for text in (README, CONTRIBUTING, CHANGELOG, SECURITY):
            assert not re.search(r"(?<![\w.])/(?:home|root|work|tmp|Users)/", text)


class TestChangelog:
    SECTIONS = re.findall(r"^## (.*)$", CHANGELOG, re.M)

    def test_unreleased_stands_above_the_version_of_the_project(self):
        assert self.SECTIONS[0] == "[Unreleased]"
        assert re.fullmatch(rf"\[{re.escape(PROJECT['version'])}\] - \d{{4}}-\d\d-\d\d", self.SECTIONS[1])

    def test_sections_are_those_of_keep_a_changelog_and_what_moved(self):
        kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
        moved = {"Certificates that moved, and why", "Verdicts that changed, and why"}
        assert set(re.findall(r"^### (.*)$", CHANGELOG, re.M)) <= kinds | moved

    def test_the_schema_and_the_prior_are_those_of_the_code(self):
        from ssm_bounds.bounds.codes.scheme import PRIOR
        from ssm_bounds.report.document import SCHEMA

        newest = CHANGELOG.split("## [Unreleased]")[1].split("\n## ")[0]
        assert f"schema {SCHEMA}" in newest and f"prior `{PRIOR}`" in newest
        assert "**what a rung means never changes under its name**" in " ".join(CHANGELOG.split())


class TestSecurity:
    def test_limits_are_those_of_the_code(self):
        from ssm_bounds.models.files import container, tensors
        from ssm_bounds.models.tasks import arrays, text

        assert (container.MAX_BYTES, text.MAX_BYTES, arrays.MAX_BYTES) == (2**30, 2**30, 2**32)
        flat = " ".join(SECURITY.split())
        assert "1 GiB for a checkpoint, packed and unpacked, and for a file of text" in flat
        assert "4 GiB for the arrays of an archive" in flat
        assert (tensors.MAX_ELEMENTS, tensors.MAX_TEXT) == (2**29, 2**26)
        assert "at most 2^29 numbers" in flat and "header have at most 64 MiB" in flat

    def test_pickle_is_loaded_nowhere_but_in_the_container(self):
        """Its Unpickler builds names and descriptions; nothing else may load one."""
        allowed = ROOT / "models" / "files" / "container.py"
        for path in (
            path for room in ("ssm_bounds", "bounds", "models", "proofs") for path in (ROOT / room).rglob("*.py")
        ):
            source = path.read_text(encoding="utf-8")
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Import | ast.ImportFrom) and path != allowed:
                    modules = [getattr(node, "module", None), *(alias.name for alias in node.names)]
                    assert not {"pickle", "shelve", "marshal", "dill", "joblib"} & set(modules), path
                if isinstance(node, ast.Call):
                    called = ast.unparse(node.func)
                    assert called not in ("torch.load", "eval", "exec", "pickle.load", "pickle.loads", "yaml.load"), (
                        path
                    )
                    assert not any(
                        key.arg == "allow_pickle" and ast.unparse(key.value) != "False" for key in node.keywords
                    )


class TestCitation:
    """BibTeX of the README is what CITATION.cff says."""

    def bibtex(self) -> str:
        def entry(kind: str, key: str, **fields: str) -> str:
            body = [f"  {name} = {{{value}}}," for name, value in fields.items()]
            return "\n".join([f"@{kind}{{{key},", *body, "}"])

        def names(people: list[dict[str, str]]) -> str:
            # a name that is no person's is kept whole by braces
            return " and ".join(one.get("family-names") or f"{{{one['name']}}}" for one in people)

        (paper,) = CITATION["references"]
        own = entry(
            CITATION["type"],
            CITATION["title"].split(":")[0],
            title=CITATION["title"],
            author=names(CITATION["authors"]),
            version=CITATION["version"],
            license=CITATION["license"],
        )
        theirs = entry(
            "inproceedings",
            f"{paper['authors'][0]['family-names'].lower()}{paper['year']}",
            title=paper["title"],
            author=names(paper["authors"]),
            booktitle=paper["collection-title"],
            year=str(paper["year"]),
            note=paper["identifiers"][0]["value"],
        )
        return f"{own}\n\n{theirs}\n"

    def test_the_readme_has_it(self):
        (shown,) = re.findall(r"```bibtex\n(.*?)```", README, re.S)
        assert shown == self.bibtex()

    def test_it_is_about_this_project(self):
        assert CITATION["version"] == PROJECT["version"] and CITATION["license"] == PROJECT["license"] == "MIT"
        assert [{"name": one["name"]} for one in CITATION["authors"]] == PROJECT["authors"]

    def test_no_address_is_made_up(self):
        assert "urls" not in PROJECT and not {"url", "repository", "repository-code"} & set(CITATION)
        assert "No public address of this code is known yet" in README


class TestDependencies:
    @pytest.mark.parametrize("needed", NEEDED, ids=str)
    def test_the_lock_holds_what_the_project_and_its_tests_need(self, needed):
        locked = {canonicalize_name(name): version for name, version in LOCK.items()}
        assert locked[canonicalize_name(needed.name)] in needed.specifier

    def test_what_tests_import_is_declared(self):
        rooms = {"ssm_bounds", "bounds", "models", "proofs", "tests"}
        imported = set()
        for path in (ROOT / "tests").rglob("*.py"):
            if path.parent.name == "benchmarks":
                continue  # compares with what is installed
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    imported.add(node.module.split(".")[0])
        declared = {canonicalize_name(needed.name) for needed in NEEDED}
        known = packages_distributions()
        for name in sorted(imported - rooms - set(sys.stdlib_module_names)):
            assert declared & set(map(canonicalize_name, known[name])), f"{name} is in no dependency of the tests"


class TestWorkflow:
    def test_it_runs_the_script_that_a_clean_clone_must_pass(self):
        torch, *rest = [step["run"] for step in JOB["steps"] if "run" in step]
        assert rest == [".ci/run"]
        assert f"`{torch}`" in " ".join(README.split())  # the build for CPUs, as the README says
        assert f"torch=={LOCK['torch']} " in torch

    def test_on_every_python_that_is_supported(self):
        pythons = JOB["strategy"]["matrix"]["python"]
        assert pythons == ["3.11", "3.12", "3.13"] and all(isinstance(python, str) for python in pythons)
        supported = SpecifierSet(PROJECT["requires-python"])
        assert all(f"{python}.0" in supported for python in pythons) and "3.10.9" not in supported
        (setup,) = [step["with"] for step in JOB["steps"] if "setup-python" in step.get("uses", "")]
        assert setup["python-version"] == "${{ matrix.python }}"

    def test_with_the_budget_of_the_script(self):
        (budget,) = re.findall(r"^BUDGET=(\d+)$", (ROOT / ".ci" / "parts.sh").read_text(), re.M)
        assert int(budget) == 60 * JOB["timeout-minutes"]
        assert f"budget of {budget}" in " ".join(CONTRIBUTING.split())

    def test_it_may_read_and_nothing_else(self):
        assert WORKFLOW["permissions"] == {"contents": "read"} and set(WORKFLOW["on"]) == {"push", "pull_request"}


class TestHooks:
    def test_they_are_local_and_those_of_make_check(self):
        (repository,) = HOOKS["repos"]
        assert repository["repo"] == "local"
        assert [hook["entry"] for hook in repository["hooks"]] == [*recipe("lint"), *recipe("types")]
        assert all(hook["language"] == "system" and not hook["pass_filenames"] for hook in repository["hooks"])


CLOSING = re.compile(r"^\d+ (?:passed|failed|skipped|error).* in [\d.]+s")
"""The last line of pytest -q."""


class TestParts:
    """``.ci/run``: each part once, its seconds, and the exit code of the one that fails."""

    @staticmethod
    def bash(script: str) -> subprocess.CompletedProcess[str]:
        source = f"set -euo pipefail\n. {ROOT / '.ci' / 'parts.sh'}\n{script}"
        return subprocess.run(["bash", "-c", source], stdin=subprocess.DEVNULL, capture_output=True, text=True)

    @staticmethod
    def budget(text: str) -> list[list[str]]:
        return [line.split(maxsplit=2) for line in text.split("\nseconds\n")[1].splitlines()]

    def test_seconds_are_counted(self):
        found = self.bash("part quick true\npart slow sleep 1.1\necho between\npart last test 1 = 1")
        assert found.returncode == 0
        quick, slow, last, whole = self.budget(found.stdout)
        assert [quick[0], slow[0], last[0]] == ["quick", "slow", "last"]
        assert 1 <= int(slow[1]) <= int(whole[1]) < 30 and int(quick[1]) <= 1 and whole[::2] == ["all", "of 1800"]
        assert found.stdout.index("between") < found.stdout.index("seconds")

    @pytest.mark.parametrize(
        ("command", "code"),
        [("false", 1), ("bash -c 'exit 7'", 7), ("no-such-command", 127), ("inner", 1), ("piped", 1)],
    )
    def test_a_part_that_fails_ends_the_script_and_the_budget_is_printed(self, command, code):
        functions = "inner() { false; echo went on; }\npiped() { false | cat; }\n"
        found = self.bash(f"{functions}part first true\npart second {command}\npart third echo went on")
        assert found.returncode == code and "went on" not in found.stdout
        first, second, whole = self.budget(found.stdout)
        assert len(first) == 2 and second[::2] == ["second", "(stopped here)"] and whole[0] == "all"

    def test_a_command_between_parts_may_fail_too(self):
        found = self.bash("part first true\nfalse\npart second true")
        assert found.returncode == 1 and [line[0] for line in self.budget(found.stdout)] == ["first", "all"]

    @pytest.fixture
    def clone(self, tmp_path):
        """A small clone: the real script on a Makefile that says what it was asked."""
        (tmp_path / ".ci").mkdir()
        for name in ("run", "parts.sh"):
            copy = tmp_path / ".ci" / name
            copy.write_bytes((ROOT / ".ci" / name).read_bytes())
            copy.chmod(0o755)
        browser = tmp_path / "bin" / "chromium"  # so that none is installed
        browser.parent.mkdir()
        browser.write_text("#!/bin/sh\n")
        browser.chmod(0o755)

        def run(**failing: int) -> subprocess.CompletedProcess[str]:
            rules = [
                ".PHONY: test check lint types",
                "test: check\n\t@echo '3 passed, 1 skipped in 0.12s'; exit {test}",
                "check: lint types",
                "lint: .venv/.ready\n\t@echo linted; exit {lint}",
                "types: .venv/.ready\n\t@echo typed; exit {types}",
                ".venv/.ready:\n\t@mkdir -p .venv; touch $@; echo installed",
            ]
            codes = {"test": 0, "lint": 0, "types": 0} | failing
            (tmp_path / "Makefile").write_text("\n".join(rules).format(**codes) + "\n")
            environment = os.environ | {"PATH": f"{browser.parent}:{os.environ['PATH']}"}
            environment = {
                name: value for name, value in environment.items() if not name.startswith(("MAKE", "MFLAGS"))
            }
            script = tmp_path / ".ci" / "run"
            return subprocess.run(
                [script], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/", env=environment
            )

        return run

    def test_the_script_runs_each_part_once_in_order(self, clone):
        found = clone()
        assert found.returncode == 0, found.stderr
        said, _ = found.stdout.split("\nseconds\n")
        assert said.split("\n")[:4] == ["installed", "linted", "typed", "3 passed, 1 skipped in 0.12s"]
        assert [line[0] for line in self.budget(found.stdout)] == ["install", "lint", "types", "tests", "all"]

    def test_the_closing_line_of_the_tests_is_the_last_of_its_kind(self, clone):
        for code in (0, 1):
            lines = clone(test=code).stdout.splitlines()
            assert [line for line in lines if CLOSING.match(line)] == ["3 passed, 1 skipped in 0.12s"]
            after = lines[lines.index("3 passed, 1 skipped in 0.12s") + 1 :]
            assert not re.search(r"passed|failed|skipped|error", "\n".join(after))

    @pytest.mark.parametrize("part", ["test", "lint", "types"])
    def test_the_script_fails_where_a_part_fails(self, clone, part):
        found = clone(**{part: 1})
        assert found.returncode == 2  # make's own
        *_, stopped, whole = self.budget(found.stdout)
        assert stopped[::2] == ["tests" if part == "test" else part, "(stopped here)"] and whole[0] == "all"
        assert ("3 passed" in found.stdout) is (part == "test")

    def test_the_script_is_executable_and_strict(self):
        assert stat.S_IMODE((ROOT / ".ci" / "run").stat().st_mode) & 0o111
        assert "\nset -euo pipefail\n" in RUN and ". .ci/parts.sh" in RUN

    def test_its_parts_are_those_of_make_test(self):
        parts = re.findall(r"^ *part (\w+) (.*?)(?: +#.*)?$", RUN, re.M)
        assert parts == [
            ("browser", "browser"),
            ("texts", "texts"),
            ("coq", "coq"),
            ("install", "make .venv/.ready"),
            ("lint", "make lint"),
            ("types", "make types"),
            ("tests", "make --old-file=check test"),
        ]
        (prerequisites,) = re.findall(r"^check: (.*)$", MAKEFILE, re.M)
        assert prerequisites.split() == ["lint", "types"] and re.search(r"^test: check$", MAKEFILE, re.M)
        (pytest_,) = recipe("test")
        assert "-m pytest" in pytest_ and not recipe("check")
