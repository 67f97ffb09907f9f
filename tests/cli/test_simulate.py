"""``simulate``: seeds in, a report out."""

from datetime import timedelta

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.long


def test_so_many_seeds_are_run_and_counted(run: Run) -> None:
    ran = run("simulate", "--seeds", "2", "--json")

    *runs, total = ran.records
    assert [each["seed"] for each in runs] == [0, 1]
    assert (total["seeds"], total["violations"]) == (2, 0)
    assert total["simulated_hours"] > 0


def test_a_seed_is_the_same_run_each_time(run: Run) -> None:
    first, second = (run("simulate", "--seed", "7", "--json").records[0] for _ in range(2))

    assert first == second


def test_an_invariant_that_does_not_hold_is_shown_with_what_it_takes_and_the_way_to_repeat_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A worker that takes every interrupt for its own.
    monkeypatch.setattr("hotdesk.lifecycle.CLOCK_SKEW", timedelta(0))
    monkeypatch.setattr("hotdesk.simulation.plan.KEPT", timedelta(minutes=4))

    ran = run("simulate", "--seeds", "40", "--json")

    assert ran.code == 1
    told = ran.err[ran.err.index("looking for") :]
    assert "though nothing had happened to its worker" in told
    broken = ran.records[-1]
    assert broken["violations"] == 1
    assert broken["repeat"] == f"hotdesk simulate --seed {broken['seed']}"
    assert f"to repeat it: {broken['repeat']}" in told
    assert all(each["name"] in told for each in broken["trace"])
    # Whoever holds the desk must have work: shorter it cannot be.
    assert "submit" in told
