"""``ssm-bounds train mamba``: the folder it leaves, however it ends."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from ssm_bounds.cli import main
from ssm_bounds.models.files.classifier import read
from ssm_bounds.models.mamba.forward import logits
from ssm_bounds.models.tasks.files import read_task
from ssm_bounds.models.tasks.mnist1d import mnist1d
from ssm_bounds.models.training import mamba as training

TINY = ("--m", 300, "--T", 9, "--epochs", 2, "--batch", 50, "--lr", 0.02)


def train(*arguments):
    return CliRunner().invoke(main, ["train", "mamba", *map(str, arguments)])


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("more", [(), ("--mixer", "mamba2", "--layers", 2, "--pooling", "mean", "--final-norm")])
def test_the_folder_is_the_model_that_was_scored(tmp_path, more):
    out = tmp_path / "block"
    result = train("--task", "majority", *TINY, "--test", 100, *more, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "" and f"saved {out}" in result.stderr.replace("\n", "")
    assert list(files(out)) == ["config.json", "model.safetensors", "train.npz"]
    found, task = read(out), read_task(out / "train.npz")
    said = found.config["training"]
    assert (said["status"], said["epochs_run"], said["m"], said["task"]) == ("completed", 2, 300, "majority")
    assert (found.seed, found.labels, task.train.m, task.test.m) == (0, ("0", "1"), 300, 100)
    for split, error in ((task.train, said["train_error"]), (task.test, said["test_error"])):
        answers = np.array([logits(found, row)[0] > 0 for row in split.x])
        assert np.mean(answers != split.y) == pytest.approx(error, abs=0.01)  # one row in float32
    assert said["train_error"] < 0.3
    certified = CliRunner().invoke(main, ["inspect", str(out), "--T", "9"])
    assert certified.exit_code == 0, certified.stderr


def test_the_same_command_gives_the_same_bytes_and_replaces_its_own(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    assert train(*TINY, "--out", one).exit_code == train(*TINY, "--out", two).exit_code == 0
    first = files(one)
    assert first["model.safetensors"] == files(two)["model.safetensors"]
    assert first["config.json"] == files(two)["config.json"]
    assert train(*TINY, "--seed", 1, "--out", one).exit_code == 0
    assert files(one)["model.safetensors"] != first["model.safetensors"]


def test_an_interrupt_leaves_a_good_folder_and_resumes(tmp_path, monkeypatch):
    out, whole, steps, real = tmp_path / "block", tmp_path / "whole", iter(range(10**6)), training._step

    def step(*arguments):
        if next(steps) == 8:  # in the second epoch of six batches
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(training, "_step", step)
    result = train(*TINY, "--out", out)
    assert result.exit_code == 0
    assert "interrupted in epoch 2: this is the model after epoch 1; --resume goes on" in result.stderr
    assert list(files(out)) == ["config.json", "model.safetensors", "train.npz", "training.state"]
    assert read(out).config["training"]["epochs_run"] == 1
    refused = train(*TINY, "--layers", 2, "--resume", "--out", out)
    assert refused.exit_code == 2 and "state of another training (design.layers 1 there, 2 here)" in refused.stderr
    assert train(*TINY, "--resume", "--out", out).exit_code == train(*TINY, "--out", whole).exit_code == 0
    assert files(out).keys() == files(whole).keys()
    for name in ("config.json", "model.safetensors"):
        assert files(out)[name] == files(whole)[name]


def test_an_interrupt_before_the_first_epoch_leaves_the_start(tmp_path, monkeypatch):
    def step(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "_step", step)
    result = train(*TINY, "--out", tmp_path / "block")
    assert "interrupted in epoch 1: this is the start, not trained; --resume goes on" in result.stderr
    found = read(tmp_path / "block")
    assert (
        found.config["training"]["epochs_run"] == 0
        and (found.embedding == found.start["backbone.embeddings.weight"]).all()
    )


def test_a_loss_that_is_not_finite_is_said(tmp_path):
    result = train(*TINY, "--lr", 1e30, "--out", tmp_path / "block")
    assert "diverged: the loss or a weight was not finite in epoch 1: this is the start" in result.stderr
    assert "try a smaller --lr" in result.stderr
    assert list(files(tmp_path / "block")) == ["config.json", "model.safetensors", "train.npz"]


def test_rows_of_your_own(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (60, 5))
    x[:, 3:] = 3
    np.savez(tmp_path / "own.npz", x_train=x, y_train=np.where(x[:, 2] == 1, "one", "other"))
    out = tmp_path / "own"
    result = train("--task", "file", "--data", tmp_path / "own.npz", "--pad-token", 3, "--epochs", 1, "--out", out)
    assert result.exit_code == 0, result.stderr
    found = read(out)
    assert (found.pad, len(found.embedding), found.labels) == (3, 4, ("one", "other"))
    assert found.config["training"]["options"] == {"data": "own.npz"}
    assert "test_error" not in found.config["training"]
    np.savez(tmp_path / "real.npz", x_train=rng.normal(size=(60, 5, 2)), y_train=rng.integers(0, 3, 60))
    result = train("--task", "file", "--data", tmp_path / "real.npz", "--epochs", 1, "--out", tmp_path / "real")
    assert result.exit_code == 0, result.stderr
    assert read(tmp_path / "real").input_weight.shape == (8, 2) and len(read(tmp_path / "real").score) == 3


def test_mnist1d_goes_to_the_folder_and_comes_back(tmp_path):
    pytest.importorskip("mnist1d", reason="the package mnist1d is not installed")
    out = tmp_path / "digits"
    small = ("--task", "mnist1d", "--m", 120, "--test", 30, "--layers", 2, "--epochs", 1)
    result = train(*small, "--pooling", "mean", "--final-norm", "--out", out)
    assert result.exit_code == 0, result.stderr
    found, task = read(out), read_task(out / "train.npz")
    assert (task.train.x.shape, task.test.x.shape, task.k, task.V) == ((120, 40, 1), (30, 40, 1), 10, None)
    assert found.input_weight.shape == (8, 1) and found.labels == tuple("0123456789")
    assert found.config["training"]["options"] == {"m": 120, "test": 30}
    assert (task.train.x == mnist1d(120, test=30).train.x).all()


def foreign(folder):
    (folder / "block").mkdir()
    (folder / "block" / "config.json").write_text(json.dumps({"model_type": "mamba"}))
    return folder / "block"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "file"], "--task file: give the rows, --data FILE"),
        (["--task", "file", "--data", "x.npz", "--m", 5], "--m belongs to other tasks"),
        (["--task", "mnist1d", "--T", 40], "--T belongs to --task majority: rows of mnist1d have 40 numbers"),
        (["--task", "mnist1d", "--m", 80000], "expected m >= 1 and m + test at most that, got 80000 + 8000"),
        (["--data", "x.npz"], "--data belongs to --task file"),
        (["--task", "file", "--data", "x.npz"], "x.npz"),
        (["--lr", 0], "lr: expected a learning rate > 0"),
        (["--lr", "nan"], "lr: expected a learning rate > 0"),
        (["--mixer", "mamba2", "--head-dim", 3], "16 channels do not divide into heads of 3"),
        (["--pool-before-norm"], "it needs both"),
        (["--pad-token", 0], "before another token"),
        (["--out", "none/there"], "there is no directory none"),
        (["--device", "cuda"], "--device cuda"),
    ],
)
def test_bad_input(tmp_path, monkeypatch, arguments, message):
    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("a CUDA device is here")
    monkeypatch.chdir(tmp_path)
    small = [] if "--task" in arguments else ["--m", 20, "--T", 5]
    result = train(*small, *arguments)
    assert result.exit_code == 2 and message in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "mamba").exists()


def test_a_folder_of_others_is_left_alone(tmp_path):
    folder = foreign(tmp_path)
    before = files(folder)
    result = train(*TINY, "--out", folder)
    assert result.exit_code == 2 and "not trained here; name another folder" in result.stderr
    assert files(folder) == before


def test_help_says_how():
    text = CliRunner().invoke(main, ["train", "--help"]).output
    assert "mamba" in text and "majority" in text
    assert "ssm-bounds train mamba --task majority --m 20000 --T 50" in train("--help").output
