"""The module, its evaluation and the compiled scan."""

import functools
import os
import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
import torch

from ssm_bounds.bounds.gaps.losses import margins
from ssm_bounds.models.files import checkpoint
from ssm_bounds.models.selective_ssm import unrolled
from ssm_bounds.models.selective_ssm.compiled import compiled
from ssm_bounds.models.selective_ssm.evaluate import fraction_at_most, logits
from ssm_bounds.models.selective_ssm.module import SelectiveSSM
from ssm_bounds.models.selective_ssm.scan import last_output
from ssm_bounds.models.tasks.files import read_task
from ssm_bounds.models.tasks.task import Split
from tests.conftest import ROOT

SHAPES = {"A": (3, 2), "W_B": (2, 3), "W_C": (2, 3), "q": (3,), "p": (1,), "W": (4, 3), "embedding.weight": (5, 3)}


def model(**options):
    settings = {"d": 3, "N": 2, "k": 4, "V": 5, "generator": torch.Generator().manual_seed(1)} | options
    return SelectiveSSM(**settings)


TOKENS = torch.tensor([[0, 1, 2, 3, 4], [4, 4, 0, 0, 1]])


@pytest.mark.parametrize("V", [5, None])
def test_state_dict_has_the_keys_and_shapes_of_a_native_checkpoint(V, tmp_path):
    net = model(V=V)
    expected = {name: shape for name, shape in SHAPES.items() if V or name != "embedding.weight"}
    assert {name: tuple(value.shape) for name, value in net.state_dict().items()} == expected
    checkpoint.write(tmp_path / "net.safetensors", net.weights())
    other = model(V=V, generator=torch.Generator().manual_seed(2))
    other.load_state_dict(safetensors.torch.load_file(tmp_path / "net.safetensors"))
    inputs = TOKENS if V else torch.ones(2, 4, 3)
    assert torch.equal(other(inputs), net(inputs))


@pytest.mark.parametrize("V", [5, None])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_survive_the_round_trip_exactly(V, dtype):
    net = model(V=V, dtype=dtype)
    back = SelectiveSSM.from_weights(net.weights())
    assert back.A.dtype == torch.float64
    for name, value in net.state_dict().items():
        assert torch.equal(back.state_dict()[name], value.double()), name
    assert SelectiveSSM.from_weights(net.weights(), dtype=dtype).weights().p == net.p.item()


@pytest.mark.parametrize("option", ["gate", "convention", "form"])
def test_unknown_options_are_refused(option):
    with pytest.raises(ValueError, match=f"{option}: expected one of .*, got 'other'"):
        model(**{option: "other"})


def test_from_weights_leaves_the_global_random_stream_alone():
    state = torch.get_rng_state()
    SelectiveSSM.from_weights(model().weights())
    assert torch.equal(torch.get_rng_state(), state)


def test_weights_are_a_copy():
    net = model(dtype=torch.float64)
    weights = net.weights()
    with torch.no_grad():
        net.A.fill_(7.0)
    assert weights.A.max() < 7


def test_initial_values_are_the_authors():
    net = model(d=50, N=40, s_A=-0.25)
    assert net.s_A == -0.25
    assert (net.A[:, 0] == -0.25).all()
    rest = net.A[:, 1:]
    assert rest.min() >= -10.25 and rest.max() <= -0.25
    assert rest.mean().item() == pytest.approx(-5.25, abs=0.3)
    assert net.W_B.std().item() == pytest.approx(1, abs=0.1)
    same, other = model(d=50, N=40, s_A=-0.25), model(d=50, N=40, generator=torch.Generator().manual_seed(9))
    assert torch.equal(same.W_C, net.W_C) and not torch.equal(other.W_C, net.W_C)


@pytest.mark.parametrize("gate", ["softplus", "none"])
@pytest.mark.parametrize("convention", ["code", "paper"])
def test_forward_is_the_readout_of_the_scan(gate, convention):
    nets = [
        model(gate=gate, convention=convention, form=form, dtype=torch.float64) for form in ("unrolled", "sequential")
    ]
    net = nets[0]
    arguments = (net.embedding.weight[TOKENS], net.A, net.W_B, net.W_C, net.q, net.p)
    expected = last_output(*arguments, gate=gate, convention=convention, form="sequential") @ net.W.T
    for each in nets:
        torch.testing.assert_close(each(TOKENS), expected, rtol=1e-10, atol=1e-10)
    assert each(TOKENS[:, :1]).shape == (2, 4)
    assert each(TOKENS[:0]).shape == (0, 4)


def test_without_a_gate_q_and_p_do_nothing():
    net = model(gate="none")
    before = net(TOKENS)
    with torch.no_grad():
        net.q.fill_(3.0), net.p.fill_(-2.0)
    assert torch.equal(net(TOKENS), before)
    before.sum().backward()
    assert net.q.grad is None and net.A.grad is not None


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.uint16, torch.int32])
def test_every_integer_dtype_is_a_token(dtype):
    assert torch.equal(model()(TOKENS.to(dtype)), model()(TOKENS))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (TOKENS + 1, r"0\.\.4, got 1\.\.5"),
        (TOKENS - 1, r"0\.\.4, got -1\.\.3"),
        (TOKENS[0], r"integer tokens of shape \(b, t\), got int64 of shape \(5,\)"),
        (TOKENS.float(), "got float32"),
        (TOKENS > 2, "got bool"),
        (TOKENS[:, :0], "length 0"),
    ],
)
def test_bad_tokens_are_refused(inputs, message):
    with pytest.raises(ValueError, match=message):
        model()(inputs)


@pytest.mark.parametrize("inputs", [torch.ones(2, 4), torch.ones(2, 4, 2), torch.ones(2, 4, 3, dtype=torch.int64)])
def test_bad_real_inputs_are_refused(inputs):
    with pytest.raises(ValueError, match=r"real-valued inputs of shape \(b, t, 3\), got"):
        model(V=None)(inputs)


def test_logits_do_not_depend_on_the_batch():
    split = Split(np.random.default_rng(0).integers(5, size=(7, 6), dtype=np.int8), np.arange(7) % 4)
    net = model(dtype=torch.float64)
    np.testing.assert_allclose(logits(net, split, batch=2), logits(net, split), rtol=1e-12)
    assert logits(net, split).shape == (7, 4)


def test_small_margins_count_not_a_number():
    assert fraction_at_most(np.array([0.0, 1.0, 2.0, np.nan]), 1) == 0.75


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_released_majority_model_has_its_accuracies(shared, dtype):
    weights = checkpoint.read(shared / "checkpoints" / "majority_T200_m1000_seed1.pth").weights
    task = read_task(shared / "data" / "majority_T200_seed1.npz")
    net = SelectiveSSM.from_weights(weights, dtype=dtype)
    accuracies = [1 - fraction_at_most(margins(logits(net, split), split.y), 0) for split in (task.train, task.test)]
    assert accuracies == pytest.approx([0.971, 0.914], abs=1e-9)


def test_released_listops_model_is_at_its_accuracy(shared):
    weights = checkpoint.read(shared / "checkpoints" / "listops_T100_m1000_seed1.pth").weights
    train = read_task(shared / "data" / "listops_T100" / "train.tsv").train
    found = 1 - fraction_at_most(margins(logits(SelectiveSSM.from_weights(weights), train), train.y), 0)
    assert found == pytest.approx(0.21, abs=0.005)


@pytest.fixture
def traced(monkeypatch):
    """compiled() with the real tracer and functionalisation but without the C++ step, which takes 20 s."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    unrolled._fused_backward.cache_clear()
    yield
    unrolled._fused_backward.cache_clear()
    torch.compiler.reset()


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch hides it itself, but not from "error"
@pytest.mark.filterwarnings("ignore:.*autograd.function.Function.* should not be instantiated")  # torch's tracer does
def test_compiled_model_gives_the_same_outputs_and_gradients(traced):
    net = model(dtype=torch.float64)
    run = compiled(net)
    torch.testing.assert_close(run(TOKENS), net(TOKENS), rtol=1e-12, atol=1e-12)
    expected = torch.autograd.grad(net(TOKENS).square().sum(), list(net.parameters()))
    found = torch.autograd.grad(run(TOKENS).square().sum(), list(net.parameters()))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    with pytest.raises(ValueError, match="tokens must lie in"):
        run(TOKENS + 1)


def test_errors_of_the_compiled_function_are_raised(traced):
    def broken(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        compiled(broken)(torch.ones(2))


def test_without_a_compiler_there_is_one_warning_and_the_eager_result(tmp_path):
    code = """
import warnings, torch
from ssm_bounds.models.selective_ssm.compiled import compiled
f = compiled(lambda x: x.sin() * 2)
x = torch.linspace(0, 1, 7)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert torch.equal(f(x), x.sin() * 2) and torch.equal(f(x[:3]), x[:3].sin() * 2)
print([str(w.message) for w in caught if "running eagerly" in str(w.message)])
"""
    environment = os.environ | {"CXX": str(tmp_path / "none"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("torch.compile is not available here, running eagerly") == 1
    assert "compiler" in done.stdout
