"""Figures of the notebooks: what is drawn is what was given."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.report.plots.closed_form import closed_form, complexity
from ssm_bounds.report.plots.gaps import measured_against_bound
from ssm_bounds.report.plots.lengths import against_length, levels_off


def lines(axes):
    """The drawn points by label."""
    return {line.get_label(): np.asarray(line.get_xydata(), float) for line in axes.lines}


class TestClosedForm:
    def test_values(self):
        assert complexity(1) == pytest.approx(4, rel=1e-12)
        assert complexity(math.e) == pytest.approx(0, abs=1e-9)
        assert complexity(1e12) < -1e14

    def test_the_infimum_stays_at_4_where_the_formula_falls(self):
        (axes,) = closed_form({"one": 1e6}).axes
        drawn = lines(axes)
        printed, infimum = drawn["closed form, as printed"], drawn["infimum over the integral's end"]
        inside = printed[:, 0] <= 1
        assert np.array_equal(printed[inside], infimum[inside]) and set(infimum[~inside][:, 1]) == {4.0}
        assert (infimum[:, 1] >= printed[:, 1] - 1e-9).all() and (np.diff(infimum[:, 1]) >= -1e-9).all()
        assert drawn["one"].tolist() == [[1e6, complexity(1e6)]]
        low, high = axes.get_ylim()
        assert low <= printed[:, 1].min() and printed[:, 1].max() <= high

    @pytest.mark.parametrize("ratio", [0, -1, math.inf, math.nan])
    def test_refused(self, ratio):
        with pytest.raises(DomainError, match="ratios must be finite"):
            closed_form({"bad": ratio})


TABLE = pd.DataFrame(
    {
        "T": [10, 10, 20],
        "gap_ramp": [0.02, -0.3, 0.0],
        "gap_margin": [0.05, -0.1, 0.2],
        "bound_published": [math.inf] * 3,
        "bound_sharp": [4.0, 4.1, 4.2],
        "bound_scale": [0.5, 0.7, 0.6],
        "bound_margin": [0.4, 0.5, 0.6],
    }
)


class TestGaps:
    def test_every_model_is_a_point(self):
        left, right = measured_against_bound(TABLE).axes
        assert lines(left)["measured"].tolist() == [[10, 0.02], [10, 0.3]]  # two-sided: without its sign
        assert lines(left)["measured, below the axis"].tolist() == [[20, 0.01]]
        assert lines(right)["measured"].tolist() == [[10, 0.05], [20, 0.2]]
        assert lines(right)["measured, below the axis"].tolist() == [[10, 0.01]]
        assert lines(left)["bound: scale"].tolist() == [[10, 0.5], [10, 0.7], [20, 0.6]]
        assert lines(right)["bound: margin"].tolist() == [[10, 0.4], [10, 0.5], [20, 0.6]]
        assert "bound: repaired" not in lines(left)  # the table lacks it

    def test_a_bound_that_does_not_apply_is_not_drawn(self):
        left, _ = measured_against_bound(TABLE.assign(bound_sharp=math.inf)).axes
        assert "bound: sharp" not in lines(left)

    def test_a_training_that_diverged_has_no_gap(self):
        left, _ = measured_against_bound(TABLE.assign(gap_ramp=[math.nan] * 3)).axes
        assert not {name for name in lines(left) if name.startswith("measured")}

    def test_lengths_far_apart_stand_on_a_logarithmic_axis(self):
        scales = [measured_against_bound(TABLE.assign(T=T)).axes[0].get_xscale() for T in ([1, 5, 20], [1, 5, 21])]
        assert scales == ["linear", "log"]

    def test_another_axis(self):
        left, _ = measured_against_bound(TABLE.assign(m=[100, 200, 400]), over="m").axes
        assert left.get_xlabel() == "m" and lines(left)["bound: scale"][:, 0].tolist() == [100, 200, 400]

    def test_refused(self):
        with pytest.raises(DomainError, match="lacks the columns"):
            measured_against_bound(TABLE.drop(columns="gap_ramp"))
        with pytest.raises(DomainError, match="no rows"):
            measured_against_bound(TABLE.head(0))


class TestLengths:
    @pytest.mark.parametrize(
        ("values", "place"),
        [([1, 5, 9.9, 10], 100), ([1, 1, 1, 1], 1), ([1, 2, 4, 8], None), ([1, 9.5, 5, 10], None)],
    )
    def test_levels_off(self, values, place):
        assert levels_off([1, 10, 100, 1000], values) == place

    def test_curves_and_marks(self):
        (axes,) = against_length([1, 10, 100], {"flat": [2.0, 2.0, 2.0], "rising": [1.0, 2.0, 4.0]}, "value").axes
        drawn = [line.get_xydata().tolist() for line in axes.lines]
        assert drawn == [[[1, 2], [10, 2], [100, 2]], [[1, 2]], [[1, 1], [10, 2], [100, 4]]]

    def test_refused(self):
        with pytest.raises(DomainError, match="one value for each length"):
            against_length([1, 10], {"short": [1.0]}, "value")
