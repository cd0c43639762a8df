"""Training a stack of Mamba blocks: it learns, it is repeatable and resumable, and a bad loss is a result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.start import start
from ssm_bounds.models.tasks.majority import majority
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.models.training.mamba import MambaSettings, mamba_logits, score_mamba, train_mamba
from ssm_bounds.models.training.state import StateError

SMALL = majority(256, 9, seed=0, ties=True)
DESIGN = Design(V=2)
QUICK = MambaSettings(epochs=3, batch=64)


@pytest.mark.parametrize(
    "design",
    [DESIGN, Design(V=2, layers=2, mixer="mamba2", pooling="mean", final_norm=True)],
    ids=["one block", "mamba2"],
)
def test_it_learns_majority(design):
    task = majority(2_000, 9, seed=0, ties=True)
    result = train_mamba(task, design, MambaSettings(epochs=6, batch=50, lr=0.01))
    assert result.status == "completed" and result.stopped is None
    assert [epoch.number for epoch in result.history] == [1, 2, 3, 4, 5, 6]
    assert result.history[-1].lr < 1e-5 and result.history[0].loss > 2 * result.history[-1].loss
    assert score_mamba(result.model, task.train).error < 0.03 and score_mamba(result.model, task.test).error < 0.03
    assert {value.dtype for value in result.model.state_dict().values()} == {torch.float32}


def test_every_weight_is_trained_from_the_start():
    found = train_mamba(SMALL, DESIGN, replace(QUICK, epochs=1)).model.tensors()
    for name, tensor in start(DESIGN, 0).items():
        assert (found[name] != tensor.astype(np.float32)).any(), name
    stuck = train_mamba(SMALL, DESIGN, replace(QUICK, epochs=1, lr=1e-30)).model.tensors()
    for name, tensor in start(DESIGN, 0).items():
        assert np.allclose(stuck[name], tensor.astype(np.float32), atol=1e-25), name


def test_the_seed_decides():
    one, same, other = (train_mamba(SMALL, DESIGN, each) for each in (QUICK, QUICK, replace(QUICK, seed=1)))
    assert one.history == same.history != other.history
    assert all(torch.equal(value, same.model.state_dict()[name]) for name, value in one.model.state_dict().items())


def test_labels_of_many_classes_and_padded_rows():
    """The label is the last token before the padding, so that only the right length finds it."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 7, 600)
    x = np.where(np.arange(6) < lengths[:, None], rng.integers(1, 4, (600, 6)), 0)
    y = x[np.arange(600), lengths - 1] - 1
    task = Task("last", Split(x, y), None, k=3, V=4)
    design = Design(V=4, outputs=3, pad=0)
    model = train_mamba(task, design, MambaSettings(epochs=8, batch=50, lr=0.02)).model
    assert score_mamba(model, task.train).error < 0.02
    model.design = replace(design, pad=None)
    assert score_mamba(model, task.train).error > 0.1


def test_real_inputs():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 5, 2))
    task = Task("sign", Split(x, (x[:, -1, 0] > 0).astype(int)), None, k=1, V=None)
    model = train_mamba(task, Design(c=2), MambaSettings(epochs=10, batch=50, lr=0.02)).model
    assert score_mamba(model, task.train).error < 0.05
    assert mamba_logits(model, task.train).shape == (400, 1)


def interrupt_after(number):
    def progress(epoch):
        if epoch.number == number:
            raise KeyboardInterrupt

    return progress


def test_an_interrupt_keeps_the_last_epoch_and_resumes_bit_for_bit(tmp_path):
    state, whole = tmp_path / "training.state", train_mamba(SMALL, DESIGN, QUICK)
    stopped = train_mamba(SMALL, DESIGN, QUICK, progress=interrupt_after(2), state=state)
    assert (stopped.status, stopped.stopped) == ("interrupted", "interrupted in epoch 3")
    assert stopped.history == whole.history[:2]
    resumed = train_mamba(SMALL, DESIGN, QUICK, state=state)
    assert resumed.history == whole.history
    assert all(torch.equal(value, whole.model.state_dict()[name]) for name, value in resumed.model.state_dict().items())
    for changed in ((SMALL, DESIGN, replace(QUICK, lr=0.1)), (SMALL, replace(DESIGN, k=3), QUICK)):
        with pytest.raises(StateError, match="state of another training"):
            train_mamba(*changed, state=state)
    with pytest.raises(StateError, match="train sha256"):
        train_mamba(majority(256, 9, seed=1), DESIGN, QUICK, state=state)


def test_a_loss_that_is_not_finite_leaves_the_last_good_weights():
    result = train_mamba(SMALL, DESIGN, replace(QUICK, lr=1e30))
    assert (result.status, result.history) == ("diverged", ())
    assert "not finite in epoch 1" in result.stopped
    for name, tensor in start(DESIGN, 0).items():
        assert (result.model.tensors()[name] == tensor.astype(np.float32)).all()


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (Design(V=2, outputs=3), "the task needs 1 outputs, the design has 3"),
        (Design(V=1), r"the task has tokens 0 to 1, the design 1 of them"),
        (Design(c=3), "the task has tokens 0 to 1, the design 0"),
        (Design(V=2, pad=0), "before another token"),
    ],
)
def test_a_design_of_another_task(design, message):
    with pytest.raises(DomainError, match=message):
        train_mamba(SMALL, design, QUICK)


@pytest.mark.parametrize(
    "change", [{"epochs": 0}, {"batch": 0}, {"lr": 0.0}, {"lr": float("inf")}, {"seed": -1}, {"seed": 2**63}]
)
def test_bad_settings(change):
    (name,) = change
    with pytest.raises(DomainError, match=f"{name}: expected"):
        replace(QUICK, **change)
