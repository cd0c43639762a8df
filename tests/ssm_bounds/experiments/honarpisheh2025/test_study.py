"""experiments: presets, statistics, findings, reports, and the command that runs them."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.cli import main
from ssm_bounds.experiments.experiment import PRESETS
from ssm_bounds.experiments.honarpisheh2025 import study as studies
from ssm_bounds.experiments.honarpisheh2025.comparison import Bound, compare
from ssm_bounds.experiments.honarpisheh2025.findings import by_setting, judge, slopes
from ssm_bounds.experiments.honarpisheh2025.presets import CLASSES, NAMES, experiment
from ssm_bounds.experiments.honarpisheh2025.report import markdown
from ssm_bounds.experiments.honarpisheh2025.statistics import (
    separation,
    slope,
    student_quantile,
    trained,
    turning_length,
)
from ssm_bounds.experiments.honarpisheh2025.study import study
from ssm_bounds.experiments.pool import Inline, Pool, local
from ssm_bounds.experiments.run import Record, RunConfig, _exponent
from ssm_bounds.models.training.train import initial_model

SERIAL = local(1)


def tiny(name="length", *, lengths=(4, 6, 9), seeds=2, epochs=2):
    found = experiment(name, "majority", "quick", lengths=lengths, seeds=seeds)
    abscissas = (-0.1, 0.1) if name == "sweep-abscissa" else found.abscissas
    return replace(found, m=40, abscissas=abscissas, settings=replace(found.settings, epochs=epochs, d=2, N=2))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return folder, study(tiny(), folder, SERIAL)


def table(folder):
    return list(csv.DictReader((folder / "table.csv").read_text(encoding="utf-8").splitlines()))


# Presets


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", CLASSES)
def test_presets(name, task):
    paper, quick = (experiment(name, task, preset) for preset in PRESETS)
    assert paper.seeds == (1, 2, 3, 4, 5) and paper.settings.caps.s_A is None
    assert paper.settings.N == 4 and paper.settings.d == (4 if task == "majority" else 16)
    assert paper.m == (None if task == "imdb" else 1000)
    expected = {"length": {0.0}, "unstable-init": {0.1}}.get(name)
    assert expected is None or set(paper.abscissas) == expected == set(quick.abscissas)
    if name == "sweep-abscissa":
        assert min(paper.abscissas) == -0.1 and max(paper.abscissas) == 0.1 and 0.0 in paper.abscissas
    assert len(quick.configs) < len(paper.configs)
    assert len({config.key for config in paper.configs}) == len(paper.configs)
    assert all(paper.covers(config) for config in paper.configs)
    assert not replace(paper, settings=replace(paper.settings, epochs=1)).covers(paper.configs[0])
    for config in paper.configs:
        assert config.settings.seed == config.options["seed"]
        assert RunConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config


def test_the_papers_length_experiment():
    found = experiment("length", "majority")
    assert found.lengths == tuple(range(25, 401, 25)) and len(found.configs) == 80
    assert found.settings.epochs == 40 and found.settings.batch == 64 and found.settings.lr == 0.01


def test_other_lengths_and_seeds():
    found = experiment("length", "majority", lengths=(30, 10), seeds=7, options={"paper_noise": 0.1})
    assert found.lengths == (10, 30) and found.seeds == tuple(range(1, 8))
    assert found.covers(experiment("length", "majority", options={"paper_noise": 0.1}).configs[0])
    assert not found.covers(experiment("length", "majority").configs[0])
    for wrong in ({"lengths": (3, 3)}, {"preset": "fast"}):
        with pytest.raises(DomainError):
            experiment("length", "majority", **wrong)
    with pytest.raises(DomainError, match="task: expected one of majority, listops, imdb"):
        experiment("length", "file")


# Statistics


def test_the_quantile_is_students():
    for probability, degrees, value in ((0.975, 1, 12.7062), (0.975, 10, 2.2281), (0.95, 30, 1.6973)):
        assert student_quantile(probability, degrees) == pytest.approx(value, abs=1e-4)


def test_the_interval_covers_the_slope_as_often_as_it_says():
    """Under a spread that grows with T, where the textbook interval does not; and it is no wider than it must be."""
    rng = np.random.default_rng(0)
    T = np.repeat(np.arange(25, 401, 25), 5)
    lines = [slope(T, 2e-4 * T + rng.normal(size=T.size) * T / 4000) for _ in range(400)]
    covered = np.mean([line.low <= 2e-4 <= line.high for line in lines])
    assert 0.92 < covered < 0.98
    assert np.mean([line.trend == "up" for line in lines]) > 0.5  # it can find a trend
    assert slope(T, -1.0 * T + rng.normal(size=T.size)).trend == "down"


def test_the_interval_has_n_minus_2_degrees_of_freedom():
    """Three points: Student's t with one degree of freedom, and the HC3 error by hand."""
    line = slope([-1, 0, 1], [0.0, 0.3, 0.0])
    residuals, leverage = np.array([-0.1, 0.2, -0.1]), np.array([5 / 6, 1 / 3, 5 / 6])
    error = math.sqrt(float(np.sum((np.array([-1, 0, 1]) * residuals / (1 - leverage)) ** 2))) / 2
    assert line.high - line.value == pytest.approx(12.7062 * error, rel=1e-5)


def test_a_slope_without_enough_points_has_no_interval():
    for x, y in (([], []), ([1, 2], [1, 2]), ([3, 3, 3], [1, 2, 3])):
        assert slope(x, y).trend == "unknown"
    assert slope([1, 1, 1, 2], [1.0, 2, 3, 4]).trend == "unknown"  # one point alone decides the line


@pytest.mark.parametrize(
    ("fractions", "turn"),
    [([(10, 1.0), (20, 0.5)], 20), ([(10, 0.0), (20, 1.0)], None), ([(10, 0.2), (20, 0.6), (30, 0.4)], 30), ([], None)],
)
def test_turning_length(fractions, turn):
    assert turning_length(fractions) == turn


# Runs, table, report


def test_a_study_writes_a_table_and_a_report(done):
    folder, found = done
    assert [each.record.config for each in found.found] == list(tiny().configs)
    rows = table(folder)
    assert [(row["T"], row["data_seed"], row["seed"]) for row in rows] == [
        (str(T), str(seed), str(seed)) for T in (4, 6, 9) for seed in (1, 2)
    ]
    for row, each in zip(rows, found.found, strict=True):
        assert float(row["gap_ramp"]) == each.record.gaps()["ramp"]
        bounds = {bound.name: bound.upper for bound in each.bounds}
        assert float(row["bound_scale"]) == bounds["scale"] == each.record.certified["certified_gap"]
        assert float(row["bound_margin"]) == bounds["margin"] == each.record.certified["certified_excess"]
    report = (folder / "report.md").read_text(encoding="utf-8")
    line = slopes(found.found)["error"]
    assert line.n == 6 and f"slope {100 * line.value:+.3g} per 100 tokens" in report
    assert f"[{100 * line.low:+.3g}, {100 * line.high:+.3g}], 6 runs" in report
    for part in ("The paper claims:", f"**Measured:** {found.finding.agreement}", "## Gap against bound", "| 9 | +0 |"):
        assert part in report
    assert "6 of 6 models could be compared" in report
    assert json.loads((folder / "experiment.json").read_text())["lengths"] == [4, 6, 9]


def test_two_workers_give_the_same_table(done, tmp_path):
    folder, found = done
    other = study(tiny(), tmp_path, local(2))
    assert not other.outcome.failed

    def plain(path):
        return [{name: value for name, value in row.items() if name != "seconds"} for row in table(path)]

    assert plain(tmp_path) == plain(folder)
    assert (tmp_path / "report.md").read_text() == (folder / "report.md").read_text()
    assert other.finding == found.finding


def test_new_runs_extend_old_ones(tmp_path, monkeypatch):
    study(tiny(lengths=(4, 6), seeds=1), tmp_path, SERIAL)
    (other,) = replace(tiny(lengths=(4,), seeds=1), m=50).configs
    compare(other, tmp_path / "runs")
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/record.json")}
    found = study(tiny(lengths=(6, 9), seeds=2), tmp_path, SERIAL).found
    assert [(each.record.T, each.record.config.settings.seed) for each in found] == [
        (4, 1),
        (6, 1),
        (6, 2),
        (9, 1),
        (9, 2),
    ]
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    monkeypatch.setattr("ssm_bounds.experiments.run.fit", None)
    assert [each.record for each in study(tiny(lengths=(9,)), tmp_path, SERIAL).found] == [e.record for e in found]


def test_what_fails_or_is_interrupted_is_said(tmp_path, monkeypatch):
    def flaky(config, folder):
        if config.options["T"] == 6:
            raise OSError("disk full")
        return None if config.options["T"] == 4 else compare(config, folder)

    monkeypatch.setattr(studies, "compare", flaky)
    found = study(tiny(lengths=(6, 9), seeds=1), tmp_path, Pool(Inline, 1))
    report = (tmp_path / "report.md").read_text()
    assert len(found.found) == 1 and "1 runs failed twice" in report and "T = 6, seed 1: OSError: disk full" in report
    found = study(tiny(seeds=1), tmp_path, Pool(Inline, 1))
    assert found.outcome.interrupted and "Interrupted: runs are missing" in (tmp_path / "report.md").read_text()
    assert found.finding.agreement == "undecided"


def altered(each, *, gap=0.0, final_s_A=None, status="completed", loss=0.1):
    """The same run with other results: gaps of the given size, and a training loss."""
    record = each.record
    train_ = replace(record.train, cross_entropy=loss, ramp=0.1, error=0.1, low_margins=0.1)
    test = replace(record.test, cross_entropy=loss + gap, ramp=0.1 + gap, error=0.1 + gap)
    constants = dict(record.constants) | ({} if final_s_A is None else {"s_A": final_s_A})
    return replace(each, record=replace(record, train=train_, test=test, constants=constants, status=status))


@pytest.mark.parametrize(("per_token", "agreement"), [(0.02, "does not agree"), (-0.02, "agrees"), (0.0, "agrees")])
def test_the_length_report_can_disagree(done, per_token, agreement):
    rng = np.random.default_rng(1)
    found = [altered(each, gap=per_token * each.record.T + 1e-3 * rng.normal()) for each in done[1].found]
    finding = judge(tiny(), found)
    assert finding.agreement == agreement
    words = {0.02: "it grows with T", -0.02: "it falls with T", 0.0: "no trend"}[per_token]
    assert all(words in line for line in finding.measured)
    report = markdown(tiny(), found, finding, done[1].outcome)
    assert f"**Measured:** {agreement} with the claim." in report


def test_runs_that_scatter_too_much_agree_with_nothing(done):
    gaps = (0.3, -0.4, -0.2, 0.4, 0.3, -0.3)
    found = [altered(each, gap=gap) for each, gap in zip(done[1].found, gaps, strict=True)]
    finding = judge(tiny(), found)
    assert finding.agreement == "undecided" and "would hide a growth of the error gap by" in finding.measured[-1]


@pytest.mark.parametrize(
    ("losses", "final_s_A", "agreement", "said"),
    [
        ({4: 0.1, 6: 0.1, 9: 1e18}, -0.01, "agrees", "turning T: 9"),
        ({4: 0.1, 6: 5.0, 9: math.nan}, 0.05, "agrees", "turning T: 6"),
        ({4: 0.1, 6: 0.1, 9: 0.1}, 0.05, "agrees in part", "turning T: none"),
        ({4: 0.1, 6: 0.1, 9: 1e18}, 0.12, "agrees in part", "turning T: 9"),
        ({4: 9.0, 6: 0.1, 9: 0.1}, 0.12, "does not agree", "turning T: none"),
    ],
)
def test_the_unstable_report_finds_the_turn(tmp_path_factory, done, losses, final_s_A, agreement, said):
    asked = tiny("unstable-init")
    configs = {(config.options["T"], config.settings.seed): config for config in asked.configs}
    found = []
    for each in done[1].found:
        record = each.record
        config = configs[record.T, record.config.settings.seed]
        moved = replace(each, record=replace(record, config=config))
        found.append(altered(moved, loss=losses[record.T], final_s_A=final_s_A))
    finding = judge(asked, found)
    assert finding.agreement == agreement and any(line.startswith(said) for line in finding.measured)
    assert [group.trained for group in by_setting(found)] == [float(losses[T] < math.log(2)) for T in (4, 6, 9)]
    assert "2 of 2 seeds trained, s_A from +0.1 to" in markdown(asked, found, finding, done[1].outcome)


def test_a_sweep_compares_both_sides_of_zero(tmp_path):
    asked = tiny("sweep-abscissa", lengths=(5,), seeds=1)
    found = study(asked, tmp_path, SERIAL)
    assert [group.s_A for group in by_setting(found.found)] == [-0.1, 0.1]
    assert "s_A = +0.1, T = 5: " in (tmp_path / "report.md").read_text()
    stable, unstable = found.found
    down = judge(asked, [altered(stable, loss=0.1), altered(unstable, loss=0.1, final_s_A=0.01)])
    failed = judge(asked, [altered(stable, loss=0.1), altered(unstable, loss=9.0)])
    against = judge(asked, [altered(stable, loss=9.0), altered(unstable, loss=0.1, final_s_A=0.2)])
    assert (down.agreement, failed.agreement, against.agreement) == ("agrees", "agrees", "does not agree")
    assert judge(asked, [stable]).agreement == "undecided"


def test_a_gap_above_a_bound_is_named(done):
    each = done[1].found[0]
    broken = replace(altered(each, gap=0.6), bounds=(Bound("scale", "gap", True, 0.5, "CERTIFIED"),))
    assert broken.violations() == ("scale",)
    report = markdown(tiny(), [broken], done[1].finding, done[1].outcome)
    assert "**Measured gaps above a bound:**" in report and "- T = 4, seed 1: scale" in report
    shifted = replace(broken, record=replace(broken.record, shift="ones were flipped"))
    report = markdown(tiny(), [shifted], done[1].finding, done[1].outcome)
    assert shifted.violations() == () and "**Not compared:**" in report and "ones were flipped" in report


def test_a_two_sided_gap_is_reported_without_its_sign(done):
    found = [altered(each, gap=-0.25) for each in done[1].found]
    report = markdown(tiny(), found, done[1].finding, done[1].outcome)
    rows = [line for line in report.split("## Gap against bound")[1].splitlines() if line.startswith("| 4 ")]
    assert rows and rows[0].split("|")[3].strip() == "0.25"


def test_a_run_that_diverged_is_a_row(done):
    each = altered(done[1].found[0], status="diverged", loss=math.nan, gap=math.nan)
    assert not trained(each.record) and each.violations() == ()
    assert judge(tiny(), [each, *done[1].found[1:]]).measured[0].count("1 without a finite gap left out") == 1


def test_a_file_that_is_no_record_is_told_before_anything_is_trained(tmp_path, monkeypatch):
    asked = tiny(lengths=(4,), seeds=1, epochs=1)
    study(asked, tmp_path, SERIAL)
    monkeypatch.setattr(studies, "run_all", lambda *arguments: pytest.fail("trained"))
    (place,) = (tmp_path / "runs").iterdir()
    for text in ("{}", "[]", "{garbage", '{"config": {"settings": {"unknown": 1}}}'):
        (place / "record.json").write_text(text)
        with pytest.raises(ValueError, match=r"record.json: not the record of a run; move its folder out of"):
            study(asked, tmp_path, SERIAL)


def test_a_ladder_that_is_none_is_named(tmp_path):
    asked = tiny(lengths=(4,), seeds=1, epochs=1)
    study(asked, tmp_path, SERIAL)
    (place,) = (tmp_path / "runs").iterdir()
    (place / "ladder.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"ladder.json: not a ladder of bounds"):
        compare(asked.configs[0], tmp_path / "runs")


def test_outputs_beyond_floats_measure_nothing(done):
    record = done[1].found[0].record
    lost = replace(record, test=replace(record.test, cross_entropy=math.nan, error=1.0))
    assert all(math.isnan(gap) for gap in lost.gaps().values()) and set(lost.gaps()) == set(record.gaps())
    assert replace(done[1].found[0], record=lost).violations() == ()


def test_a_study_in_which_every_run_diverges_is_reported(tmp_path):
    asked = replace(tiny("unstable-init", lengths=(400,), seeds=1), abscissas=(5.0,))
    found = study(asked, tmp_path, SERIAL)
    assert found.found[0].record.status == "diverged"
    assert (tmp_path / "report.md").exists() and (tmp_path / "training.png").exists()


def test_figures(done):
    folder, _ = done
    for name in ("gap", "bounds"):
        assert (folder / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        assert (folder / f"{name}.pdf").read_bytes()[:4] == b"%PDF"
        assert f"![{name}]({name}.png)" in (folder / "report.md").read_text()


# Where an unstable start fails


def outcomes(record, *runs):
    """(exponent, did it train) as records."""
    return [
        replace(record, exponent=exponent, train=replace(record.train, cross_entropy=0.1 if succeeded else math.nan))
        for exponent, succeeded in runs
    ]


def test_the_exponent_that_separates_failure_from_success(done):
    record = done[1].found[0].record
    clean = separation(outcomes(record, (95.0, False), (3.0, True), (80.0, True), (300.0, False)))
    assert (clean.succeeded, clean.failed, clean.astray, clean.n) == (80.0, 95.0, 0, 4)
    astray = separation(outcomes(record, (3.0, True), (4.0, False), (70.0, True), (80.0, True), (95.0, False)))
    assert (astray.succeeded, astray.failed, astray.astray) == (80.0, 95.0, 1)
    assert separation(outcomes(record, (3.0, True), (4.0, True))) is None  # nothing failed
    assert separation(outcomes(record, (3.0, False), (4.0, True))) is None  # failure below success is no threshold
    assert separation(outcomes(record, (math.nan, True), (4.0, False))) is None
    equal = separation(outcomes(record, (1.0, True), (2.0, True), (2.0, False), (3.0, False)))
    assert (equal.succeeded, equal.failed, equal.astray) in ((1.0, 2.0, 1), (2.0, 3.0, 1))  # not between the two at 2


def test_the_exponent_is_that_of_the_initial_weights(done):
    each = done[1].found[0]
    config = replace(each.record.config, settings=replace(each.record.config.settings, s_A=0.1))
    task = config.load()
    weights = initial_model(task, config.settings).weights()
    gates = np.log1p(np.exp(weights.embedding @ weights.q + weights.p))
    assert _exponent(task, config.settings) == pytest.approx(0.1 * gates[task.train.x].sum(1).max(), rel=1e-6)
    assert each.record.exponent == 0  # s_A = 0 in this experiment
    assert Record.from_dict(each.record.as_dict()).exponent == 0
    old = {name: value for name, value in each.record.as_dict().items() if name != "exponent"}
    assert math.isnan(Record.from_dict(old).exponent)


def test_training_fails_where_the_state_leaves_float32(tmp_path):
    """s_A sum Delta_t beyond ln(largest float32) at the initial weights: the first forward pass overflows."""
    asked = replace(tiny("unstable-init", lengths=(20, 400), seeds=2), abscissas=(2.0,))
    found = study(asked, tmp_path, SERIAL)
    finding = judge(asked, found.found)
    assert {each.record.status for each in found.found if each.record.exponent > 100} == {"diverged"}
    lines = "\n".join(finding.measured)
    assert "turning T by seed (its gates): 1: " in lines
    assert max(each.record.exponent for each in found.found) > 100


# The command


def command(*arguments):
    return CliRunner().invoke(main, ["experiment", *map(str, arguments)])


def test_the_command_runs_and_extends(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "ssm_bounds.experiments.honarpisheh2025.presets._QUICK",
        {"unstable-init": {"m": 30, "epochs": 1, "seeds": (1,)}},
    )
    arguments = ("unstable-init", "--preset", "quick", "--T", 5, "--out", tmp_path / "u")
    first = command(*arguments)
    assert first.exit_code == 0, first.stderr
    assert "claim     Started unstable" in first.stdout and "verdict   undecided" in first.stdout
    again = command(*arguments, "--seeds", 2)
    assert again.exit_code == 0 and "2 runs" in again.stdout and (tmp_path / "u" / "table.csv").exists()


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(tmp_path):
    """The real signal, at a real process group with two workers."""
    folder = tmp_path / "length"
    script = Path(sys.executable).with_name("ssm-bounds")
    arguments = ["experiment", "length", "--preset", "quick", "--workers", "2", "--out", str(folder), "--seeds", "2"]
    process = subprocess.Popen(
        [script, *arguments, "--T", "25", "--T", "30"],
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not list(folder.glob("runs/*/record.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    out, error = process.communicate(timeout=60)
    records = list(folder.glob("runs/*/record.json"))
    assert process.returncode == 130 and "Traceback" not in error
    assert 1 <= len(records) < 4 and f"interrupted: {len(records)} of 4 runs are complete and kept" in error
    assert out.count("measured") == 3
    kept = {path: path.read_bytes() for path in records}
    again = command(*arguments[1:], "--T", 25, "--T", 30)
    assert again.exit_code == 0 and "4 runs" in again.stdout
    assert {path: path.read_bytes() for path in records} == kept


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("length", "--T", "5", "--T", "5"), "lengths: expected distinct values"),
        (("length", "--task", "listops", "--paper-noise", "0.1"), "--paper-noise is an option of the task majority"),
        (("length", "--data", "x"), "--data is an option of the task imdb"),
        (("sweep-abscissa", "--workers", "0"), "--workers"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, message, tmp_path):
    result = command(*arguments, "--out", tmp_path / "x")
    assert result.exit_code == 2 and message in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "x").exists()


def test_runs_that_fail_give_exit_code_1(tmp_path):
    result = command("length", "--task", "listops", "--preset", "quick", "--T", 4, "--seeds", 1, "--out", tmp_path)
    assert result.exit_code == 1 and "failed twice: T = 4, seed 1: ValueError" in result.stderr


@pytest.mark.parametrize("name", NAMES)
def test_help_has_examples(name):
    for shown in (command("--help"), command(name, "--help")):
        assert shown.exit_code == 0 and "Examples:" in shown.stdout and f"ssm-bounds experiment {name}" in shown.stdout
