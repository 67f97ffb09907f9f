"""What nobody means to happen: lost answers, removed queues, messages far out of order."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import anyio
import pytest

from hotdesk.backends.aws import bell, handing, inbox
from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls, Refused
from hotdesk.desks import (
    Claim,
    Delivery,
    Desk,
    InterruptPolicy,
    InterruptReason,
    Outcome,
)
from hotdesk.errors import StoreError, Unavailable
from hotdesk.testing.scene import AMELIA, RETENTION, SCOTT, TAKEOVER, Scene, a_job, a_mail
from tests.backends.aws.stacks import Stacks
from tests.backends.aws.test_aws_workflow import Losing, Stage

pytestmark = pytest.mark.anyio

PATIENCE = 15


class Failing(Losing):
    """Clients of which some operations are not answered, by AWS or at all."""

    errors: dict[str, Exception]
    is_polling: anyio.Event

    async def call(
        self, service: str, operation: str, arguments: Mapping[str, object]
    ) -> dict[str, Any]:
        """Call, unless it is one of those."""
        if operation in self.errors:
            raise self.errors[operation]
        if arguments.get("QueueUrl") == "":
            # The emulators answer as for a queue that is gone.
            raise Unavailable("AWS did not do it: InvalidAddress", committed=None)
        return await super().call(service, operation, arguments)

    async def poll(self, url: str, *, is_ours: bool, **arguments: object) -> list[dict[str, Any]]:
        """Poll, unless nobody answers."""
        self.is_polling.set()
        if "poll" in self.errors:
            raise self.errors["poll"]
        return await super().poll(url, is_ours=is_ours, **arguments)


def no_answer() -> Unavailable:
    """What a call ends with that nobody answered."""
    return Unavailable("nobody answered", committed=None)


@pytest.fixture
def stage(
    connect_calls: Callable[..., Calls],
    stacks: Stacks,
    stack: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Stage]:
    """A stack through clients of which nothing fails yet, and that do not wait for long."""
    monkeypatch.setattr(inbox, "ARRIVAL", timedelta(seconds=1))
    calls = connect_calls(Failing)
    assert isinstance(calls, Failing)
    calls.silent, calls.lost, calls.errors = set(), set(), {}
    calls.is_polling = anyio.Event()
    with closing(calls):
        yield Stage(stacks, stack, calls)


@pytest.fixture
def other(stage: Stage, connect_calls: Callable[..., Calls]) -> Iterator[Scene]:
    """The same stack through another process."""
    with closing(connect_calls()) as calls:
        yield Scene(AwsBackend(calls, stage.stack, stage.scene.clock), stage.scene.clock)


def errors_of(stage: Stage) -> dict[str, Exception]:
    """What fails from now on, by operation."""
    assert isinstance(stage.calls, Failing)
    return stage.calls.errors


async def soon_handed(scene: Scene, claim: Claim) -> Delivery:
    """Be handed a job after some looks."""
    with anyio.fail_after(PATIENCE):
        while not isinstance(found := await scene.next_job(claim), Delivery):
            continue
    return found


async def test_what_a_dead_owner_has_not_deleted_does_not_hold_up_the_next_one(
    stage: Stage, other: Scene
) -> None:
    scene = stage.scene
    _, delivery = await scene.running("a")
    await scene.submit(a_job("b"))
    stage.see(stage.execution("b"), "Send")
    errors_of(stage)["delete_message"] = no_answer()
    with pytest.raises(Unavailable):
        await scene.settle(delivery)

    scene.clock.jump(TAKEOVER)
    claim = await other.claimed("w2")

    await other.handed(claim, "b")


async def test_a_message_whose_token_is_dead_does_not_hold_up_the_next_owner(
    stage: Stage, other: Scene
) -> None:
    scene = stage.scene
    for job_id in "ab":
        await scene.submit(a_job(job_id))
        stage.see(stage.execution(job_id), "Send")
    claim = await scene.claimed("w1")
    errors = errors_of(stage)
    errors["send_task_heartbeat"] = Refused("TaskTimedOut", {})
    errors["delete_message"] = no_answer()
    with pytest.raises(Unavailable):
        await scene.next_job(claim)
    await scene.cancel("a")

    scene.clock.jump(TAKEOVER)
    claim = await other.claimed("w2")

    assert (await soon_handed(other, claim)).job.id == "b"


async def test_more_messages_ahead_of_their_turn_than_the_record_keeps_do_not_stop_a_desk(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing, "EARLY_MAX", 1)
    monkeypatch.setattr(handing, "DROPS_MAX", 4)
    scene = stage.scene
    stage.calls.silent = {"a"}
    for job_id in "abcde":
        await scene.submit(a_job(job_id))
        if job_id != "a":
            stage.see(stage.execution(job_id), "Send")
    claim = await scene.claimed("w1")

    done = []
    for _ in "abcde":
        delivery = await soon_handed(scene, claim)
        await scene.settle(delivery)
        done.append(delivery.job.id)

    assert done == [*"abcde"]
    assert stage.messages() == 0
    for job_id in "abcde":
        stage.see(stage.execution(job_id), "Over")


async def test_an_id_that_is_used_again_has_nothing_to_do_with_what_was_cancelled_under_it(
    stage: Stage,
) -> None:
    scene = stage.scene
    await scene.submit(a_job("a"))
    stage.see(stage.execution("a"), "Send")
    await scene.cancel("a")
    scene.clock.jump(RETENTION + timedelta(days=1))
    assert (await scene.sweep()).jobs_removed == 1

    await scene.submit(a_job("a"))
    claim = await scene.claimed("w1")

    assert (await soon_handed(scene, claim)).job.id == "a"


@pytest.mark.parametrize("verb", ["claim", "next_job"])
async def test_a_wait_that_nobody_answers_ends_as_unavailable(stage: Stage, verb: str) -> None:
    scene = stage.scene
    await scene.submit(a_job("a"))
    claim = await scene.claimed("w1")
    await scene.done(claim)
    await scene.register("w2")
    errors_of(stage)["poll"] = no_answer()
    wait = timedelta(seconds=5)
    waits = scene.claim("w2", wait=wait) if verb == "claim" else scene.next_job(claim, wait=wait)

    with pytest.raises(Unavailable):
        await waits


async def test_a_batch_that_a_stack_without_a_workflow_refuses_is_one_error(stage: Stage) -> None:
    errors_of(stage)["start_execution"] = StoreError("there is none")

    with pytest.raises(StoreError):
        await stage.scene.submit(a_job("a"), a_job("b"))


async def test_a_desk_that_cannot_be_freed_holds_up_no_other_one(stage: Stage) -> None:
    scene = stage.scene
    await scene.submit(a_job("a"))
    await scene.claimed("w1")
    delivery = await scene.next_job(await scene.claimed("w1"))
    assert isinstance(delivery, Delivery)
    await scene.save(delivery, partial="x" * 20_000)
    bucket = stage.stacks.names(stage.stack).bucket
    s3 = stage.stacks.client("s3")
    for each in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        s3.delete_object(Bucket=bucket, Key=each["Key"])
    await scene.submit(a_job("b", SCOTT))

    scene.clock.jump(TAKEOVER)

    await scene.claimed("w2", SCOTT)


async def test_a_desk_whose_queue_is_not_known_any_more_settles_all_the_same(
    stage: Stage, other: Scene
) -> None:
    scene = stage.scene
    claim, delivery = await scene.running("a")
    # As whoever looked at a removed queue before somebody else had it made anew.
    table = stage.stacks.names(stage.stack).table
    stage.stacks.client("dynamodb").update_item(
        TableName=table,
        Key={"pk": {"S": f"desk {AMELIA.key}"}, "sk": {"S": "desk"}},
        UpdateExpression="SET queue = :none ADD version :one",
        ExpressionAttributeValues={":none": {"S": ""}, ":one": {"N": "1"}},
    )

    await scene.settle(delivery, Outcome.attempt_failed("no"))

    await scene.give_way(claim)


async def test_a_batch_of_mails_may_interrupt_as_many_desks(stage: Stage) -> None:
    scene = stage.scene
    await scene.running("a")
    dynamodb, table = stage.stacks.client("dynamodb"), stage.stacks.names(stage.stack).table
    key = {"pk": {"S": f"desk {AMELIA.key}"}, "sk": {"S": "desk"}}
    item = dynamodb.get_item(TableName=table, Key=key)["Item"]
    desks = [Desk("website", f"d{number}") for number in range(24)]
    for desk in desks:
        # Each of them runs something too.
        of_it = {"pk": {"S": f"desk {desk.key}"}, "desk": {"S": desk.key}}
        dynamodb.put_item(TableName=table, Item=item | of_it)

    mails = (a_mail(f"new-{desk.user}", desk, thread="other") for desk in desks)
    await scene.submit(*(replace(each, interrupt=InterruptPolicy.DESK) for each in mails))

    assert (await scene.kinds()).count("InterruptSent") == len(desks)


async def test_a_pinned_worker_waits_while_its_desk_is_paused(stage: Stage) -> None:
    scene = stage.scene
    await scene.backend.pin([AMELIA], now=scene.clock.now())
    await scene.register("w1", pinned=AMELIA)
    await scene.submit(a_job("a"))
    claim = await scene.claimed("w1")
    await scene.settle(await soon_handed(scene, claim), Outcome.attempt_failed("no"))
    await scene.pause()
    await scene.give_way(claim)
    scene.clock.jump(timedelta(minutes=1))

    before = anyio.current_time()
    assert await scene.claim("w1", wait=timedelta(seconds=2)) is None
    # A ring that was on its way may end the first wait.
    assert await scene.claim("w1", wait=timedelta(seconds=2)) is None

    assert anyio.current_time() - before > 1


async def test_a_watched_job_outlives_a_moment_in_which_nobody_answers(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "DEAF_SECONDS", 0.1)
    scene = stage.scene
    await scene.running("a")
    errors_of(stage)["poll"] = no_answer()
    heard = []

    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            heard.append(await scene.interrupted("w1"))

        tasks.start_soon(watch)
        await anyio.wait_all_tasks_blocked()
        del errors_of(stage)["poll"]
        await scene.cancel("a")

    assert [each.reason for each in heard] == [InterruptReason.CANCEL]


async def test_an_execution_that_was_never_called_back_ends_at_its_watchdog_and_sends_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = stage.scene
    stage.redefine(stage.definition(watchdog_seconds=2, longest_run_seconds=4))
    errors_of(stage)["stop_execution"] = no_answer()
    await scene.submit(a_job("a"))
    stage.see(stage.execution("a"), "Send")
    await scene.cancel("a")

    stage.see(stage.execution("a"), "Over")
    assert stage.messages() == 1


async def test_a_desk_is_asked_for_again_though_its_former_job_was_cancelled_unclaimed(
    stage: Stage,
) -> None:
    scene = stage.scene
    await scene.submit(a_job("a"))
    stage.see(stage.execution("a"), "Send")
    await scene.cancel("a")

    await scene.submit(a_job("b"))

    stage.see(stage.execution("b"), "Ask")


async def test_a_worker_that_leaves_with_a_request_gives_it_back(stage: Stage) -> None:
    await asked(stage, "w1")
    assert stage.requests() == 0

    await stage.scene.deregister("w1")

    assert stage.requests() == 1


async def test_a_worker_that_leaves_asks_for_nobody_when_nothing_waits(stage: Stage) -> None:
    await asked(stage, "w1")
    await stage.scene.cancel("a")

    await stage.scene.deregister("w1")

    assert stage.requests() == 0


async def asked(stage: Stage, worker_id: str) -> None:
    """Let a worker take the claim request for a job "a", and not come to claim."""
    assert isinstance(stage.calls, Failing)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(stage.scene.claim, worker_id, wait=timedelta(seconds=PATIENCE)))
        await stage.calls.is_polling.wait()
        await stage.scene.submit(a_job("a"))
    stage.see(stage.execution("a"), "Send")
