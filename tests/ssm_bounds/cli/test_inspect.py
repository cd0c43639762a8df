"""ssm-bounds inspect: every form, what is refused, and Python beside it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import jsonschema
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
