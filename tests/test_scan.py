"""models.scan: the unrolled form, the recurrence and a plain loop agree, gradients too."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from models.scan import last_output, sequential, step_sizes, unrolled
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
    """theory.md 1 for one sequence, token by token, as each convention is written there."""
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
