"""Figures: what is drawn is what was given, and the same figure is the same file."""

from __future__ import annotations

import pytest

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.report.plots.canvas import canvas, save, svg


@pytest.mark.parametrize("form", ["png", "pdf", "svg"])
def test_the_same_figure_is_the_same_file(form, tmp_path):
    figure = canvas()
    figure.subplots().plot([1, 2], [3, 4])
    first, second = (tmp_path / f"{i}.{form}" for i in range(2))
    save(figure, first)
    save(figure, second)
    assert first.read_bytes() == second.read_bytes() and first.stat().st_size > 1000


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(DomainError, match=r"a.jpg: a figure is saved as .png, .pdf or .svg"):
        save(canvas(), tmp_path / "a.jpg")
    assert not list(tmp_path.iterdir())


def test_a_figure_for_a_page_stands_alone():
    text = svg(canvas())
    assert text.startswith("<svg") and text.rstrip().endswith("</svg>") and "<?xml" not in text
