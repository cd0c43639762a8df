"""Scans: the unrolled form, the recurrence and a plain loop agree, gradients too."""

import functools
import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from ssm_bounds.models.selective_ssm import scan
from ssm_bounds.models.selective_ssm import unrolled as unrolled_module
from ssm_bounds.models.selective_ssm.scan import last_output, outputs, sequential, step_sizes
from ssm_bounds.models.selective_ssm.unrolled import unrolled
from tests.oracle import Model

NAMES = ("u", "A", "W_B", "W_C", "q", "p")
FORMS = ("unrolled", "sequential")
CONVENTIONS = ("code", "paper")


def inputs(b=3, t=7, d=3, n=2, s_A=-0.1, seed=0, dtype=torch.float64, grad=False):
    """Arguments of last_output, in order: scaled so that outputs are of order one."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    A = s_A - 3 * torch.rand(d, n, generator=generator, dtype=torch.float64)
    A[:, 0] = s_A
    tensors = (normal(b, t, d), A, normal(n, d), normal(n, d), 0.5 * normal(d), normal(1))
    return tuple(tensor.to(dtype).requires_grad_(grad) for tensor in tensors)


def loop(u, A, W_B, W_C, q, p, *, gate, convention):
    """theory 1 for one sequence, token by token, as each convention is written there."""
    x = np.zeros_like(A)
    for token in u:
        y = x @ (W_C @ token)  # eq. (7) reads before it updates
        delta = np.logaddexp(0.0, p.item() + q @ token) if gate == "softplus" else 1.0
        x = np.exp(delta * A) * x + delta * np.outer(token, W_B @ token)
        if convention == "code":
            y = x @ (W_C @ token)
    return y


def relative(found, expected):
    """Largest difference over the largest expected value; 0 where nothing differs."""
    difference = (found - expected).abs().max().item()
    return difference and difference / expected.abs().max().item()


@given(
    t=st.integers(1, 40),
    d=st.integers(1, 4),
    n=st.integers(1, 3),
    s_A=st.floats(-10, 0.05),
    gate=st.sampled_from(["softplus", "none"]),
    convention=st.sampled_from(CONVENTIONS),
    form=st.sampled_from(FORMS),
    seed=st.integers(0, 2**31),
)
@example(t=1, d=1, n=1, s_A=0.0, gate="softplus", convention="paper", form="unrolled", seed=0)
@example(t=1, d=1, n=1, s_A=0.0, gate="softplus", convention="code", form="unrolled", seed=0)
@example(t=40, d=2, n=2, s_A=-1000.0, gate="softplus", convention="code", form="unrolled", seed=0)
def test_both_forms_equal_the_plain_loop(t, d, n, s_A, gate, convention, form, seed):
    arguments = inputs(2, t, d, n, s_A, seed)
    found = last_output(*arguments, gate=gate, convention=convention, form=form)
    u, *weights = (tensor.numpy() for tensor in arguments)
    for row, sequence in zip(found, u, strict=True):
        expected = loop(sequence, *weights, gate=gate, convention=convention)
        np.testing.assert_allclose(row, expected, rtol=1e-10, atol=1e-10 * max(1.0, abs(expected).max()))


def test_code_convention_is_the_oracle():
    u, A, W_B, W_C, q, p = (tensor.numpy() for tensor in inputs(t=30))
    model = Model(A, W_B, W_C, q, p.item(), np.eye(3))
    for form in FORMS:
        found = last_output(*inputs(t=30), form=form)
        np.testing.assert_allclose(found, [model(sequence) for sequence in u], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("gate", ["softplus", "none"])
@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("s_A", [-5.0, -0.1, 0.0, 0.05])
@pytest.mark.parametrize("t", [1, 2, 3, 50])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
def test_outputs_and_gradients_of_both_forms_agree(t, s_A, convention, gate, dtype, tolerance):
    results = []
    for form in FORMS:
        arguments = inputs(b=4, t=t, d=4, n=3, s_A=s_A, dtype=dtype, grad=True)
        y = last_output(*arguments, gate=gate, convention=convention, form=form)
        weight = torch.linspace(-1, 1, y.numel(), dtype=dtype).reshape(y.shape)
        grads = torch.autograd.grad((y * weight).sum(), arguments, allow_unused=True, materialize_grads=True)
        results.append(dict(zip(("y", *NAMES), (y, *grads), strict=True)))
        assert y.dtype == dtype
    for name, found in results[0].items():
        assert relative(found, results[1][name]) <= tolerance, name


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("t", [1, 2, 5])
def test_gradients_are_derivatives(form, convention, t):
    def f(*arguments):
        return last_output(*arguments, convention=convention, form=form)

    assert torch.autograd.gradcheck(f, inputs(b=2, t=t, grad=True))


@pytest.mark.parametrize("form", FORMS)
def test_one_channel_one_state_in_closed_form(form):
    """Constant input u: y = w_C u sum_{i<t} e^{a c i} c w_B u^2, with one term fewer in the paper's convention."""
    u, a, w_B, w_C, q, p, t = 0.7, -0.3, 1.5, -2.0, 0.4, 0.2, 9
    c = math.log1p(math.exp(p + q * u))
    terms = [w_C * u * math.exp(a * c * i) * c * w_B * u * u for i in range(t)]
    filled = (((1, t, 1), u), ((1, 1), a), ((1, 1), w_B), ((1, 1), w_C), ((1,), q), ((1,), p))
    arguments = [torch.full(shape, value, dtype=torch.float64) for shape, value in filled]
    assert last_output(*arguments, form=form).item() == pytest.approx(sum(terms), rel=1e-13)
    assert last_output(*arguments, form=form, convention="paper").item() == pytest.approx(sum(terms[:-1]), rel=1e-13)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_zero_weights_give_zero_and_finite_gradients(form, convention):
    arguments = tuple(torch.zeros_like(tensor).requires_grad_() for tensor in inputs())
    y = last_output(*arguments, convention=convention, form=form)
    assert (y == 0).all()
    assert all(grad.isfinite().all() for grad in torch.autograd.grad(y.sum(), arguments))


def test_paper_convention_takes_only_the_output_matrix_from_the_last_token():
    u, *weights = inputs(t=6)
    doubled = u.clone()
    doubled[:, -1] *= 2
    for form in FORMS:
        once, twice = (last_output(v, *weights, convention="paper", form=form) for v in (u, doubled))
        torch.testing.assert_close(twice, 2 * once)
        assert relative(last_output(doubled, *weights, form=form), 2 * last_output(u, *weights, form=form)) > 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_weight_exceeds_one_however_uneven_the_steps(dtype):
    """A suffix sum taken as a difference (total - prefix) is wrong by about 10 here, and exp(-A tau) would overflow."""
    huge = 0.1 / torch.finfo(dtype).eps
    delta = torch.tensor([[1e-3] * 50 + [huge] + [1e-3] * 50], dtype=dtype)
    u, B, C = (torch.ones(shape, dtype=dtype) for shape in ((1, 101, 1), (1, 101, 1), (1, 1)))
    for a in (-1e-3, -1.0, -1e4):
        A = torch.full((1, 1), a, dtype=dtype)
        found, expected = unrolled(u, delta, A, B, C), sequential(u, delta, A, B, C)
        assert relative(found, expected) < 1e-4
        assert 0 < found.item() <= delta.sum().item()


def test_underflowing_weights_are_finite_and_negligible():
    arguments = inputs(t=100, s_A=-1000.0, dtype=torch.float32, grad=True)
    y = last_output(*arguments)
    assert relative(y, last_output(*arguments, form="sequential")) < 1e-6
    assert all(grad.isfinite().all() for grad in torch.autograd.grad(y.sum(), arguments))


@pytest.mark.parametrize("logit", [-700.0, -30.0, -1.0, 0.0, 20.5, 39.0, 41.0, 700.0])
def test_step_sizes_are_softplus_to_float64(logit):
    """torch's own threshold, 20, is off by 1e-9 at 20.5."""
    u, q = torch.zeros(1, 1, 1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    p = torch.tensor([logit], dtype=torch.float64)
    expected = logit + math.log1p(math.exp(-logit)) if logit > 0 else math.log1p(math.exp(logit))
    assert step_sizes(u, q, p, "softplus").item() == pytest.approx(expected, rel=1e-15)
    assert step_sizes(u, q, p, "none").item() == 1


def weighted_gradients(f, arguments):
    y = f(*arguments)
    weight = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape)
    return (y, *torch.autograd.grad((y * weight).sum(), arguments, allow_unused=True, materialize_grads=True))


def shorten_blocks(monkeypatch, shortest):
    for module in (scan, unrolled_module):
        monkeypatch.setattr(module, "_BLOCK", 1)
        monkeypatch.setattr(module, "_SHORTEST", shortest)


@pytest.mark.parametrize("gate", ["softplus", "none"])
@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("s_A", [-2.0, 0.0, 0.05])
@pytest.mark.parametrize(("b", "t"), [(1, 1), (2, 2), (3, 47)])
@pytest.mark.parametrize("shortest", [1, 5, 1000])
def test_every_output_is_the_last_of_its_prefix(b, t, s_A, convention, gate, shortest, monkeypatch):
    """Whatever the lengths of the blocks."""
    shorten_blocks(monkeypatch, shortest)
    arguments = inputs(b=b, t=t, d=3, n=2, s_A=s_A, grad=True)
    settings = {"gate": gate, "convention": convention}

    def prefixes(u, *weights):
        lasts = [last_output(u[:, : i + 1], *weights, form="sequential", **settings) for i in range(t)]
        return torch.stack(lasts, 1)

    found = weighted_gradients(functools.partial(outputs, **settings), arguments)
    for name, mine, expected in zip(("y", *NAMES), found, weighted_gradients(prefixes, arguments), strict=True):
        assert relative(mine, expected) <= 1e-10, name


@pytest.mark.parametrize("shortest", [1, 7, 64])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_blocks_of_time_change_nothing(shortest, convention, monkeypatch):
    arguments = inputs(b=1, t=64, grad=True)
    f = functools.partial(last_output, convention=convention)
    whole = weighted_gradients(f, arguments)
    shorten_blocks(monkeypatch, shortest)
    for name, found, expected in zip(("y", *NAMES), weighted_gradients(f, arguments), whole, strict=True):
        assert relative(found, expected) <= 1e-13, name


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e3])
def test_tiny_and_huge_steps(scale):
    """Given to the block itself: softplus reaches neither."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    u, delta, A, B, C = (
        normal(2, 30, 3),
        scale * normal(2, 30).abs(),
        -normal(3, 2).abs(),
        normal(2, 30, 2),
        normal(2, 2),
    )
    arguments = tuple(tensor.requires_grad_() for tensor in (u, delta, A, B, C))
    results = (weighted_gradients(f, arguments) for f in (unrolled, sequential))
    for name, found, expected in zip(("y", "u", "delta", "A", "B", "C"), *results, strict=True):
        assert relative(found, expected) <= 1e-10, name


@pytest.mark.parametrize("f", [last_output, outputs])
@pytest.mark.parametrize("shortest", [2, 64])
def test_second_derivatives(f, shortest, monkeypatch):
    shorten_blocks(monkeypatch, shortest)
    assert torch.autograd.gradgradcheck(f, inputs(b=1, t=4, d=2, n=1, grad=True))


def test_gradients_of_every_output_are_derivatives(monkeypatch):
    shorten_blocks(monkeypatch, 3)
    assert torch.autograd.gradcheck(outputs, inputs(b=2, t=5, grad=True))


@pytest.mark.parametrize("batched", [(1,), (2,), (4, 5), (0, 1, 2, 3, 4, 5)])
@pytest.mark.parametrize("shortest", [2, 64])
def test_vmap_and_its_gradients_equal_a_loop(batched, shortest, monkeypatch):
    shorten_blocks(monkeypatch, shortest)
    stacked = [inputs(t=6, seed=seed) for seed in range(3)]
    arguments = tuple(
        torch.stack([row[i] for row in stacked]) if i in batched else stacked[0][i] for i in range(len(NAMES))
    )
    in_dims = tuple(0 if i in batched else None for i in range(len(NAMES)))

    def total(*arguments):
        return last_output(*arguments).square().sum()

    rows = [tuple(x[k] if i in batched else x for i, x in enumerate(arguments)) for k in range(3)]
    for f in (last_output, torch.func.grad(total, argnums=1), torch.func.grad(total, argnums=0)):
        found = torch.vmap(f, in_dims=in_dims)(*arguments)
        assert relative(found, torch.stack([f(*row) for row in rows])) <= 1e-12


def test_padding_before_growth_does_not_overflow():
    """float32 holds e^88. Tokens of 0 come first: their weights would be e^90 and more, but their terms are 0."""
    exact = inputs(b=2, t=60, s_A=3.0, grad=True)
    exact[0].data[:, :50] = 0
    arguments = [tensor.detach().float().requires_grad_() for tensor in exact]
    f = functools.partial(last_output, gate="none")
    for name, found, expected in zip(
        ("y", *NAMES), weighted_gradients(f, arguments), weighted_gradients(f, exact), strict=True
    ):
        assert relative(found.double(), expected) <= 1e-4, name
    arguments[0].data[:, 0] = 1
    for form in FORMS:
        assert not f(*arguments, form=form).isfinite().any()


def test_no_tensor_of_all_states_is_made():
    """The bound is on every single tensor: (b,t,d,n) would have n times the entries of u."""
    arguments = inputs(b=4, t=3000, d=8, n=16, dtype=torch.float32, grad=True)
    largest = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            largest.extend(x.numel() for x in torch.utils._pytree.tree_leaves(result) if isinstance(x, torch.Tensor))
            return result

    with Watch():
        torch.autograd.grad(last_output(*arguments).sum(), arguments)
    # scores and their gradients are (b,t,n)
    assert max(largest) <= 2 * max(4 * 3000 * 8, 4 * 3000 * 16)
