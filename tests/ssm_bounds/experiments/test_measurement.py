"""An experiment of numbers: one file in, and a folder that goes on where it was left."""

from __future__ import annotations

import json
import math
import re

import pytest
from click.testing import CliRunner

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.cli import main
from ssm_bounds.cli.experiment import command
from ssm_bounds.experiments import measurement
from ssm_bounds.experiments.catalogue import EXPERIMENTS, MEASURED, TRAINED, Listed, measured
from ssm_bounds.experiments.experiment import PRESETS, Criterion, Experiment
from ssm_bounds.experiments.honarpisheh2025.presets import NAMES
from ssm_bounds.experiments.measurement import measure
from ssm_bounds.experiments.pool import local
from ssm_bounds.proofs.papers import papers
from tests.conftest import ROOT
from tests.experiments import MARK

SERIAL = local(1)


def squares(must=100.0):
    made = []

    def one(job):
        made.append(job["seed"])
        if job["seed"] == 13:
            raise KeyboardInterrupt
        return {"square": math.nan if job["seed"] == 11 else job["seed"] ** 2}

    found = Experiment(
        "squares",
        "Squares are small.",
        {"paper": (7, 8, 9), "quick": (7,)},
        lambda preset, seeds: tuple({"seed": seed} for seed in seeds),
        one,
        lambda rows: (Criterion("the largest", max(row.numbers["square"] for row in rows), "<=", must),),
        lambda figure, rows: figure.subplots().plot([row.numbers["square"] for row in rows]),
        ("a note",),
    )
    return found, made


@pytest.fixture
def made(monkeypatch):
    found, made = squares()
    monkeypatch.setattr(measurement, "measured", lambda name: found)
    return made


def test_rows_are_kept_and_the_same_call_goes_on(made, tmp_path):
    first = measure("squares", "quick", tmp_path, SERIAL)
    assert made == [7] and first.criteria[0].value == 49 and first.verdict == "every number is where it must be"
    files = {path: path.read_bytes() for path in tmp_path.glob("rows/*")}
    more = measure("squares", "paper", tmp_path, SERIAL)
    assert made == [7, 8, 9] and [row.numbers["square"] for row in more.rows] == [49, 64, 81]
    assert {path: path.read_bytes() for path in files} == files
    report = (tmp_path / "report.md").read_text()
    assert "**Claimed:** Squares are small." in report and "| the largest | 81 | <= 100 | met |" in report
    assert (tmp_path / "table.csv").read_text().splitlines() == ["seed,square", "7,49", "8,64", "9,81"]
    assert {path.name for path in tmp_path.glob("squares.*")} == {"squares.png", "squares.pdf"}


def test_a_number_that_misses_and_one_that_is_none(made, tmp_path):
    missed = measure("squares", "quick", tmp_path, SERIAL, seeds=4)  # 7 to 10
    assert not missed.missed and missed.rows[-1].numbers["square"] == 100
    nan = measure("squares", "quick", tmp_path, SERIAL, seeds=5)
    assert math.isnan(nan.rows[-1].numbers["square"]) and "NaN" not in "".join(
        path.read_text() for path in tmp_path.glob("rows/*")
    )
    worse = measure("squares", "quick", tmp_path, SERIAL, seeds=6)
    assert worse.missed and worse.verdict == "1 of 1 numbers are not where they must be"


def test_ctrl_c_keeps_what_is_done(made, tmp_path):
    found = measure("squares", "quick", tmp_path, SERIAL, seeds=9)
    assert found.outcome.interrupted and len(found.rows) == 6 and not found.criteria
    assert found.verdict == "undecided: 6 of 9 measurements were made"
    assert "undecided" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize("text", ["{", "{}", '{"settings": {"seed": 8}, "numbers": {"square": 1}}', "[]", None])
def test_a_row_of_something_else_is_named(made, tmp_path, text):
    measure("squares", "quick", tmp_path, SERIAL)
    (path,) = tmp_path.glob("rows/*")
    infinite = '{"settings": {"seed": 7}, "numbers": {"square": Infinity}}'
    path.write_text(infinite if text is None else text)
    with pytest.raises(ValueError, match=rf"{path.name}: not a measurement; remove it"):
        measure("squares", "quick", tmp_path, SERIAL)
    with pytest.raises(DomainError, match="preset"):
        measure("squares", "slow", tmp_path, SERIAL)


def test_the_command_says_what_was_claimed_measured_and_missed(monkeypatch, tmp_path):
    for must, code in ((100.0, 0), (48.0, 1)):
        found, _ = squares(must)
        monkeypatch.setattr(measurement, "measured", lambda name, found=found: found)
        run = command(Listed("squares", "nobody", "Squares.", ("--preset quick",)))
        result = CliRunner().invoke(run, ["--preset", "quick", "--out", str(tmp_path)])
        assert result.exit_code == code, result.stderr
        assert "claim     Squares are small." in result.stdout
        assert ("MISSED    the largest: 49, must be <= 48" in result.stdout) is bool(code)


def test_the_command_says_how_to_go_on_after_ctrl_c(made, tmp_path):
    run = command(Listed("squares", "nobody", "Squares.", ("--preset quick",)))
    result = CliRunner().invoke(run, ["--preset", "quick", "--seeds", "9", "--out", str(tmp_path)])
    assert result.exit_code == 130 and "interrupted: 6 of 9 measurements are kept; to go on" in " ".join(
        result.stderr.split()
    )
    assert "verdict   undecided" in result.stdout and len(list(tmp_path.glob("rows/*"))) == 6


def test_what_a_criterion_shows_is_on_its_side():
    close = Criterion("x", 1 - 1e-9, ">=", 1)
    assert not close.met and float(close.shown) < 1
    assert not Criterion("x", math.nan, ">=", 0).met and not Criterion("x", math.inf, "<=", 1e9).met
    assert Criterion("x", 1.0, ">=", 1).shown == "1"
    assert Criterion("x", 480, "==", 480).met and not Criterion("x", 480.5, "==", 480).met


def test_the_list_names_files_papers_and_what_help_shows():
    assert tuple(entry.name for entry in TRAINED) == NAMES
    assert len({entry.name for entry in EXPERIMENTS}) == len(EXPERIMENTS)
    keys = {paper.key for paper in papers()}
    for entry in EXPERIMENTS:
        folder = ROOT / "ssm_bounds" / "experiments" / entry.paper
        assert folder.is_dir() and entry.paper in keys
        shown = CliRunner().invoke(main, ["experiment", entry.name, "--help"])
        assert shown.exit_code == 0 and f"ssm-bounds experiment {entry.name} --" in shown.stdout
        assert entry.name in CliRunner().invoke(main, ["experiment", "--help"]).stdout
    files = {
        path for path in (ROOT / "ssm_bounds" / "experiments").glob("*/*.py") if "\nEXPERIMENT = " in path.read_text()
    }
    assert {path.stem.replace("_", "-") for path in files} == {entry.name for entry in MEASURED}
    with pytest.raises(DomainError, match="expected one of"):
        measured("nothing")


@pytest.mark.parametrize("entry", MEASURED, ids=lambda entry: entry.name)
def test_every_experiment_has_presets_and_jobs_that_can_be_kept(entry):
    found = measured(entry.name)
    assert set(found.seeds) == set(PRESETS)
    for preset in PRESETS:
        jobs = found.asked(preset)
        assert jobs and len({json.dumps(job, sort_keys=True) for job in jobs}) == len(jobs)
        assert {job["seed"] for job in jobs if "seed" in job} == set(found.seeds[preset])
        assert all(json.loads(json.dumps(job)) == job for job in jobs)


def test_the_report_that_is_kept_holds_every_experiment_and_missed_nothing():
    printed = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8").partition(MARK)[2]
    for entry in MEASURED:
        for preset in PRESETS:
            part = printed.split(f"### {entry.name}, preset {preset}\n")[1].split("\n#")[0]
            rows = re.findall(r"\| (\S+) \| ([<>=]=) (\S+) \| (\S+) \|$", part, re.M)
            assert rows and "missed" not in part
            for value, sign, must, met in rows:
                assert met == "met" and Criterion("", float(value), sign, float(must)).met
