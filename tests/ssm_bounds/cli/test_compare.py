"""ssm-bounds compare: every format, the figure, models that have no row, and bad options in one line."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

from ssm_bounds.bounds.ladder.equal import Equal
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.cli import main
from ssm_bounds.comparison import NOT_READ, READ, STANDING, compare
from ssm_bounds.models.files.checkpoint import Metadata, write
from ssm_bounds.report.comparison import table
from ssm_bounds.report.plots.comparison import against_length
from tests.conftest import ROOT
from tests.s4d import layer, tensors
from tests.ssm_bounds.cli.test_cli import weights
from tests.ssm_bounds.report.test_html import HOSTILE, Seen


def run(*arguments):
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    write(path, weights(), Metadata(m=400, T=60, gate="softplus", convention="code", embedding="fixed"))
    return path


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_table_says_what_it_is_and_what_it_is_not():
    result = run("--T", 500, "--T", 2000)
    assert result.exit_code == 0, result.stderr
    text = flat(result.stdout)
    assert all(flat(line) in text for line in (*STANDING, READ, *NOT_READ))
    assert re.search(r"selective SSM s_A = 0 0\.2823 0\.2966 CERTIFIED 225", text)
    assert re.search(r"RNN, tanh beta = 1\.1 0\.7778 1\.441 \(vacuous: 1\) CERTIFIED 528", text)
    assert re.search(
        r"LTI, any size ln rho = 0 6\.334 \(vacuous: 1\) 25\.31 \(vacuous: 1\) CERTIFIED, vacuous any", text
    )
    assert "of norm at most 1" in text and "d = 16, N = 4" in text


def test_one_length_has_one_column():
    header = run("--T", 500).stdout.splitlines()[1]
    assert "bound at T = 500" in header and header.count("T =") == 1


def test_a_model_stands_above_with_its_conditions(model):
    result = run(model, "--T", 20, "--T", 60)
    assert result.exit_code == 0, result.stderr
    text = flat(result.stdout)
    assert "model.safetensors s_A <= " in text and "refused" in text and "CONDITIONAL" in text
    assert "REFUSED at T = 20: its file records sequences of length T = 60" in text
    assert "if its constants had been fixed before the data" in text
    assert re.search(r"with theory 7 paid, the two-sided gap of this model is at most [\d.]+ .*at T = 60", text)


def test_json_is_the_same_table(model):
    found = json.loads(run(model, "--T", 60, "--T", 100, "--beta", "1/3", "--format", "json").stdout)
    same = compare([model], T=(60, 100))
    assert found["schema"] == 1 and found["setting"]["m"] == 400 and found["failed"] == []
    assert found["constants"]["beta"] == ["1/3"] and found["constants"]["s_A"] == ["-0.1", "0"]
    assert found["setting"]["selection_paid"] is False and found["not_to_be_read"] == list(NOT_READ)
    kinds = [row["kind"] for row in found["rows"]]
    assert kinds == ["model", *["class"] * 10]
    for row, other in zip(found["rows"][:8], same.rows[:8], strict=True):
        assert [value["bound"] for value in row["values"]] == [v.bound.float_upper() for v in other.values]
        for value in row["values"]:
            assert value["at_most"] == min(1, value["bound"]) and value["vacuous"] == (value["bound"] >= 1)
    documented = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")
    names = {*found, *found["setting"], *found["constants"], *found["rows"][0], *found["rows"][0]["values"][0]} - {
        "values"
    }
    assert {name for name in names if f"`{name}`" not in documented} == set()


def test_csv_has_a_line_for_each_row_and_length():
    lines = list(csv.DictReader(io.StringIO(run("--T", 1, "--T", 50, "--format", "csv").stdout)))
    assert len(lines) == 2 * 14 and {line["T"] for line in lines} == {"1", "50"}
    assert all(float(line["at_most"]) <= 1 for line in lines)
    assert next(line for line in lines if line["row"] == "softmax attention")["parameters"] == "784"
    assert {line["parameters"] for line in lines if line["row"] == "LTI, any size"} == {""}


def test_the_page_of_the_documentation_has_these_numbers():
    page = flat((ROOT / "docs" / "compare.md").read_text(encoding="utf-8"))
    rows = [row for N in (4, 10) for row in table(compare(T=500, equal=Equal(N=N, s_A=(0,), beta=(1,)))).rows]
    (small, large), *_, (network, _) = ([row for row in rows if row[0] == name] for name in
                                        ("selective SSM", "RNN, identity or ReLU"))  # fmt: skip
    assert (
        f"is at {small[2]} with N = 4 and {small[4]} parameters, and at {large[2]} with N = 10 and {large[4]}" in page
    )
    assert f"a recurrent network (beta = 1) with {network[4]} is at {network[2]}" in page


def test_markdown_has_the_sentences():
    text = run("--T", 50, "--format", "markdown").stdout
    assert text.startswith("| row | constant | bound at T = 50 |") and text.count("\n- not to be read: ") == len(
        NOT_READ
    )


def test_html_stands_alone(tmp_path, model):
    hostile = tmp_path / f"{HOSTILE.replace('/', '')}.safetensors"
    hostile.write_bytes(model.read_bytes())
    out = tmp_path / "page.html"
    result = run(hostile, tmp_path / "none.pth", "--T", 60, "--T", 100, "--format", "html", "--out", out)
    assert result.exit_code == 2 and "none.pth" in result.stderr
    text = out.read_text(encoding="utf-8")
    seen = Seen.of(text)
    (script,) = seen.scripts
    data = json.loads(script)
    assert data["rows"][0]["kind"] == "model" and [line["path"] for line in data["failed"]] == [
        str(tmp_path / "none.pth")
    ]
    assert not any(tag == "img" for tag, _ in seen.elements) and "selective SSM" in text and "none.pth" in text
    assert text.count("<svg") == 1 and all(line in " ".join(seen.text) for line in NOT_READ)
    assert run("--T", 60, "--format", "html").stdout.count("<svg") == 0


def test_a_figure_has_one_line_a_row(tmp_path, model):
    out = tmp_path / "lengths.svg"
    assert run(model, "--T", 60, "--T", 100, "--plot", out).exit_code == 0 and out.stat().st_size > 1000
    found = compare([model], T=(60, 100))
    (axes,) = against_length(found).axes
    drawn = [line for line in axes.lines if len(line.get_xdata()) == 2 and list(line.get_xdata()) == [60, 100]]
    assert len(drawn) == len(found.rows)
    for line, row in zip(drawn, found.rows, strict=True):
        assert list(line.get_ydata()) == [value.bound.float_upper() for value in row.values]
    with pytest.raises(DomainError, match="two lengths"):
        against_length(compare(T=5))


def test_a_row_that_is_refused_everywhere_is_drawn_nowhere(tmp_path):
    path = tmp_path / "long.safetensors"
    write(path, weights(), Metadata(m=400, T=60, gate="softplus", convention="code", embedding="trained"))
    found = compare([path], T=(60, 100), embedding="fixed")
    assert len(against_length(found).axes[0].lines[0].get_xdata()) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--T", "500", "--plot", "x.png"], "give --T several times"),
        (["--plot", "x.jpg"], ".png, .pdf or .svg"),
        (["--out", "nosuch/x.csv"], "nosuch"),
        (["--T", "0"], "--T"),
        (["--m", "0"], "--m"),
        (["--d", "0"], "--d"),
        (["--N", "-1"], "--N"),
        (["--s-A", "-11"], "below -B_A = -10"),
        (["--s-A", "nan"], "'nan' is not"),
        (["--s-A", "inf"], "'inf' is not"),
        (["--s-A", "0", "--s-A", "0.0"], "each value once"),
        (["--beta", "0"], "--beta"),
        (["--beta", "-1"], "--beta"),
        (["--beta", "x"], "'x' is not a number"),
        (["--delta", "1"], "--delta"),
        (["--margin", "0"], "--margin"),
        (["--gate", "none", "--input-bound", "1"], "--gate, --input-bound: says something of a MODEL"),
    ],
)
def test_bad_options_end_with_two(arguments, said):
    result = run(*arguments)
    assert result.exit_code == 2 and said in flat(result.stderr) and "Traceback" not in result.stderr


def test_a_file_without_a_row_is_one_line_and_the_others_are_there(tmp_path, model):
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"no tensors")
    result = run(model, broken, tmp_path, "--T", 60)
    assert result.exit_code == 2 and "model.safetensors" in result.stdout
    assert len(result.stderr.strip().splitlines()) == 2 and "broken.pth" in result.stderr


def test_other_models_are_named_as_such(tmp_path):
    path = tmp_path / "s4d.safetensors"
    save_file(tensors(layer()), path)
    result = run(path, "--m", 100, "--T", 60)
    assert result.exit_code == 2 and "S4D" in result.stderr and "ssm-bounds certify" in result.stderr


def test_models_of_two_samples_are_no_table(tmp_path, model):
    other = tmp_path / "other.safetensors"
    write(other, weights(), Metadata(m=500, T=60, gate="softplus"))
    result = run(model, other)
    assert result.exit_code == 2 and "one m" in result.stderr and not result.stdout
