"""The whole system, in virtual time and with faults: hundreds of seeds in every test run."""

from collections import Counter
from pathlib import Path

import pytest

from hotdesk.simulation import Report, simulate
from hotdesk.simulation.bell import Ring
from hotdesk.simulation.faults import WEATHER, Fault
from hotdesk.simulation.plan import OTHERS_STEPS, WORKERS_STEPS, Calamity
from hotdesk.simulation.post import Reply
from hotdesk.simulation.traffic import Deed

# Each seed takes some tenths of a second of one core, on a busy machine more.
pytestmark = [pytest.mark.long, pytest.mark.timeout(120)]
SEEDS = 300
A_TIME = 10
# So many see everything together, with a wide margin; a few do as a rule.
ENOUGH = 60
TURNS = frozenset(
    """
    AttemptFailed AttemptGivenBack BranchFenced CancelAsked DeskGivenWay DeskPaused DeskReleased
    DeskResumed DrainAsked InterruptSent JobPutBack JobRetried LeaseExpired PartialSaved
    ReleaseAsked WorkerStopped
    """.split()
)
BY_WORKERS = frozenset(Fault) - {Fault.DOUBLED}
BY_OTHERS = frozenset({*WEATHER, Fault.DOUBLED})


def played(seed: int, folder: Path, name: str, *, focus: str = "") -> Report:
    """Run a seed in a folder of its own."""
    own = folder / name
    own.mkdir()
    return simulate(seed, own, focus=focus)


def test_a_seed_repeats_a_run_to_its_last_event(folder: Path) -> None:
    first, second = played(7, folder, "first"), played(7, folder, "second")

    assert first == second
    assert first.digest


def test_another_seed_is_another_run(folder: Path) -> None:
    assert played(7, folder, "first").digest != played(8, folder, "second").digest


@pytest.mark.parametrize("first", range(0, SEEDS, A_TIME))
def test_every_invariant_holds_in_runs_with_faults(first: int, folder: Path) -> None:
    for seed in range(first, first + A_TIME):
        report = played(seed, folder, str(seed))

        assert report.events["JobSubmitted"] == report.jobs
        assert report.events["JobEnded"] == report.jobs + report.events["JobRetried"]


# A worker that was cut off worked on for up to a heartbeat beyond its lease.
@pytest.mark.parametrize("seed", [20097])
def test_what_a_seed_has_found_is_found_no_more(seed: int, folder: Path) -> None:
    assert played(seed, folder, "again").jobs


def test_the_runs_see_every_turn_of_a_job_and_every_calamity(folder: Path) -> None:
    missing = {*TURNS, *Deed, *Ring, *Calamity, *Reply} - {Deed.RESUME}

    for seed in range(ENOUGH):
        report = played(seed, folder, str(seed))
        missing -= {*report.events, *(kind for _, kind in report.hits)}
        if not missing:
            break

    assert not missing


@pytest.mark.parametrize(
    ("step", "faults"),
    [
        *((step, BY_WORKERS) for step in WORKERS_STEPS),
        *((step, BY_OTHERS) for step in OTHERS_STEPS),
    ],
)
def test_every_fault_hits_every_step_of_the_protocol(
    step: str, faults: frozenset[Fault], folder: Path
) -> None:
    hits: Counter[tuple[str, str]] = Counter()

    for seed in range(ENOUGH):
        hits.update(played(seed, folder, str(seed), focus=step).hits)
        if all(hits[step, fault] for fault in faults):
            break

    assert {fault for fault in faults if hits[step, fault]} == faults


def test_a_long_run_crosses_the_span_of_a_message(folder: Path) -> None:
    # 12 h is as long as a message can be held on SQS; an extension is due every 50 min.
    reports = [played(seed, folder, str(seed), focus="extend") for seed in range(3)]

    assert max(report.lasted.total_seconds() for report in reports) > 12 * 3600
