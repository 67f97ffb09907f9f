"""``simulate``: seeds in, a report out."""

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


def test_an_invariant_that_does_not_hold_names_the_seed_and_the_way_to_repeat_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing ends in no time at all.
    monkeypatch.setattr(
        "hotdesk.simulation.world.PATIENCE", -1 * pytest.importorskip("datetime").timedelta(days=1)
    )

    ran = run("simulate", "--seed", "7")

    assert ran.code == 1
    assert "make simulate SEED=7" in ran.err
    assert "violated: " in ran.err
