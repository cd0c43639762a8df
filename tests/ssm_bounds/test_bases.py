"""What a base saw, and what a word does better or worse than a base that has a head of its own."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

import ssm_bounds
from ssm_bounds.bounds.ladder.rung import Verdict
from ssm_bounds.cli import main
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.files.checkpoint import Metadata, write
from ssm_bounds.models.searches import head
from ssm_bounds.models.tasks.arrays import write_arrays
from ssm_bounds.models.tasks.task import Split, Task
from tests.ssm_bounds.cli.test_cli import weights
from tests.words import task, trained


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A base whose head is drawn at random, a word around it, and rows."""
    found = tmp_path_factory.mktemp("bases")
    trained(found / "stack")
    trained(found / "base", seed=3)
    write_arrays(found / "data.npz", task())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(head, "_KICKS", 1)
        patch.setattr(head, "_ROWS", 1)
        search = ssm_bounds.Search(occam=True, family="head", base=found / "base", save=found / "word")
        ssm_bounds.certify(ssm_bounds.ask(found / "stack", data=task(), search=search))
    return found


def certified(place, data=None, base="base", **search):
    search = ssm_bounds.Search(base=place / base, **search)
    return ssm_bounds.certify(ssm_bounds.ask(place / "word", data=data or task(test=0), search=search))


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
        line = ["certify", place / "word", "--data", place / "data.npz", "--base", place / "base", "--base-data"]
        told = CliRunner().invoke(main, [*map(str, line), str(self.held(tmp_path, task()))])
        assert told.exit_code == 0 and "REFUSED" in told.output and "trained on these" in told.output
        none = CliRunner().invoke(main, [*map(str, line), str(tmp_path / "none.npz")])
        assert none.exit_code == 2 and "none.npz" in none.output and "Traceback" not in none.output
