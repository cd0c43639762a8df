"""The example that docs/examples makes can be certified as its page says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import ssm_bounds
from ssm_bounds.cli import main
from tests.conftest import ROOT

SCRIPT = ROOT / "docs" / "examples" / "s4d.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("example")
    subprocess.run([sys.executable, str(SCRIPT), str(made)], check=True, timeout=120)
    assert sorted(path.name for path in made.iterdir()) == ["s4d.npz", "s4d.pth"]
    return made


def test_the_commands_of_the_page(folder):
    told = {"certify": "m = 3000, T = 100, d = 4, N = 8, k = 1", "measure": "measure, not a bound"}
    lines = re.findall(r"^    ssm-bounds (.*)$", SCRIPT.read_text(encoding="utf-8"), re.M)
    assert [line.split()[0] for line in lines] == list(told)
    for line in lines:
        words = [
            str(folder / word.removeprefix("docs/examples/")) if "/" in word else word for word in shlex.split(line)
        ]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0 and told[words[0]] in result.output, result.output
        assert "vacuous" not in result.output.partition("rung")[0]


def test_of_more_rows(folder):
    found = ssm_bounds.certify(ssm_bounds.ask(folder / "s4d.pth", m=25000, T=500, input_bound=1))
    assert 0 < found.headline.value.float_upper() < 0.5


def test_the_bound_is_above_the_gap(folder):
    """Fresh rows from the same generator: the losses of both samples differ by less than what is claimed."""
    spec = spec_from_file_location("example_s4d", SCRIPT)
    maker = module_from_spec(spec)
    spec.loader.exec_module(maker)
    tensors = {name: value.double().numpy() for name, value in torch.load(folder / "s4d.pth").items()}

    def loss(seed):
        x, y = maker.rows(np.random.default_rng(seed))
        z = maker.last_output(tensors, x) @ tensors["W"][0]
        return np.clip(1 - (2 * y - 1) * z, 0, 1).mean()

    found = ssm_bounds.certify(ssm_bounds.ask(folder / "s4d.pth", data=folder / "s4d.npz", input_bound=1))
    gaps = [abs(loss(0) - loss(seed)) for seed in (1, 2, 3)]
    assert max(gaps) < found.headline.value.float_upper() and loss(0) < 0.7  # of no output it is 1
