"""ssm-bounds order: both forms, both kinds of sequences, and bad input in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from ssm_bounds.cli import main
from ssm_bounds.models.files.checkpoint import Metadata, write
from ssm_bounds.report.order import NOT_CLAIMED
from tests.models.files.test_classifier import saved
from tests.ssm_bounds.cli.test_cli import weights
from tests.ssm_bounds.test_order import TAPS


def run(*arguments):
    return CliRunner().invoke(main, ["order", *map(str, arguments)])


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    write(path, weights(V=5), Metadata(gate="softplus", convention="code"))
    return path


@pytest.fixture
def data(tmp_path):
    """Two complete quadruples among twelve rows, no three rows of which lack one."""
    rows = [[0, 1, 2, 4], [0, 2, 1, 4], [3, 1, 2, 4], [3, 2, 1, 4]] * 2 + [[0, 0, 0, 0]] * 4
    path = tmp_path / "data.npz"
    np.savez(path, x_train=np.array(rows), y_train=np.array([0, 1, 1, 0] * 2 + [0] * 4))
    return path


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_table_says_what_is_measured_and_what_is_not_claimed(model):
    result = run(model, "--random-tokens", "--quadruples", 200)
    assert result.exit_code == 0, result.stderr
    text = flat(result.stdout)
    assert "does not depend on what stands before" in text and "random tokens, seed 0" in text
    assert "measured: up to about" in text and "in real arithmetic it is 0" in text
    assert "200: blocks of 2 to 8 tokens" in text
    assert all(flat(line) in text for line in NOT_CLAIMED)
    for name in ("H1", "H2", "H3", "H4", "H5"):
        assert f"{name} " in text


def test_rows_are_counted(model, data):
    result = run(model, "--data", data, "--quadruples", 50)
    assert result.exit_code == 0, result.stderr
    text = flat(result.stdout)
    assert "2 complete quadruples without a common row among the 12 training rows were found" in text
    assert "every such model errs on at least 2 of these rows, a share of 0.1666" in text


def test_json_is_the_same(model, data):
    found = json.loads(run(model, "--data", data, "--quadruples", 50, "--seed", 3, "--format", "json").stdout)
    assert found["schema"] == 1 and found["sequences"]["seed"] == 3 and found["sequences"]["asked"] == 50
    assert found["labelled"]["quadruples"] == 2 and sorted(found["labelled"]["first"])[-1] <= 7
    assert found["labelled"]["error_at_least"] <= 1 / 6
    assert len(found["floors"]) == 11 and all(floor["at_least"] > 0 for floor in found["floors"])
    again = run(model, "--data", data, "--quadruples", 50, "--seed", 3, "--format", "json").stdout
    assert json.loads(again) == found


def test_fewer_than_asked_for_are_said(tmp_path, model):
    """Hardly any block has an order: the rounds of candidates end before all are found."""
    x = np.zeros((40, 60), dtype=int)
    x[0, 30], x[1, 0] = 1, 2
    path = tmp_path / "flat.npz"
    np.savez(path, x_train=x, y_train=np.arange(40) % 2)
    result = run(model, "--data", path, "--quadruples", 9999)
    assert result.exit_code == 0 and "of 9,999 asked for" in flat(result.stdout)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "either --data FILE or --random-tokens"),
        (["--random-tokens", "--data", "x.npz"], "either --data FILE or --random-tokens"),
        (["--random-tokens", "--quadruples", "0"], "--quadruples"),
        (["--random-tokens", "--seed", "-1"], "--seed"),
        (["--data", "nosuch.npz"], "nosuch.npz"),
        (["--data", "nosuch.bin"], "nosuch.bin"),
    ],
)
def test_bad_options_end_with_two(model, arguments, said):
    result = run(model, *arguments)
    assert result.exit_code == 2 and said in flat(result.stderr) and "Traceback" not in result.stderr


def test_another_model_is_refused_by_its_hypothesis(tmp_path):
    saved(tmp_path, TAPS)
    result = run(tmp_path, "--random-tokens")
    assert result.exit_code == 2 and "outside (H1)" in result.stderr and "width 4" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1 and not result.stdout


def test_a_missing_file_and_no_argument(tmp_path):
    result = run(tmp_path / "nosuch.pth", "--random-tokens")
    assert result.exit_code == 2 and "nosuch.pth" in result.stderr
    assert "Usage" in CliRunner().invoke(main, ["order"]).output


def test_the_authors_model(shared):
    result = run(shared / "checkpoints" / "majority_T200_m1000_seed1.pth", "--random-tokens", "--quadruples", 100)
    assert result.exit_code == 0 and "V = 2)" in result.stdout
