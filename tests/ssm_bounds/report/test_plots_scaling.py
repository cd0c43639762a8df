"""Figures of sweeps: the drawn lines are the numbers of the table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ssm_bounds.bounds.gaps.losses import Ramp
from ssm_bounds.bounds.ladder.rung import Setting
from ssm_bounds.bounds.sweeps import AXES, sharp_constants, sweep
from ssm_bounds.bounds.values import DomainError, Sample
from ssm_bounds.report.plots import scaling
from ssm_bounds.report.plots.axes import described, symbol
from tests.bounds.selection.test_selection import MODEL

SETTING = Setting(MODEL, Sample(10**6, 50), Ramp(1), 1, embedding="fixed")
T = [10, 100, 1000, 10_000]


def table(rungs, over, setting=SETTING):
    return pd.concat([sweep(rung, over, setting) for rung in rungs])  # row numbers repeat


def curves(axes, points=4):
    """The lines with as many points as the sweep, as (x, y)."""
    return [line.get_xydata().T for line in axes.get_lines() if len(line.get_xdata()) == points]


def texts(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_bounds_against_length():
    found = table(["scale", "margin"], {"T": T, "s_A": [-1.0, 0.0, 0.01]})
    figure = scaling.against(found, "T", "s_A", ceiling=1)
    (axes,) = figure.axes
    drawn = curves(axes)
    assert len(drawn) == 6 and axes.get_xscale() == "log"
    expected = [rows["value"].to_numpy() for _, rows in found.groupby(["rung", "s_A"])]
    for x, y in drawn:
        assert x.tolist() == T
        assert any(np.allclose(y, values, rtol=1e-12) for values in expected)
    styles = {line.get_linestyle() for line in axes.get_lines()}
    colours = {line.get_color() for line in axes.get_lines() if len(line.get_xdata()) == 4}
    markers = {line.get_marker() for line in axes.get_lines() if len(line.get_xdata()) == 4}
    assert len(styles) == 2 and len(colours) == len(markers) == 3
    assert texts(figure)[:2] == ["scale", "margin"] and "$s_{A}$ = 0.01" in texts(figure)


def test_negative_values_go_below():
    found = table(["published", "margin"], {"T": T, "s_A": [-0.1, 0.0]})
    assert found["negative"].sum() == 8
    above, below = scaling.against(found, "T", "s_A", ceiling=1).axes
    assert len(curves(above)) == len(curves(below)) == 2
    top, bottom = below.get_ylim()
    assert top > bottom  # downwards
    drawn = np.concatenate([y for _, y in curves(below)])
    assert np.allclose(np.sort(drawn), np.sort(-found[found["negative"]]["value"]), rtol=1e-12)
    assert "negative" in below.get_title(loc="left") and below.yaxis.get_major_formatter()(1e5) == "$-10^{5}$"
    assert not np.isin(above.get_xlabel(), [described("T")]) and below.get_xlabel() == described("T")


def test_positive_outside_its_hypothesis_is_crossed():
    """Between 3 l C_F = c sqrt m and e times it the printed formula is positive and still not a bound."""
    found = table(["published"], {"B_u": np.geomspace(1e-4, 1, 400)})
    part = found[~found["applies"] & ~found["negative"]]
    assert 0 < len(part) < len(found)
    figure = scaling.against(found, "B_u")
    crosses = [line for line in figure.axes[0].get_lines() if line.get_marker() == "x"]
    assert len(crosses) == 1 and crosses[0].get_xdata().tolist() == part["B_u"].tolist()
    assert "outside its hypothesis" in texts(figure)


def test_vacuous_line_only_where_it_matters():
    loose = scaling.against(table(["margin"], {"T": T}, replace(SETTING, sample=Sample(100, 1))), "T", ceiling=1)
    tight = scaling.against(table(["margin"], {"T": T}), "T", ceiling=1)
    assert "vacuous from here up" in texts(loose) and "vacuous from here up" not in texts(tight)


def test_what_leaves_the_top_is_said():
    found = table(["published"], {"T": [10, 10**6, 10**9], "s_A": [1.0]})
    (axes,) = scaling.against(found, "T").axes
    assert "beyond" in axes.get_title(loc="right") and axes.get_ylim()[0] == 1e40
    assert np.isfinite(np.concatenate([y for _, y in curves(axes, 3)])).all()


def test_sums_through_zero():
    s_A = np.linspace(-0.1, 0.05, 31)
    found = sharp_constants({"s_A": s_A, "T": [10, 1000]}, SETTING)
    (axes,) = scaling.sums(found, "s_A", "T").axes
    drawn = curves(axes, 31)
    assert len(drawn) == 4
    for name in ("ln R_1", "ln R_2"):
        for _, rows in found.groupby("T"):
            assert any(np.allclose(y, np.exp(rows[name]), rtol=1e-9) for _, y in drawn)
    assert any(line.get_xdata()[0] == 0 == line.get_xdata()[-1] for line in axes.get_lines())


def test_samples_are_marked():
    found = table(["margin", "scale"], {"m": [1000, 10_000, 100_000, 10**6]})
    figure = scaling.samples(found, {"margin": {1: 1234, 0.1: 123_456}, "scale": {0.5: 9999}}, ceiling=1)
    axes = figure.axes[0]
    marks = {tuple(line.get_xydata()[0]) for line in axes.get_lines() if line.get_marker() in ("o", "D")}
    assert marks == {(1234, 1), (123_456, 0.1), (9999, 0.5)}
    assert {text.get_text() for text in axes.texts} == {"1: m = 1,234", "0.1: m = 123,456", "0.5: m = 9,999"}


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"T": T, "s_A": [0.0], "m": [10, 20]}, "only T and s_A may move"),
        ({"T": T, "s_A": np.linspace(-1, 0, 9)}, "tells 7 values of s_A apart, got 9"),
    ],
)
def test_what_is_refused(over, message):
    with pytest.raises(DomainError, match=message):
        scaling.against(table(["margin"], over), "T", "s_A")


def test_every_axis_has_a_symbol():
    for name in AXES:
        assert symbol(name).startswith("$") and symbol(name) in described(name)
