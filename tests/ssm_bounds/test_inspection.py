"""The report of a Mamba layer: above everything that is attained, close to it where theory M3 says so, one JSON."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.inspection import LayerReport, ModelReport, documents, inspect_layer
from ssm_bounds.models.mamba.weights import Backward, GatedNorm, InnerNorms, Layer, Mamba1, Mamba2, Norm
from tests import mamba
from tests.conftest import ROOT
from tests.machines import FEATURES, KERNELS, printed

SCHEMA = json.loads((ROOT / "ssm_bounds" / "report" / "inspect.json").read_text(encoding="utf-8"))
RNG = np.random.default_rng(5)


def inner(gamma: float) -> InnerNorms:
    return InnerNorms(
        gamma * RNG.uniform(0.5, 1.5, 2), gamma * RNG.uniform(0.5, 1.5, 4), RNG.uniform(0.5, 1.5, 4), 1e-6
    )


LAYERS: dict[str, Layer] = {
    "mamba": mamba.mamba1(0),
    "biases": mamba.mamba1(1, biases=0.5),
    "gamma": mamba.mamba1(2, biases=0.5, norm=mamba.norm_of(8, "rms", RNG)),
    "layer norm": mamba.mamba1(3, biases=0.5, norm=mamba.norm_of(8, "layer", RNG)),
    "inner norms": mamba.mamba1(4, biases=0.5, inner=inner(1.0), step_offset=1e-4),
    "large": mamba.mamba1(5, D=4, p=np.full(8, 2.0), A_log=RNG.uniform(-6, 2, (8, 4))),
    "one tap": mamba.mamba1(6, k=1, D=4),
    "mamba2": mamba.mamba2(0),
    "mamba2 biases": mamba.mamba2(1, biases=0.5, G=2, norm=mamba.norm_of(8, "layer", RNG)),
    "mamba2 limits": mamba.mamba2(2, limits=(0.01, 0.05), p=np.linspace(-8, 2, 4)),
    "mamba2 groups": mamba.mamba2(3, G=2, biases=0.2, norm=mamba.norm_of(8, "rms", RNG)),
    "mamba2 before": mamba.mamba2(4, gated=GatedNorm(RNG.uniform(0.5, 1, 16), 1e-5, 2, before_gate=True)),
    "mamba2 after": mamba.mamba2(5, gated=GatedNorm(RNG.uniform(0.5, 1, 16), 1e-5, 4)),
    "mamba2 no norm": mamba.mamba2(6, gated=None),
}  # fmt: skip


def model(*layers: LayerReport) -> ModelReport:
    return ModelReport("model.safetensors", "safetensors", "mamba", 1234, ("dt_rank",), ("lm_head",), layers)


def forward(layer: Layer, h: torch.Tensor, mask: torch.Tensor, **options: bool) -> dict[str, torch.Tensor]:
    run: Any = mamba.forward1 if isinstance(layer.mixer, Mamba1) else mamba.forward2
    return run(layer, h, mask, **options)


def seen(found: dict[str, torch.Tensor]) -> dict[str, float]:
    return {
        "u_max": found["u"].abs().max(), "u_l2": found["u"].norm(dim=1).max(), "delta_max": found["step"].max(),
        "state_sup": found["state"].norm(dim=2).max(), "scan_sup": found["scan"].norm(dim=1).max(),
        "out_sup": found["out"].norm(dim=1).max(),
    }  # fmt: skip


class TestNothingIsAbove:
    """Adversarial ascent in float64; its own rounding is below 1e-12."""

    @pytest.mark.parametrize("name", LAYERS)
    @pytest.mark.parametrize("quantity", ["u_max", "u_l2", "delta_max", "state_sup", "scan_sup", "out_sup"])
    def test_the_largest_found_is_below(self, name, quantity):
        layer, T = LAYERS[name], 6
        report = inspect_layer(layer, T=T, eta=0.05)
        D = layer.mixer.W_o.shape[0]
        target = lambda h: seen(forward(layer, h, torch.ones(T)))[quantity]  # noqa: E731
        best = mamba.ascend(target, T, D, 0, steps=50)
        assert 0 < best <= getattr(report, quantity) * (1 + 1e-12)

    @pytest.mark.parametrize("name", LAYERS)
    def test_with_masks_and_on_both_paths(self, name):
        layer, T = LAYERS[name], 12
        report = inspect_layer(layer, T=T, eta=0.05)
        rng = np.random.default_rng(3)
        for _ in range(40):
            mask = torch.from_numpy(rng.integers(0, 2, T).astype(np.float64))
            h = torch.from_numpy(rng.normal(size=(T, layer.mixer.W_o.shape[0])) * 100)
            for options in [{}] if isinstance(layer.mixer, Mamba1) else [{}, {"decode": True}]:
                found = forward(layer, h, mask, **options)
                assert all(value <= getattr(report, key) for key, value in seen(found).items())
                assert found["step"].min() >= report.delta_min
                assert (found["u"].abs().amax(dim=0).numpy() <= report.channels["u_max"]).all()
                assert (found["step"].amax(dim=0).numpy() <= report.channels["delta_max"]).all()
                assert (found["step"].amin(dim=0).numpy() >= report.channels["delta_min"]).all()
                assert (found["state"].norm(dim=2).amax(dim=0).numpy() <= report.channels["state_sup"]).all()
                assert (found["scan"].abs().amax(dim=0).numpy() <= report.channels["scan_sup"]).all()

    @pytest.mark.parametrize("name", LAYERS)
    def test_states_forget_and_keep_as_counted(self, name):
        """A contribution's factor after T tokens is the product of T decays."""
        layer, T = LAYERS[name], 12
        report = inspect_layer(layer, T=T, eta=0.05)
        rates = np.exp(layer.mixer.A_log)
        rates = rates if rates.ndim == 2 else rates[:, None]
        rng = np.random.default_rng(4)
        for _ in range(10):
            h = torch.from_numpy(rng.normal(size=(T, layer.mixer.W_o.shape[0])) * 100)
            decays = np.exp(-rates * forward(layer, h, torch.ones(T))["step"].numpy()[:, :, None])
            assert report.decay_min <= decays.min() and decays.max() <= report.decay_max
            left = decays.prod(axis=0)
            assert (left <= 0.05).mean() >= report.always_forgets and (left >= 0.95).mean() >= report.cannot_forget
        assert report.always_forgets + report.cannot_forget + report.undecided == pytest.approx(1)

    def test_two_directions_add_up(self):
        layer, T = mamba.mamba1(8, D=4, biases=0.3, directions=2), 6
        report = inspect_layer(layer, T=T, eta=0.05)

        def both(h: torch.Tensor, name: str) -> torch.Tensor:
            ways = forward(layer, h, torch.ones(T)), forward(layer, h.flip(0), torch.ones(T))
            return ways[0][name] + ways[1][name].flip(0)

        bias = torch.from_numpy(layer.mixer.b_o)
        scan = mamba.ascend(lambda h: both(h, "scan").norm(dim=1).max(), T, 4, 0, steps=50)
        out = mamba.ascend(lambda h: (both(h, "out") - bias).norm(dim=1).max(), T, 4, 0, steps=50)
        one = inspect_layer(replace(layer, mixer=replace(layer.mixer, directions=1)), T=T, eta=0.05)
        assert 0 < scan <= report.scan_sup and 0 < out <= report.out_sup and report.scan_sup > one.scan_sup

    def test_a_second_direction_with_weights_of_its_own(self):
        layer, other, T = mamba.mamba1(9, D=4, directions=2), mamba.mamba1(10, D=4), 6
        own = Backward(**{name: getattr(other.mixer, name) for name in Backward.__slots__})
        layer = replace(layer, mixer=replace(layer.mixer, backward=own))
        turned = replace(layer, mixer=replace(layer.mixer, **{n: getattr(own, n) for n in Backward.__slots__}))
        report = inspect_layer(layer, T=T, eta=0.05)

        def both(h: torch.Tensor, name: str) -> torch.Tensor:
            return forward(layer, h, torch.ones(T))[name] + forward(turned, h.flip(0), torch.ones(T))[name].flip(0)

        for name in ("scan", "out"):
            best = mamba.ascend(lambda h, name=name: both(h, name).norm(dim=1).max(), T, 4, 0, steps=50)
            assert 0 < best <= getattr(report, f"{name}_sup")
        ways = [replace(one, mixer=replace(one.mixer, directions=1, backward=None)) for one in (layer, turned)]
        each = [inspect_layer(way, T=T, eta=0.05) for way in ways]
        for name in ("u_max", "delta_max", "state_sup", "horizon_ceiling"):
            assert getattr(report, name) == max(getattr(one, name) for one in each)
        assert report.undecided == pytest.approx(np.mean([one.undecided for one in each])) and report.paper is None
        jsonschema.validate(documents([model(report)], T=T, eta=0.05, channels=True), SCHEMA)

    def test_a_radius_may_be_stated_where_no_norm_is(self):
        layer = replace(LAYERS["mamba"], norm=None, radius=8**0.5)
        report, normed = (inspect_layer(one, T=12, eta=0.05) for one in (layer, LAYERS["mamba"]))
        assert report.out_sup == pytest.approx(normed.out_sup) and "as stated" in report.notes[0]
        with pytest.raises(DomainError, match="radius"):
            inspect_layer(replace(layer, radius=-1.0), T=12, eta=0.05)


def aligned(layer: Layer, rows: np.ndarray, taps: np.ndarray, T: int) -> np.ndarray:
    """Tokens that point where a window of taps makes a channel largest at the last token."""
    assert layer.norm is not None
    row = rows * layer.norm.gamma
    h = np.random.default_rng(0).normal(size=(T, len(row)))
    for i, tap in enumerate(taps[:T]):
        h[T - 1 - i] = np.sign(tap) * row / np.linalg.norm(row)
    return h


class TestTight:
    """Theory M3: what is lower by 3 percent is refuted."""

    @pytest.mark.parametrize("name", ["mamba", "gamma", "large", "one tap", "mamba2", "mamba2 after"])
    def test_u_is_attained(self, name):
        layer = LAYERS[name]
        if layer.mixer.c.any():
            layer = replace(layer, mixer=replace(layer.mixer, c=0 * layer.mixer.c))
        bounds = np.array(inspect_layer(layer, T=12, eta=0.05).channels["u_max"])
        for j in range(len(bounds)):
            h = aligned(layer, layer.mixer.R_x[j], layer.mixer.K[j], 12)
            found = forward(layer, torch.from_numpy(1e6 * h), torch.ones(12))["u"][:, j].abs().max().item()
            assert found <= bounds[j] * (1 + 1e-12)
            if found >= 0.2785:  # else the minimum of SiLU counts, which is somewhere inside
                assert found >= 0.99 * bounds[j] and not found <= 0.97 * bounds[j]

    @pytest.mark.parametrize("name", ["mamba2", "mamba2 groups", "mamba2 after"])
    def test_steps_of_mamba2_are_attained(self, name):
        layer = LAYERS[name]
        channels = inspect_layer(layer, T=2, eta=0.05).channels
        for h in range(len(layer.mixer.p)):
            row = layer.mixer.R_dt[h] * layer.norm.gamma
            step = forward(layer, torch.from_numpy(1e6 * np.stack([row, -row])), torch.ones(2))["step"][:, h].numpy()
            assert 0.97 * channels["delta_max"][h] < step[0] <= channels["delta_max"][h] * (1 + 1e-12)
            assert channels["delta_min"][h] * (1 - 1e-12) <= step[1] < channels["delta_min"][h] / 0.97
            assert step[0] >= 0.99 * channels["delta_max"][h]

    @pytest.mark.parametrize("seed", [0, 7])
    def test_the_length_of_u_comes_close(self, seed):
        layer = mamba.mamba1(seed, b=np.zeros(16))
        bound = inspect_layer(layer, T=6, eta=0.05).u_l2
        target = lambda h: forward(layer, h, torch.ones(6))["u"][-1].norm()  # noqa: E731
        best = max(mamba.ascend(target, 6, 8, start, steps=200) for start in range(3))
        print(f"|u|: {best / bound:.3f} of the bound")
        assert 0.7 * bound <= best <= bound

    def test_the_output_of_mamba2_comes_close(self):
        """One channel's y o z large against the others: the norm makes the output as long as its column."""
        layer = mamba.mamba2(0, D=16)
        bound = inspect_layer(layer, T=20, eta=0.05).out_sup
        target = lambda h: forward(layer, h, torch.ones(20))["out"][-1].norm()  # noqa: E731
        best = max(mamba.ascend(target, 20, 16, start, steps=300) for start in range(2))
        print(f"out of Mamba-2: {best / bound:.3f} of the bound")
        assert 0.97 * bound < best <= bound


class TestDocument:
    @pytest.fixture(scope="class")
    @classmethod
    def reports(cls):
        return [inspect_layer(layer, T=50, eta=0.05) for layer in LAYERS.values()]

    @pytest.mark.parametrize("channels", [False, True])
    def test_it_follows_its_schema(self, reports, channels):
        document = documents([model(*reports)], [("other.pth", "not a model")], T=50, eta=0.05, channels=channels)
        assert json.loads(json.dumps(document, allow_nan=False)) == document
        jsonschema.Draft202012Validator.check_schema(SCHEMA)
        jsonschema.Draft202012Validator(SCHEMA).validate(document)
        (found,) = document["models"]
        assert ("channels" in found["layers"][0]) == channels
        keys = list(SCHEMA["$defs"]["layer"]["properties"])
        assert all(list(layer) == (keys if channels else keys[:-1]) for layer in found["layers"])

    def test_it_has_the_keys_that_were_asked_for(self, reports):
        layer = documents([model(reports[0])], T=50, eta=0.05)["models"][0]["layers"][0]
        keys = (
            "index mixer d_model d_inner d_state heads input_radius u_max u_l2 delta_min delta_max s_A decay_min "
            "decay_max always_forgets cannot_forget undecided doubling_exponent state_sup scan_sup out_sup paper "
            "groups step_limits horizon_floor horizon_ceiling overflows measured notes"
        )
        assert list(layer) == [*keys.split()]
        quantities = "B_u B_B B_C M_B M_C B_q p_lo p_hi M_Delta Delta_min rho_A S_1 S_2 published_sup sharp_sup"
        assert list(layer["paper"]) == [*quantities.split()]

    def test_the_sentence_counts_states(self, reports):
        sentence = model(reports[0], reports[7]).sentence(T=50, eta=0.05)
        share = np.average([reports[i].undecided for i in (0, 7)], weights=[16 * 4, 16 * 4])
        assert f"{share:.1%} are undecided" in sentence and "length at most 50" in sentence and "\n" not in sentence
        assert model().sentence(T=50, eta=0.05).endswith("no Mamba layer was found.")


class TestNotes:
    def test_an_input_without_a_norm_leaves_the_rates(self):
        report = inspect_layer(replace(LAYERS["mamba"], norm=None), T=50, eta=0.05)
        assert report.input_radius is report.out_sup is report.u_max is report.overflows is None
        assert report.undecided == 1 and report.s_A == pytest.approx(-1)
        assert "no norm bounds" in report.notes[-2] and "null: input_radius" in report.notes[-1]
        assert not any("rho" in note for note in report.notes)
        jsonschema.validate(documents([model(report)], T=50, eta=0.05, channels=True), SCHEMA)
        limited = inspect_layer(replace(LAYERS["mamba2 limits"], norm=None), T=50, eta=0.05)
        assert limited.step_limits and not any("limits" in note for note in limited.notes)

    def test_a_state_that_nothing_decays(self):
        A_log = np.log(np.tile(np.arange(1.0, 5), (16, 1)))
        A_log[3, 2] = -math.inf
        report = inspect_layer(mamba.mamba1(0, A_log=A_log), T=50, eta=0.05)
        assert report.s_A == 0 and report.decay_max == 1 and report.cannot_forget >= 1 / 64
        assert report.horizon_ceiling is None and report.doubling_exponent > 0.1
        assert any("1 of 64 states have |A| below 2^-999" in note for note in report.notes)
        assert any("null: horizon_ceiling" in note for note in report.notes)
        assert (report.paper["rho_A"], report.paper["S_1"], report.paper["S_2"]) == (1, 50, 50 * 49 / 2)

    def test_everything_at_once_may_vanish(self):
        mixer = LAYERS["mamba"].mixer
        names = ("R_x", "R_z", "K", "b", "X_B", "X_C", "X_dt", "W_dt", "D", "W_o")
        nothing = replace(mixer, **{name: np.zeros_like(getattr(mixer, name)) for name in names})
        zeros = replace(LAYERS["mamba"], mixer=nothing)
        report = inspect_layer(zeros, T=1, eta=0.05)
        assert max(report.u_max, report.u_l2, report.state_sup, report.scan_sup, report.out_sup) <= 1e-150
        assert report.overflows == () and report.doubling_exponent is None

    @pytest.mark.parametrize("p", [-2000.0, -800.0, 800.0, 1e300])
    @pytest.mark.parametrize("A_log", [-2000.0, -500.0, 500.0, 2000.0])
    def test_extreme_steps_and_rates_end_on_the_safe_side(self, p, A_log):
        report = inspect_layer(mamba.mamba1(0, p=np.full(16, p), A_log=np.full((16, 4), A_log)), T=7, eta=0.05)
        jsonschema.validate(documents([model(report)], T=7, eta=0.05, channels=True), SCHEMA)
        assert report.delta_max is None or report.delta_max >= max(p, 0)
        assert report.delta_min <= max(p, 1e-300) and (A_log > -700 or report.cannot_forget >= (p < 700))

    def test_limits_that_decoding_ignores_are_named(self):
        report = inspect_layer(LAYERS["mamba2 limits"], T=50, eta=0.05)
        assert report.step_limits == {"low": 0.01, "high": 0.05}
        assert report.delta_min < 0.01 and report.delta_max > 0.05
        assert any("[0.01, 0.05], but one-token decoding may ignore them" in note for note in report.notes)
        wide = replace(LAYERS["mamba2"], mixer=replace(LAYERS["mamba2"].mixer, limits=(0.0, 100.0)))
        assert any("never reached" in note for note in inspect_layer(wide, T=50, eta=0.05).notes)

    def test_variants_say_what_is_not_claimed(self):
        same = inspect_layer(mamba.mamba1(0, convolution="same"), T=50, eta=0.05)
        assert any("later tokens" in note for note in same.notes)
        one, both = (inspect_layer(mamba.mamba1(0, directions=n), T=50, eta=0.05) for n in (1, 2))
        assert both.paper is None and both.scan_sup == pytest.approx(2 * one.scan_sup)
        assert both.always_forgets == one.always_forgets and both.state_sup == one.state_sup
        assert inspect_layer(LAYERS["inner norms"], T=50, eta=0.05).paper is None

    @pytest.mark.parametrize(("T", "eta"), [(0, 0.05), (5, 0.0), (5, 0.5), (5, math.nan), (2.0, 0.1)])
    def test_what_is_outside_is_refused(self, T, eta):
        with pytest.raises(DomainError):
            inspect_layer(LAYERS["mamba"], T=T, eta=eta)

    def test_weights_that_are_no_numbers_are_refused(self):
        with pytest.raises(DomainError, match="W_o holds 1 entries"):
            W_o = LAYERS["mamba"].mixer.W_o.copy()
            W_o[0, 0] = math.nan
            inspect_layer(mamba.mamba1(0, W_o=W_o), T=5, eta=0.05)

    def test_a_bound_beyond_a_type_is_named(self):
        mixer = LAYERS["mamba"].mixer
        report = inspect_layer(mamba.mamba1(0, W_o=mixer.W_o * 1e4), T=50, eta=0.05)
        assert report.overflows == ("float16",)


def test_longer_inputs_never_lower_a_bound():
    reports = [inspect_layer(LAYERS["large"], T=T, eta=0.05) for T in (1, 2, 7, 50, 10**9, 2**53)]
    for name in ("state_sup", "scan_sup", "out_sup", "always_forgets"):
        values = [getattr(report, name) for report in reports]
        assert values == sorted(values)


PROGRAM = """
import json
import numpy as np
from ssm_bounds.inspection import ModelReport, documents, inspect_layer
from tests import mamba
layers = [mamba.mamba1(0, D=70, biases=0.3, norm=mamba.norm_of(70, "layer", np.random.default_rng(1))),
          mamba.mamba1(1, D=8), mamba.mamba2(2, D=40, H=4, N=6)]
found = [inspect_layer(layer, T=100, eta=0.05) for layer in layers]
print(json.dumps(documents([ModelReport("", "", "", 0, (), (), tuple(found))], T=100, eta=0.05, channels=True)))
"""


@pytest.fixture(scope="module")
def here() -> str:
    return printed("-c", PROGRAM)


@pytest.mark.parametrize("kernel", KERNELS)
def test_it_is_the_same_on_every_machine(here, kernel):
    """``test_portable`` shows that these change the arithmetic."""
    changes = {"OPENBLAS_CORETYPE": kernel, "OMP_NUM_THREADS": "2", "NPY_DISABLE_CPU_FEATURES": FEATURES}
    assert here == printed("-c", PROGRAM, **changes)


def test_a_usual_start_of_transformers():
    """theory M7; the row's searches for theta differ in the third digit."""
    transformers = pytest.importorskip("transformers", reason="transformers is not here")
    if (transformers.__version__, torch.__version__.split("+")[0]) != ("5.24.0", "2.13.0"):
        pytest.skip("the numbers are those of transformers 5.24.0 with torch 2.13.0")
    torch.manual_seed(0)
    config = transformers.MambaConfig(vocab_size=64, hidden_size=64, state_size=16, num_hidden_layers=2)
    block = transformers.MambaForCausalLM(config).double().backbone.layers[0]
    w = {name: value.detach().numpy() for name, value in block.mixer.named_parameters()}
    zeros, (R, N), rows, projected = np.zeros, (4, 16), w["in_proj.weight"], w["x_proj.weight"]
    mixer = Mamba1(
        R_x=rows[:128], R_z=rows[128:], c=zeros(128), c_z=zeros(128), K=w["conv1d.weight"][:, 0, ::-1],
        b=w["conv1d.bias"], X_dt=projected[:R], X_B=projected[R : R + N], X_C=projected[R + N :], c_dt=zeros(R),
        c_B=zeros(N), c_C=zeros(N), W_dt=w["dt_proj.weight"], p=w["dt_proj.bias"], A_log=w["A_log"], D=w["D"],
        W_o=w["out_proj.weight"], b_o=zeros(64),
    )  # fmt: skip
    layer = Layer(0, "0", Norm("rms", block.norm.weight.detach().numpy(), 1e-5), mixer)
    short, long = (inspect_layer(layer, T=T, eta=0.05) for T in (50, 2048))
    paper = long.paper
    assert 13.40 < paper["B_u"] <= 13.4563
    assert (paper["B_B"], paper["B_C"]) == pytest.approx((1.48189, 1.50038), rel=1e-5)
    assert 9.22 < paper["M_Delta"] <= 9.24656 and 4.38524e-9 <= paper["Delta_min"] < 4.46e-9
    assert (short.paper["S_1"], short.paper["S_2"]) == pytest.approx((50, 1225), rel=1e-6)
    assert paper["S_2"] == pytest.approx(2.096e6, rel=1e-3)
    assert 2.48e6 < short.paper["published_sup"] < 2.506e6 and 1.01e8 < paper["published_sup"] < 1.027e8
    assert 1.37e5 < paper["sharp_sup"] < 1.3851e5 and 8.0e5 < long.out_sup <= 8.144e5
    assert round(long.always_forgets, 3) == 0.047 and long.cannot_forget == 0 and short.doubling_exponent < 1e-3
    assert round(short.always_forgets, 3) == 0.006
    assert long.horizon_ceiling == pytest.approx(6.8e8, rel=0.02)
    ones = InnerNorms(np.ones(R), np.ones(N), np.ones(N), 1e-6)
    falcon = inspect_layer(replace(layer, mixer=replace(mixer, inner=ones)), T=2048, eta=0.05)
    assert (falcon.delta_min, falcon.delta_max) == pytest.approx((2.53e-4, 0.3297), rel=2e-3)
    assert falcon.scan_sup == pytest.approx(1227, rel=1e-3)


def test_twenty_four_layers_of_768_take_less_than_a_minute():
    """Two of them are timed; the time is printed, for a person to read."""
    start = time.process_time()
    for seed in range(2):
        report = inspect_layer(mamba.mamba1(seed, D=768, N=16, R=48), T=2048, eta=0.05)
        assert report.out_sup is not None
    print(f"24 layers of d_model 768: about {12 * (time.process_time() - start):.0f} s on one core")


def test_mamba2_is_read_by_its_heads():
    assert isinstance(LAYERS["mamba2"].mixer, Mamba2)
    report = inspect_layer(LAYERS["mamba2 groups"], T=50, eta=0.05)
    assert (report.heads, report.groups, report.d_state, report.mixer) == (4, 2, 4, "mamba2")
