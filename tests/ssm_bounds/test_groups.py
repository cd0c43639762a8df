"""A word whose rows come in groups: the unit is the group (theory 8.5), and what is said of it."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from fractions import Fraction

import jsonschema
import mpmath
import numpy as np
import pytest
from click.testing import CliRunner

import ssm_bounds
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.inversion import kl_inv
from ssm_bounds.bounds.ladder.rung import Verdict
from ssm_bounds.cli import main
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.files.checkpoint import Metadata, write
from ssm_bounds.models.program.classifier import answers
from ssm_bounds.models.program.evaluate import right
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.report.document import documents, schema
from ssm_bounds.report.html.page import page
from ssm_bounds.report.tables import markdown
from tests.bounds.gaps.wealth.test_units import again
from tests.ssm_bounds.cli.test_cli import weights
from tests.words import task, trained, worded

SIZES = [1] * 60 + [2] * 90 + [3] * 20  # 300 rows
GROUPS = np.random.default_rng(4).permutation(np.repeat(np.arange(len(SIZES)), SIZES))


def grouped(**rows) -> Task:
    return replace(task(**rows), groups=GROUPS)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A trained folder, rows with their groups, and a word that was found for them."""
    return worded(tmp_path_factory.mktemp("groups"), grouped())


def certified(place, data=None, **stated):
    return ssm_bounds.certify(ssm_bounds.ask(place / "word", data=data or grouped(test=0), **stated))


def test_the_bound_is_the_bet_on_the_shares_of_errors(place):
    found = certified(place)
    rung = found.rung("occam-groups")
    data = grouped()
    wrong = ~right(answers(files.read(place / "word"), data.train), data.train.y)
    shares = [Fraction(int(wrong[group == GROUPS].sum()), size) for group, size in enumerate(SIZES)]
    assert any(0 < share < 1 for share in shares) and found.compared == 1
    nats = rung.argument.rows.word.nats().float_upper()
    with mpmath.workdps(40):
        expected = again(shares, 1, mpmath.mpf(nats) + mpmath.log(20))
        cheaper = again(shares, 1, mpmath.mpf(nats))
    assert mpmath.mpf(rung.value.float_upper()) >= expected > 1.01 * cheaper
    assert rung.value.float_upper() == pytest.approx(float(expected), rel=1e-9) and not rung.vacuous
    mean = float(sum(shares) / len(shares))
    record = rung.argument.record()
    assert (record["groups"], record["errors"], record["m"]) == (170, int(wrong.sum()), 300)
    assert record["mean"].float_upper() == pytest.approx(mean) and mean != pytest.approx(wrong.mean(), rel=1e-3)
    hidden = -math.expm1(-(nats + math.log(20)) / 170)
    assert record["floor"].float_upper() == pytest.approx(mean + hidden * (1 - mean), rel=1e-9)
    assert record["floor"].upper <= rung.value.upper


def test_it_is_at_its_share_of_delta(place):
    """With test rows, whose hold-out is refused, two claims share it."""
    alone, beside = certified(place), certified(place, grouped())
    assert beside.compared == 2 and beside.headline.value.upper > alone.headline.value.upper
    assert beside.rung("occam-groups").value == alone.rung("occam-groups").value
    refused = beside.rung("holdout")
    assert refused.verdict is Verdict.REFUSED and "training rows come in groups" in refused.refusal


def test_what_is_said(place):
    found = certified(place)
    assert "over the 170 groups of 300 rows, the mean over new groups of the error rate" in found.headline.sentence
    assert "within the group is at most" in found.headline.sentence and found.verdict is Verdict.CERTIFIED
    sentence = found.rung("occam-groups").argument.sentence()
    for said in ("170 groups of 300 rows", "wealth bound of the groups at lambda", "cannot usefully fall below"):
        assert said in sentence
    assert "independent draws from one distribution of groups" in found.question.standing[0]
    assert not any("identically" in line for line in found.question.standing)
    assert ("groups", 170) in {(fact.name, fact.value) for fact in found.question.facts}
    finite = certified(place, draws="without-replacement")
    assert "over all groups of the collection that these were sampled from of the error" in finite.headline.sentence
    assert "collection of groups" in finite.question.standing[0]
    assert finite.rung("occam-groups").value == found.rung("occam-groups").value


def test_costs_are_what_is_divided_by_the_number_of_groups(place):
    argument = certified(place).rung("occam-groups").argument
    nats = argument.rows.word.nats().float_upper()
    total = math.fsum(cost.nats.float_upper() for cost in argument.costs())
    assert total == pytest.approx(nats + math.log(40) + math.log(20), abs=1e-9)


def test_one_row_each_costs_the_grid(place):
    """Groups of single rows are rows: above the form by kl, and hardly above it at ln 40 nats more."""
    single = replace(task(test=0), groups=np.arange(300))
    bet = certified(place, single).rung("occam-groups").value.float_upper()
    rung = certified(place, task(test=0), draws="without-replacement").rung("occam-kl")
    paid = rung.argument.word.nats().float_upper() + math.log(20) + math.log(40)
    kl = kl_inv(Fraction(rung.argument.errors, 300), Enclosure.point(paid / 300)).float_upper()
    assert rung.value.float_upper() < kl <= bet * (1 + 1e-9) and bet < 1.01 * kl


def test_repeats_across_groups(place):
    data = task(m=100, test=0)
    split = Split(np.repeat(data.train.x, 3, axis=0), np.repeat(data.train.y, 3))
    repeated = Task("waves", split, None, k=3, V=None, groups=GROUPS)
    (rung,) = certified(place, repeated).rungs
    assert rung.conditions == ("groups that hold equal rows are independent draws",)
    (rung,) = certified(place, repeated, draws="without-replacement").rungs
    assert rung.conditions == ("groups that hold equal rows are different members of the collection",)


def test_what_does_not_fit(place, tmp_path):
    with pytest.raises(ValueError, match="leave one out"):
        certified(place, draws="stratified")
    with pytest.raises(ValueError, match="--groups NAME goes with --data FILE"):
        certified(place, groups="patient")
    with pytest.raises(ValueError, match="stated for a word alone"):
        ssm_bounds.ask(place / "stack", data=grouped())
    write(tmp_path / "model.safetensors", weights(V=2), Metadata(m=3, T=5, gate="softplus"))
    np.savez(tmp_path / "d.npz", x_train=[[0, 1], [1, 1], [0, 0]], y_train=[0, 1, 0], patient=["a", "b", "a"])
    with pytest.raises(ValueError, match="folder of Mamba blocks"):
        ssm_bounds.ask(tmp_path / "model.safetensors", data=tmp_path / "d.npz", groups="patient")


def test_one_group_is_one_draw(place):
    found = certified(place, replace(task(test=0), groups=np.zeros(300, dtype=int)))
    assert "over the one group of 300 rows, the mean over new groups" in found.headline.sentence
    assert found.question.standing[0].startswith("the one group of training rows is one draw, and groups are")
    assert found.rung("occam-groups").argument.sentence().startswith("1 group of 300 rows")
    assert "1 groups" not in markdown([found])


def test_what_costs_are_divided_by(place, tmp_path):
    trained(tmp_path / "base", seed=3)
    search = ssm_bounds.Search(occam=True, family="head", base=tmp_path / "base", budget=0.1)
    both = ssm_bounds.certify(ssm_bounds.ask(place / "stack", data=grouped(test=0), search=search))
    assert "(occam-groups, occam-chained, occam-paired: by the number of groups)" in re.sub("<[^>]*>", "", page([both]))
    alone = re.sub("<[^>]*>", "", page([certified(place)]))
    assert "(occam-groups: by the number of groups)" in alone


def test_draws_that_are_no_name(place):
    for draws in (["iid"], None, {"iid"}):
        with pytest.raises(ValueError, match="how the training rows were drawn: one of iid"):
            certified(place, task(), draws=draws)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    """A base, and rows of tokens in tables with a column of groups."""
    found = tmp_path_factory.mktemp("tables")
    design = {"c": None, "V": 4, "outputs": 2, "layers": 2}
    trained(found / "stack", **design)
    trained(found / "base", seed=3, **design)
    x = np.random.default_rng(0).integers(0, 4, (120, 8))
    for name, part in (("data", x[:60]), ("seen", np.concatenate([x[57:60], x[60:]]))):
        lines = [",".join(["y", *(f"x{i}" for i in range(8)), "who"])]
        lines += [",".join([str(row[0] % 2), *map(str, row), f"p{i // 2}"]) for i, row in enumerate(part.tolist())]
        (found / f"{name}.csv").write_text("\n".join(lines) + "\n")
    bare = [line.rsplit(",", 1)[0] for line in (found / "seen.csv").read_text().splitlines()]
    (found / "bare.csv").write_text("\n".join(bare) + "\n")
    return found


@pytest.mark.parametrize("seen", ["seen.csv", "bare.csv"])
def test_what_a_base_saw_may_have_the_column_too(tokens, seen):
    search = ssm_bounds.Search(occam=True, base=tokens / "base", base_data=tokens / seen)
    asked = ssm_bounds.ask(tokens / "stack", data=tokens / "data.csv", groups="who", search=search)
    assert "3 of the 60 training rows are among those that --base-data holds" in asked.base.condition


def test_a_table_on_the_command_line(tokens):
    line = ["certify", tokens / "stack", "--data", tokens / "data.csv", "--occam", "--budget", "1", "--family"]
    line += ["head", "--base", tokens / "base", "--base-data", tokens / "seen.csv", "--format", "markdown"]
    told = CliRunner().invoke(main, [*map(str, line), "--groups", "who"])
    assert told.exit_code == 0 and "3 of the 60 training rows" in told.stdout and "30 groups" in told.stdout
    wrong = CliRunner().invoke(main, [*map(str, line), "--groups", "whom"])
    assert wrong.exit_code == 2 and "has no column 'whom' for the groups of its rows" in " ".join(wrong.output.split())


def test_every_form_of_the_report(place):
    found = certified(place)
    jsonschema.validate(documents([found]), schema())
    for text in (markdown([found]), page([found])):
        assert "occam-groups" in text and "mean over new groups" in " ".join(text.split())
    assert "by the number of groups" in page([found])


def test_the_command(place):
    line = ["certify", str(place / "word"), "--data", str(place / "data.npz"), "--format", "markdown"]
    told = CliRunner().invoke(main, [*line, "--groups", "groups"])
    assert told.exit_code == 0 and "170 groups of 300 rows" in told.stdout
    missing = CliRunner().invoke(main, [*line, "--groups", "patient"])
    assert missing.exit_code == 2 and "array 'patient' of the groups is missing" in missing.output
    alone = CliRunner().invoke(main, ["certify", str(place / "word"), "--groups", "groups"])
    assert alone.exit_code == 2 and "--data FILE" in alone.output
