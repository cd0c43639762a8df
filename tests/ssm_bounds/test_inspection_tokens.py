"""The first layer over a vocabulary (theory M1.6), and what tokens did beside what is certain."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from flint import arb, ctx

from ssm_bounds.bounds.architectures.mamba.suprema import convolved
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.inspection import NOT_MEASURED, inspect, inspect_layer
from ssm_bounds.models.mamba import measured as module
from ssm_bounds.models.mamba.measure import _normed, folded
from ssm_bounds.models.mamba.measured import measured
from ssm_bounds.models.mamba.weights import Layer, Mamba1, Norm, Vocabulary
from ssm_bounds.models.tasks.task import TaskError
from ssm_bounds.models.tasks.tokens import Tokens
from tests import mamba
from tests.models.files.formats.models import FAMILIES, random, save

RNG = np.random.default_rng(11)
D, V, k = 6, 3, 3
TABLE = RNG.normal(size=(V, D))
LAYERS = {
    "mamba": mamba.mamba1(0, D=D, k=k),
    "biases": mamba.mamba1(1, D=D, k=k, biases=1.0, norm=mamba.norm_of(D, "rms", RNG)),
    "layer norm": mamba.mamba1(2, D=D, k=k, biases=0.5, norm=mamba.norm_of(D, "layer", RNG)),
    "mamba2": mamba.mamba2(3, D=D, k=k),
    "mamba2 biases": mamba.mamba2(4, D=D, k=k, G=2, biases=1.0, norm=mamba.norm_of(D, "layer", RNG)),
    "mamba2 limits": mamba.mamba2(5, D=D, k=k, limits=(0.01, 0.05), p=np.linspace(-8, 2, 4)),
}
BOUNDS = ("u_max", "u_l2", "delta_max", "decay_max", "state_sup", "scan_sup", "out_sup")


def vocabulary(table: np.ndarray, rounded: bool = False) -> Vocabulary:
    return Vocabulary(len(table), lambda n: (table[i : i + n] for i in range(0, len(table), n)), rounded)


def spoken(name: str, table: np.ndarray = TABLE) -> Layer:
    return replace(LAYERS[name], vocabulary=vocabulary(table))


def tokens(x: Sequence[Sequence[int]], lengths: Sequence[int] | None = None) -> Tokens:
    rows = np.array(x)
    return Tokens(rows, np.full(len(rows), rows.shape[1]) if lengths is None else np.array(lengths))


def every_window(T: int = k) -> Tokens:
    return tokens(list(itertools.product(range(V), repeat=T)))


def forward(layer: Layer, h: np.ndarray, mask: np.ndarray) -> dict[str, torch.Tensor]:
    run = mamba.forward1 if isinstance(layer.mixer, Mamba1) else mamba.forward2
    return run(layer, torch.from_numpy(h), torch.from_numpy(mask))


class TestVocabulary:
    @pytest.mark.parametrize("name", LAYERS)
    def test_every_sequence_with_every_mask_is_below(self, name):
        layer, T = spoken(name), 4
        report = inspect_layer(layer, T=T, eta=0.05)
        assert report.notes[0].startswith(
            "over the 3 tokens of the vocabulary, masks as in evaluation included; inputs_embeds"
        )
        for row in itertools.product(range(V + 1), repeat=T):  # the last stands for a masked token
            mask = np.array([float(v < V) for v in row])
            found = forward(layer, TABLE[[min(v, V - 1) for v in row]], mask)
            channels = {name: np.array(values) for name, values in report.channels.items()}
            assert (found["u"].abs().amax(dim=0).numpy() <= channels["u_max"]).all()
            assert (found["step"].amax(dim=0).numpy() <= channels["delta_max"]).all()
            assert (found["step"].amin(dim=0).numpy() >= channels["delta_min"]).all()
            assert (found["state"].norm(dim=2).amax(dim=0).numpy() <= channels["state_sup"]).all()
            assert (found["scan"].abs().amax(dim=0).numpy() <= channels["scan_sup"]).all()
            assert found["u"].norm(dim=1).max() <= report.u_l2 and found["out"].norm(dim=1).max() <= report.out_sup

    @pytest.mark.parametrize("name", LAYERS)
    def test_it_is_attained_and_less_than_the_ball(self, name):
        """What is lower by three percent is refuted, by a sequence."""
        layer = spoken(name)
        report, ball = inspect_layer(layer, T=k, eta=0.05), inspect_layer(LAYERS[name], T=k, eta=0.05)
        for bound in BOUNDS:
            assert getattr(report, bound) <= getattr(ball, bound)
        assert report.delta_min >= ball.delta_min and report.input_radius == ball.input_radius
        assert report.u_max < 0.95 * ball.u_max and not any("vocabulary" in note for note in ball.notes)
        seen = np.zeros(len(report.channels["u_max"]))
        for row in itertools.product(range(V + 1), repeat=k):
            mask = np.array([float(v < V) for v in row])
            found = forward(layer, TABLE[[min(v, V - 1) for v in row]], mask)
            seen = np.maximum(seen, found["u"].abs().amax(dim=0).numpy())
        bounds = np.array(report.channels["u_max"])
        large = seen > 0.2785  # else the minimum of SiLU counts, which no token need reach
        assert large.any() and (seen[large] >= (1 - 1e-6) * bounds[large]).all()

    def test_steps_of_mamba2_are_attained(self):
        report = inspect_layer(spoken("mamba2"), T=1, eta=0.05)
        found = np.concatenate([forward(LAYERS["mamba2"], TABLE[[v]], np.ones(1))["step"].numpy() for v in range(V)])
        masked = np.logaddexp(0, LAYERS["mamba2"].mixer.p)
        assert np.maximum(found.max(axis=0), masked) == pytest.approx(np.array(report.channels["delta_max"]), rel=1e-6)
        assert np.minimum(found.min(axis=0), masked) == pytest.approx(np.array(report.channels["delta_min"]), rel=1e-6)

    def test_blocks_of_rows_change_nothing(self):
        table = RNG.normal(size=(50, D))
        one, other = (
            folded(LAYERS["biases"].mixer.R_x, LAYERS["biases"].mixer.c, replace(LAYERS["biases"], vocabulary=given))
            for given in (
                vocabulary(table),
                Vocabulary(50, lambda n: (table[i : i + 7] for i in range(0, 50, 7))),
            )
        )
        assert one.spoken is not None and other.spoken is not None
        assert np.allclose(one.spoken, other.spoken, rtol=1e-6)

    @pytest.mark.parametrize("kind", ["rms", "layer"])
    @pytest.mark.parametrize("eps", [1e-5, 1e-12, 0.0])
    def test_normed_rows_are_within_their_error(self, kind, eps):
        rows = RNG.normal(size=(40, 24)) * 10.0 ** RNG.integers(-8, 8, (40, 1))
        rows[::3] += 10.0 ** RNG.integers(-4, 14, (len(rows[::3]), 1))  # of which the mean takes most
        rows[1] = 0
        v, off = _normed(rows, Norm(kind, np.ones(24), eps), rounded=False)
        ctx.prec = 400
        for h, found, error in zip(rows, v, off, strict=True):
            exact = [arb(x) for x in h.tolist()]
            mean = sum(exact, arb(0)) / 24 if kind == "layer" else arb(0)
            centred = [x - mean for x in exact]
            s = (sum((x * x for x in centred), arb(0)) / 24 + arb(eps)).sqrt()
            if not s > 0:
                assert error == np.inf
                continue
            distance = sum(((x / s - arb(y)) ** 2 for x, y in zip(centred, found.tolist(), strict=True)), arb(0)).sqrt()
            assert distance.upper() <= arb(float(error))
        ctx.prec = 53
        assert kind == "layer" or np.median(off) < 1e-12

    def test_a_rounded_table_pays_for_it(self):
        exact, rounded = (
            folded(
                LAYERS["mamba"].mixer.R_x, LAYERS["mamba"].mixer.c, replace(LAYERS["mamba"], vocabulary=given)
            ).spoken
            for given in (vocabulary(TABLE), vocabulary(TABLE, rounded=True))
        )
        assert exact is not None and rounded is not None
        assert (rounded[1] > exact[1]).all() and np.allclose(exact, rounded, rtol=1e-12)

    def test_rows_out_of_range_leave_the_ball(self):
        report = inspect_layer(spoken("mamba", np.full((2, D), 1e200)), T=k, eta=0.05)
        ball = inspect_layer(LAYERS["mamba"], T=k, eta=0.05)
        assert report.u_max == ball.u_max and report.out_sup == ball.out_sup


class TestConvolved:
    def test_the_taps_that_count_come_first(self):
        """Over every window of ends and every length: exact, and less than where any token may be absent."""
        taps, bias = RNG.normal(size=(5, 4)), RNG.normal(size=5)
        x = np.sort(RNG.normal(size=(2, 5)) + 0.7, axis=0)
        low, high = convolved(taps, bias, (x[0], x[1]))
        values = [
            bias + sum(taps[:, i] * x[end] for i, end in enumerate(ends))
            for length in range(1, 5)
            for ends in itertools.product((0, 1), repeat=length)
        ]
        assert (np.max(values, axis=0) <= high).all() and np.max(values, axis=0) == pytest.approx(high, rel=1e-13)
        assert (np.min(values, axis=0) >= low).all() and np.min(values, axis=0) == pytest.approx(low, rel=1e-13)
        wide = convolved(taps, bias, (x[0], x[1]), causal=False)
        assert (wide[1] >= high - 1e-12).all() and (wide[1] > high + 0.01).any()


class TestMeasured:
    @pytest.mark.parametrize("kind", ["mamba", "mamba2"])
    def test_it_is_what_a_second_program_says(self, kind, monkeypatch):
        make = mamba.mamba1 if kind == "mamba" else mamba.mamba2
        layers = [make(seed, D=D, biases=0.4, norm=mamba.norm_of(D, "rms", RNG)) for seed in range(3)]
        x, lengths = RNG.integers(0, V, (7, 9)), RNG.integers(1, 10, 7)
        monkeypatch.setattr(module, "_NUMBERS", 9 * 2 * D * 2)  # a few rows at a time
        found = measured(layers, vocabulary(TABLE), tokens(x.tolist(), lengths.tolist()))
        expected: list[dict[str, list[float]]] = [{} for _ in layers]
        for row, length in zip(x, lengths, strict=True):
            h = TABLE[row[:length]]
            for layer, into in zip(layers, expected, strict=True):
                seen = forward(layer, h, np.ones(length))
                h = h + seen["out"].numpy()
                for name, value in (
                    ("u_max", seen["u"].abs().max()), ("u_l2", seen["u"].norm(dim=1).max()),
                    ("delta_max", seen["step"].max()), ("delta_min", -seen["step"].min()),
                    ("state_sup", seen["state"].norm(dim=2).max()), ("scan_sup", seen["scan"].norm(dim=1).max()),
                    ("out_sup", seen["out"].norm(dim=1).max()),
                ):  # fmt: skip
                    into.setdefault(name, []).append(float(value))
        for one, values in zip(found, expected, strict=True):
            assert (one.rows, one.tokens) == (7, lengths.sum())
            for name, each in values.items():
                assert getattr(one, name) == pytest.approx(abs(max(each)), rel=1e-9), name

    @pytest.mark.parametrize("name", LAYERS)
    def test_nothing_is_above_what_is_certain_and_nothing_may_be_lowered(self, name):
        layers = [spoken(name), LAYERS["mamba"], LAYERS["mamba2"]]
        given = every_window(5)
        for one, layer in zip(measured(layers, vocabulary(TABLE), given), layers, strict=True):
            report = inspect_layer(layer, T=5, eta=0.05)
            assert all(0 < getattr(one, bound) <= getattr(report, bound) for bound in BOUNDS)
            assert one.delta_min >= report.delta_min and one.decay_min >= report.decay_min
        first, bound = measured(layers[:1], vocabulary(TABLE), given)[0], inspect_layer(layers[0], T=5, eta=0.05)
        if not name.endswith("biases"):  # there the masked token, which no row has, is the largest
            assert first.u_max > 0.97 * bound.u_max  # a bound lowered by three percent fails

    def test_decays_are_those_of_the_steps(self):
        one = measured([LAYERS["mamba"]], vocabulary(TABLE), every_window())[0]
        steps = np.concatenate(
            [forward(LAYERS["mamba"], TABLE[row], np.ones(k))["step"].numpy() for row in every_window().x]
        )
        decays = np.exp(-np.exp(LAYERS["mamba"].mixer.A_log) * steps[:, :, None])
        assert (one.decay_min, one.decay_max) == pytest.approx((decays.min(), decays.max()), rel=1e-12)

    def test_tokens_outside_are_refused_by_row(self):
        with pytest.raises(TaskError, match="row 1 has the token 3 at place 0; the model's vocabulary is 0 to 2"):
            measured([LAYERS["mamba"]], vocabulary(TABLE), tokens([[0, 1], [3, 0]]))
        with pytest.raises(TaskError, match="row 0 has the token -1"):
            measured([LAYERS["mamba"]], vocabulary(TABLE), tokens([[-1, 1]]))


class TestFiles:
    def data(self, folder, size=5, T=6, **more):
        path = folder / "tokens.npz"
        np.savez(path, x_train=np.random.default_rng(0).integers(0, size, (10, T)), **more)
        return path

    def saved(self, folder, family, **changes):
        shapes, config = FAMILIES[family]
        return save(folder / "model", random(shapes | changes), config)

    def test_all_layers_are_measured(self, tmp_path):
        data = self.data(tmp_path, lengths=np.arange(10) % 6 + 1)
        report = inspect(self.saved(tmp_path, "mamba"), T=8, data=data)
        for layer in report.layers:
            assert layer.measured is not None and layer.measured["note"] == "measured on 10 rows, float64; not a bound"
            assert layer.measured["tokens"] == 10 + sum(np.arange(10) % 6)
            assert all(layer.measured[name] <= getattr(layer, name) for name in BOUNDS)
        plain = inspect(tmp_path / "model", T=8)
        assert tuple(replace(layer, measured=None) for layer in report.layers) == plain.layers

    def test_what_comes_after_other_parts_is_not(self, tmp_path):
        folder = self.saved(tmp_path, "jamba", **{"model.embed_tokens.weight": (5, 4)})
        first, second = inspect(folder, T=8, data=self.data(tmp_path)).layers
        assert first.measured is not None and first.notes[0].startswith("over the 5 tokens")
        assert second.measured is None and second.notes[-1] == NOT_MEASURED
        assert not second.notes[0].startswith("over the")
        (only,) = inspect(folder, T=8, data=self.data(tmp_path), layers=[1]).layers
        assert only == second

    @pytest.mark.parametrize(
        ("family", "changes", "said"),
        [
            ("bamba", {}, "no embedding"),
            ("vision_mamba", {"embedding.weight": (5, 4)}, "no embedding"),
            ("mamba", {"backbone.position_embeddings.weight": (5, 4)}, "no embedding"),
            ("mamba", {"backbone.embeddings.weight": (5, 3)}, "no embedding"),
            ("mamba", {"backbone.pre.norm.weight": (4,)}, "no embedding"),
            ("mamba", {"backbone.layers.0.pos_embed.weight": (5, 4)}, "no embedding"),
            ("jamba", {"model.embed_tokens.weight": (5, 4), "model.layers.0.attn.qkv.weight": (4, 4)}, "no embedding"),
            ("zamba2", {"model.embed_tokens.weight": (5, 4)}, "other parts"),
        ],
    )
    def test_where_the_stream_is_not_known_it_is_refused(self, tmp_path, family, changes, said):
        folder = self.saved(tmp_path, family, **changes)
        with pytest.raises(DomainError, match=said):
            inspect(folder, T=8, data=self.data(tmp_path))
        assert not any("vocabulary" in note for layer in inspect(folder, T=8).layers for note in layer.notes)

    def test_rows_longer_than_T_are_refused(self, tmp_path):
        with pytest.raises(DomainError, match="rows of 6 tokens, and T = 5 bounds no more; give --T 6"):
            inspect(self.saved(tmp_path, "mamba"), T=5, data=self.data(tmp_path))

    def test_a_multiplier_of_the_config_counts(self, tmp_path):
        shapes, config = FAMILIES["granitemoehybrid"]
        shapes = shapes | {"model.embed_tokens.weight": (5, 4)}
        tops = []
        for i, factor in enumerate((1.0, 1e-3)):  # eps of the norm counts for small rows
            folder = save(tmp_path / str(i), random(shapes), config | {"embedding_multiplier": factor})
            tops.append(inspect(folder, T=8).layers[0].u_max)
        assert tops[1] < 0.999 * tops[0]

    def test_any_executor_says_the_same(self, tmp_path):
        folder = self.saved(tmp_path, "mamba2")
        with ThreadPoolExecutor(2) as executor:
            assert inspect(folder, T=8, executor=executor) == inspect(folder, T=8)

    def test_an_interruption_cancels_what_waits(self, tmp_path):
        asked: list[Future[object]] = []

        class Waiting(Executor):
            def submit(self, *job: object, **more: object) -> Future[object]:  # type: ignore[override]
                asked.append(Future())
                return asked[-1]

        def interrupted(parts: Sequence[object]) -> Sequence[object]:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), Waiting() as executor:
            inspect(self.saved(tmp_path, "mamba"), T=8, executor=executor, each=interrupted)
        assert len(asked) == 2 and all(future.cancelled() for future in asked)

    def test_an_embedding_too_large_to_hold_is_left_alone(self, tmp_path, monkeypatch):
        """Ranges are those of the ball then, and the report comes as before."""
        folder = self.saved(tmp_path, "mamba")
        monkeypatch.setattr("ssm_bounds.models.files.stream.MAX_ELEMENTS", 3)
        assert not any("vocabulary" in note for note in inspect(folder, T=8).layers[0].notes)

    def test_without_a_config_the_way_of_tokens_is_assumed(self, tmp_path):
        folder = self.saved(tmp_path, "mamba")
        (folder / "config.json").unlink()
        report = inspect(folder, T=8, input_radius=None)
        said = [line for line in report.assumed if line.startswith("tokens enter the first block")]
        assert len(said) == any("vocabulary" in note for note in report.layers[0].notes) == 1
