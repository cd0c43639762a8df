"""ssm-bounds compare: every format, the figure, models that have no row, and bad options in one line."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.ladder.equal import Equal
from ssm_bounds.bounds.ladder.scale import scale
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.cli import main
from ssm_bounds.comparison import NOT_READ, OWN_ROW, READ, STANDING, compare
from ssm_bounds.models.files.checkpoint import Metadata, write
from ssm_bounds.question import ask
from ssm_bounds.report.comparison import table
from ssm_bounds.report.plots.comparison import against_length
from tests.conftest import ROOT
from tests.s4d import layer, tensors
from tests.ssm_bounds.cli.test_cli import weights
from tests.ssm_bounds.report.test_html import HOSTILE, Seen


def run(*arguments):
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    write(path, weights(), Metadata(m=400, T=60, gate="softplus", convention="code", embedding="fixed"))
    return path


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_table_says_what_it_is_and_what_it_is_not():
    result = run("--T", 500, "--T", 2000)
    assert result.exit_code == 0, result.stderr
    text = flat(result.stdout)
    assert all(flat(line) in text for line in (*STANDING, READ, *NOT_READ))
    assert re.search(r"selective SSM s_A = 0 0\.2823 0\.2966 CERTIFIED 225", text)
    assert re.search(r"RNN, tanh beta = 1\.1 0\.7778 1\.441 \(vacuous: 1\) CERTIFIED 528", text)
    assert re.search(
        r"LTI, any size ln rho = 0 6\.334 \(vacuous: 1\) 25\.31 \(vacuous: 1\) CERTIFIED, vacuous any", text
    )


def test_one_length_has_one_column():
    header = run("--T", 500).stdout.splitlines()[1]
    assert "bound at T = 500" in header and header.count("T =") == 1


def test_a_length_below_the_record_costs_the_row(model):
    """One rule, whatever other lengths there are."""
    for lengths in (["--T", 20], ["--T", 20, "--T", 60], ["--T", 60, "--T", 20]):
        result = run(model, *lengths)
        assert result.exit_code == 2 and "selective SSM" in result.stdout and "model.safetensors" not in result.stdout
        assert result.stderr == f"ssm-bounds: {model}: --T 20 contradicts the file, which records T = 60\n"


# every sentence and verdict, in every format, written a second time

LENGTHS = (60, 100)
RULES = {
    "selective SSM": ("one scale (6.2), cover of A, W_B, W_C, W, p, q by 5.1", "theory.md 5.1"),
    "diagonal LTI": ("one scale (6.2), cover of A, B, C, W by 14.6", "theory.md 14.6"),
    "LTI, any size": ("average (14.3) of all systems with |h_l| <= norm^3 rho^l", "theory.md 14.3"),
    "linear attention": ("one scale (6.2), cover of W_B, W_C, W by 10.3", "theory.md 10.3"),
    "softmax attention": ("one scale (6.2), cover of w, W_c, W_v, W_qk by 10.2", "theory.md 10.2"),
    "RNN, identity or ReLU": ("one scale (6.2), cover of V, U, W by 10.1", "theory.md 10.1"),
    "RNN, tanh": ("one scale (6.2), cover of V, U, W by 10.1", "theory.md 10.1"),
    "fixed.safetensors": (
        "one scale (6.2), cover of A, W_B, W_C, W, p, q by 5.1, at its own norms; d = 3, N = 2, k = 1", "theory.md 5.1"
    ),
    "trained.safetensors": (
        "one scale (6.2), cover of A, W_B, W_C, W, p, q by 5.1; E by 5.4, at its own norms; d = 3, N = 2, k = 1",
        "theory.md 5.1, 5.4",
    ),
}  # fmt: skip
CONSTANTS = (
    "every matrix of spectral norm at most 1 (U of an RNN: at most beta); the readout (one output), q, and of a "
    "diagonal layer B_j and C_j of every channel, of l2 norm at most 1; tokens of l2 norm at most 1; A is none of "
    "these matrices: it is diagonal, its decays in [-10, s_A]; the step of the selective SSM is softplus(p + q . u), "
    "|p| <= 1; activations have slope at most 1, are 0 at 0, and tanh is at most 1; d = 7, N = 5; ramp loss at margin "
    "1/3, in [0, 1]"
)
ASSUMED = (
    "the m training sequences, of at most T tokens each, are independent and identically distributed, from the "
    "distribution whose risk is bounded",
    "the classes and their radii, the loss, delta and T were fixed before these sequences; every token has l2 norm at "
    "most that of the class",
    "risks and losses are those of the real-arithmetic model",
)
PAID_ASSUMED = (
    "the m training rows are independent and identically distributed, from the distribution whose risk is claimed",
    "loss, margin rule, delta, T, d, N, k, V, inputs, architecture, code family and flags were fixed before the data",
    "risks and losses are those of the real-arithmetic model",
)
FIXED = "the class was fixed before these sequences"
EMBEDDING = "the embedding was fixed before the sample"
MEASURED = "its constants had been fixed before the data (they were measured on the trained model)"
CONDITIONS = {"fixed": (EMBEDDING, MEASURED), "trained": (MEASURED,)}
PAID = {"fixed": ("CONDITIONAL", (EMBEDDING,)), "trained": ("CERTIFIED", ())}


def said(T, of, at_most, *conditions):
    return (
        f"With probability at least 0.9 over 400 i.i.d. training sequences of at most {T} tokens, the mean ramp loss "
        "at margin 1/3 on new sequences and that on the training sequences differ, for every model of "
        f"{of} at once, by at most {at_most}, if {', and if '.join(conditions)}."
    )


@dataclass
class Told:
    """What must be said of one model at each length; numbers are those of the ladder."""

    path: Path
    embedding: str

    def __post_init__(self):
        asked = {"margin": "1/3", "delta": "1/10"}
        rungs = [scale(ask(self.path, T=T, **asked).setting) for T in LENGTHS]
        self.name, self.sha256 = self.path.name, hashlib.sha256(self.path.read_bytes()).hexdigest()
        self.before = [rung.before_selection for rung in rungs]
        self.paid = [rung.value for rung in rungs]
        self.subject = f"the model (sha256 {self.sha256[:8]}...)"
        self.facts = (
            "m = 400 (recorded); gate = softplus (recorded); convention = code (recorded); "
            f"embedding = {self.embedding} (recorded)"
        )

    def claims(self):
        for T, bound in zip(LENGTHS, self.before, strict=True):
            yield said(f"T = {T}", f"the class of the norms of {self.subject}", decimal_string(bound.upper),
                       *CONDITIONS[self.embedding])  # fmt: skip

    def paid_claims(self):
        conditions = "".join(f", if {each}" for each in PAID[self.embedding][1])
        for bound in self.paid:
            yield (
                f"With probability at least 0.9 over the 400 training rows, for every model of the class that "
                f"{self.subject} was found in, the mean ramp loss at margin 1/3 on new rows from the training "
                "distribution and on the training rows differ by at most "
                f"{decimal_string(bound.upper)}{conditions}."
            )

    def lines(self):
        empty = ", vacuous" * all(bound.upper >= 1 for bound in self.before)
        yield f"{self.name}: {self.subject}; {self.facts}"
        yield (
            f"{self.name}: CONDITIONAL{empty}: each number in its row is about every model of the class of its norms, "
            f"and holds if {'; if '.join(CONDITIONS[self.embedding])}"
        )
        for T, bound, claim in zip(LENGTHS, self.paid, self.paid_claims(), strict=True):
            empty = ", vacuous" * (bound.upper >= 1)
            yield f"{self.name}, with theory 7 paid, T = {T}: {PAID[self.embedding][0]}{empty}: {claim}"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    found = []
    for embedding in ("fixed", "trained"):
        path = folder / f"{embedding}.safetensors"
        write(path, weights(), Metadata(m=400, T=60, gate="softplus", convention="code", embedding=embedding))
        found.append(Told(path, embedding))
    return found


@pytest.fixture(scope="module")
def printed(models):
    """The same table in every format."""

    def of(form):
        options = ["--d", 7, "--N", 5, "--margin", "1/3", "--delta", "1/10", "--format", form]
        lengths = [option for T in LENGTHS for option in ("--T", T)]
        result = run(*(told.path for told in models), *lengths, *options)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    return {form: of(form) for form in ("table", "markdown", "html", "csv", "json")}


def below(printed, form):
    """The lines under the table, without markup."""
    if form == "html":
        return [flat(text) for text in Seen.of(printed[form]).text]
    if form == "markdown":
        return [re.sub(r"\\(.)", r"\1", line.removeprefix("- ")) for line in printed[form].splitlines()]
    return printed[form].splitlines()


@pytest.mark.parametrize("form", ["table", "markdown", "html"])
def test_every_sentence_for_people(printed, models, form):
    lines = below(printed, form)
    each = "with theory 7 paid: each sentence holds by itself at delta = 0.1; that several hold at once is not claimed"
    label = "" if form == "html" else "assumed of every row: "
    constants = f"Equal constants: {CONSTANTS}." if form == "html" else f"equal constants: {CONSTANTS}"
    expected = [
        said("T", "a class", "the number in its row", FIXED),
        constants,
        *(f"{label}{line}" for line in ASSUMED),
        *(line for told in models for line in told.lines()),
        each,
        *(f"with theory 7 paid, assumed: {line}" for line in PAID_ASSUMED),
    ]
    assert [line for line in expected if line not in lines] == []
    about = [
        line
        for line in lines
        if line.startswith(tuple(f"{told.name}{mark}" for told in models for mark in (":", ", with")))
    ]
    assert about == [line for told in models for line in told.lines()]
    assert [line for line in lines if line.startswith("with theory 7 paid")] == expected[-4:]
    assert not any("Certified, before" in line for line in lines)


@pytest.mark.parametrize("form", ["table", "markdown", "html"])
def test_every_row_has_its_verdict_for_people(printed, models, form):
    text = " ".join(below(printed, form))
    for row in compare([told.path for told in models], T=LENGTHS, margin="1/3", delta="1/10",
                       equal=Equal(d=7, N=5)).rows:  # fmt: skip
        told = next((told for told in models if told.name == row.name), None)
        bounds = [value.bound for value in row.values] if told is None else told.before
        word = "CERTIFIED" if told is None else "CONDITIONAL"
        cells = [decimal_string(bound.upper) + (" (vacuous: 1)" if bound.upper >= 1 else "") for bound in bounds]
        word += ", vacuous" * all(bound.upper >= 1 for bound in bounds)
        size = "any" if row.parameters is None else str(row.parameters)
        line = [row.name, *([row.which] if row.which else []), *cells, word, size]
        assert re.search(r"[\s|]+".join(map(re.escape, line)), text), (row.name, line)


def test_every_value_of_the_json(printed, models):
    found = json.loads(printed["json"])
    assert found["claim"] == said("T", "a class", "the number in its row", FIXED)
    assert found["assumed"] == list(ASSUMED) and found["paid_assumed"] == list(PAID_ASSUMED)
    assert found["constants"]["words"] == CONSTANTS and found["setting"]["loss"] == "ramp loss at margin 1/3"
    assert found["not_to_be_read"] == [*NOT_READ, OWN_ROW] and len(found["rows"]) == 2 + 14
    for row in found["rows"]:
        assert (row["rule"], row["source"]) == RULES[row["name"]]
    for row, told in zip(found["rows"], models, strict=False):
        assert (row["name"], row["kind"], row["path"]) == (told.name, "model", str(told.path))
        assert row["sha256"] == told.sha256 and (row["d"], row["N"], row["k"]) == (3, 2, 1)
        assert row["facts"] == [
            {"name": name, "value": value, "evidence": "recorded"}
            for name, value in (("m", 400), ("gate", "softplus"), ("convention", "code"), ("embedding", told.embedding))
        ]
        verdict, conditions = PAID[told.embedding]
        assert row["conditions"] == list(CONDITIONS[told.embedding]) and row["paid_conditions"] == list(conditions)
        assert row["values"] == [
            {
                "T": T,
                "bound": before.float_upper(),
                "at_most": min(1, before.float_upper()),
                "vacuous": before.float_upper() >= 1,
                "verdict": "CONDITIONAL",
                "claim": claim,
                "refusal": None,
                "paid": paid.float_upper(),
                "paid_vacuous": paid.float_upper() >= 1,
                "paid_verdict": verdict,
                "paid_claim": paid_claim,
            }
            for T, before, claim, paid, paid_claim in zip(
                LENGTHS, told.before, told.claims(), told.paid, told.paid_claims(), strict=True
            )
        ]
    same = compare(m=400, T=LENGTHS, margin="1/3", delta="1/10", equal=Equal(d=7, N=5)).rows
    for row, other in zip(found["rows"][2:], same, strict=True):
        assert (row["kind"], row["path"], row["sha256"], row["facts"]) == ("class", None, None, [])
        assert row["conditions"] == row["paid_conditions"] == [] and (row["d"], row["N"], row["k"]) == (7, 5, 1)
        for value, bound in zip(row["values"], (value.bound for value in other.values), strict=True):
            assert value["bound"] == bound.float_upper() and value["vacuous"] is bool(bound.upper >= 1)
            assert value["verdict"] == "CERTIFIED" and value["refusal"] is None
            assert {value[key] for key in value if key.startswith("paid")} == {None}
            assert value["claim"] == said(f"T = {value['T']}", "the class", decimal_string(bound.upper), FIXED)


def test_every_line_of_the_csv_can_be_read_alone(printed, models):
    lines = list(csv.DictReader(io.StringIO(printed["csv"])))
    values = [(row, value) for row in json.loads(printed["json"])["rows"] for value in row["values"]]
    assert len(lines) == len(values) == 16 * 2
    for line, (row, value) in zip(lines, values, strict=True):
        told = next((told for told in models if told.name == line["row"]), None)
        for key in value:
            assert line[key] == ("" if value[key] is None else str(value[key])), key
        for key in ("rule", "source", "d", "N", "k"):
            assert line[key] == str(row[key])
        assert (line["m"], line["delta"], line["loss"]) == ("400", "0.1", "ramp loss at margin 1/3")
        assert line["assumed"] == "; ".join(ASSUMED)
        assert line["conditions"] == ("" if told is None else "; ".join(CONDITIONS[told.embedding]))
        assert line["paid_conditions"] == ("" if told is None else "; ".join(PAID[told.embedding][1]))
        assert line["paid_assumed"] == ("" if told is None else "; ".join(PAID_ASSUMED))
        if told is None:
            assert (line["B_A"], line["norm"], line["p"], line["B_u"]) == ("10", "1", "1", "1")
            assert line["constants"] == CONSTANTS and line["path"] == line["sha256"] == line["facts"] == ""
        else:
            assert line["B_A"] == line["norm"] == line["p"] == line["B_u"] == line["constants"] == ""
            assert (line["path"], line["sha256"], line["facts"]) == (str(told.path), told.sha256, told.facts)


def test_the_norms_are_named_wherever_classes_are_described():
    pages = [(ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("compare.md", "theory/10-comparisons.md")]
    for text in (run("--help").stdout, pages[0], pages[1].partition("## 10.4")[2]):
        words = flat(text).replace("`", "")
        assert all(word in words for word in ("spectral norm", "l2 norm", "softplus(p + q . u)", "A is none of these"))


def test_what_is_not_to_be_read_names_models_where_there_are_some(printed):
    assert OWN_ROW in below(printed, "html") and f"not to be read: {OWN_ROW}" in below(printed, "table")
    assert OWN_ROW not in flat(run("--T", 50).stdout)


def test_a_silent_file_is_told(tmp_path):
    path = tmp_path / "silent.safetensors"
    write(path, weights(), Metadata(m=400))
    lines = run(path, "--T", 60, "--embedding", "trained").stdout.splitlines()
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (
        f"silent.safetensors: the model with softplus gates (sha256 {sha256[:8]}...); m = 400 (recorded); "
        "gate = softplus (assumed); convention = code (assumed); embedding = trained (stated)"
    ) in lines
    assert any("the gate is softplus (nobody says so" in line for line in lines)


def test_what_is_refused_says_why(tmp_path):
    path = tmp_path / "model.safetensors"
    write(path, weights(), Metadata(m=400, T=60, gate="softplus", convention="code", embedding="trained"))
    arguments = (path, "--T", 60, "--T", 100, "--embedding", "fixed")
    result = run(*arguments)
    why = "the file records that the embedding was trained, so it was not fixed before the sample"
    assert result.exit_code == 0 and f"model.safetensors: REFUSED at T = 60, 100: {why}" in result.stdout.splitlines()
    assert "with theory 7 paid" not in result.stdout
    (row, *_) = json.loads(run(*arguments, "--format", "json").stdout)["rows"]
    for value in row["values"]:
        assert (value["verdict"], value["paid_verdict"], value["refusal"]) == ("REFUSED", "REFUSED", why)
        assert value["bound"] is value["claim"] is value["paid"] is value["paid_claim"] is None


def test_numbers_beyond_the_doubles_are_numbers():
    for s_A, T, exponent in (("20", 10**18, "8685889638065036"), ("1e17", 500, "21671294646972266")):
        for form in ("table", "csv"):
            text = run("--s-A", s_A, "--beta", 1, "--T", T, "--format", form).stdout
            assert re.search(rf"\d\.\d+e\+{exponent}\d+", text) and "NaN" not in text and "nfinity" not in text
    assert "10^(4.343e+317)" in run("--s-A", "1e300", "--beta", 1, "--T", 10**18).stdout


def test_terms_are_said_as_they_are():
    text = run("--T", 50, "--margin", "1/3", "--delta", "1e-300").stdout
    assert "at least 0.999999999999 over" in text and "ramp loss at margin 1/3" in text
    (line, *_) = csv.DictReader(io.StringIO(run("--T", 50, "--delta", "1e-300", "--format", "csv").stdout))
    assert line["delta"] == "1e-300"


def test_json_is_the_same_table(model):
    found = json.loads(run(model, "--T", 60, "--T", 100, "--beta", "1/3", "--format", "json").stdout)
    same = compare([model], T=(60, 100))
    assert found["schema"] == 1 and found["setting"]["m"] == 400 and found["failed"] == []
    assert found["constants"]["beta"] == ["1/3"] and found["constants"]["s_A"] == ["-0.1", "0"]
    assert found["setting"]["selection_paid"] is False
    kinds = [row["kind"] for row in found["rows"]]
    assert kinds == ["model", *["class"] * 10]
    for row, other in zip(found["rows"][:8], same.rows[:8], strict=True):
        assert [value["bound"] for value in row["values"]] == [v.bound.float_upper() for v in other.values]
        for value in row["values"]:
            assert value["at_most"] == min(1, value["bound"]) and value["vacuous"] == (value["bound"] >= 1)
    documented = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")
    names = {*found, *found["setting"], *found["constants"], *found["rows"][0], *found["rows"][0]["values"][0]} - {
        "values"
    }
    assert {name for name in names if f"`{name}`" not in documented} == set()


def test_csv_has_a_line_for_each_row_and_length():
    lines = list(csv.DictReader(io.StringIO(run("--T", 1, "--T", 50, "--format", "csv").stdout)))
    assert len(lines) == 2 * 14 and {line["T"] for line in lines} == {"1", "50"}
    assert all(float(line["at_most"]) <= 1 for line in lines)
    assert next(line for line in lines if line["row"] == "softmax attention")["parameters"] == "784"
    assert {line["parameters"] for line in lines if line["row"] == "LTI, any size"} == {""}


def test_the_page_of_the_documentation_has_these_numbers():
    page = flat((ROOT / "docs" / "compare.md").read_text(encoding="utf-8"))
    rows = [row for N in (4, 10) for row in table(compare(T=500, equal=Equal(N=N, s_A=(0,), beta=(1,)))).rows]
    (small, large), *_, (network, _) = ([row for row in rows if row[0] == name] for name in
                                        ("selective SSM", "RNN, identity or ReLU"))  # fmt: skip
    assert (
        f"is at {small[2]} with N = 4 and {small[4]} parameters, and at {large[2]} with N = 10 and {large[4]}" in page
    )
    assert f"a recurrent network (beta = 1) with {network[4]} is at {network[2]}" in page


def test_markdown_has_the_sentences():
    text = run("--T", 50, "--format", "markdown").stdout
    assert text.startswith("| row | constant | bound at T = 50 |") and text.count("\n- not to be read: ") == len(
        NOT_READ
    )


def test_html_stands_alone(tmp_path, model):
    hostile = tmp_path / f"{HOSTILE.replace('/', '')}.safetensors"
    hostile.write_bytes(model.read_bytes())
    out = tmp_path / "page.html"
    result = run(hostile, tmp_path / "none.pth", "--T", 60, "--T", 100, "--format", "html", "--out", out)
    assert result.exit_code == 2 and "none.pth" in result.stderr
    text = out.read_text(encoding="utf-8")
    seen = Seen.of(text)
    (script,) = seen.scripts
    data = json.loads(script)
    assert data["rows"][0]["kind"] == "model" and [line["path"] for line in data["failed"]] == [
        str(tmp_path / "none.pth")
    ]
    assert not any(tag == "img" for tag, _ in seen.elements) and "selective SSM" in text and "none.pth" in text
    assert text.count("<svg") == 1 and all(line in " ".join(seen.text) for line in NOT_READ)
    assert run("--T", 60, "--format", "html").stdout.count("<svg") == 0


def test_a_figure_has_one_line_a_row(tmp_path, model):
    out = tmp_path / "lengths.svg"
    assert run(model, "--T", 60, "--T", 100, "--plot", out).exit_code == 0 and out.stat().st_size > 1000
    found = compare([model], T=(60, 100))
    (axes,) = against_length(found).axes
    drawn = [line for line in axes.lines if len(line.get_xdata()) == 2 and list(line.get_xdata()) == [60, 100]]
    assert len(drawn) == len(found.rows)
    for line, row in zip(drawn, found.rows, strict=True):
        assert list(line.get_ydata()) == [value.bound.float_upper() for value in row.values]
    with pytest.raises(DomainError, match="two lengths"):
        against_length(compare(T=5))


def test_a_row_that_is_refused_everywhere_is_drawn_nowhere(tmp_path):
    path = tmp_path / "long.safetensors"
    write(path, weights(), Metadata(m=400, T=60, gate="softplus", convention="code", embedding="trained"))
    found = compare([path], T=(60, 100), embedding="fixed")
    assert len(against_length(found).axes[0].lines[0].get_xdata()) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--T", "500", "--plot", "x.png"], "give --T several times"),
        (["--plot", "x.jpg"], ".png, .pdf or .svg"),
        (["--out", "nosuch/x.csv"], "nosuch"),
        (["--T", "0"], "--T"),
        (["--m", "0"], "--m"),
        (["--d", "0"], "--d"),
        (["--N", "-1"], "--N"),
        (["--s-A", "-11"], "below -B_A = -10"),
        (["--s-A", "-1e300"], "--s-A: -1e300 is not above -1e+300"),
        (["--s-A", "nan"], "'nan' is not"),
        (["--s-A", "inf"], "'inf' is not"),
        (["--s-A", "0", "--s-A", "0.0"], "each value once"),
        (["--beta", "0"], "--beta"),
        (["--beta", "-1"], "--beta"),
        (["--beta", "x"], "'x' is not a number"),
        (["--delta", "1"], "--delta"),
        (["--margin", "0"], "--margin"),
        (["--gate", "none", "--input-bound", "1"], "--gate, --input-bound: says something of a MODEL"),
    ],
)
def test_bad_options_end_with_two(arguments, said):
    result = run(*arguments)
    assert result.exit_code == 2 and said in flat(result.stderr) and "Traceback" not in result.stderr


def test_a_file_without_a_row_is_one_line_and_the_others_are_there(tmp_path, model):
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"no tensors")
    result = run(model, broken, tmp_path, "--T", 60)
    assert result.exit_code == 2 and "model.safetensors" in result.stdout
    assert len(result.stderr.strip().splitlines()) == 2 and "broken.pth" in result.stderr


def test_other_models_are_named_as_such(tmp_path):
    path = tmp_path / "s4d.safetensors"
    save_file(tensors(layer()), path)
    result = run(path, "--m", 100, "--T", 60)
    assert result.exit_code == 2 and "S4D" in result.stderr and "ssm-bounds certify" in result.stderr


def test_models_of_two_samples_are_no_table(tmp_path, model):
    other = tmp_path / "other.safetensors"
    write(other, weights(), Metadata(m=500, T=60, gate="softplus"))
    result = run(model, other)
    assert result.exit_code == 2 and "one m" in result.stderr and not result.stdout
