"""The referee sees what must never be: it is told stories that cannot be true."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.desks import Interrupt, Interrupted, InterruptPolicy, InterruptReason
from hotdesk.events import (
    AttemptFailed,
    AttemptGivenBack,
    CancelAsked,
    DeskClaimed,
    DeskPaused,
    DeskReleased,
    DrainAsked,
    Event,
    JobEnded,
    JobPutBack,
    JobRetried,
    JobStarted,
    JobSubmitted,
    LeaseExpired,
    StoredEvent,
)
from hotdesk.lifecycle import LEASE, Limits
from hotdesk.simulation.accounts import Accounts, Violation
from hotdesk.simulation.bell import Exchange, VirtualBell
from hotdesk.simulation.fates import Fates
from hotdesk.simulation.loop import VirtualLoop
from hotdesk.simulation.process import SimulatedProcess
from hotdesk.simulation.referee import Referee
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import AMELIA, MOMENT, TAKEOVER, Scene, a_job

pytestmark = pytest.mark.anyio
KEY = AMELIA.key
CLAIMED = DeskClaimed(desk=KEY, generation=1, worker_id="w1", is_takeover=False)
SUBMITTED = JobSubmitted(desk=KEY, job_id="a", source="python", thread="header")
STARTED = JobStarted(desk=KEY, job_id="a", generation=1, worker_id="w1", attempt=1, folded=0)
ENDED = JobEnded(desk=KEY, job_id="a", generation=1, state="failed")

STORIES: dict[str, list[Event]] = {
    "two holders": [
        CLAIMED,
        DeskClaimed(desk=KEY, generation=2, worker_id="w2", is_takeover=True),
    ],
    "a generation that does not grow": [
        CLAIMED,
        DeskReleased(desk=KEY, generation=1),
        CLAIMED,
    ],
    "a generation that is left out": [
        DeskClaimed(desk=KEY, generation=2, worker_id="w1", is_takeover=False)
    ],
    "a claim of a paused desk": [DeskPaused(desk=KEY), CLAIMED],
    "a claim by a worker that drains": [DrainAsked(worker_id="w1"), CLAIMED],
    "a release while a job waits": [SUBMITTED, CLAIMED, DeskReleased(desk=KEY, generation=1)],
    "a start at a paused desk": [SUBMITTED, CLAIMED, DeskPaused(desk=KEY), STARTED],
    "a start by a worker that drains": [SUBMITTED, CLAIMED, DrainAsked(worker_id="w1"), STARTED],
    "a job that overtakes": [
        JobSubmitted(desk=KEY, job_id="first", source="python", thread="header"),
        SUBMITTED,
        CLAIMED,
        STARTED,
    ],
    "an attempt that was not counted": [
        SUBMITTED,
        CLAIMED,
        STARTED,
        AttemptFailed(desk=KEY, job_id="a", generation=1, attempt=1, delay_seconds=0.0),
        STARTED,
    ],
    "an attempt that was counted although it was given back": [
        SUBMITTED,
        CLAIMED,
        STARTED,
        AttemptGivenBack(desk=KEY, job_id="a", generation=1, reason="interrupted"),
        JobStarted(desk=KEY, job_id="a", generation=1, worker_id="w1", attempt=2, folded=0),
    ],
    "a start of what a newer job of its thread folds in": [
        SUBMITTED,
        JobSubmitted(desk=KEY, job_id="b", source="python", thread="header"),
        CLAIMED,
        STARTED,
    ],
    "a start of what a newer job of the desk preempts": [
        SUBMITTED,
        JobSubmitted(desk=KEY, job_id="b", source="python", thread="footer"),
        CLAIMED,
        STARTED,
    ],
    "a put-back for nothing": [
        SUBMITTED,
        CLAIMED,
        STARTED,
        JobPutBack(desk=KEY, job_id="a", generation=1, send=2),
    ],
    "a preemption for nothing": [
        SUBMITTED,
        CLAIMED,
        STARTED,
        JobEnded(desk=KEY, job_id="a", generation=1, state="preempted"),
    ],
    "a job that is submitted twice": [SUBMITTED, SUBMITTED],
    "a release by a former generation": [CLAIMED, DeskReleased(desk=KEY, generation=0)],
    "an expiry of a former generation": [
        CLAIMED,
        LeaseExpired(desk=KEY, generation=0, worker_id="w1", late_by_ms=1),
    ],
    "a start by one who does not hold the desk": [SUBMITTED, STARTED],
    "a start in a former generation": [
        CLAIMED,
        SUBMITTED,
        JobStarted(desk=KEY, job_id="a", worker_id="w1", attempt=1, folded=0),
    ],
    "two jobs at once": [
        CLAIMED,
        SUBMITTED,
        STARTED,
        JobSubmitted(desk=KEY, job_id="b", source="python", thread="header"),
        JobStarted(desk=KEY, job_id="b", generation=1, worker_id="w1", attempt=1, folded=0),
    ],
    "two outcomes": [CLAIMED, SUBMITTED, STARTED, ENDED, ENDED],
    "a start after the outcome": [CLAIMED, SUBMITTED, STARTED, ENDED, STARTED],
    "a success after a cancel that came in time": [
        CLAIMED,
        SUBMITTED,
        STARTED,
        CancelAsked(desk=KEY, job_id="a", generation=1),
        JobEnded(desk=KEY, job_id="a", generation=1, state="succeeded"),
    ],
    "a retry of what has not ended": [CLAIMED, SUBMITTED, JobRetried(desk=KEY, job_id="a")],
    "a claim that the records do not know": [CLAIMED],
    "an outcome that the records do not know": [
        JobEnded(desk=KEY, job_id="real", state="failed"),
    ],
}


# Only a look at the records shows what is wrong with the others.
ACCOUNTED = {name: story for name, story in STORIES.items() if "records" not in name}


def stored(number: int, event: Event) -> StoredEvent:
    """The event as the store gives it back, as its *number*-th."""
    return StoredEvent(
        cursor=str(number),
        at=FakeClock().now(),
        kind=type(event).__name__,
        desk=event.desk,
        job_id=event.job_id,
        generation=event.generation,
        details=event.details(),
    )


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A store with one job at the desk."""
    clock = FakeClock()
    scene = Scene(SqliteBackend(tmp_path / "hotdesk.db", clock), clock)
    await scene.submit(a_job("real"))
    yield scene
    await scene.backend.close()


@pytest.fixture
def referee(scene: Scene) -> Referee:
    return Referee(scene.backend, Limits())


@pytest.fixture
async def process() -> SimulatedProcess:
    """The process that works at the desk."""
    return SimulatedProcess("w1", 1)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
async def test_a_story_that_cannot_be_true_is_a_violation(
    scene: Scene, referee: Referee, story: list[Event]
) -> None:
    await scene.backend.record(story, now=scene.clock.now())

    with pytest.raises(Violation):
        await referee.look()


@pytest.mark.parametrize("story", ACCOUNTED.values(), ids=ACCOUNTED.keys())
def test_the_last_event_of_a_story_is_the_one_that_cannot_be_true(story: list[Event]) -> None:
    accounts = Accounts(Limits(), is_excused=lambda _: True, clock=lambda: 0.0)
    *before, last = [stored(number, event) for number, event in enumerate(story, 1)]
    for event in before:
        accounts.take(event, {})

    with pytest.raises(Violation):
        accounts.take(last, {})


async def test_a_lease_that_ends_although_nothing_happened_to_its_worker_is_a_violation(
    scene: Scene, referee: Referee, process: SimulatedProcess
) -> None:
    referee.processes["w1"] = process
    await scene.claimed("w1")
    scene.clock.jump(TAKEOVER)
    await scene.sweep()

    with pytest.raises(Violation, match="nothing had happened"):
        await referee.look()


async def test_what_really_happens_is_no_violation(
    scene: Scene, referee: Referee, process: SimulatedProcess
) -> None:
    process.freeze(TAKEOVER)
    referee.processes["w1"] = process
    delivery = await scene.handed(await scene.claimed("w1"))
    await referee.look()

    with referee.watching(delivery, process):
        scene.clock.jump(TAKEOVER)
        await scene.claimed("w2")
        await referee.look()


async def test_two_handlers_of_one_generation_are_a_violation(
    scene: Scene, referee: Referee, process: SimulatedProcess
) -> None:
    delivery = await scene.handed(await scene.claimed("w1"))
    await referee.look()

    with (
        referee.watching(delivery, process),
        pytest.raises(Violation, match="two handlers"),
        referee.watching(delivery, process),
    ):
        pass


async def test_a_delivery_that_leaves_out_or_makes_up_interrupted_work_is_a_violation(
    scene: Scene, referee: Referee, process: SimulatedProcess
) -> None:
    await scene.submit(a_job("b", interrupt=InterruptPolicy.THREAD))
    delivery = await scene.handed(await scene.claimed("w1"), "b")
    await referee.look()
    made_up = Interrupted(job_id="made up", instruction="")

    for folded in ((), (*delivery.folded, made_up)):
        wrong = dataclasses.replace(delivery, folded=folded)
        with pytest.raises(Violation, match="owed"), referee.watching(wrong, process):
            pass


async def test_saved_work_that_is_gone_is_a_violation(
    scene: Scene, referee: Referee, process: SimulatedProcess
) -> None:
    delivery = await scene.handed(await scene.claimed("w1"))
    await referee.look()
    referee.note_saved(delivery, 3)

    with pytest.raises(Violation, match="saved"), referee.watching(delivery, process):
        pass


@pytest.mark.parametrize("reason", list(InterruptReason))
async def test_a_stop_that_nobody_has_asked_for_is_a_violation(
    scene: Scene, referee: Referee, process: SimulatedProcess, reason: InterruptReason
) -> None:
    delivery = await scene.handed(await scene.claimed("w1"))
    await referee.look()
    interrupt = Interrupt(reason=reason, send_id=delivery.job.send_id, by="real")

    with pytest.raises(Violation, match="not meant"):
        referee.note_stop(delivery, interrupt, process)


async def test_a_cancel_that_was_answered_and_not_heard_is_a_violation(
    scene: Scene, referee: Referee
) -> None:
    await referee.look()

    with pytest.raises(Violation, match="nothing came of it"):
        referee.note_cancel("real")


async def test_a_stopped_attempt_that_is_counted_is_a_violation(
    scene: Scene, referee: Referee, process: SimulatedProcess
) -> None:
    delivery = await scene.handed(await scene.claimed("w1"))
    await scene.submit(a_job("newer", interrupt=InterruptPolicy.DESK))
    await referee.look()
    interrupt = Interrupt(reason=InterruptReason.PREEMPT, send_id=delivery.job.send_id, by="newer")
    referee.note_stop(delivery, interrupt, process)
    counted = AttemptFailed(desk=KEY, job_id="real", generation=1, attempt=1, delay_seconds=0.0)
    await scene.backend.record([counted], now=scene.clock.now())

    with pytest.raises(Violation, match="although it was stopped"):
        await referee.look()


async def test_a_stop_that_was_asked_for_is_none(
    scene: Scene, referee: Referee, process: SimulatedProcess
) -> None:
    delivery = await scene.handed(await scene.claimed("w1"))
    await scene.submit(a_job("newer", interrupt=InterruptPolicy.DESK))
    await referee.look()

    referee.note_stop(
        delivery,
        Interrupt(reason=InterruptReason.PREEMPT, send_id=delivery.job.send_id, by="newer"),
        process,
    )


@pytest.mark.parametrize("is_running", [False, True])
async def test_what_is_left_behind_is_a_violation(
    scene: Scene, referee: Referee, *, is_running: bool
) -> None:
    if is_running:
        await scene.handed(await scene.claimed("w1"))

    with pytest.raises(Violation):
        await referee.conclude()


def test_a_handler_that_runs_on_when_its_claim_is_lost_is_a_violation(tmp_path: Path) -> None:
    async def main() -> None:
        clock, process = FakeClock(), SimulatedProcess("w1", 1)
        exchange = Exchange(Fates(0, anyio.current_time), lambda _span, call: call())
        bell = VirtualBell(exchange, process)
        scene = Scene(SqliteBackend(tmp_path / "hotdesk.db", clock, bell=bell), clock)
        referee = Referee(scene.backend, Limits())
        await scene.submit(a_job("real"))
        delivery = await scene.handed(await scene.claimed("w1"))
        await referee.look()
        try:
            with referee.watching(delivery, process):
                clock.jump(TAKEOVER)
                await scene.claimed("w2")
                await referee.look()
                await anyio.sleep((LEASE + MOMENT).total_seconds())
        finally:
            await scene.backend.close()

    with pytest.raises(Violation, match="ran on"):
        anyio.run(main, backend_options={"loop_factory": VirtualLoop})
