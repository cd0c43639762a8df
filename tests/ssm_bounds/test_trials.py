"""Trials of a search give the same word on any executor, and an interrupt keeps what was found."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from click.testing import CliRunner

import ssm_bounds
from ssm_bounds.bounds.ladder.rung import Verdict
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.cli import main
from ssm_bounds.experiments.pool import Processes
from ssm_bounds.models.searches import head, qat
from ssm_bounds.programs import silent
from ssm_bounds.trials import SETTINGS, searched, several
from tests.ssm_bounds.experiments.test_pool import ends
from tests.trials import Drawing, failing
from tests.words import task, trained

TRIALS = several("full", None, 5.0, 3, 8)
ROWS = task(m=100, test=0)


def test_the_first_trial_is_the_one_alone_and_the_others_differ():
    assert several("full", None, 5.0, 3, 1) == TRIALS[:1]
    assert (TRIALS[0].kappa, TRIALS[0].step, TRIALS[0].seed) == (1.0, 1.5, 3)
    assert [(each.kappa, each.step) for each in TRIALS] == [*SETTINGS, *SETTINGS[:2]]
    assert len(set(TRIALS)) == len(TRIALS) and {each.budget for each in TRIALS} == {5.0}


@pytest.mark.parametrize("workers", [None, 1, 3, "processes"])
def test_any_executor_gives_the_results_in_order(workers):
    told = []
    with executor(workers) as chosen:
        found = searched(Drawing(), TRIALS, chosen, lambda *said: told.append(said))
    assert [each.about for each in found] == [each.kappa * each.step for each in TRIALS]
    assert {name for name, *_ in told} == {f"full {i + 1}" for i in range(8)}
    assert {text for *_, text in told} == {f"about {each.seed}" for each in TRIALS}


def executor(workers) -> Executor | nullcontext:
    if workers is None:
        return nullcontext()
    return Processes(2) if workers == "processes" else ThreadPoolExecutor(workers)


@pytest.mark.parametrize("workers", [2, "processes"])
def test_an_interrupt_keeps_what_was_found_and_what_was_being_found(workers):
    """The second of four trials never ends; what waits is not begun, and no worker is left."""
    before, calls = set(multiprocessing.active_children()), list[str]()

    def progress(what, *said):
        calls.append(what)
        if {"full 2", "full 8"} <= set(calls):  # all others have ended, or are about to
            raise KeyboardInterrupt

    with executor(workers) as chosen:
        found = searched(Drawing(slow=4), TRIALS, chosen, progress)
    assert -1.0 in [each.about for each in found] and len(found) >= 6
    assert {each.stopped for each in found} == {f"interrupted, with {len(found)} of 8 searches"}
    for process in set(multiprocessing.active_children()) - before:
        assert ends(process, 60)


def test_who_interrupts_a_search_here_wants_no_other_one():
    found = searched(lambda trial, progress, halt: Drawing(4)(trial, progress, interrupt), TRIALS, None, silent)
    assert [each.stopped for each in found] == [None, "interrupted"]


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("workers", [None, 2])
def test_what_a_trial_raises_is_raised(workers):
    with executor(workers) as chosen, pytest.raises(ValueError, match="trial 3"):
        searched(failing, TRIALS, chosen, silent)


class TestWords:
    """Real searches, in stages of a fixed number of updates."""

    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory):
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (("_KICKS", 1), ("_ROWS", 1)):
                patch.setattr(head, name, value)
            for name, value in (("_UPDATES", 20), ("_EPOCHS", 1), ("_FACTORS", (1.0,))):
                patch.setattr(qat, name, value)
            found = tmp_path_factory.mktemp("trials")
            trained(found / "stack")
            yield found

    def certified(self, place, **search):
        asked = ssm_bounds.Search(occam=True, budget=1000, **search)
        return ssm_bounds.certify(ssm_bounds.ask(place / "stack", data=ROWS, search=asked)).rung("occam")

    def test_the_word_is_the_same_on_any_executor(self, place):
        """One after another, on threads, and on a scheduler of Dask; and no worse than the word of one trial."""
        alone = self.certified(place, trials=2)
        with ThreadPoolExecutor(3) as chosen:
            found = [self.certified(place, trials=2, executor=chosen)]
        distributed = pytest.importorskip("distributed")
        cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None)
        with cluster, distributed.Client(cluster) as client:
            found.append(self.certified(place, trials=2, executor=client.get_executor(pure=False)))
        for each in found:
            assert (each.value, each.verdict) == (alone.value, Verdict.CERTIFIED)
            assert each.argument.sentence() == alone.argument.sentence()
        assert alone.value.upper <= self.certified(place).value.upper

    def test_a_subspace_is_found_saved_and_read(self, place):
        """And its dimension is paid."""
        rung = self.certified(place, family="subspace", save=place / "word")
        word = rung.argument.word
        assert (word.family, word.size) == ("subspace", 256)
        assert "subspace dimension 2^4..2^13" in [row.choice for row in word.table()]
        again = ssm_bounds.certify(ssm_bounds.ask(place / "word", data=ROWS)).rung("occam")
        assert again.value == rung.value

    def test_a_base_of_another_shape_is_where_the_search_begins_and_that_is_said(self, place):
        trained(place / "wide", seed=3, D=24)
        said = "the search began at the base: the tensors of the folder that was given have other shapes"
        for base, there in ((trained(place / "base", seed=3), False), (place / "wide", True)):
            rung = self.certified(place, family="bitfit", base=base)
            assert (said in rung.argument.sentence()) is there

    def test_what_is_wrong_is_one_line(self, place):
        with pytest.raises(DomainError, match="--trials: expected a number from 1"):
            ssm_bounds.Search(trials=0)
        for line, said in ((["--trials", "2"], "go with --occam"), (["--jobs", "2"], "go with --occam")):
            result = CliRunner().invoke(main, ["certify", str(place / "stack"), *line])
            assert result.exit_code == 2 and said in result.output and "Traceback" not in result.output
