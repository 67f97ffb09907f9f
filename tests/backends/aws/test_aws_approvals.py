"""What waits for approval keeps its long texts for as long as it waits, and counts pass."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hotdesk.backends.aws import approving
from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.blobs import PREFIX
from hotdesk.backends.aws.bucket import Bucket
from hotdesk.backends.aws.calls import Calls
from hotdesk.desks import Outcome
from hotdesk.errors import NotAllowed, NotFound, StoreError
from hotdesk.ports import TALLY_KEPT, TALLY_STEP
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import RETENTION, Scene, a_mail
from tests.backends.aws.faults import Killed
from tests.backends.aws.stacks import Stacks

pytestmark = pytest.mark.anyio

ConnectCalls = Callable[..., Calls]
Slow = Callable[[str, Callable[[], Awaitable[object]]], Scene]
LARGE = replace(a_mail("a"), instruction="ä" * 20_000)


class Meanwhile(Calls):
    """Clients of a process that is overtaken by another one at its first call of a kind."""

    at = ""
    deed: Callable[[], Awaitable[object]]

    async def call(self, service: str, operation: str, arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - as Calls has it
        """Let the other one go first, once."""
        if operation == self.at:
            self.at = ""
            await self.deed()
        return await super().call(service, operation, arguments)


@pytest.fixture
def slow(stack: str, connect_calls: ConnectCalls, clock: FakeClock) -> Slow:
    """A process that is overtaken at a call."""

    def make(at: str, deed: Callable[[], Awaitable[object]]) -> Scene:
        calls = connect_calls(Meanwhile)
        assert isinstance(calls, Meanwhile)
        calls.at, calls.deed = at, deed
        return Scene(AwsBackend(calls, stack, clock), clock)

    return make


async def hold(scene: Scene, job_id: str = "a") -> None:
    """Hold a mail with a long text."""
    await scene.backend.hold(replace(LARGE, id=job_id), "why", now=scene.clock.now())


async def drop(scene: Scene, job_id: str = "a") -> None:
    """Drop it."""
    await scene.backend.drop_held(job_id, by="anna", now=scene.clock.now())


async def approve(scene: Scene) -> None:
    """Approve it."""
    now = scene.clock.now()
    await scene.backend.approve("a", interrupt=LARGE.interrupt, by="anna", now=now)


async def test_a_long_text_is_kept_once_while_its_mail_waits_and_goes_with_it(
    scene: Scene, bucket: Bucket
) -> None:
    await hold(scene)
    [text] = await bucket.keys(PREFIX)
    await hold(scene)
    assert await bucket.keys(PREFIX) == [text]

    await drop(scene)

    assert await bucket.keys(PREFIX) == []


async def test_what_is_removed_with_a_job_is_not_the_text_of_the_mail_that_still_waits(
    scene: Scene,
) -> None:
    await hold(scene)
    await scene.submit(replace(LARGE, origin=a_mail("a").origin))
    claim = await scene.claimed("w1")
    await scene.settle(await scene.handed(claim), Outcome.failed("no"))

    await scene.backend.discard("a", now=scene.clock.now())

    assert (await scene.backend.held_job("a")).job == LARGE


async def test_the_walk_through_the_bucket_keeps_the_texts_of_what_waits_and_no_others(
    scene: Scene, bucket: Bucket, mortal: Callable[[str], Scene], clock: FakeClock
) -> None:
    await hold(scene, "kept")
    [kept] = await bucket.keys(PREFIX)
    with pytest.raises(Killed):
        await hold(mortal("transact_write_items"), "lost")
    assert len(await bucket.keys(PREFIX)) == 2
    # The emulator's own clock says when an object was put.
    put_at = (await bucket.ages(PREFIX))[kept]
    clock.jump(max(put_at + timedelta(hours=25) - clock.now(), timedelta(0)))

    await scene.backend.sweep(retention=RETENTION * 1000, now=clock.now())

    assert await bucket.keys(PREFIX) == [kept]


async def test_a_text_that_somebody_removed_is_named_and_its_mail_can_still_be_dropped(
    scene: Scene, bucket: Bucket
) -> None:
    await hold(scene)
    await bucket.remove_all(await bucket.keys(PREFIX))
    with pytest.raises(StoreError, match=PREFIX):
        await scene.backend.held_job("a")

    await drop(scene)

    with pytest.raises(NotFound):
        await scene.backend.held_job("a")


async def test_a_mail_that_is_approved_just_when_it_comes_again_does_not_wait_again(
    scene: Scene, bucket: Bucket, slow: Slow
) -> None:
    async def hold_and_approve() -> None:
        await hold(scene)
        await approve(scene)

    await hold(slow("transact_write_items", hold_and_approve))

    assert await scene.backend.held() == []
    # Of the two texts the job has one, and nobody has the other.
    assert len(await bucket.keys(PREFIX)) == 1


async def test_a_drop_that_an_approval_overtakes_says_that_it_is_a_job(
    scene: Scene, slow: Slow
) -> None:
    await hold(scene)

    with pytest.raises(NotAllowed):
        await drop(slow("transact_write_items", lambda: approve(scene)))

    assert [event.kind for event in await scene.backend.events()] == [
        "JobSubmitted",
        "MailApproved",
    ]


async def test_an_approval_that_a_drop_overtakes_submits_nothing(scene: Scene, slow: Slow) -> None:
    await hold(scene)

    with pytest.raises(NotFound):
        await approve(slow("transact_write_items", lambda: drop(scene)))

    assert await scene.backend.jobs() == []
    assert [event.kind for event in await scene.backend.events()] == ["MailDropped"]


async def test_an_approved_mail_leaves_its_long_text_to_the_job_alone(
    scene: Scene, bucket: Bucket
) -> None:
    await hold(scene)

    await approve(scene)

    assert len(await bucket.keys(PREFIX)) == 1
    assert (await scene.job("a")).instruction == LARGE.instruction


async def test_retention_does_not_drop_what_is_held_since_it_looked(
    scene: Scene, clock: FakeClock, slow: Slow
) -> None:
    async def drop_and_hold_again() -> None:
        await drop(scene)
        await hold(scene)

    await hold(scene)
    clock.jump(RETENTION * 2)
    before = clock.now() - RETENTION
    sweeper = slow("transact_write_items", drop_and_hold_again).backend
    assert isinstance(sweeper, AwsBackend)

    await approving.remove_held(sweeper._table, before=before, now=clock.now(), limit=10)

    assert (await scene.backend.held_job("a")).job == LARGE


async def test_a_count_is_forgotten_by_the_table_two_days_after_its_step(
    scene: Scene, stacks: Stacks, stack: str
) -> None:
    await scene.backend.count("jobs/website", 1, now=scene.clock.now())

    [item] = stacks.client("dynamodb").scan(TableName=stacks.names(stack).table)["Items"]
    kept = int(item["expires"]["N"]) - scene.clock.now().timestamp()
    assert TALLY_KEPT <= timedelta(seconds=kept) <= TALLY_KEPT + TALLY_STEP
