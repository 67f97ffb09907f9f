"""A failing run is shortened to what it takes to fail."""

from pathlib import Path

import pytest

from hotdesk.simulation import Failed, simulate
from hotdesk.simulation.accounts import Violation
from hotdesk.simulation.fates import Happening
from hotdesk.simulation.shorten import RUNS_MAX, shorten

NAMES = [f"fault {number}" for number in range(40)]


def failed(names: list[str]) -> Failed:
    """A failed run in which these things happened."""
    trace = tuple(Happening(at=float(at), name=name) for at, name in enumerate(names))
    return Failed(1, Violation("broken"), trace)


@pytest.mark.parametrize("needed", [{3}, {0, 39}, {5, 6, 7}, {1, 12, 25, 38}])
def test_only_what_it_takes_is_left(needed: set[int]) -> None:
    culprits = {NAMES[number] for number in needed}

    def run(seed: int, *, focus: str, only: frozenset[str]) -> None:
        assert seed == 1
        if culprits <= only:
            raise failed([name for name in NAMES if name in only])

    short = shorten(failed(NAMES), run=run)

    assert [each.name for each in short.trace] == [NAMES[number] for number in sorted(needed)]


def test_a_run_that_fails_by_itself_needs_nothing() -> None:
    def run(_: int, *, focus: str, only: frozenset[str]) -> None:
        raise failed([name for name in NAMES if name in only])

    assert len(shorten(failed(NAMES), run=run).trace) <= 1


def test_one_that_never_fails_again_stays_as_it_was_and_is_not_tried_for_ever() -> None:
    runs = 0

    def run(_: int, *, focus: str, only: frozenset[str]) -> None:
        nonlocal runs
        runs += 1

    whole = failed(NAMES)

    assert shorten(whole, run=run) is whole
    assert runs <= RUNS_MAX


def test_what_a_run_leaves_out_does_not_change_what_else_happens(folder: Path) -> None:
    for name in ("all", "one"):
        (folder / name).mkdir()
    every = simulate(17, folder / "all").trace
    act = next(each for each in every if each.name.startswith("act"))

    one = simulate(17, folder / "one", only=frozenset({act.name}))

    assert one.trace == (act,)
