"""ssm-bounds measure: every form, every kind of file; the numbers by another program; bad input in one line."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

import ssm_bounds.measure
from ssm_bounds.cli import main
from ssm_bounds.models.s4d import tally
from tests.s4d import layer, tensors


def run(*arguments):
    return CliRunner().invoke(main, ["measure", *map(str, arguments)])


class Public(nn.Module):
    """One layer as the public code computes it, inputs (m,T,d)."""

    def __init__(self, seed, d=3, N=2):
        super().__init__()
        found = tensors(layer(seed, d=d, N=N, steps=(0.05, 0.3)))
        self.kernel = nn.Module()
        for name in ("C", "log_dt", "log_A_real", "A_imag"):
            self.kernel.register_parameter(name, nn.Parameter(torch.tensor(found[f"kernel.{name}"])))
        self.D = nn.Parameter(torch.tensor(found["D"]))
        self.output_linear = nn.Sequential(nn.Conv1d(d, 2 * d, 1), nn.GLU(dim=-2))

    def y(self, u):
        """Outputs before the activation, by recurrence in complex numbers."""
        A = -self.kernel.log_A_real.exp() + 1j * self.kernel.A_imag
        step = self.kernel.log_dt.exp()[:, None] * A
        B = torch.view_as_complex(self.kernel.C) * (step.exp() - 1) / A
        state, found = torch.zeros_like(B), []
        for x in u.unbind(1):
            state = state * step.exp() + x[..., None]
            found.append(2 * (state * B).sum(-1).real + self.D * x)
        return torch.stack(found, 1)

    def forward(self, u):
        return self.output_linear(nn.functional.gelu(self.y(u)).transpose(1, 2)).transpose(1, 2)


class Residual(nn.Module):
    """The model of the public example."""

    def __init__(self, prenorm):
        super().__init__()
        self.encoder, self.decoder, self.prenorm = nn.Linear(2, 3), nn.Linear(3, 4), prenorm
        self.s4_layers = nn.ModuleList(Public(seed) for seed in (5, 6))
        self.norms = nn.ModuleList(nn.LayerNorm(3) for _ in range(2))

    def given(self, u):
        """What each layer is given."""
        x, found = self.encoder(u), []
        for block, norm in zip(self.s4_layers, self.norms, strict=True):
            found.append(norm(x) if self.prenorm else x)
            x = block(found[-1]) + x
            x = x if self.prenorm else norm(x)
        return list(zip(self.s4_layers, found, strict=True))


def chained(model, u):
    found = []
    for block in model:
        found.append((block, u))
        u = block(u)
    return found


@pytest.fixture
def rows(tmp_path):
    def made(d=3, m=30, T=9):
        x = np.random.default_rng(1).normal(size=(m, T, d)) + 0.5
        np.savez(tmp_path / "rows.npz", x_train=x, y_train=np.arange(m) % 2)
        return tmp_path / "rows.npz", torch.tensor(x)

    return made


def saved(path, state):
    torch.save(state, path)
    return path


def expected(layers):
    """By channel, from all rows at once."""
    found = []
    for module, u in layers:
        T = u.shape[1]
        impulses = torch.eye(T, dtype=torch.float64)[:, :, None].expand(T, T, u.shape[2])
        g = module.y(impulses)[:, -1]  # (T,d): what an input at time s does to the last output
        mean, deviation = u.mean(0), u.var(0, correction=0).sqrt()
        a, b = (g.abs() * deviation).sum(0), (g * mean).sum(0).abs()
        found.append({"a": a, "b": b, "tau": (a + b) ** 2, "mean_square": module.y(u)[:, -1].square().mean(0)})
    return found


@pytest.mark.parametrize("kind", ["one", "several", "norms behind", "norms before"])
def test_numbers_by_another_program(kind, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(tally, "_BLOCK", 200)  # a few rows at a time
    torch.manual_seed(0)
    options = ["--prenorm"] if kind == "norms before" else []
    with torch.no_grad():
        makers = {"one": lambda: Public(0), "several": lambda: nn.ModuleList(map(Public, range(12)))}
        model = makers.get(kind, lambda: Residual(kind == "norms before"))()
        path = saved(tmp_path / "s4d.pth", model.state_dict())
        data, u = rows(d=3 if kind in makers else 2)
        model.double()
        ways = {"one": lambda: [(model, u)], "several": lambda: chained(model, u)}
        layers = ways.get(kind, lambda: model.given(u))()
        result = run(path, "--data", data, "--format", "json", *options)
        assert result.exit_code == 0, result.stderr
        document = json.loads(result.stdout)
        assert len(document["layers"]) == len(layers)
        for told, wanted in zip(document["layers"], expected(layers), strict=True):
            for key, value in wanted.items():
                assert told["channels"][key] == pytest.approx(value.tolist(), rel=1e-9), (told["name"], key)
            assert all(ratio <= 1 + 1e-12 for ratio in told["channels"]["ratio"])


def test_forms(rows, tmp_path):
    data, _ = rows()
    path = saved(tmp_path / "s4d.pth", {name: torch.tensor(value) for name, value in tensors(layer()).items()})
    texts = {form: run(path, "--data", data, "--format", form) for form in ("table", "json", "markdown", "csv")}
    for form, result in texts.items():
        assert result.exit_code == 0, (form, result.stderr)
        assert "measure, not a bound" in result.stdout
    lines = list(csv.DictReader(io.StringIO(texts["csv"].stdout)))
    told = json.loads(texts["json"].stdout)["layers"][0]["channels"]
    assert [float(line["tau"]) for line in lines] == told["tau"] and len(lines) == 3
    assert "| layer | channel | tau | E y^2 | E y^2/tau | a | b |" in texts["markdown"].stdout
    out = tmp_path / "tau.csv"
    assert run(path, "--data", data, "--format", "csv", "--out", out).exit_code == 0
    assert out.read_text() == texts["csv"].stdout


def test_many_channels_are_summed_up(rows, tmp_path):
    data, _ = rows(d=70)
    path = saved(tmp_path / "s4d.pth", {name: torch.tensor(value) for name, value in tensors(layer(d=70)).items()})
    short, long = run(path, "--data", data), run(path, "--data", data, "--channels")
    assert "median of 70" in short.stdout and len(short.stdout.splitlines()) < 15 < len(long.stdout.splitlines())


def test_a_silent_channel_has_no_ratio(rows, tmp_path):
    data, _ = rows()
    found = {name: torch.tensor(value) for name, value in tensors(layer()).items()}
    found["kernel.C"][1], found["D"][1] = 0, 0
    document = json.loads(run(saved(tmp_path / "s4d.pth", found), "--data", data, "--format", "json").stdout)
    channels = document["layers"][0]["channels"]
    assert channels["tau"][1] == 0 and channels["ratio"][1] is None


def test_from_python(rows, tmp_path):
    data, _ = rows()
    path = saved(tmp_path / "s4d.pth", {name: torch.tensor(value) for name, value in tensors(layer()).items()})
    seen = []
    found = ssm_bounds.measure.measure(path, data=data, progress=lambda done, total: seen.append((done, total)))
    assert found.m == 30 and found.T == 9 and seen == [(30, 30)]


def _broken(change):
    found = Public(0).state_dict()
    change(found)
    return found


BAD = {
    "a name": (
        lambda f: f.update(extra=torch.zeros(1)),
        "also holds 'extra': what the layers are given is then not known",
    ),
    "none": (lambda f: f.pop("kernel.log_A_real"), "holds 0 S4D layers"),
    "missing": (lambda f: f.pop("D"), "lacks 'D'"),
    "mixing": (lambda f: f.update({"output_linear.0.weight": torch.zeros(6, 3, 2)}), "expected shape (6, 3, 1)"),
    "shape": (lambda f: f.update(D=torch.zeros(4)), "'D'"),
    "values": (lambda f: f.update(D=torch.full((3,), torch.nan)), "NaN"),
    "dtype": (lambda f: f.update(D=torch.zeros(3, dtype=torch.int64)), "expected float32 or float64"),
    "names": (lambda f: f.update({f"x.{k}": v for k, v in list(f.items())}), "expected layers that are numbered"),
}


LISTS = {
    "a gap": (("0.", "2."), "no layer has the number 1, and there are later ones: what stands in its place"),
    "a late start": (("1.", "2."), "no layer has the number 0"),
    "two lists": (("a.0.", "b.1."), "layers stand in several lists, 'a.', 'b.'"),
    "a zero in front": (("x.0.", "x.01."), "layer 'x.01.': expected layers that are numbered"),
    "another script": (("x.0.", "x.\u0661."), "expected layers that are numbered"),
    "a power": (("x.0.", "x.\u00b9."), "expected layers that are numbered"),
    "many digits": (("0.", f"{'1' * 5000}."), "expected layers that are numbered"),
}


@pytest.mark.parametrize("case", LISTS)
def test_layers_in_no_known_order(case, rows, tmp_path):
    data, _ = rows()
    prefixes, message = LISTS[case]
    state = Public(0).state_dict()
    found = {prefix + key: value for prefix in prefixes for key, value in state.items()}
    result = run(saved(tmp_path / "s4d.pth", found), "--data", data)
    assert result.exit_code == 2 and result.stdout == "" and message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_no_terminal_obeys_a_name(rows, tmp_path):
    data, _ = rows()
    path = saved(tmp_path / "s4d.pth", {f"x\x1b[31m.0.{key}": value for key, value in Public(0).state_dict().items()})
    for form in ("table", "json", "markdown", "csv"):
        result = run(path, "--data", data, "--format", form)
        assert result.exit_code == 0 and "x?[31m.0" in result.stdout and "\x1b" not in result.stdout
        assert "u001b" not in result.stdout


def _filled(name, value):
    return lambda f: f.update({name: torch.full_like(f[name].double(), value)})


def _undamped(f):
    _filled("kernel.log_A_real", -800.0)(f)
    _filled("kernel.A_imag", 0.0)(f)


EXTREME = {
    "dt": (_filled("kernel.log_dt", 800.0), "mode 0 of channel 0: dt is outside 1e-150 to 1e150 (kernel.log_dt)"),
    "no A": (_undamped, "|A| is outside 1e-150 to 1e150 (kernel.log_A_real, kernel.A_imag)"),
    "fast": (_filled("kernel.A_imag", 1e300), "|A| is outside"),
    "turns": (_filled("kernel.A_imag", 1e12), "it turns by 2^30 radians or more over T = 9 tokens (kernel.A_imag"),
    "steep": (_filled("kernel.log_A_real", 40.0), "a step of 2^40 or more (kernel.log_A_real, kernel.log_dt)"),
    "C": (_filled("kernel.C", 1e308), "layer 'layer': "),
    "D": (_filled("D", 1e308), "layer 'layer': tau or a mean square exceeds float64 on these rows"),
}


@pytest.mark.parametrize("case", EXTREME)
def test_what_would_be_printed_without_a_meaning(case, rows, tmp_path):
    data, _ = rows()
    change, message = EXTREME[case]
    result = run(saved(tmp_path / "s4d.pth", _broken(change)), "--data", data)
    assert result.exit_code == 2 and result.stdout == "" and message in result.stderr
    assert len(result.stderr.splitlines()) == 1 and "s4d.pth" in result.stderr


def test_rows_beyond_float64(rows, tmp_path):
    data = tmp_path / "huge.npz"
    np.savez(data, x_train=np.full((4, 9, 3), 1e200), y_train=np.arange(4) % 2)
    result = run(saved(tmp_path / "s4d.pth", Public(0).state_dict()), "--data", data)
    assert result.exit_code == 2 and result.stdout == "" and "the rows are too large" in result.stderr


@pytest.mark.parametrize(
    ("most", "message"),
    [
        ("_MOST_POWERS", "6 modes and T = 9 take 18 powers, at most 17 are made"),
        ("_MOST_TAPS", "27 taps at T = 9, at most 17"),
    ],
)
def test_work_is_bounded(most, message, rows, tmp_path, monkeypatch):
    data, _ = rows()
    path = saved(tmp_path / "s4d.pth", Public(0).state_dict())
    monkeypatch.setattr(tally, most, 27)
    assert run(path, "--data", data).exit_code == 0
    monkeypatch.setattr(tally, most, 17)
    result = run(path, "--data", data)
    assert result.exit_code == 2 and message in result.stderr and len(result.stderr.splitlines()) == 1


def test_no_ratio_where_rounding_decides(rows, tmp_path):
    """One row that is orthogonal to the taps: tau and the mean square are 0 but for rounding."""
    found = Public(0).state_dict()
    with torch.no_grad():
        own = Public(0).double()
        taps = own.y(torch.eye(9, dtype=torch.float64)[:, :, None].expand(9, 9, 3))[:, -1].numpy()
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = rng.normal(size=(9, 3))
        x[:, :2] -= (taps * ((taps * x).sum(0) / np.square(taps).sum(0)))[:, :2]
        np.savez(tmp_path / "one.npz", x_train=x[None], y_train=np.zeros(1, int))
        path = saved(tmp_path / "s4d.pth", {key: value.double() for key, value in found.items()})
        document = json.loads(run(path, "--data", tmp_path / "one.npz", "--format", "json").stdout)
        ratio = document["layers"][0]["channels"]["ratio"]
        assert ratio[:2] == [None, None] and ratio[2] == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read(case, rows, tmp_path):
    data, _ = rows()
    change, message = BAD[case]
    result = run(saved(tmp_path / "s4d.pth", _broken(change)), "--data", data)
    assert result.exit_code == 2 and result.stdout == "" and message in result.stderr
    assert len(result.stderr.splitlines()) == 1 and "s4d.pth" in result.stderr


def test_rows_that_do_not_fit(rows, tmp_path):
    data, _ = rows(d=2)
    path = saved(tmp_path / "s4d.pth", Public(0).state_dict())
    result = run(path, "--data", data)
    assert result.exit_code == 2 and "expected real inputs (n, T, 3), found shape (30, 9, 2)" in result.stderr
    result = run(path, "--data", data, "--prenorm")
    assert result.exit_code == 2 and "has no norms; leave --prenorm out" in result.stderr
    assert run(path, "--data", tmp_path / "none.npz").exit_code == 2


def test_certify_points_here(rows, tmp_path):
    path = saved(tmp_path / "s4d.pth", Public(0).state_dict())
    result = CliRunner().invoke(main, ["certify", str(path), "--m", "9", "--T", "9", "--input-bound", "1"])
    assert result.exit_code == 2 and "ssm-bounds measure FILE --data ROWS" in result.stderr
