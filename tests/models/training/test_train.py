"""Training: it learns, it is repeatable and resumable, and it never loses the last good state."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.models.selective_ssm.evaluate import score
from ssm_bounds.models.selective_ssm.measure import measure
from ssm_bounds.models.selective_ssm.module import SelectiveSSM
from ssm_bounds.models.tasks.majority import majority
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.models.training.caps import Caps, project
from ssm_bounds.models.training.monitor import BoundMonitor, read_log
from ssm_bounds.models.training.objective import instability, output_spread
from ssm_bounds.models.training.state import StateError
from ssm_bounds.models.training.train import Settings, TrainError, train

QUICK = Settings(epochs=3, batch=64)
PAPER = Settings(epochs=4, batch=64, lr=0.01, weight_decay=1e-5, schedule="plateau", spread=10.0, caps=Caps(), s_A=0.1)
SMALL = majority(256, 11, seed=0)


def test_it_learns_majority_with_margins_above_one_and_small_norms():
    task = majority(4_000, 15, seed=0)
    result = train(task, Settings(batch=64))
    scores = score(result.model, task.train)
    assert scores.error == score(result.model, task.test).error == 0
    assert scores.low_margins <= 0.002
    assert (
        result.status == "completed"
        and result.stopped is None
        and [epoch.number for epoch in result.history] == list(range(1, 21))
    )
    assert result.history[-1].loss < result.history[0].loss / 10
    assert result.history[-1].train_accuracy > 0.99
    assert result.model.s_A <= 0
    weights = result.model.weights()
    radius = np.linalg.norm(weights.embedding, axis=1).max()
    kappa = np.prod([np.linalg.norm(matrix, 2) for matrix in (weights.W, weights.W_B, weights.W_C)]) * radius**3
    assert kappa < 20  # 300 to 400 without the weight decay


@pytest.mark.parametrize("s_A", [0.0, -0.5, 0.25])
def test_s_A_stays_in_the_class_and_the_seed_decides(s_A):
    settings = replace(QUICK, s_A=s_A, caps=Caps(s_A=s_A))
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
    assert score(result.model, task.train).error < 0.1


def test_a_loss_that_is_not_finite_stops_and_leaves_finite_weights():
    result = train(SMALL, replace(QUICK, lr=1e30))
    assert result.status == "diverged"
    assert (
        "loss or its gradient was not finite in epoch 1" in result.stopped and "smaller learning rate" in result.stopped
    )
    assert result.history == ()
    assert all(value.isfinite().all() for value in result.model.parameters())


def test_a_gradient_too_large_to_measure_is_clipped_to_nothing():
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.full((2,), 1e25)
    assert torch.nn.utils.clip_grad_norm_([parameter], 5.0).isinf()
    assert (parameter.grad == 0).all()


def interrupt_after(number):
    def progress(epoch):
        if epoch.number == number:
            raise KeyboardInterrupt

    return progress


def test_an_interrupt_keeps_the_last_complete_epoch():
    result = train(SMALL, QUICK, progress=interrupt_after(2))
    assert (result.status, result.stopped) == ("interrupted", "interrupted in epoch 3")
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
        ({"s_A": 0.1}, "s_A: starts at 0.1, above its cap 0"),
        ({"spread": -1.0}, "spread: expected a number >= 0"),
        ({"stability": float("nan")}, "stability"),
        ({"schedule": "linear"}, "schedule: expected one of cosine, plateau, got 'linear'"),
    ],
)
def test_bad_settings_are_refused(change, message):
    with pytest.raises(TrainError, match=message):
        Settings(**change)


# The paper's options


def test_a_free_abscissa_starts_where_it_is_told_and_moves():
    result = train(SMALL, PAPER)
    assert SelectiveSSM(d=4, N=4, V=2, s_A=0.1).s_A == pytest.approx(0.1)
    assert all(epoch.s_A != pytest.approx(0.1, abs=1e-4) for epoch in result.history)
    assert max(epoch.s_A for epoch in result.history) > 0


def test_the_plateau_schedule_lowers_the_rate_by_a_tenth_when_the_loss_stays():
    still = Task("noise", Split(SMALL.train.x, np.arange(256) % 2), None, k=1, V=2)
    rates = [epoch.lr for epoch in train(still, replace(PAPER, epochs=25, lr=1e-6, spread=0.0)).history]
    assert rates[:6] == [1e-6] * 6 and rates[-1] < 1e-6
    steps = {round(later / earlier, 6) for earlier, later in pairwise(rates)}
    assert steps == {1.0, 0.9}


def test_penalties():
    z = torch.tensor([[0.02], [-0.02], [0.01]], requires_grad=True)
    expected = 0.1 - torch.sigmoid(z).detach().numpy().std(ddof=1)
    assert output_spread(z).item() == pytest.approx(expected, rel=1e-5)
    output_spread(z).backward()
    assert z.grad[0] < 0 < z.grad[1]  # a step against it moves the outputs apart
    assert output_spread(torch.zeros(1, 1)).item() == 0
    same = torch.zeros(4, 2, requires_grad=True)
    output_spread(same).backward()
    assert same.grad.isfinite().all()
    assert instability(torch.tensor([[0.5, -3.0], [0.25, 0.0]])).item() == 0.75
    assert instability(torch.tensor([[-0.1, 0.0]])).item() == 0


def test_penalties_act_on_training():
    plain, stable = (train(SMALL, replace(PAPER, stability=stability)) for stability in (0.0, 10.0))
    assert stable.history[-1].s_A < plain.history[-1].s_A
    alike = Task("alike", Split(np.ones((64, 5), dtype=int), np.arange(64) % 2), None, k=1, V=2)
    settings = replace(PAPER, epochs=1, batch=64, lr=1e-9, s_A=0.0)
    losses = {spread: train(alike, replace(settings, spread=spread)).history[0].loss for spread in (0.0, 10.0)}
    assert losses[10.0] - losses[0.0] == pytest.approx(10 * 0.1, abs=1e-5)


def test_a_single_row_in_the_last_batch_has_no_spread():
    task = majority(65, 5, seed=0)
    assert train(task, replace(PAPER, epochs=1)).status == "completed"


# Caps


@given(st.integers(0, 10**6), st.floats(0.01, 10), st.integers(1, 3), st.sampled_from([torch.float32, torch.float64]))
def test_projection_meets_the_caps_as_certified_and_is_near(seed, cap, k, dtype):
    caps = Caps(s_A=cap / 7, B_A=3 * cap, B_u=cap, B_B=cap, B_C=2 * cap, B_q=cap / 3, B_w=cap / 2)
    model = SelectiveSSM(d=5, N=3, k=k, V=6, s_A=1.0, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    before = {name: value.detach().double().numpy().copy() for name, value in model.named_parameters()}
    project(model, caps)
    found = measure(model.weights(), gate="softplus")
    for name in ("s_A", "B_A", "B_u", "B_B", "B_C", "B_q", "B_w"):
        assert getattr(found, name) <= getattr(caps, name)
    after = {name: value.detach().double().numpy().copy() for name, value in model.named_parameters()}
    for name, bound in (("W_B", cap), ("W_C", 2 * cap), ("W", cap / 2)):
        distance = np.linalg.norm(before[name] - after[name])
        excess = np.maximum(np.linalg.svd(before[name], compute_uv=False) - bound, 0)
        assert distance <= np.linalg.norm(excess) + 1e-5 * bound * 3
    assert (after["A"] >= before["A"].clip(-3 * cap, cap / 7) - 1e-6).all()
    assert (after["p"] == before["p"]).all()
    project(model, caps)
    assert all((after[name] == value.detach().double().numpy()).all() for name, value in model.named_parameters())


def test_blocks_within_their_caps_are_left_alone():
    model = SelectiveSSM(d=5, N=3, V=6, generator=torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = measure(model.weights(), gate="softplus")
    names = ("s_A", "B_A", "B_u", "B_B", "B_C", "B_q", "B_w")
    project(model, Caps(**{name: getattr(found, name) * (1 + 1e-9) for name in names}))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_training_keeps_its_caps():
    caps = Caps(s_A=-0.01, B_u=1.5, B_B=1.0, B_C=1.0, B_q=0.5, B_w=2.0)
    result = train(SMALL, replace(PAPER, s_A=-0.5, caps=caps))
    found = measure(result.model.weights(), gate="softplus")
    assert all(getattr(found, name) <= getattr(caps, name) for name in ("s_A", "B_u", "B_B", "B_C", "B_q", "B_w"))
    assert found.B_B > 0.99  # and reaches them


@pytest.mark.parametrize("bad", [{"B_w": 0.0}, {"B_q": float("inf")}, {"s_A": float("nan")}, {"s_A": -2.0, "B_A": 1.0}])
def test_bad_caps_are_refused(bad):
    with pytest.raises(ValueError, match="cap"):
        Caps(**bad)


# Resuming


def parameters(result):
    return [value.tolist() for value in result.model.state_dict().values()]


@pytest.mark.parametrize(
    "settings", [replace(QUICK, epochs=5), replace(PAPER, epochs=9, lr=1e-3)], ids=["certify", "paper"]
)
@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_resumed_training_ends_bit_for_bit_where_it_would_have(tmp_path, settings, number):
    whole = train(SMALL, settings)
    state = tmp_path / "state"
    part = train(SMALL, settings, state=state, progress=interrupt_after(number))
    assert part.status == "interrupted" and len(part.history) == number
    again = train(SMALL, settings, state=state, progress=interrupt_after(number + 1))
    assert len(again.history) == number + 1
    rest = train(SMALL, settings, state=state)
    assert rest.history == whole.history
    assert parameters(rest) == parameters(whole)
    assert parameters(train(SMALL, settings, state=state)) == parameters(whole)  # nothing is left to do
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_an_interrupt_in_mid_epoch_resumes_bit_for_bit(tmp_path, monkeypatch):
    steps, real = iter(range(10**6)), torch.nn.utils.clip_grad_norm_

    def clip(*arguments):
        if next(steps) == 5:  # in the second epoch of four batches
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clip)
    part = train(SMALL, QUICK, state=tmp_path / "state")
    assert part.stopped == "interrupted in epoch 2" and len(part.history) == 1
    assert parameters(part) == parameters(train(SMALL, QUICK, progress=interrupt_after(1)))
    assert parameters(train(SMALL, QUICK, state=tmp_path / "state")) == parameters(train(SMALL, QUICK))


def test_a_state_is_tensors_and_json_and_belongs_to_one_training(tmp_path):
    state = tmp_path / "state"
    train(SMALL, QUICK, state=state, progress=interrupt_after(1))
    with safetensors.safe_open(state, "pt") as file:
        assert {"model.A", "adam.W.exp_avg", "generator"} <= set(file.keys())
        assert json.loads(file.metadata()["training"])["about"]["settings"]["caps"]["s_A"] == 0.0
    with pytest.raises(StateError, match=r"another training \(settings.lr 0.02 there, 0.01 here\)"):
        train(SMALL, replace(QUICK, lr=0.01), state=state)
    with pytest.raises(StateError, match=r"another training \(task.train sha256"):
        train(majority(256, 11, seed=1), QUICK, state=state)
    good = state.read_bytes()
    for damage in (b"", b"hello", good[:-5], good.replace(b"exp_avg_sq", b"exp_avg_xx")):
        state.write_bytes(damage)
        with pytest.raises(StateError, match="is not the state of a training"):
            train(SMALL, QUICK, state=state)
    tensors = safetensors.torch.load(good)
    state.write_bytes(safetensors.torch.save(tensors))
    with pytest.raises(StateError, match="is not the state of a training"):
        train(SMALL, QUICK, state=state)


# The log


def norms(weights):
    return {"s_A": float(weights.A.max()), "embedding": np.abs(weights.embedding).max()}


def test_the_monitor_logs_every_epoch_and_certifies_when_due(tmp_path):
    monitor = BoundMonitor(tmp_path / "log", norms, certify=lambda weights: {"gap": float("inf")}, every=2)
    result = train(SMALL, replace(QUICK, epochs=5), monitor=monitor)
    rows = read_log(tmp_path / "log.jsonl")
    assert rows == list(monitor.rows)
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3, 4, 5]
    assert [row.get("gap") for row in rows] == [np.inf, None, np.inf, None, np.inf, np.inf]
    assert [row["s_A"] for row in rows[1:]] == [epoch.s_A for epoch in result.history]
    assert [row["loss"] for row in rows] == [None, *(epoch.loss for epoch in result.history)]
    table = (tmp_path / "log.csv").read_text().splitlines()
    assert table[0] == "epoch,loss,train_accuracy,lr,s_A,embedding,gap" and len(table) == 7
    assert table[1].startswith("0,,,,0.0,") and table[-1].endswith(",inf")
    for line in (tmp_path / "log.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_a_resumed_log_is_that_of_one_training(tmp_path):
    train(SMALL, QUICK, monitor=BoundMonitor(tmp_path / "whole", norms))
    state = tmp_path / "state"
    train(SMALL, QUICK, monitor=BoundMonitor(tmp_path / "part", norms), state=state, progress=interrupt_after(2))
    # as if killed between the log's last row and the state
    BoundMonitor(tmp_path / "part", norms)(train(SMALL, QUICK).model.weights(), 3, loss=9.0)
    train(SMALL, QUICK, monitor=BoundMonitor(tmp_path / "part", norms), state=state)
    for suffix in ("csv", "jsonl"):
        assert (tmp_path / f"part.{suffix}").read_text() == (tmp_path / f"whole.{suffix}").read_text()
    train(SMALL, replace(QUICK, epochs=1), monitor=BoundMonitor(tmp_path / "part", norms))
    assert len(read_log(tmp_path / "part.jsonl")) == 2  # a new training, a new log


def test_a_file_that_is_no_log_is_not_overwritten(tmp_path):
    for content in ("hello\n", "[1]\n", '{"loss": 1}\n', '{"epoch": "x"}\n'):
        (tmp_path / "log.jsonl").write_text(content)
        with pytest.raises(ValueError, match=r"log.jsonl, line 1: not a row of a training log"):
            BoundMonitor(tmp_path / "log", norms)
    with pytest.raises(ValueError, match="every"):
        BoundMonitor(tmp_path / "new", norms, every=-1)
