"""Worlds are written as people write them."""

import pytest

from hotdesk.desks import InterruptPolicy
from hotdesk.errors import Rejected
from hotdesk.model.setup import MEANINGS, Fault, Setup
from hotdesk.model.worlds import LARGE, MUTANTS, SMALL


def test_a_number_of_jobs_is_as_many_that_leave_each_other_alone() -> None:
    setup = Setup.of("3")

    assert len({kind.thread for kind in setup.jobs}) == 3
    assert {kind.policy for kind in setup.jobs} == {InterruptPolicy.NEVER}


def test_a_job_interrupts_its_desk_unless_it_says_otherwise() -> None:
    setup = Setup.of("a b:thread")

    assert [kind.policy for kind in setup.jobs] == [InterruptPolicy.DESK, InterruptPolicy.THREAD]


def test_a_setup_is_shown_as_the_options_that_make_it() -> None:
    setup = Setup.of("a b:never", workers=1, has_sweep=False, preemptions=1, give_ways=2)

    assert str(Setup.of("2", crashes=1)) == "--jobs 2 --crashes 1"
    assert str(setup) == ("--jobs 'a b:never' --workers 1 --preemptions 1 --give-ways 2 --no-sweep")


@pytest.mark.parametrize("jobs", ["", "a:sometimes", "0"])
def test_jobs_that_cannot_be_read_are_rejected(jobs: str) -> None:
    with pytest.raises(Rejected):
        Setup.of(jobs)


def test_every_fault_has_a_meaning_and_occurs_in_a_small_world() -> None:
    used = [any(world.setup.faults[fault] for world in SMALL) for fault in Fault]

    assert set(MEANINGS) == set(Fault)
    assert all(used)


def test_no_two_worlds_and_no_two_mutants_have_the_same_name_or_setup() -> None:
    worlds = SMALL + LARGE

    assert len({world.name for world in worlds}) == len(worlds)
    assert len({str(world.setup) for world in worlds}) == len(worlds)
    assert len({world.name for world in MUTANTS}) == len(MUTANTS)
