"""ssm-bounds inspect: every form, what is refused, and Python beside it."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner

import ssm_bounds
from ssm_bounds.cli import main
from ssm_bounds.inspection import NOT_CLAIMED
from tests.conftest import ROOT

SCHEMA = json.loads((ROOT / "ssm_bounds" / "report" / "inspect.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def field(shared):
    return shared / "field"


def run(*arguments):
    return CliRunner().invoke(main, ["inspect", *map(str, arguments)])


def test_json_follows_its_schema(field):
    result = run(field / "hf", field / "mamba2.bin", "--format", "json", "--T", "64")
    assert result.exit_code == 2  # the second has no norm of a block
    found = json.loads(result.stdout)
    jsonschema.validate(found, SCHEMA)
    assert (found["T"], found["eta"]) == (64, 0.05)
    assert [model["family"] for model in found["models"]] == ["Mamba"] and len(found["models"][0]["layers"]) == 2
    (failed,) = found["failed"]
    assert failed["path"].endswith("mamba2.bin") and "--input-radius" in failed["error"]
    assert "--input-radius" in result.stderr and "Traceback" not in result.stderr


def test_python_says_the_same(field):
    report = ssm_bounds.inspect(field / "hf", T=64)
    (model,) = json.loads(run(field / "hf", "--format", "json", "--T", "64").stdout)["models"]
    assert [layer["out_sup"] for layer in model["layers"]] == [layer.out_sup for layer in report.layers]
    assert report.family == model["family"] and list(report.assumed) == model["assumed"]


def test_a_size_of_inputs_is_spoken_of_where_one_was_stated(field):
    model = ssm_bounds.inspect(field / "mamba2.bin", T=64, input_radius=4.0, mixer_groups=2)
    assert any("2 groups, as stated" in line for line in model.assumed)
    assert model.sentence(T=64, eta=0.05).count("inputs of the size that was stated") == 2
    assert "stated" not in replace(model, stated_radius=None).sentence(T=64, eta=0.05)  # of groups it says nothing


def test_table_markdown_and_csv(field):
    table, markdown = (run(field / "jamba.safetensors", "--format", form).stdout for form in ("table", "markdown"))
    for text in (table, markdown):
        assert "jamba" in text and "always forget" in text and all(line in text for line in NOT_CLAIMED)
    rows = list(csv.DictReader(io.StringIO(run(field / "jamba.safetensors", "--format", "csv").stdout)))
    assert [row["index"] for row in rows] == ["0", "1"] and all(float(row["out_sup"]) > 0 for row in rows)


def test_one_layer_and_channels(field):
    result = run(field / "hf", "--layer", 1, "--channels", "--format", "json")
    (layer,) = json.loads(result.stdout)["models"][0]["layers"]
    assert layer["index"] == 1 and len(layer["channels"]["u_max"]) == layer["d_inner"]
    assert max(layer["channels"]["u_max"]) == layer["u_max"]
    assert run(field / "hf", "--channels").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hf", "--layer", "9"], "there is no layer 9; its 2 Mamba layers are 0 to 1"),
        (["hf", "--eta", "0.7"], "eta"),
        (["hf", "--input-radius", "4"], "leave --input-radius out"),
        (["mamba2.bin", "--input-radius", "4"], "--mixer-groups"),
        (["s5.safetensors"], "S5"),
        (["lru.pth"], "LRU"),
        (["vmamba.pth"], "VMamba"),
        (["nothing-here"], "nothing-here"),
    ],
)
def test_what_cannot_be_inspected_is_one_line(field, arguments, said):
    name, *options = arguments
    result = run(field / name, *options)
    assert result.exit_code == 2 and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("ssm-bounds: ") and said in line


def test_a_map_of_names(shared):
    path, mapping = shared / "checkpoints" / "typeseg" / "mamba_al.npz", ROOT / "docs" / "examples" / "typeseg.toml"
    result = run(path, "--map", mapping, "--T", 1024, "--layer", 0, "--format", "json")
    (layer,) = json.loads(result.stdout)["models"][0]["layers"]
    assert layer["delta_min"] >= 0.999e-4 and any("two directions" in note for note in layer["notes"])
    assert run(path).exit_code == 2


def test_help_has_examples():
    shown = run("--help")
    assert shown.exit_code == 0 and "Examples:" in shown.stdout and "ssm-bounds inspect" in shown.stdout


def test_a_page(field, tmp_path):
    out = tmp_path / "page.html"
    result = run(field / "hf", field / "mamba2.bin", "--T", 64, "--layer", 1, "--format", "html", "--out", out)
    assert result.exit_code == 2 and result.stdout == ""
    text = out.read_text(encoding="utf-8")
    assert "<!DOCTYPE html>" in text and "Without a report" in text and "<svg" in text
    assert f"--T 64 --layer 1 --format html --out {out}</code>" in text


def test_tokens_are_measured_beside(field, tmp_path):
    data = tmp_path / "tokens.npz"
    np.savez(data, x=np.random.default_rng(0).integers(0, 24, (6, 8)))
    forms = {form: run(field / "hf", "--data", data, "--T", 8, "--format", form).stdout for form in ("json", "csv")}
    (model,) = json.loads(forms["json"])["models"]
    jsonschema.validate(json.loads(forms["json"]), SCHEMA)
    assert [layer["measured"]["tokens"] for layer in model["layers"]] == [48, 48]
    rows = list(csv.DictReader(io.StringIO(forms["csv"])))
    assert [float(row["measured_out_sup"]) for row in rows] == [
        layer["measured"]["out_sup"] for layer in model["layers"]
    ]
    for form in ("table", "markdown"):
        text = run(field / "hf", "--data", data, "--T", 8, "--format", form).stdout
        assert "measured on 6 rows, float64; not a bound" in text and "gate seen from" in text
    assert "seen" not in run(field / "hf", "--T", 8).stdout


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": [[0, 24]]}, "row 0 has the token 24 at place 1; the model's vocabulary is 0 to 23"),
        ({"x": [[0.5, 1.0]]}, "array 'x': expected (m, T) integers, found float64 of shape (1, 2)"),
        ({"x_train": [0, 1]}, "array 'x_train': expected (m, T) integers"),
        ({"x": [[0, 1]], "lengths": [3]}, "row 0 has length 3, expected 1 to 2"),
        ({"x": [[0, 1]], "lengths": [[1]]}, "array 'lengths': expected 1 integers"),
        ({"y": [0]}, "expected an array x_train or x of tokens"),
        ({"x": [[0] * 9]}, "rows of 9 tokens, and T = 8 bounds no more; give --T 9"),
    ],
)
def test_tokens_that_are_none_are_one_line(field, tmp_path, arrays, said):
    data = tmp_path / "tokens.npz"
    np.savez(data, **{name: np.array(value) for name, value in arrays.items()})
    result = run(field / "hf", "--data", data, "--T", 8)
    assert (
        result.exit_code == 2 and result.stdout == "" and said in result.stderr and len(result.stderr.splitlines()) == 1
    )


def test_data_that_is_no_archive_is_one_line(field, tmp_path):
    (tmp_path / "text.npz").write_text("no archive")
    for name, said in (("text.npz", "not an .npz archive"), ("nothing.npz", "No such file")):
        result = run(field / "hf", "--data", tmp_path / name)
        assert result.exit_code == 2 and said in result.stderr and len(result.stderr.splitlines()) == 1
    out = tmp_path / "text.npz"
    assert "read or written already" in run(field / "hf", "--data", out, "--out", out).stderr


def test_processes_say_the_same(field):
    """Byte for byte, a failure of one path included."""
    asked = field / "hf", field / "mamba2.bin", "--T", 64, "--channels", "--format", "json"
    alone, together = run(*asked), run(*asked, "--jobs", 2)
    assert together.exit_code == alone.exit_code == 2
    assert (together.stdout, together.stderr) == (alone.stdout, alone.stderr)


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interruption_writes_nothing_and_leaves_nobody(field, tmp_path, jobs):
    out = tmp_path / "report.json"
    out.write_text("before")
    program = (
        "import os, signal, sys, time\n"
        "import ssm_bounds.inspection as inspection\n"
        "from ssm_bounds.cli import main\n"
        "one = inspection.inspect_layer\n"
        "def interrupted(*given, **more):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return one(*given, **more)\n"
        "def submitted(executor, *given):\n"
        "    busy = executor.submit(time.sleep, 300)\n"
        "    while not busy.running():\n"
        "        time.sleep(0.1)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return wait(executor, *given)\n"
        "inspection.inspect_layer, wait = interrupted, inspection._in_parallel\n"
        "inspection._in_parallel = submitted\n"
        "main()\n"
    )
    asked = ["inspect", field / "hf", "--jobs", jobs, "--format", "json", "--out", out]
    process = subprocess.run(
        [sys.executable, "-c", program, *map(str, asked)], capture_output=True, text=True, timeout=60
    )
    assert process.returncode == 130, process.stderr
    assert process.stderr == "ssm-bounds: interrupted, nothing was written\n" and process.stdout == ""
    assert out.read_text() == "before" and [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_process_that_dies_is_one_line(field, monkeypatch):
    def died(*given, **more):
        raise BrokenProcessPool("a worker")

    monkeypatch.setattr("ssm_bounds.inspection._in_parallel", died)
    result = run(field / "hf", "--jobs", 2)
    assert result.exit_code == 2 and "fewer --jobs" in result.stderr and len(result.stderr.splitlines()) == 1
