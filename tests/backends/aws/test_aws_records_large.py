"""What does not fit an item stands in the bucket, comes back whole, and goes with its job."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import anyio
import pytest

from hotdesk.backends.aws import sweeping
from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.blobs import INLINE_BYTES_MAX, PREFIX
from hotdesk.backends.aws.bucket import Bucket
from hotdesk.backends.aws.calls import Calls
from hotdesk.desks import NewJob, Origin, Outcome, Result
from hotdesk.errors import NotFound, StoreError, Unavailable
from hotdesk.lifecycle import Limits
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import RETENTION, Scene, a_job
from tests.backends.aws.faults import Killed

pytestmark = pytest.mark.anyio

ConnectCalls = Callable[..., Calls]

# Beyond the 400 KB of an item, and of two bytes a character.
LARGE = "ä" * 300_000


class Patient(Calls):
    """Clients that wait before they look at a job for the second time."""

    def __init__(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401 - as Calls has them
        super().__init__(*args, **settings)
        self.looks = 0
        self.is_waiting = anyio.Event()
        self.may_go = anyio.Event()

    async def dynamodb(self, operation: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - as Calls has it
        """Call DynamoDB."""
        if operation == "get_item" and arguments["Key"]["sk"] == {"S": "job"}:
            self.looks += 1
            if self.looks == 2:
                self.is_waiting.set()
                await self.may_go.wait()
        return await super().dynamodb(operation, **arguments)


def a_large_job(job_id: str = "a") -> NewJob:
    return replace(a_job(job_id), instruction=f"{job_id} {LARGE}")


async def test_a_job_is_large_in_every_part_and_comes_back_whole(
    scene: Scene, bucket: Bucket
) -> None:
    origin = Origin(references=tuple(f"<{number}@example.org>" for number in range(20_000)))
    new = replace(a_large_job(), origin=origin)
    await scene.submit(new)
    claim = await scene.claimed("w1")

    delivery = await scene.handed(claim)
    await scene.save(delivery, {"notes": [LARGE]}, "abc")
    await scene.settle(delivery, Outcome.succeeded(Result(text=f"done {LARGE}")))

    job = await scene.job("a")
    assert delivery.job.instruction == job.instruction == new.instruction
    assert delivery.job.origin == job.origin == origin
    assert job.partial == {"notes": [LARGE]}
    assert job.text == f"done {LARGE}"
    assert len(await bucket.keys(f"{PREFIX}a/")) == 4


async def test_an_error_and_the_work_of_an_interrupted_job_may_be_large(scene: Scene) -> None:
    await scene.submit(a_large_job("a"))
    delivery = await scene.handed(await scene.claimed("w1"))
    await scene.save(delivery, LARGE)
    await scene.settle(delivery, Outcome.failed(LARGE))

    assert (await scene.job("a")).error == LARGE
    await scene.retry("a")

    again = await scene.handed(delivery.claim)
    assert (again.job.instruction, again.job.partial) == (f"a {LARGE}", LARGE)


@pytest.mark.parametrize("length", [INLINE_BYTES_MAX // 2, INLINE_BYTES_MAX // 2 + 1])
async def test_a_text_that_fits_its_item_stays_there(
    scene: Scene, bucket: Bucket, length: int
) -> None:
    await scene.submit(replace(a_job("a"), instruction="ä" * length))

    is_large = length > INLINE_BYTES_MAX // 2
    assert len(await bucket.keys(PREFIX)) == is_large
    assert (await scene.job("a")).instruction == "ä" * length


async def test_what_has_not_changed_is_put_once(scene: Scene, bucket: Bucket) -> None:
    await scene.submit(a_large_job())
    before = await bucket.keys(PREFIX)

    await scene.done(await scene.claimed("w1"))

    assert await bucket.keys(PREFIX) == before
    assert len(before) == 1


async def test_a_text_whose_place_another_one_takes_is_removed(
    scene: Scene, bucket: Bucket
) -> None:
    await scene.submit(a_large_job())
    [instruction] = await bucket.keys(PREFIX)
    delivery = await scene.handed(await scene.claimed("w1"))
    await scene.save(delivery, f"1 {LARGE}")
    first = {*await bucket.keys(PREFIX)}

    await scene.save(delivery, f"2 {LARGE}")
    second = {*await bucket.keys(PREFIX)}
    await scene.save(delivery, "short")

    assert (len(first), len(second), first & second) == (2, 2, {instruction})
    assert await bucket.keys(PREFIX) == [instruction]


async def test_who_reads_a_job_while_its_text_is_replaced_reads_the_new_one(
    scene: Scene, stack: str, connect_calls: ConnectCalls, clock: FakeClock
) -> None:
    await scene.submit(a_job("a"))
    delivery = await scene.handed(await scene.claimed("w1"))
    await scene.save(delivery, f"old {LARGE}")

    class Overtaken(Calls):
        """Clients before whose first look at the bucket the text is replaced."""

        async def call(self, service: str, operation: str, arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - as Calls has it
            """Call."""
            if operation == "get_object" and (await scene.job("a")).partial != f"new {LARGE}":
                await scene.save(delivery, f"new {LARGE}")
            return await super().call(service, operation, arguments)

    reader = AwsBackend(connect_calls(Overtaken), stack, clock)

    assert (await reader.job("a")).partial == f"new {LARGE}"


async def test_as_many_large_jobs_as_are_written_together_fit_one_transaction(
    scene: Scene, bucket: Bucket
) -> None:
    text = "x" * INLINE_BYTES_MAX
    jobs = [
        replace(a_job(f"{number}"), instruction=text, origin=Origin(raw=text[:-200]))
        for number in range(24)
    ]

    await scene.submit(*jobs)

    assert await bucket.keys(PREFIX) == []
    assert len(await scene.backend.jobs()) == 24


async def test_a_log_of_large_pieces_is_read_whole_and_in_its_order(scene: Scene) -> None:
    now = scene.clock.now()
    await scene.submit(a_job("a"))
    for text in (f"1 {LARGE}", "2", f"3 {LARGE}"):
        await scene.backend.append_log("a", 1, text, now=now)

    chunks = await scene.backend.log("a")

    assert [chunk.text for chunk in chunks] == [f"1 {LARGE}", "2", f"3 {LARGE}"]
    assert [chunk.text for chunk in await scene.backend.log("a", after=2)] == [f"3 {LARGE}"]


async def ended(scene: Scene, outcome: Outcome) -> None:
    await scene.submit(a_large_job())
    claim = await scene.claimed("w1")
    delivery = await scene.handed(claim)
    await scene.backend.append_log("a", 1, LARGE, now=scene.clock.now())
    await scene.save(delivery, LARGE)
    await scene.settle(delivery, outcome)
    assert await scene.release(claim)


async def test_everything_of_a_discarded_job_is_removed_and_its_id_is_free_again(
    scene: Scene, bucket: Bucket
) -> None:
    await ended(scene, Outcome.failed(LARGE))

    await scene.backend.discard("a", now=scene.clock.now())

    assert await bucket.keys(PREFIX) == []
    assert await scene.backend.log("a") == []
    await scene.submit(a_large_job())
    assert (await scene.job("a")).instruction == f"a {LARGE}"


async def test_everything_of_an_old_job_is_removed(scene: Scene, bucket: Bucket) -> None:
    await ended(scene, Outcome.succeeded())
    scene.clock.jump(RETENTION + timedelta(microseconds=1))

    assert (await scene.sweep()).jobs_removed == 1

    assert await bucket.keys(PREFIX) == []


@pytest.mark.parametrize(
    "dies_at", ["query", "batch_write_item", "list_objects_v2", "delete_objects", "delete_item"]
)
async def test_a_removal_that_nobody_finished_is_finished_by_a_later_sweep(
    scene: Scene, mortal: Callable[[str], Scene], bucket: Bucket, dies_at: str
) -> None:
    await ended(scene, Outcome.failed("no"))
    with pytest.raises(Killed):
        await mortal(dies_at).backend.discard("a", now=scene.clock.now())
    with pytest.raises(NotFound):
        await scene.job("a")
    assert await scene.backend.jobs() == []

    scene.clock.jump(sweeping.UNFINISHED + timedelta(seconds=1))
    await scene.sweep()

    assert await bucket.keys(PREFIX) == []
    assert await scene.backend.log("a") == []
    await scene.submit(a_large_job())


async def test_the_id_of_a_job_is_not_given_again_before_its_removal_is_finished(
    scene: Scene, mortal: Callable[[str], Scene]
) -> None:
    await ended(scene, Outcome.failed("no"))
    with pytest.raises(Killed):
        await mortal("list_objects_v2").backend.discard("a", now=scene.clock.now())

    with pytest.raises(Unavailable):
        await scene.submit(a_large_job())


async def test_a_job_that_takes_the_id_of_a_removed_one_keeps_its_texts(
    scene: Scene, stack: str, mortal: Callable[[str], Scene], connect_calls: ConnectCalls
) -> None:
    await ended(scene, Outcome.failed("no"))
    with pytest.raises(Killed):
        await mortal("list_objects_v2").backend.discard("a", now=scene.clock.now())
    patient = connect_calls(Patient)
    assert isinstance(patient, Patient)
    other = Scene(AwsBackend(patient, stack, scene.clock), scene.clock)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other.submit, a_large_job())
        await patient.is_waiting.wait()
        scene.clock.jump(sweeping.UNFINISHED + timedelta(seconds=1))
        await scene.sweep()
        patient.may_go.set()

    assert (await scene.job("a")).instruction == f"a {LARGE}"


async def test_a_text_that_no_job_came_to_point_to_is_removed_after_a_day_and_no_other_is(
    scene: Scene, mortal: Callable[[str], Scene], bucket: Bucket, clock: FakeClock
) -> None:
    await scene.submit(a_large_job("kept"))
    with pytest.raises(Killed):
        await mortal("transact_write_items").submit(a_large_job("lost"))
    [kept, lost] = await bucket.keys(PREFIX)
    put_at = (await bucket.ages(PREFIX))[lost]
    # The emulator's own clock says when an object was put.
    clock.jump(max(put_at + timedelta(hours=23) - clock.now(), timedelta(0)))
    await scene.sweep()
    assert await bucket.keys(PREFIX) == [kept, lost]

    clock.jump(timedelta(hours=25))
    await scene.sweep()

    assert await bucket.keys(PREFIX) == [kept]


@pytest.mark.parametrize("is_discarded", [False, True])
async def test_a_text_that_somebody_removed_is_named_and_its_job_can_still_go(
    scene: Scene,
    bucket: Bucket,
    is_discarded: bool,  # noqa: FBT001 - pytest gives it
) -> None:
    await ended(scene, Outcome.failed("no"))
    await bucket.remove_all(await bucket.keys(PREFIX))

    with pytest.raises(StoreError, match=f"{PREFIX}a/"):
        await scene.job("a")
    if is_discarded:
        await scene.backend.discard("a", now=scene.clock.now())
    scene.clock.jump(RETENTION + timedelta(microseconds=1))
    assert (await scene.sweep()).jobs_removed == (not is_discarded)

    with pytest.raises(NotFound):
        await scene.job("a")


async def test_jobs_that_are_kept_do_not_keep_what_is_behind_them(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "BATCH", 1)
    origin = Origin(source="mail", sender="a@example.org", message_id="<a@example.org>")
    await scene.submit(replace(a_job("owed"), origin=origin), a_job("free"))
    claim = await scene.claimed("w1")
    for _ in range(2):
        await scene.done(claim)
        scene.clock.jump(timedelta(seconds=1))
    assert await scene.release(claim)
    scene.clock.jump(RETENTION)

    removed = [(await scene.sweep()).jobs_removed for _ in range(2)]

    assert removed == [0, 1]
    assert [job.id for job in await scene.backend.jobs()] == ["owed"]


async def test_what_a_dead_process_did_with_a_dead_letter_stays_readable(
    scene: Scene, clock: FakeClock
) -> None:
    await scene.submit(a_large_job())
    claim = await scene.claimed("w1")
    for _ in range(Limits().attempts_max):
        await scene.settle(await scene.handed(claim), Outcome.attempt_failed(LARGE))
        clock.jump(Limits().backoff_max)
    clock.jump(RETENTION * 20)
    await scene.sweep()

    job = await scene.job("a")

    assert (job.instruction, job.error) == (f"a {LARGE}", LARGE)
