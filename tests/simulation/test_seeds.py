"""The whole system, in virtual time and with faults: some seeds in every test run."""

from collections import Counter
from pathlib import Path

import pytest

from hotdesk.simulation import Report, simulate
from hotdesk.simulation.faults import Fault

SEEDS = range(20)
# Together these see every fault, and everything that can happen to a job or a desk.
RICH = (1, 17, 29)


def test_a_seed_repeats_a_run_to_its_last_event(tmp_path: Path) -> None:
    reports = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        reports.append(simulate(7, folder))

    assert reports[0] == reports[1]
    assert reports[0].digest


def test_another_seed_is_another_run(tmp_path: Path) -> None:
    reports = []
    for seed in (7, 8):
        folder = tmp_path / str(seed)
        folder.mkdir()
        reports.append(simulate(seed, folder))

    assert reports[0].digest != reports[1].digest


@pytest.mark.parametrize("seed", SEEDS)
def test_every_invariant_holds_in_a_run_with_faults(seed: int, tmp_path: Path) -> None:
    report = simulate(seed, tmp_path)

    assert report.events["JobSubmitted"] == report.jobs
    assert report.events["JobEnded"] == report.jobs + report.events["JobRetried"]
    assert report.events["DeskClaimed"] >= report.events["LeaseExpired"]


def test_the_runs_see_every_fault_and_every_turn_of_a_job(tmp_path: Path) -> None:
    reports: list[Report] = []
    for seed in RICH:
        folder = tmp_path / str(seed)
        folder.mkdir()
        reports.append(simulate(seed, folder))

    events = sum((Counter(each.events) for each in reports), Counter[str]())
    faults = sum((Counter(each.faults) for each in reports), Counter[str]())
    assert set(faults) == set(Fault)
    assert {
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
    } <= set(events)
