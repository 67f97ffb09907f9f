"""The whole system, in virtual time and with faults: some seeds in every test run."""

from pathlib import Path

import pytest

from hotdesk.simulation import Report, simulate
from hotdesk.simulation.faults import Fault

# Each takes some seconds of one core, on a busy machine many.
pytestmark = pytest.mark.long
SEEDS = range(20)
# So many see everything together, with a wide margin; a few do as a rule.
ENOUGH = 60
EVERYTHING = frozenset(Fault) | {
    "JobPutBack",
    "JobRetried",
    "AttemptFailed",
    "AttemptGivenBack",
    "InterruptSent",
    "PartialSaved",
    "CancelAsked",
    "LeaseExpired",
    "DeskReleased",
    "DeskGivenWay",
    "DeskPaused",
    "DeskResumed",
    "ReleaseAsked",
    "DrainAsked",
    "BranchFenced",
    "WorkerStopped",
}


def played(seed: int, folder: Path, name: str) -> Report:
    """Run a seed in a folder of its own."""
    own = folder / name
    own.mkdir()
    return simulate(seed, own)


def test_a_seed_repeats_a_run_to_its_last_event(folder: Path) -> None:
    first, second = played(7, folder, "first"), played(7, folder, "second")

    assert first == second
    assert first.digest


def test_another_seed_is_another_run(folder: Path) -> None:
    assert played(7, folder, "first").digest != played(8, folder, "second").digest


@pytest.mark.parametrize("seed", SEEDS)
def test_every_invariant_holds_in_a_run_with_faults(seed: int, folder: Path) -> None:
    report = simulate(seed, folder)

    assert report.events["JobSubmitted"] == report.jobs
    assert report.events["JobEnded"] == report.jobs + report.events["JobRetried"]
    assert report.events["DeskClaimed"] >= report.events["LeaseExpired"]


def test_the_runs_see_every_fault_and_every_turn_of_a_job(folder: Path) -> None:
    missing = EVERYTHING

    for seed in range(ENOUGH):
        report = played(seed, folder, str(seed))
        missing = missing - set(report.events) - set(report.faults)
        if not missing:
            break

    assert not missing
