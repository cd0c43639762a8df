"""Quick sizes of both experiments reach what they must, and a broken implementation is seen."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch

from ssm_bounds.experiments.experiment import Row
from ssm_bounds.experiments.liu_li_2024 import init_scale, tau_regulariser
from ssm_bounds.experiments.liu_li_2024.processes import Process, unit_area
from ssm_bounds.models.s4d.tau import second_moment

EXPERIMENTS = {"init-scale": init_scale, "tau-regulariser": tau_regulariser}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def rows(name):
    experiment = EXPERIMENTS[name].EXPERIMENT
    return tuple(Row(job, experiment.measure(job)) for job in experiment.asked("quick"))


def missed(name, found):
    return [criterion.words for criterion in EXPERIMENTS[name].EXPERIMENT.criteria(found) if not criterion.met]


@pytest.mark.parametrize("name", EXPERIMENTS)
class TestQuick:
    def test_every_number_is_where_it_must_be(self, name):
        assert missed(name, rows(name)) == []

    def test_a_figure(self, name):
        from ssm_bounds.report.plots.canvas import canvas

        figure = canvas()
        EXPERIMENTS[name].EXPERIMENT.draw(figure, rows(name))
        assert figure.axes

    def test_the_paper_has_more(self, name):
        experiment = EXPERIMENTS[name].EXPERIMENT
        assert len(experiment.asked("paper")) > len(experiment.asked("quick")) == len(rows(name))


def changed(name, change):
    return [replace(row, numbers=change(row)) for row in rows(name)]


def test_a_layer_that_was_not_scaled_is_seen():
    def unscaled(row):
        return {key: row.numbers.get(key.replace("after, batch", "before").replace("after", "before"), value)
                for key, value in row.numbers.items()}  # fmt: skip

    found = missed("init-scale", changed("init-scale", unscaled))
    assert any("scaled by the law's tau: largest" in words for words in found)
    assert any("residual, largest spread" in words for words in found)


def test_one_seed_above_the_mean_is_printed():
    """A second seed with twice the largest number in one layer: the criterion takes the mean, its words the larger."""
    residual = [row for row in rows("init-scale") if row.settings["model"] == "residual"]
    top = max(residual, key=lambda row: row.numbers["after 3"])
    spread = top.numbers["after 3"] / min(row.numbers["after 3"] for row in residual)
    second = [
        Row(
            row.settings | {"seed": 2},
            {**row.numbers, "after 3": row.numbers["after 3"] * (2 if row is top else 1)},
        )
        for row in residual
    ]
    found = init_scale.EXPERIMENT.criteria([*rows("init-scale"), *second])
    (own,) = (each for each in found if each.words.startswith("residual, largest spread"))
    assert own.words.endswith(f"mean over seeds (of one seed: {2 * spread:.4g})")
    assert own.value == pytest.approx(1.5 * spread)


def test_a_kernel_in_the_wrong_order_is_seen(monkeypatch):
    """Of Brownian inputs alone: stationary ones cannot see it."""
    monkeypatch.setattr(init_scale, "second_moment", lambda taps, mean, K: second_moment(taps.flip(1), mean, K))
    settings = {"model": init_scale.ONE, "skip": "none", "size": "quick", "seed": 1}
    order = {name: init_scale.measure(settings | {"inputs": name})["order"] for name in ("brownian", "white")}
    assert order["brownian"] > 0.01
    row = Row(settings | {"inputs": "brownian"}, {**rows("init-scale")[0].numbers, "order": order["brownian"]})
    others = [each for each in rows("init-scale") if each.settings["inputs"] != "brownian"]
    assert missed("init-scale", [*others, row]) == [
        "Brownian inputs: the formula against the convolution's output, off by"
    ]


def test_a_penalty_that_does_nothing_is_seen():
    def without(row):
        return {**row.numbers, "risk, tau": row.numbers["risk, none"]}

    assert len(missed("tau-regulariser", changed("tau-regulariser", without))) >= 4


def test_channels_train_alone():
    """The weights of all penalties at once are what each gives by itself."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(8, tau_regulariser.L, generator=generator, dtype=torch.float64)
    y = x[:, -3:].sum(1)
    weights = torch.tensor([0.0, 0.1, 0.0], dtype=torch.float64)
    together = tau_regulariser._begun(3, x, torch.Generator().manual_seed(1))
    tau_regulariser.fit(together, x, y, of_tau=weights, of_l2=weights.flip(0), steps=20)
    for j in range(3):
        alone = tau_regulariser._begun(1, x, torch.Generator().manual_seed(1))
        tau_regulariser.fit(alone, x, y, of_tau=weights[j : j + 1], of_l2=weights.flip(0)[j : j + 1], steps=20)
        assert torch.allclose(alone.C[0], together.C[j], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "process", [Process("white"), Process("se", 0.3, 2.0), Process("ou", 0.1, mean=1.0), Process("brownian")]
)
def test_samples_have_the_law(process):
    L = 6
    x = process.sample(20000, L, 1, torch.Generator().manual_seed(0))[:, :, 0]
    size = float(process.covariance(L).max())
    assert torch.allclose(torch.cov(x.T, correction=0), process.covariance(L), atol=0.04 * size)
    assert torch.allclose(x.mean(0), process.means(L), atol=0.04 * size**0.5)


def test_a_covariance_of_unit_area():
    b, L = 0.05, 2000
    row = Process("se", b, unit_area(b)).covariance(L)[L // 2]
    assert row.sum() / L == pytest.approx(1, rel=1e-6)
