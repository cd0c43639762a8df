"""models.train: it learns, it is repeatable, and it never loses the last good state."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console

from bounds.losses import margins
from models import checkpoint
from models.evaluate import fraction_at_most, logits
from models.selective_ssm import SelectiveSSM
from models.tasks.majority import majority
from models.tasks.task import Split, Task
from models.train import Settings, TrainError, score, train, train_majority

QUICK = Settings(epochs=3, batch=64)
SMALL = majority(256, 11, seed=0)


def console():
    return Console(file=io.StringIO(), width=200)


def test_it_learns_majority_with_margins_above_one_and_small_norms():
    task = majority(4_000, 15, seed=0)
    result = train(task, Settings(batch=64))
    scores = score(result.model, task)
    assert scores.train_error == scores.test_error == 0
    assert scores.low_margins <= 0.002
    assert result.stopped is None and [epoch.number for epoch in result.history] == list(range(1, 21))
    assert result.history[-1].loss < result.history[0].loss / 10
    assert result.history[-1].train_accuracy > 0.99
    assert result.model.s_A <= 0
    weights = result.model.weights()
    radius = np.linalg.norm(weights.embedding, axis=1).max()
    kappa = np.prod([np.linalg.norm(matrix, 2) for matrix in (weights.W, weights.W_B, weights.W_C)]) * radius**3
    assert kappa < 20  # 300 to 400 without the weight decay


@pytest.mark.parametrize("s_A", [0.0, -0.5, 0.25])
def test_s_A_stays_in_the_class_and_the_seed_decides(s_A):
    settings = replace(QUICK, s_A=s_A)
    one, same, other = (train(SMALL, each) for each in (settings, settings, replace(settings, seed=1)))
    assert all(epoch.s_A <= s_A for epoch in one.history)
    assert one.history == same.history != other.history
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, same.model.state_dict()[name])


@pytest.mark.parametrize(("gate", "convention"), [("none", "code"), ("softplus", "paper")])
def test_gate_and_convention_reach_the_model(gate, convention):
    model = train(SMALL, replace(QUICK, gate=gate, convention=convention)).model
    assert (model.gate, model.convention) == (gate, convention)


def test_many_classes_and_real_inputs():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=300)
    x = rng.normal(size=(300, 5, 4)) * 0.1
    x[:, -1, :3] += 2 * np.eye(3)[y]
    task = Task("last token", Split(x, y), None, k=3, V=None)
    result = train(task, Settings(epochs=40, batch=50))
    assert result.model.embedding is None
    scores = score(result.model, task)
    assert scores.train_error < 0.1 and scores.test_error is None


def test_a_loss_that_is_not_finite_stops_and_leaves_finite_weights():
    result = train(SMALL, replace(QUICK, lr=1e30))
    assert "loss was not finite in epoch 1" in result.stopped and "smaller learning rate" in result.stopped
    assert result.history == ()
    assert all(value.isfinite().all() for value in result.model.parameters())


def interrupt_after(number):
    def progress(epoch):
        if epoch.number == number:
            raise KeyboardInterrupt

    return progress


def test_an_interrupt_keeps_the_last_complete_epoch():
    result = train(SMALL, QUICK, progress=interrupt_after(2))
    assert result.stopped == "interrupted in epoch 3"
    assert result.history == train(SMALL, QUICK).history[:2]
    assert result.model.s_A == result.history[-1].s_A


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs: expected an integer >= 1, got 0"),
        ({"batch": 0}, "batch"),
        ({"lr": 0.0}, "lr: expected a learning rate > 0"),
        ({"lr": float("nan")}, "lr"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"s_A": float("inf")}, "s_A"),
    ],
)
def test_bad_settings_are_refused(change, message):
    with pytest.raises(TrainError, match=message):
        Settings(**change)


# The command's function


def test_the_file_holds_the_model_and_what_a_certificate_needs(tmp_path):
    shown = console()
    settings = replace(QUICK, seed=5)
    result, scores = train_majority(tmp_path / "m.safetensors", settings, m=256, T=11, console=shown)
    found = checkpoint.read(tmp_path / "m.safetensors")
    known = found.metadata
    assert found.format == "native"
    assert (known.task, known.m, known.T) == ("majority", 256, 11)
    assert (known.gate, known.convention, known.embedding) == ("softplus", "code", "trained")
    assert known.extra["seed"] == "5" and known.extra["epochs"] == "3" and known.extra["paper_noise"] == "0.0"
    task = majority(256, 11, seed=5)
    again = SelectiveSSM.from_weights(found.weights, dtype=torch.float32)
    for name, split, error in (("train", task.train, scores.train_error), ("test", task.test, scores.test_error)):
        assert (
            fraction_at_most(margins(logits(again, split), split.y), 0) == error == float(known.extra[f"{name}_error"])
        )
    assert result.stopped is None
    text = shown.file.getvalue()
    assert "epoch" in text and "loss" in text and "s_A" in text
    assert f"saved {tmp_path / 'm.safetensors'}" in text


def test_paper_noise_is_recorded_and_shown(tmp_path):
    shown = console()
    train_majority(tmp_path / "m.safetensors", QUICK, m=256, T=11, paper_noise=0.1, console=shown)
    assert checkpoint.read(tmp_path / "m.safetensors").metadata.extra["paper_noise"] == "0.1"
    assert "note: 10% of the ones of x_train" in shown.file.getvalue()


def test_an_interrupted_command_saves_and_says_so(tmp_path, monkeypatch):
    shown = console()
    steps = iter(range(6))
    real = torch.nn.utils.clip_grad_norm_

    def clip(*arguments):
        if next(steps) == 5:  # in the second epoch of four batches
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clip)
    result, _ = train_majority(tmp_path / "m.safetensors", QUICK, m=256, T=11, console=shown)
    assert "interrupted in epoch 2: this is the model after epoch 1" in shown.file.getvalue()
    saved = checkpoint.read(tmp_path / "m.safetensors")
    assert saved.metadata.extra["epochs"] == "1"
    assert (saved.weights.A == result.model.weights().A).all()


def test_nothing_is_saved_without_a_complete_epoch(tmp_path):
    with pytest.raises(TrainError, match=r"not finite in epoch 1.*nothing was saved"):
        train_majority(tmp_path / "m.safetensors", replace(QUICK, lr=1e30), m=256, T=11, console=console())
    assert not list(tmp_path.iterdir())


def test_a_missing_directory_is_found_before_training(tmp_path):
    with pytest.raises(TrainError, match="there is no directory"):
        train_majority(tmp_path / "none" / "m.safetensors", QUICK, m=10**9, T=10**9, console=console())
