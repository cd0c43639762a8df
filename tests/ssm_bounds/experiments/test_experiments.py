"""experiments: one configuration in, one record out; and the command that trains."""

from __future__ import annotations

import io
import json
import math
import pickle
from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from rich.console import Console

from ssm_bounds.bounds.gaps.losses import ClippedCrossEntropy, Ramp, margins
from ssm_bounds.bounds.values import DomainError, Sample
from ssm_bounds.cli import main
from ssm_bounds.experiments import run as runs
from ssm_bounds.experiments.certified import Certifier
from ssm_bounds.experiments.run import RECIPES, TASKS, Record, RunConfig, fit, run
from ssm_bounds.experiments.show import train_and_show
from ssm_bounds.models.files import checkpoint
from ssm_bounds.models.selective_ssm.evaluate import fraction_at_most, logits
from ssm_bounds.models.selective_ssm.module import SelectiveSSM
from ssm_bounds.models.tasks.arrays import write_arrays
from ssm_bounds.models.tasks.majority import majority
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.models.training.caps import Caps
from ssm_bounds.models.training.monitor import read_log
from ssm_bounds.models.training.train import Settings, TrainError

QUICK = Settings(epochs=3, batch=64, seed=5)
CONFIG = RunConfig("majority", {"m": 256, "T": 11, "seed": 5}, QUICK)


def console():
    return Console(file=io.StringIO(), width=200)


def weights(seed=0, **sizes):
    return SelectiveSSM(**({"d": 3, "N": 2, "V": 4} | sizes), generator=torch.Generator().manual_seed(seed)).weights()


# What is logged


@pytest.mark.parametrize("s_A", [-0.3, 0.0, 0.2])
def test_constants_are_those_of_the_theory_rounded_outward(s_A):
    w, T = weights(s_A=s_A), 9
    found = Certifier(Sample(100, T), "softplus").constants(w)
    with mpmath.workdps(60):
        numbers = {name: mpmath.matrix(getattr(w, name).tolist()) for name in ("W_B", "W_C", "W", "q", "embedding")}
        B_u = max(mpmath.norm(numbers["embedding"][row, :]) for row in range(w.V))
        gates = [mpmath.log(1 + mpmath.exp(w.p + sign * mpmath.norm(numbers["q"]) * B_u)) for sign in (-1, 1)]
        s = mpmath.mpf(w.A.max())
        expected = {
            "s_A": s, "B_A": mpmath.mpf(np.abs(w.A).max()), "p": mpmath.mpf(w.p), "q_l2": mpmath.norm(numbers["q"]),
            "embedding_row_l2": B_u, "Delta_min": gates[0], "Delta_max": gates[1], "rho": mpmath.exp(s * gates[0]),
            "R_1": gates[1] * sum(mpmath.exp(s * gates[1] * t) for t in range(T)),
        }  # fmt: skip
        for name in ("W_B", "W_C", "W"):
            expected[f"{name}_frobenius"] = mpmath.norm(numbers[name])
            expected[f"{name}_spectral"] = max(mpmath.svd_r(numbers[name], compute_uv=False))
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            if name == "Delta_min":
                assert value * (1 - mpmath.mpf("1e-9")) <= found[name] <= value
            else:
                assert value <= found[name] <= value + abs(value) * mpmath.mpf("1e-9")
    assert found["W_B_frobenius"] > found["W_B_spectral"] * 1.01


def test_constants_without_a_gate_and_for_real_inputs():
    question = Certifier(Sample(100, 7), "none", input_bound=2.5)
    found = question.constants(weights(V=None))
    assert found["input_l2"] == 2.5 and found["R_1"] == 7  # s_A = 0 and Delta = 1
    assert (found["Delta_min"], found["Delta_max"], found["p"]) == (1, 1, 0)
    assert question.setting(weights(V=None)).embedding == "none"
    with pytest.raises(DomainError, match="input_bound"):
        Certifier(Sample(100, 7), "none").constants(weights(V=None))


def test_beyond_the_doubles_is_infinite_and_still_certified():
    question = Certifier(Sample(100, 5000), "softplus")
    assert question.constants(weights(s_A=2.0))["R_1"] == math.inf
    assert 0 < question.bounds(weights(s_A=2.0))["certified_gap"] < math.inf


def test_bounds_are_the_rungs_of_the_ladder(tmp_path):
    result, record = fit(CONFIG, tmp_path / "m.safetensors")
    runs.write_model(tmp_path / "m.safetensors", result, record)
    printed = CliRunner().invoke(main, ["certify", str(tmp_path / "m.safetensors"), "--format", "json"])
    (document,) = json.loads(printed.stdout)["certificates"]
    ladder = {rung["rung"]: rung["value"] for rung in document["rungs"]}
    assert record.certified == {"certified_gap": ladder["scale"], "certified_excess": ladder["margin"]}
    assert record.constants["rho"] == document["sums"]["rho"] and record.constants["R_1"] == document["sums"]["R_1"]
    assert record.constants["Delta_max"] == document["constants"]["M_Delta"]
    assert record.constants["Delta_min"] == document["constants"]["Delta_min"]


# Configurations and records


def test_a_configuration_survives_json_and_pickle():
    settings = replace(RECIPES["paper"]["listops"], s_A=0.1, caps=Caps(B_w=2.0))
    config = RunConfig("listops", {"m": 10, "T": 20, "seed": 3}, settings, delta=Fraction(1, 100))
    again = RunConfig.from_dict(json.loads(json.dumps(config.as_dict())))
    assert again == config == pickle.loads(pickle.dumps(config)) and again.key == config.key
    assert RunConfig("listops", {"seed": 3, "T": 20, "m": 10}, settings, delta=Fraction(1, 100)).key == config.key
    others = {replace(config, settings=replace(settings, seed=1)).key, replace(config, options={"m": 11}).key}
    assert len(others | {config.key}) == 3


def test_bad_configurations_are_refused():
    with pytest.raises(DomainError, match="task: expected one of majority, listops, imdb, file, got 'mnist'"):
        RunConfig("mnist")
    with pytest.raises(DomainError, match="delta"):
        replace(CONFIG, delta=Fraction(1))
    with pytest.raises(ValueError, match=r"task 'majority': .*unexpected keyword argument 'length'"):
        RunConfig("majority", {"m": 5, "length": 5, "seed": 0}).load()


def test_the_recipes_are_those_of_the_authors():
    assert RECIPES["paper"].keys() == RECIPES["certify"].keys() == TASKS.keys()
    for name, d, batch in (("majority", 4, 64), ("listops", 16, 64), ("imdb", 16, 256)):
        paper = RECIPES["paper"][name]
        assert (paper.d, paper.N, paper.batch, paper.lr, paper.weight_decay) == (d, 4, batch, 0.01, 1e-5)
        assert (paper.schedule, paper.spread, paper.stability, paper.caps) == ("plateau", 10.0, 0.0, Caps())


def test_a_run_is_made_once(tmp_path, monkeypatch):
    epochs = []
    record = run(CONFIG, tmp_path, every=1, progress=epochs.append)
    place = tmp_path / CONFIG.key
    names = ["model.csv", "model.jsonl", "model.safetensors", "record.json"]
    assert sorted(path.name for path in place.iterdir()) == names
    assert (record.status, record.reason, record.epochs, len(epochs)) == ("completed", None, 3, 3)
    assert run(CONFIG, tmp_path) == record == Record.from_dict(json.loads((place / "record.json").read_text()))
    assert pickle.loads(pickle.dumps(record)) == record
    rows = read_log(place / "model.jsonl")
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3] and all("certified_gap" in row for row in rows[1:])
    assert {name: rows[-1][name] for name in record.constants} == record.constants
    assert {name: rows[-1][name] for name in record.certified} == record.certified
    monkeypatch.setattr(runs, "fit", None)
    assert run(CONFIG, tmp_path) == record


def test_scores_and_gaps(tmp_path):
    result, record = fit(CONFIG, tmp_path / "m.safetensors")
    task = majority(256, 11, seed=5)
    for split, scores in ((task.train, record.train), (task.test, record.test)):
        z = logits(result.model, split)
        assert scores.n == 256
        assert scores.ramp == Ramp(1).values(z, split.y).mean()
        assert scores.cross_entropy == pytest.approx(ClippedCrossEntropy(1000).values(z, split.y).mean())
        assert scores.error == fraction_at_most(margins(z, split.y), 0)
        assert scores.low_margins == fraction_at_most(margins(z, split.y), 1)
    gaps = record.gaps()
    assert gaps["ramp"] == record.test.ramp - record.train.ramp
    assert gaps["margin"] == record.test.error - record.train.low_margins
    row = record.row()
    assert row["gap_error"] == gaps["error"] and row["certified_gap"] == record.certified["certified_gap"]
    assert (row["key"], row["task"], row["m"], row["T"], row["initial_s_A"]) == (CONFIG.key, "majority", 256, 11, 0.0)
    assert (row["epochs"], row["epochs_run"], row["cap_s_A"], row["status"]) == (3, 3, 0.0, "completed")
    json.dumps(record.as_dict(), allow_nan=False)


def test_a_run_that_diverges_is_a_result(tmp_path):
    config = replace(CONFIG, settings=replace(QUICK, lr=1e30))
    record = run(config, tmp_path)
    assert (record.status, record.epochs) == ("diverged", 0) and "not finite in epoch 1" in record.reason
    assert run(config, tmp_path) == record
    wild = replace(QUICK, s_A=30.0, caps=Caps(), lr=1e-9)
    record = run(replace(CONFIG, options={"m": 64, "T": 60, "seed": 0}, settings=wild), tmp_path)
    assert record.status == "diverged" and math.isnan(record.train.cross_entropy) and record.train.error > 0
    assert "nan" in str(record.as_dict()["train"]["cross_entropy"])


def stop_after(number):
    def progress(epoch):
        if epoch.number == number:
            raise KeyboardInterrupt

    return progress


def test_an_interrupted_run_goes_on(tmp_path):
    record = run(CONFIG, tmp_path / "part", progress=stop_after(2))
    place = tmp_path / "part" / CONFIG.key
    assert record.status == "interrupted" and not (place / "record.json").exists() and (place / "model.state").exists()
    part, whole = run(CONFIG, tmp_path / "part"), run(CONFIG, tmp_path / "whole")
    assert replace(part, seconds=0) == replace(whole, seconds=0)
    for name in ("model.safetensors", "model.csv", "model.jsonl"):
        assert (place / name).read_bytes() == (tmp_path / "whole" / CONFIG.key / name).read_bytes()
    assert not (place / "model.state").exists()


def test_a_shift_is_carried_from_the_task_to_the_certificate(tmp_path):
    config = replace(CONFIG, options={**CONFIG.options, "paper_noise": 0.25})
    record = run(config, tmp_path)
    assert record.shift.startswith("25% of the ones of x_train") and record.row()["shift"] == record.shift
    model = tmp_path / config.key / "model.safetensors"
    data, clean = tmp_path / "data.npz", tmp_path / "clean.npz"
    write_arrays(data, config.load())
    write_arrays(clean, replace(config.load(), shift=None))
    bare = tmp_path / "bare.safetensors"
    found = checkpoint.read(model)
    checkpoint.write(bare, found.weights, replace(found.metadata, extra={}))
    for path, where in ((model, clean), (bare, data), (model, data)):
        printed = CliRunner().invoke(main, ["certify", str(path), "--data", str(where), "--format", "json"])
        (document,) = json.loads(printed.stdout)["certificates"]
        (holdout,) = (rung for rung in document["rungs"] if rung["rung"] == "holdout")
        assert holdout["verdict"] == "CONDITIONAL" and document["best"]["rung"] != "holdout"
        assert sum("25% of the ones" in line for line in document["notes"]) == 1
    printed = CliRunner().invoke(main, ["certify", str(bare), "--data", str(clean), "--format", "json"])
    assert not any("25%" in line for line in json.loads(printed.stdout)["certificates"][0]["notes"])


# The command


def test_the_file_holds_the_model_and_what_a_certificate_needs(tmp_path):
    shown = console()
    _result, record = train_and_show(CONFIG, tmp_path / "m.safetensors", console=shown)
    found = checkpoint.read(tmp_path / "m.safetensors")
    known = found.metadata
    assert found.format == "native"
    assert (known.task, known.m, known.T) == ("majority", 256, 11)
    assert (known.gate, known.convention, known.embedding) == ("softplus", "code", "trained")
    assert known.extra["seed"] == "5" and known.extra["epochs"] == "3" and "shift" not in known.extra
    task = majority(256, 11, seed=5)
    again = SelectiveSSM.from_weights(found.weights, dtype=torch.float32)
    for name, split, scores in (("train", task.train, record.train), ("test", task.test, record.test)):
        error = fraction_at_most(margins(logits(again, split), split.y), 0)
        assert error == scores.error == float(known.extra[f"{name}_error"])
    text = shown.file.getvalue()
    assert "epoch" in text and "loss" in text and "s_A" in text and "certified gap" in text
    assert f"saved {tmp_path / 'm.safetensors'}" in text


def test_paper_noise_is_recorded_and_shown(tmp_path):
    shown = console()
    config = replace(CONFIG, options={**CONFIG.options, "paper_noise": 0.1})
    train_and_show(config, tmp_path / "m.safetensors", console=shown)
    extra = checkpoint.read(tmp_path / "m.safetensors").metadata.extra
    assert extra["paper_noise"] == "0.1" and extra["shift"].startswith("10% of the ones")
    assert "note: 10% of the ones of x_train" in shown.file.getvalue()


def test_an_interrupted_command_saves_and_says_so(tmp_path, monkeypatch):
    shown, out = console(), tmp_path / "m.safetensors"
    steps, real = iter(range(10**6)), torch.nn.utils.clip_grad_norm_

    def clip(*arguments):
        if next(steps) == 5:  # in the second epoch of four batches
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clip)
    result, _ = train_and_show(CONFIG, out, console=shown)
    text = shown.file.getvalue()
    assert "interrupted in epoch 2: this is the model after epoch 1; --resume goes on from here" in text
    saved = checkpoint.read(out)
    assert (saved.metadata.extra["epochs"], saved.metadata.extra["status"]) == ("1", "interrupted")
    assert (saved.weights.A == result.model.weights().A).all()
    train_and_show(CONFIG, out, console=shown, resume=True)
    train_and_show(CONFIG, tmp_path / "whole.safetensors", console=shown)
    assert out.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert out.with_suffix(".csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_no_model_is_saved_without_a_complete_epoch(tmp_path):
    with pytest.raises(TrainError, match=r"not finite in epoch 1.*no model was saved"):
        train_and_show(replace(CONFIG, settings=replace(QUICK, lr=1e30)), tmp_path / "m.safetensors", console=console())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.csv", "m.jsonl"]


def test_a_missing_directory_is_found_before_training(tmp_path):
    huge = replace(CONFIG, options={"m": 10**9, "T": 10**9, "seed": 0})
    with pytest.raises(TrainError, match="there is no directory"):
        train_and_show(huge, tmp_path / "none" / "m.safetensors", console=console())


def command(*arguments):
    return CliRunner().invoke(main, ["train", *map(str, arguments), "--epochs", "1"])


def test_every_task_trains_from_the_command(tmp_path):
    out, data = tmp_path / "m.safetensors", tmp_path / "d.npz"
    result = command("majority", "--m", 64, "--T", 9, "--recipe", "paper", "--s-A", 0.1, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert checkpoint.read(out).weights.A.max() > 0.05
    result = command("listops", "--m", 30, "--T", 10, "--out", out, "--save-data", data, "--cap", "B_w=0.5")
    assert result.exit_code == 0, result.stderr
    found = checkpoint.read(out)
    assert (found.metadata.task, found.metadata.T, found.weights.k) == ("listops", 14, 10)
    assert np.linalg.norm(found.weights.W, 2) <= 0.5
    result = command("file", data, "--out", out, "--d", 5, "--N", 2)
    assert result.exit_code == 0, result.stderr
    assert checkpoint.read(out).weights.A.shape == (5, 2)
    for label in ("pos", "neg"):
        (tmp_path / "aclImdb" / "train" / label).mkdir(parents=True)
        (tmp_path / "aclImdb" / "train" / label / "0_1.txt").write_text(f"{label} film")
    result = command("imdb", "--data", tmp_path / "aclImdb", "--T", 5, "--d", 2, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert checkpoint.read(out).metadata.extra["tokenizer"] == "hash"
    (tmp_path / "t.csv").write_text("y,x1,x2\n0,0,1\n1,1,0\n")
    result = command("file", tmp_path / "t.csv", "--out", out, "--gate", "none", "--every", 1)
    assert result.exit_code == 0, result.stderr
    assert checkpoint.read(out).metadata.gate == "none"


def test_real_inputs_train_with_a_bound(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 6, 3)) / 3
    write_arrays(tmp_path / "d.npz", Task("real", Split(x, np.arange(40) % 2), None, k=1, V=None))
    arguments = ("file", tmp_path / "d.npz", "--d", 3, "--out", tmp_path / "m.safetensors")
    result = command(*arguments)
    assert result.exit_code == 2 and "--input-bound" in result.stderr
    result = command(*arguments, "--d", 4, "--input-bound", 3)
    assert result.exit_code == 2 and "the inputs have 3 channels, the model has 4: give --d 3" in result.stderr
    result = command(*arguments, "--input-bound", 1e-3)
    assert result.exit_code == 2 and "above the bound 0.001" in result.stderr
    assert command(*arguments, "--input-bound", 3).exit_code == 0
    assert read_log(tmp_path / "m.jsonl")[-1]["input_l2"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("majority", "--cap", "B_x=1"), "'B_x' has no cap; these have: s_A, B_A"),
        (("majority", "--cap", "B_w=big"), "'B_w=big' is not NAME=NUMBER"),
        (("majority", "--cap", "B_w=-1"), "cap B_w: expected a finite number > 0, got -1"),
        (("majority", "--lr", "0"), "lr: expected a learning rate > 0"),
        (("majority", "--s-A", "0.1", "--cap", "s_A=0"), "s_A: starts at 0.1, above its cap 0"),
        (("listops", "--T", "4"), "listops: expected m >= 1 and T >= 5"),
        (("imdb", "--data", "nowhere"), "nowhere: expected a folder"),
        (("file", "nowhere.npz"), "nowhere.npz"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, message, tmp_path):
    result = command(*arguments, "--out", tmp_path / "m.safetensors")
    assert result.exit_code == 2 and message in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())
