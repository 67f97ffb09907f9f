"""The referee sees what must never be: it is told stories that cannot be true."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.desks import Claim, Delivery, Interrupted
from hotdesk.events import (
    DeskClaimed,
    DeskReleased,
    Event,
    JobEnded,
    JobRetried,
    JobStarted,
    JobSubmitted,
    LeaseExpired,
)
from hotdesk.lifecycle import LEASE, Limits
from hotdesk.ports import WorkerCard
from hotdesk.simulation.referee import Referee, Violation
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import AMELIA, NOW, a_job

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
        JobSubmitted(desk=KEY, job_id="b", source="python", thread="header"),
        STARTED,
        JobStarted(desk=KEY, job_id="b", generation=1, worker_id="w1", attempt=1, folded=0),
    ],
    "two outcomes": [CLAIMED, SUBMITTED, STARTED, ENDED, ENDED],
    "a start after the outcome": [CLAIMED, SUBMITTED, STARTED, ENDED, STARTED],
    "a retry of what has not ended": [CLAIMED, SUBMITTED, JobRetried(desk=KEY, job_id="a")],
    "a claim that the records do not know": [CLAIMED],
    "an outcome that the records do not know": [
        JobEnded(desk=KEY, job_id="real", state="failed"),
    ],
}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteBackend]:
    """A store with one job at the desk."""
    store = SqliteBackend(tmp_path / "hotdesk.db", FakeClock())
    await store.submit([a_job("real")], now=FakeClock().now())
    yield store
    await store.close()


@pytest.fixture
def referee(store: SqliteBackend) -> Referee:
    return Referee(store, Limits())


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
async def test_a_story_that_cannot_be_true_is_a_violation(
    store: SqliteBackend, referee: Referee, story: list[Event]
) -> None:
    await store.record(story, now=FakeClock().now())

    with pytest.raises(Violation):
        await referee.look()


async def claimed(store: SqliteBackend) -> tuple[Claim, Delivery]:
    """Let ``w1`` take the desk and its job."""
    now = FakeClock().now()
    await store.register(WorkerCard(id="w1", pid=1), now=now)
    claim = await store.claim("w1", wait=NOW, lease=LEASE, now=now)
    assert claim is not None
    delivery = await store.next_job(claim, wait=NOW, now=now)
    assert isinstance(delivery, Delivery)
    return claim, delivery


async def test_what_really_happens_is_no_violation(store: SqliteBackend, referee: Referee) -> None:
    _, delivery = await claimed(store)

    await referee.look()

    with referee.watching(delivery):
        pass


async def test_two_handlers_of_one_generation_are_a_violation(
    store: SqliteBackend, referee: Referee
) -> None:
    _, delivery = await claimed(store)
    await referee.look()

    with (
        referee.watching(delivery),
        pytest.raises(Violation, match="two handlers"),
        referee.watching(delivery),
    ):
        pass


async def test_a_delivery_that_leaves_out_or_makes_up_interrupted_work_is_a_violation(
    store: SqliteBackend, referee: Referee
) -> None:
    _, delivery = await claimed(store)
    await referee.look()
    made_up = Delivery(
        claim=delivery.claim,
        job=delivery.job,
        folded=(Interrupted(job_id="made up", instruction=""),),
    )

    with pytest.raises(Violation, match="made up"), referee.watching(made_up):
        pass


@pytest.mark.parametrize("is_running", [False, True])
async def test_what_is_left_behind_is_a_violation(
    store: SqliteBackend, referee: Referee, *, is_running: bool
) -> None:
    if is_running:
        await claimed(store)

    with pytest.raises(Violation):
        await referee.conclude()
