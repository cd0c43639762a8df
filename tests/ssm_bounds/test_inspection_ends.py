"""Ends of the float64 range in the report of a layer, and what its sentences round: each was wrong once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.inspection import ModelReport, at_least, at_most, inspect_layer
from ssm_bounds.models.mamba.forward import block
from ssm_bounds.models.mamba.weights import Backward, GatedNorm, InnerNorms, Layer, Mamba1, Mamba2, Norm


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape)


ONE = np.ones(1)
MAMBA = Mamba1(
    R_x=np.ones((1, 1)), R_z=np.ones((1, 1)), c=zeros(1), c_z=zeros(1), K=np.ones((1, 1)), b=zeros(1),
    X_dt=zeros(1, 1), X_B=np.ones((1, 1)), X_C=np.ones((1, 1)), c_dt=zeros(1), c_B=zeros(1), c_C=zeros(1),
    W_dt=zeros(1, 1), p=zeros(1), A_log=zeros(1, 1), D=ONE, W_o=np.ones((1, 1)), b_o=zeros(1),
)  # fmt: skip


def of(mixer: Mamba1 | Mamba2, gamma: float = 1.0, eps: float = 1e-5) -> Layer:
    return Layer(0, "layer", Norm("rms", np.full(1, gamma), eps), mixer)


def test_a_square_beyond_the_range_is_no_small_output():
    mixer = Mamba2(
        R_z=np.full((1, 1), 10.0), R_x=np.full((1, 1), 10.0), R_B=zeros(1, 1), R_C=zeros(1, 1), R_dt=zeros(1, 1),
        c_z=zeros(1), c=zeros(1), c_B=zeros(1), c_C=zeros(1), K=np.ones((3, 1)), b=zeros(3), p=zeros(1),
        A_log=zeros(1), D=np.array([1.340902538465213e152]), W_o=np.ones((1, 1)), b_o=zeros(1), groups=1,
        norm=GatedNorm(ONE, 1e-5, 1),
    )  # fmt: skip
    for factor in np.linspace(1 - 6e-13, 1 + 6e-13, 41):
        layer = of(replace(mixer, D=mixer.D * factor))
        assert inspect_layer(layer, T=5, eta=0.05).out_sup >= block(layer, np.full((5, 1), 1e3)).max() > 0.99


def test_a_row_that_underflows_is_no_row_of_zeros():
    mixer = replace(MAMBA, R_x=np.full((1, 1), 2.0**-538), K=np.full((1, 1), 2.0**1023))
    report = inspect_layer(of(mixer, gamma=2.0**-538), T=3, eta=0.05)
    assert report.u_l2 >= 2.0**-54


def test_a_scan_at_the_floor_of_rounding_has_no_exponent():
    reports = [inspect_layer(of(replace(MAMBA, p=np.full(1, p))), T=7, eta=0.05) for p in (-100.0, -400.0)]
    assert reports[0].doubling_exponent == 1 and reports[1].doubling_exponent is None
    assert any("doubling_exponent" in note for note in reports[1].notes)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"step_offset": float("nan")}, "step_offset"),
        ({"step_offset": -1.0}, "step_offset"),
        ({"inner": InnerNorms(ONE, ONE, ONE, 1e-6)}, "second direction"),
        ({"step_offset": 0.5}, "second direction"),
    ],
)
def test_blocks_that_no_family_has_are_refused(changed, said):
    own = {name: getattr(MAMBA, name) for name in Backward.__slots__}
    mixer = replace(MAMBA, directions=2, backward=Backward(**own), **changed)
    with pytest.raises(DomainError, match=said):
        inspect_layer(of(mixer), T=3, eta=0.05)
    with pytest.raises(DomainError, match="eps"):
        inspect_layer(of(MAMBA, eps=-1.0), T=3, eta=0.05)


def test_shares_are_rounded_to_the_side_that_claims_less():
    assert (at_least(0.999755859), at_least(1.0), at_most(0.000244), at_most(0.0)) == (
        "99.9%",
        "100.0%",
        "0.1%",
        "0.0%",
    )
    mixer = replace(MAMBA, A_log=np.where(np.arange(4096) == 0, -30.0, 3.0)[None, :], X_B=np.ones((4096, 1)),
                    X_C=np.ones((4096, 1)), c_B=zeros(4096), c_C=zeros(4096))  # fmt: skip
    model = ModelReport("m", "f", "Mamba", 1, (), (), (inspect_layer(of(mixer), T=100, eta=0.05),))
    text = model.sentence(T=100, eta=0.05)
    assert "99.9% of the states always forget" in text and "0.0% cannot forget" in text


def test_forgetting_is_counted_in_further_tokens():
    """T tokens later, not within T tokens: of five, the first has four behind it."""
    mixer = replace(MAMBA, p=np.full(1, np.log(np.expm1(np.log(2.0)))))
    report = inspect_layer(of(mixer), T=5, eta=0.05)
    assert report.always_forgets == 1.0 and 2.0**-4 > 0.05 > 2.0**-5
    text = ModelReport("m", "f", "Mamba", 1, (), (), (report,)).sentence(T=5, eta=0.05)
    assert "5 tokens later at most 0.05 of what a token contributed is left" in text
