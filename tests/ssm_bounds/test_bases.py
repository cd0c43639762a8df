"""What a base saw, and what a word does better or worse than a base that has a head of its own."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from fractions import Fraction

import jsonschema
import mpmath
import numpy as np
import pytest
from click.testing import CliRunner

import ssm_bounds
from ssm_bounds import bases, words
from ssm_bounds.bounds.codes.word import Coded, Word
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.wealth.units import wealth, wealth_at
from ssm_bounds.bounds.ladder.rung import Hypothesis, Verdict
from ssm_bounds.certificate import sentence
from ssm_bounds.cli import main
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.files import word as folders
from ssm_bounds.models.files.checkpoint import Metadata, write
from ssm_bounds.models.program.classifier import answers
from ssm_bounds.models.program.evaluate import beaten, digest, right
from ssm_bounds.models.tasks.arrays import write_arrays
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.report.document import documents, outcome, schema
from ssm_bounds.report.html.page import page
from ssm_bounds.report.tables import markdown
from tests.bounds.gaps.wealth.test_units import again
from tests.ssm_bounds.cli.test_cli import weights
from tests.words import task, trained, worded

DELTA = Fraction(1, 20)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A base whose head is drawn at random, a word around it, and rows."""
    found = tmp_path_factory.mktemp("bases")
    return worded(found, task(), trained(found / "base", seed=3))


def certified(place, data=None, base="base", draws="iid", **search):
    search = ssm_bounds.Search(base=place / base, **search)
    return ssm_bounds.certify(ssm_bounds.ask(place / "word", data=data or task(test=0), draws=draws, search=search))


@pytest.fixture(scope="module")
def found(place):
    return certified(place)


def certified_word(base) -> Word:
    """A head of a few integers, of whatever base."""
    rng = np.random.default_rng(6)
    tensors = {
        name: Coded(rng.integers(-2, 3, base.tensors[name].shape), 4, 0) for name in ("score.bias", "score.weight")
    }
    return Word("head", tensors)


def joined(*splits: Split) -> Task:
    x, y = (np.concatenate(parts) for parts in zip(*((split.x, split.y) for split in splits), strict=True))
    return Task("waves", Split(x, y), None, k=3, V=None)


class TestBaseData:
    """Rows that the base was trained on, by hash."""

    def held(self, tmp_path, data: Task):
        write_arrays(tmp_path / "seen.npz", data)
        return tmp_path / "seen.npz"

    def test_the_training_rows_are_refused(self, place, tmp_path):
        rung = certified(place, base_data=self.held(tmp_path, task())).rung("occam")
        assert rung.verdict is Verdict.REFUSED and "--base-data holds them" in rung.refusal

    def test_so_are_most_of_them_in_another_order(self, place, tmp_path):
        own, order = task().train, np.random.default_rng(0).permutation(300)[1:]
        rung = certified(place, base_data=self.held(tmp_path, joined(Split(own.x[order], own.y[order])))).rung("occam")
        assert rung.verdict is Verdict.REFUSED and "--base-data holds 299 of the 300" in rung.refusal

    def test_a_few_are_counted_and_labels_do_not_hide_them(self, place, tmp_path):
        own, other = task().train, task(seed=2, test=0).train
        few = Split(own.x[:7], (own.y[:7] + 1) % 3)
        rung = certified(place, base_data=self.held(tmp_path, joined(few, other))).rung("occam")
        (condition,) = rung.conditions
        assert condition.endswith("(7 of the 300 training rows are among those that --base-data holds)")
        (condition,) = certified(place, base_data=self.held(tmp_path, joined(other))).rung("occam").conditions
        assert "(0 of the 300" in condition and rung.verdict is Verdict.CONDITIONAL
        (condition,) = certified(place).rung("occam").conditions
        assert condition.endswith("was fixed before the sample")

    def test_test_rows_that_the_base_was_trained_on_are_no_holdout(self, place, tmp_path):
        """Though the rows of the task alone show nothing: the training rows are others."""
        own, other, order = task().test, task(seed=2, test=0).train, np.random.default_rng(0).permutation(100)[1:]
        for seen, said in (
            (joined(own), "the base was trained on these test rows: --base-data holds them"),
            (joined(Split(own.x[order], (own.y[order] + 1) % 3), other), "--base-data holds 99 of the 100, more than"),
        ):
            found = certified(place, task(), base_data=self.held(tmp_path, seen))
            rung = found.rung("holdout")
            assert rung.verdict is Verdict.REFUSED and said in rung.refusal and found.headline.rung == "occam"
            assert found.rung("occam").verdict is Verdict.CONDITIONAL
        few = self.held(tmp_path, joined(Split(own.x[:7], own.y[:7]), other))
        found = certified(place, task(), base_data=few)
        (condition,) = found.rung("holdout").conditions
        assert condition.endswith("this model alone (7 of the 100 test rows are among those that --base-data holds)")
        (condition,) = certified(place, task()).rung("holdout").conditions
        assert condition.endswith("met by this model alone")

    def test_nor_where_its_own_folder_holds_them(self, place, tmp_path):
        base = trained(tmp_path / "base", seed=3)
        write_arrays(base / files.DATA, joined(task().test))
        rung = certified(place, task(), base=base).rung("holdout")
        assert rung.verdict is Verdict.REFUSED and "these test rows: its folder holds them" in rung.refusal

    def test_a_base_that_read_the_whole_collection(self, place, tmp_path):
        """Allowed where the rows were drawn from it at random afterwards (theory 8.12); its own sample is not."""
        own, order = task(), np.random.default_rng(0).permutation(300)
        whole = self.held(tmp_path, joined(own.train, own.test, task(m=2000, seed=2, test=0).train))
        found = certified(place, own, base_data=whole, draws="without-replacement")
        for name, said in (("occam-kl", "300 of the 300 training rows"), ("holdout-kl", "100 of the 100 test rows")):
            rung = found.rung(name)
            assert rung.verdict is Verdict.CONDITIONAL and said in rung.conditions[-1]
        sha256 = files.read(place / "base").sha256[:8]
        (condition,) = found.rung("occam-kl").conditions
        assert condition.startswith(f"the sample was drawn at random after the base (sha256 {sha256}...) was fixed (")
        assert certified(place, own, base_data=whole).rung("occam").verdict is Verdict.REFUSED  # of i.i.d. rows
        same = self.held(tmp_path, joined(Split(own.train.x[order], own.train.y[order])))
        rung = certified(place, own, base_data=same, draws="without-replacement").rung("occam-kl")
        assert rung.verdict is Verdict.REFUSED and "holds them" in rung.refusal

    def test_of_groups_it_is_said_that_rows_are_compared(self, place, tmp_path):
        own, other = task(test=0), task(seed=2, test=0)
        grouped = replace(own, groups=np.arange(300) // 3)
        few = self.held(tmp_path, joined(Split(own.train.x[:7], own.train.y[:7]), other.train))
        rung = certified(place, grouped, base_data=few).rung("occam-groups")
        assert "7 of the 300 training rows" in rung.conditions[0]
        assert "compared row by row: other rows of their groups are not looked for" in rung.conditions[0]
        assert "row by row" not in certified(place, own, base_data=few).rung("occam").conditions[0]

    def test_what_does_not_fit(self, place, tmp_path):
        own = task().train
        longer = Task("waves", Split(np.repeat(own.x, 2, axis=1), own.y), None, k=3, V=None)
        with pytest.raises(ValueError, match=r"seen.npz: rows of shape \(16, 1\) are compared with none of \(8, 1\)"):
            certified(place, base_data=self.held(tmp_path, longer))
        with pytest.raises(OSError, match=r"none.npz"):
            certified(place, base_data=tmp_path / "none.npz")
        with pytest.raises(ValueError, match="--base-data FILE goes with --base FOLDER"):
            ssm_bounds.ask(
                place / "stack", data=task(), search=ssm_bounds.Search(occam=True, base_data=tmp_path / "seen.npz")
            )
        write(tmp_path / "model.safetensors", weights(V=2), Metadata(m=20, T=5, gate="softplus"))
        with pytest.raises(ValueError, match="--base-data is for folders"):
            ssm_bounds.ask(tmp_path / "model.safetensors", search=ssm_bounds.Search(base_data=tmp_path / "seen.npz"))

    def test_a_folder_that_says_it_itself(self, place, tmp_path):
        base = trained(tmp_path / "base", seed=3)
        seen = self.held(tmp_path, task(seed=2))
        (base / files.DATA).write_bytes(seen.read_bytes())
        search = ssm_bounds.Search(base=base, base_data=seen)
        with pytest.raises(ValueError, match=r"train.npz: is there .* leave --base-data out"):
            ssm_bounds.ask(place / "word", data=task(), search=search)

    def test_the_command(self, place, tmp_path):
        line = ["certify", place / "word", "--data", place / "data.npz", "--format", "markdown"]
        line += ["--base", place / "base", "--base-data"]
        told = CliRunner().invoke(main, [*map(str, line), str(self.held(tmp_path, task()))])
        assert told.exit_code == 0 and "REFUSED" in told.output and "trained on these" in told.output
        none = CliRunner().invoke(main, [*map(str, line), str(tmp_path / "none.npz")])
        assert none.exit_code == 2 and "none.npz" in none.output and "Traceback" not in none.output


class TestWordAsBase:
    """What a word's own file records of its logits."""

    def asked(self, place, base, data):
        return ssm_bounds.ask(place / "stack", data=data, search=ssm_bounds.Search(occam=True, base=base))

    def test_one_that_was_found_on_these_rows(self, place):
        question = self.asked(place, place / "word", task(test=0))
        assert question.verdict([Hypothesis.BASE]) is Verdict.REFUSED
        assert "a word that was found on these training rows: its folder records its logits" in question.base.refusal

    def test_one_that_was_found_on_the_test_rows(self, place):
        data = Task("waves", task(seed=2).train, task().train, k=3, V=None)
        question = self.asked(place, place / "word", data)
        assert question.base.refusal is None and question.verdict([Hypothesis.BASE]) is Verdict.CONDITIONAL
        assert "was found on these test rows" in question.refusal(Hypothesis.TEST)

    def test_one_that_was_found_on_others_or_answers_alike_on_all(self, place, tmp_path):
        assert self.asked(place, place / "word", task(seed=2, test=0)).base.refusal is None
        base = folders.moved_by(place / "base", files.read(place / "stack"))
        untrained = Word("head", dict.fromkeys(("score.bias", "score.weight")))
        folders.write(tmp_path / "flat", untrained, base, {"logits": digest(np.zeros((300, 3)))})
        assert self.asked(place, tmp_path / "flat", task(test=0)).base.refusal is None

    def test_rows_that_it_does_not_read(self, place):
        data = Task("t", Split(np.zeros((30, 8), dtype=int), np.zeros(30, dtype=int)), None, k=3, V=4)
        search = ssm_bounds.Search(occam=True, base=place / "word")
        assert bases.given(search, folders.moved_by(place / "word", files.read(place / "stack")), data).refusal is None


def test_an_error_however_ties_are_broken():
    z = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0], [np.nan, 1.0], [np.inf, 0.0], [-np.inf, 0.0]])
    y = np.zeros(6, dtype=int)
    assert beaten(z, y).tolist() == [False, True, False, False, False, False]
    assert (~right(z, y)).tolist() == [True, True, False, True, True, True]
    with pytest.raises(ValueError, match="label"):
        beaten(z, np.full(6, 2))


class TestPaired:
    """The word beside its base, as that is: the random head that its folder has."""

    def test_the_bound_is_the_bet_on_the_differences(self, place, found):
        rung, data = found.rung("occam-paired"), task().train
        own, base = (answers(files.read(place / name), data) for name in ("word", "base"))
        differences = (own.argmax(axis=1) != data.y).astype(int) - (base.argmax(axis=1) != data.y)  # none is a tie
        record = rung.argument.record()
        counts = [int((differences == value).sum()) for value in (1, -1)]
        assert [record["worse"], record["better"]] == counts and min(counts) > 0 and record["units"] == 300
        nats = record["nats"].float_upper()
        with mpmath.workdps(40):
            shifted = [(1 + int(each)) / 2 for each in differences]  # D = 2 (1 + D)/2 - 1, and b - D = 2 (1 - that)
            halves = again(shifted, 1, mpmath.mpf(nats) + mpmath.log(20))
        x = rung.value.float_upper()
        # the grid of (1 + D)/2 at range 1 is that of D shifted by one place of two: both may take the best
        assert x == pytest.approx(float(2 * halves - 1), abs=1e-9)
        assert x < 0 and (rung.kind, rung.ceiling, rung.two_sided) == ("difference", 1, False)
        assert record["floor"].upper < rung.value.upper and not rung.vacuous

    def test_it_is_no_risk_and_stands_apart(self, found):
        assert found.compared == 2 and [claim.rung.name for claim in found.claims] == ["occam", "occam-chained"]
        (claim,) = found.apart
        assert (claim.rung.name, claim.share) == ("occam-paired", DELTA) and found.headline.rung == "occam"
        assert claim.rung.verdict is Verdict.CONDITIONAL and claim.rung.conditions == found.rung("occam").conditions
        text = sentence(found.question, claim)
        assert (
            " is below that of the base (sha256 " in text and ", with its own head, by the same program) by at" in text
        )
        shown = text.split("by at least ")[1].split(",")[0]
        assert 0.999 * -claim.value.float_upper() <= float(shown) <= -claim.value.float_upper()
        assert "if the base" in text
        assert dict(outcome(found))["beside base"].startswith(f"CONDITIONAL: {text}")

    def test_the_chain_is_both_bounds_at_half_of_delta(self, place, found):
        """The base's errors by the binomial tail, and what the word errs beyond them by the bet, written again."""
        rung, record = found.rung("occam-chained"), found.rung("occam-paired").argument.record()
        data = task().train
        wrong = int((answers(files.read(place / "base"), data).argmax(axis=1) != data.y).sum())
        assert rung.argument.errors == wrong and rung.kind == "risk" and rung.ceiling == 1
        assert wrong + record["worse"] - record["better"] == record["errors"]
        with mpmath.workdps(40):
            differences = [1] * record["worse"] + [-1] * record["better"]
            shifted = [(1 + each) / 2 for each in differences + [0] * (300 - len(differences))]
            beyond = 2 * again(shifted, 1, mpmath.mpf(record["nats"].float_upper()) + mpmath.log(40)) - 1
            own = rung.argument.base.float_upper()

            def tail(p):
                return sum(
                    mpmath.binomial(300, i) * mpmath.mpf(p) ** i * (1 - mpmath.mpf(p)) ** (300 - i)
                    for i in range(wrong + 1)
                )

            assert tail(own) <= mpmath.mpf(1) / 40 <= tail(own - 1e-9)
        assert rung.value.float_upper() == pytest.approx(own + float(beyond), abs=1e-9)
        claim = next(claim for claim in found.claims if claim.rung.name == "occam-chained")
        assert claim.share == DELTA / 2 and claim.value.float_upper() > rung.value.float_upper()
        assert rung.verdict is Verdict.CONDITIONAL and rung.conditions == found.rung("occam").conditions

    def test_beside_a_base_that_is_as_good(self, place):
        """The word's own model as the base, with a word of an untrained head around it: the word ties everywhere."""
        base = place / "plain"
        shutil.copytree(place / "word", base, ignore=shutil.ignore_patterns("word.*"))
        found = folders.moved_by(base, files.read(place / "stack"))
        untrained = Word("head", dict.fromkeys(("score.bias", "score.weight")))
        folders.write(place / "tied", untrained, found, {})
        asked = ssm_bounds.ask(place / "tied", data=task(test=0), search=ssm_bounds.Search(base=base))
        rung = ssm_bounds.certify(asked).rung("occam-paired")
        errors = int((~right(answers(files.read(place / "word"), task().train), task().train.y)).sum())
        assert (rung.argument.worse, rung.argument.better) == (300 - errors, 0)
        assert rung.value.float_upper() > 1 - errors / 300 and rung.argument.rows.errors == 300
        (claim,) = ssm_bounds.certify(asked).apart
        assert "exceeds that of the base" in sentence(asked, claim) and "by at most" in sentence(asked, claim)

    def test_ties_of_the_base_are_none_of_its_errors(self, place, tmp_path):
        """A base whose head is zero: to count its ties as errors would make every word look better than it."""
        trained(tmp_path / "zero", seed=3)
        tensors = {name: value.astype(np.float32) for name, value in files.tensors(tmp_path / "zero").items()}
        tensors |= {name: np.zeros_like(tensors[name]) for name in ("score.weight", "score.bias")}
        (tmp_path / "zero" / files.WEIGHTS).write_bytes(files.packed(tensors))
        base = folders.moved_by(tmp_path / "zero", files.read(place / "stack"))
        rows, data = certified(place).rung("occam").argument, task()
        z = answers(files.read(place / "word"), data.train)
        theirs = words._theirs(data, base, 3)
        pair = words._paired(data, rows, z, theirs)
        assert not theirs.any() and pair.better == 0 and pair.worse == rows.errors and pair.found.value.upper > 0

    def test_groups_are_units_here_too(self, place):
        data = task(test=0)
        groups = np.arange(300) // 2
        found = certified(place, Task("waves", data.train, None, k=3, V=None, groups=groups))
        argument = found.rung("occam-paired").argument
        assert argument.record()["units"] == 150 and set(argument.losses.tolist()) <= {-1.0, -0.5, 0.0, 0.5, 1.0}
        (claim,) = found.apart
        assert "the mean over new groups of the error rate of the word" in sentence(found.question, claim)

    def test_another_number_of_outputs_has_no_pair(self, place, tmp_path):
        trained(tmp_path / "two", seed=3, outputs=2)
        base = folders.moved_by(tmp_path / "two", files.read(place / "stack"))
        assert words._theirs(task(), base, 3) is None
        start = folders.moved_by(None, files.read(place / "stack"))
        assert words._theirs(task(), start, 3) is None

    def named(self, place, folder, names, order=(0, 1, 2)):
        """The base with the rows of its head in another order, and other names of them."""
        shutil.copytree(place / "base", folder)
        tensors = {name: value.astype(np.float32) for name, value in files.tensors(folder).items()}
        tensors |= {name: tensors[name][list(order)] for name in ("score.weight", "score.bias")}
        (folder / files.WEIGHTS).write_bytes(files.packed(tensors))
        config = json.loads((folder / files.CONFIG).read_text())
        config |= {"id2label": {str(i): name for i, name in enumerate(names)}}
        config["label2id"] = {name: i for i, name in enumerate(names)}
        (folder / files.CONFIG).write_text(json.dumps(config))
        return folder

    def beside(self, folder, like, word):
        """The rung of a word of a few integers around that base, which is to answer as ``like`` is named."""
        found = folders.moved_by(folder, files.read(like))
        folders.write(word, certified_word(found), found, {})
        asked = ssm_bounds.ask(word, data=task(test=0), search=ssm_bounds.Search(base=folder))
        return next((rung for rung in ssm_bounds.certify(asked).rungs if rung.name == "occam-paired"), None)

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
    def test_outputs_are_matched_by_their_names(self, place, found, tmp_path, order):
        """The same base with the rows of its head in another order, and named so, is the same classifier."""
        base = self.named(place, tmp_path / "base", ["abc"[i] for i in order], order)
        rung = self.beside(base, place / "stack", tmp_path / "word")
        same = self.beside(place / "base", place / "stack", tmp_path / "same")
        assert (rung.argument.worse, rung.argument.better) == (same.argument.worse, same.argument.better)
        assert rung.value == same.value and len(rung.conditions) == 1 and rung.argument.better > 0
        if order != (0, 1, 2):  # control: the same rows of the head under the old names are another classifier
            other = self.beside(
                self.named(place, tmp_path / "other", "abc", order), place / "stack", tmp_path / "otherword"
            )
            assert other.value != same.value

    def test_other_names_have_no_pair_and_numbers_a_condition(self, place, tmp_path):
        assert self.beside(self.named(place, tmp_path / "x", "abd"), place / "stack", tmp_path / "wx") is None
        numbers = self.named(place, tmp_path / "n", "012")
        assert self.beside(numbers, place / "stack", tmp_path / "wn") is None
        like = self.named(place, tmp_path / "like", ["LABEL_0", "LABEL_1", "LABEL_2"])
        rung = self.beside(numbers, like, tmp_path / "wl")
        assert rung.verdict is Verdict.CONDITIONAL and rung.conditions[1:] == ("output i of the base means label i",)
        swapped = self.named(place, tmp_path / "s", "102", (1, 0, 2))  # somebody named these
        rung = self.beside(swapped, numbers, tmp_path / "ws")
        assert len(rung.conditions) == 1
        same = self.beside(place / "base", place / "stack", tmp_path / "wb")
        assert rung.value == same.value

    def test_a_base_that_saw_the_rows_pairs_with_nothing(self, place, tmp_path):
        write_arrays(tmp_path / "seen.npz", task())
        found = certified(place, base_data=tmp_path / "seen.npz")
        assert found.rung("occam-paired").verdict is Verdict.REFUSED and not found.apart

    def test_every_form_of_the_report(self, found):
        document = documents([found])
        jsonschema.validate(document, schema())
        (beside,) = document["certificates"][0]["beside"]
        assert beside["sentence"] == sentence(found.question, found.apart[0]) and not beside["together"]
        assert (beside["rung"], beside["kind"]) == ("occam-paired", "difference") and beside["value"] < 0
        for text in (markdown([found]), page([found])):
            assert "occam-paired" in text and "beside base" in text and "difference" in text


class TestDifferences:
    """The bet on D in {-1, 0, 1}, b = 1: every law on 24ths, and the law that shows the level cannot be lowered."""

    N, DELTA = 8, Fraction(1, 10)

    def bounds(self, level) -> dict:
        counts = [(i, j, self.N - i - j) for i in range(self.N + 1) for j in range(self.N + 1 - i)]
        return {each: wealth(np.repeat([-1.0, 0.0, 1.0], each), 1, level).value.float_upper() for each in counts}

    def failing(self, bounds) -> float:
        found = []
        for i in range(25):
            for j in range(25 - i):
                p = (i / 24, j / 24, (24 - i - j) / 24)
                ways = (
                    math.factorial(self.N)
                    / math.prod(map(math.factorial, each))
                    * math.prod(q**count for q, count in zip(p, each, strict=True))
                    for each, bound in bounds.items()
                    if p[2] - p[0] > bound
                )
                found.append(sum(ways))
        return max(found)

    def test_every_law_fails_rarely(self):
        level = Enclosure.point(Fraction(float(np.log(10))) + Fraction(1, 10**12))
        assert self.failing(self.bounds(level)) <= self.DELTA

    def test_a_bound_that_pays_nothing_fails_often(self):
        """Control: the mean that was seen."""
        free = {each: (each[2] - each[0]) / self.N for each in self.bounds(Enclosure.point(0))}
        assert self.failing(free) > 3 * self.DELTA

    def test_the_level_cannot_be_lowered(self):
        """D = 1 with probability p, else -1, and -1 alone is seen: at lambda = infinity nothing is given away."""
        for part, least, most in ((1.0, 0.999, 1.0), (0.97, 1.05, 2.0)):
            level = Enclosure.point(Fraction(float(np.log(10) * part)))
            bound = wealth_at(None, np.full(50, -1.0), 1, level).float_upper()
            p = (1 + bound) / 2 * (1 + 1e-9)
            assert least < (1 - p) ** 50 / 0.1 <= most
