"""What the README tells a stranger to type is there to be typed."""

from __future__ import annotations

import math
import re
import shlex
from fractions import Fraction

import click
import mpmath
import numpy as np
import pytest
from flint import arb

from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.certificate import certify
from ssm_bounds.cli import main
from ssm_bounds.models.files.checkpoint import Metadata, write
from ssm_bounds.models.tasks.arrays import write_arrays
from ssm_bounds.models.tasks.majority import majority
from ssm_bounds.question import ask
from ssm_bounds.report.tables import markdown
from tests.conftest import ROOT
from tests.ssm_bounds.cli.test_cli import weights

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = README + "".join(
    (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("compare", "mamba", "order")
)
COMMANDS = re.findall(r"^    (ssm-bounds .*?)(?:\s{2,}#.*)?$", PAGES, re.M)


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
    write(tmp_path / "model.safetensors", weights(V=2), Metadata(m=20000, T=50, gate="softplus", embedding="trained"))
    write_arrays(tmp_path / "data.npz", majority(20000, 50, seed=0))
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "With probability at least 0.95 over the 20000 training rows" in printed
    assert "margin excess" in printed and "[9 rows" in printed


def test_every_link_leads_to_a_file():
    links = re.findall(r"\]\(([^)#]+?)\)", README)
    assert links and all((ROOT / link).exists() for link in links)


def test_the_map_names_what_is_there():
    named = set(re.findall(r"\b(\w+\.py)\b", README.split("## The map")[1]))
    rooms = [ROOT / room for room in ("ssm_bounds", "bounds", "models", "proofs")]
    assert {path.name for room in rooms for path in room.glob("*.py")} - named == {"__init__.py", "__main__.py"}
    assert named <= {path.name for room in rooms for path in room.rglob("*.py")}


def flat(text: str) -> str:
    return " ".join(text.replace("> ", " ").split())


class TestNumbers:
    """Every number of the README is one that this code prints."""

    @pytest.fixture(scope="class")
    @classmethod
    def rounded(cls, shared, tmp_path_factory):
        data = np.load(shared / "data" / "majority_T200_seed1.npz")
        path = tmp_path_factory.mktemp("data") / "train.npz"
        np.savez(path, x_train=data["x_train"], y_train=data["y_train"])
        return certify(ask(ROOT / "docs" / "examples" / "majority_T200_rounded.safetensors", T=200, data=path))

    def test_the_first_number_is_certified(self, rounded):
        assert flat(f"**{rounded.headline.verdict}**: {rounded.headline.sentence}") in flat(README)
        assert rounded.verdict == "CERTIFIED" and rounded.headline.rung == "occam"
        occam = rounded.rung("occam")
        assert f"errs on {occam.argument.record()['errors']} training rows" in flat(README)
        assert f"coded in {decimal_string(occam.argument.record()['nats'].upper, 3)} nats" in flat(README)
        assert f"(by itself {decimal_string(occam.value.upper)};" in flat(README)
        norms = min(rung.risk.float_upper() for rung in rounded.rungs if rung.risk is not None)
        assert f"the bounds by norms are {decimal_string(arb(norms))} and above" in flat(README)
        assert rounded.compared == 4 and "the smallest of four claims, each at delta/4" in flat(README)

    def test_the_ladder_of_imdb(self, shared):
        path = shared / "checkpoints" / "imdb_T500_m25000_seed1.pth"
        found = certify(ask(path, m=25000, T=500, gate="softplus"))
        shown = [line for line in markdown([found]).splitlines() if line.startswith("|")]
        assert "\n".join(shown) in README
        assert found.headline.conditions == ("the embedding was fixed before the sample",)
        assert f"{found.question.checkpoint.weights.embedding.size:,} embedding entries" in flat(README)
        trained = certify(ask(path, m=25000, T=500, gate="softplus", embedding="trained"))
        best = decimal_string(trained.headline.value.upper)
        assert f"(`--embedding trained`) the best excess is {best}" in flat(README)
        assert "This certificate says nothing about this model" in trained.headline.sentence

    def test_the_counterexamples_of_the_ledger(self):
        X = mpmath.matrix([[0, -20 * mpmath.pi], [mpmath.pi / 5, 0]])
        Y = X + mpmath.mpf("1e-3") * mpmath.matrix([[0, 0], [1, 0]])

        def norm(matrix: mpmath.matrix) -> mpmath.mpf:
            return mpmath.svd_r(matrix.apply(mpmath.re), compute_uv=False)[0]

        powers = [mpmath.expm(matrix) for matrix in (X, Y)]
        left, right = norm(powers[0] - powers[1]), max(map(norm, powers)) * norm(X - Y)
        assert left > right and f"{float(left):.2e}" == "4.99e-02"
        assert f"4.99e-2 > {float(right):.2e}".replace("e-0", "e-") in README
        assert "rho = 1/4: S_1 = 4/3, S_2 = 4/9" in README  # limits of the sums: 1/(1-rho), rho/(1-rho)^2
        rho = Fraction(1, 4)
        assert (1 / (1 - rho), rho / (1 - rho) ** 2) == (Fraction(4, 3), Fraction(4, 9))
        assert "= 1 < 1.128" in README and f"{math.sqrt(4 / math.pi):.3f}" == "1.128"
