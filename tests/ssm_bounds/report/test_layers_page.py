"""The page and the figure of layers: what is drawn, what has no number and is marked, and that nothing breaks out."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.inspection import NOT_CLAIMED, LayerReport, ModelReport, documents, inspect_layer
from ssm_bounds.report.document import schema
from ssm_bounds.report.html.layers import page
from ssm_bounds.report.plots.canvas import rendered
from ssm_bounds.report.plots.layers import LEAST_GATE, layers
from tests import mamba
from tests.ssm_bounds.report.test_html import HOSTILE, Seen

SEEN = ("u_max", "u_l2", "delta_min", "delta_max", "decay_min", "decay_max", "state_sup", "scan_sup", "out_sup")
MEASURED = {"note": "measured on 3 rows, float64; not a bound", "rows": 3, "tokens": 9} | dict.fromkeys(SEEN, 0.001)
MEASURED |= {"delta_max": 0.25}


@pytest.fixture(scope="module")
def reports() -> list[LayerReport]:
    """One of each kind: all there, no ceiling in a channel, nothing bounded, Mamba-2, steps near 0."""
    A_log = np.log(np.tile(np.arange(1.0, 5), (16, 1)))
    A_log[3, 2] = -np.inf
    made = [
        mamba.mamba1(0),
        mamba.mamba1(0, A_log=A_log),
        replace(mamba.mamba1(1), norm=None),
        mamba.mamba2(2),
        mamba.mamba1(3, p=np.full(16, -50.0)),
    ]
    return [inspect_layer(replace(layer, index=i), T=50, eta=0.05) for i, layer in enumerate(made)]


def model(reports: list[LayerReport], path: str = "model.safetensors") -> ModelReport:
    return ModelReport(path, "mamba", "Mamba", 1234, ("dt_rank",), ("lm_head",), tuple(reports))


def panels(figure: Figure) -> tuple[Axes, Axes, Axes, Axes]:
    found = [axes for axes in figure.axes if axes.get_xlabel() == "layer"]
    floors, ceilings, gates, suprema = found
    return floors, ceilings, gates, suprema


def told(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def marks(axes: Axes, marker: str) -> list[float]:
    return [x for line in axes.lines if line.get_marker() == marker for x in line.get_xdata()]


class TestFigure:
    def test_every_channel_is_in_the_heat_maps(self, reports):
        floors, ceilings, _, _ = panels(layers(reports))
        for axes, name in ((floors, "horizon_floor"), (ceilings, "horizon_ceiling")):
            image = axes.images[0].get_array()
            assert image.shape == (16, 5, 4)
            shown = image[..., 3].sum(axis=0)
            assert shown.tolist() == [len(report.channels[name]) for report in reports]  # four heads in the fourth
            assert len({tuple(pixel) for pixel in image[:, 0].tolist()}) > 8

    def test_what_has_no_number_is_marked(self, reports):
        _, ceilings, gates, suprema = panels(layers(reports))
        orange = np.isclose(ceilings.images[0].get_array()[..., :3], (213 / 255, 94 / 255, 0)).all(axis=-1)
        assert orange.sum(axis=0).tolist() == [sum(v is None for v in r.channels["horizon_ceiling"]) for r in reports]
        assert orange[:, 1].sum() == 1 and marks(ceilings, "v") == [1, 2]
        assert any("no ceiling" in text for text in told(ceilings))
        assert marks(gates, "^") == [2] and marks(gates, "v") == [2, 4]
        assert told(gates) == ["certified", f"goes on below {LEAST_GATE:g}", "no upper end"]
        assert marks(suprema, "x") == [2, 3] and "not defined" in told(suprema)

    def test_gates_and_suprema_are_those_of_the_report(self, reports):
        _, _, gates, suprema = panels(layers(reports))
        bars = [line.get_ydata() for line in gates.lines if line.get_linewidth() == 3]
        assert list(bars[0]) == [reports[0].delta_min, reports[0].delta_max]
        for name, marker in (("published_sup", "^"), ("sharp_sup", "o")):
            (line,) = (line for line in suprema.lines if line.get_marker() == marker)
            drawn = dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
            assert drawn == {i: r.paper[name] for i, r in enumerate(reports) if r.paper is not None}

    def test_measured_steps_lie_in_the_certified_ones(self, reports):
        _, _, gates, _ = panels(layers([replace(reports[0], measured=MEASURED)]))
        assert "measured, not a bound" in told(gates)
        assert [list(line.get_ydata()) for line in gates.lines if line.get_marker() == "_"] == [[0.001, 0.25]]

    def test_a_supremum_beyond_floats_is_marked(self, reports):
        endless = replace(reports[0], paper=reports[0].paper | {"published_sup": None})
        _, _, _, suprema = panels(layers([endless, reports[0]]))
        assert marks(suprema, "2") == [0] and any("not finite" in text for text in told(suprema))

    def test_the_same_layers_are_the_same_figure(self, reports):
        assert rendered(layers(reports), "svg") == rendered(layers(reports), "svg")
        with pytest.raises(DomainError):
            layers([])


class TestPage:
    def test_it_stands_alone_and_says_everything(self, reports):
        one = model([replace(reports[0], measured=MEASURED), *reports[1:]])
        text = page([one], T=50, eta=0.05, command="ssm-bounds inspect model.safetensors --T 50 --format html")
        seen = Seen.of(text)
        for name, attributes in seen.elements:
            for key in ("src", "href", "xlink:href"):
                value = attributes.get(key)
                assert value is None or value.startswith(("#", "data:")), (name, value)
        assert "://" not in re.sub(r'href="data:[^"]*"', "", text) and "default-src 'none'" in text
        assert all(line in "".join(seen.text) for line in NOT_CLAIMED)
        assert one.sentence(T=50, eta=0.05) in "".join(seen.text)
        for part in ("assumed: dt_rank", "not analysed: lm_head", MEASURED["note"], "inspect model.safetensors"):
            assert part in "".join(seen.text), part
        ids = [attributes["id"] for _, attributes in seen.elements if "id" in attributes]
        assert len(ids) == len(set(ids))
        (script,) = (part for part in seen.scripts if part)
        document = documents([one], T=50, eta=0.05)
        jsonschema.validate(document, schema("inspect.json"))
        assert json.loads(script) == document
        encoded = re.search(r"base64,([A-Za-z0-9+/=]+)\">Download", text)
        assert encoded is not None and json.loads(base64.b64decode(encoded[1])) == document
        assert text == page([one], T=50, eta=0.05, command="ssm-bounds inspect model.safetensors --T 50 --format html")

    def test_several_models_and_failures(self, reports):
        text = page([model(reports), model([])], [("other.bin", "no norm")], T=50, eta=0.05)
        assert "Layers of 2 models" in text and "other.bin" in text and "no Mamba layer was found" in text
        assert text.count("<figure>") == 1

    def test_nothing_in_a_file_breaks_out(self, reports):
        hostile = replace(model(reports[:1], HOSTILE), assumed=(HOSTILE,), not_analysed=(HOSTILE,), format=HOSTILE)
        seen = Seen.of(page([hostile], [(HOSTILE, HOSTILE)], T=50, eta=0.05, command=HOSTILE))
        assert [attributes for name, attributes in seen.elements if name == "script"] == [
            {"type": "application/json", "id": "layers"}
        ]
        assert not any("onerror" in attributes for _, attributes in seen.elements)
        assert not any(name == "img" for name, _ in seen.elements)
