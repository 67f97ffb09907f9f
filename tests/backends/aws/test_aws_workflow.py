"""What becomes of a job when its execution, its message or its token is not what it should be."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hotdesk.backends.aws import inbox, workflow
from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls, Refused
from hotdesk.desks import (
    NAME_LENGTH_MAX,
    Delivery,
    Desk,
    InterruptPolicy,
    InterruptReason,
    JobState,
    Outcome,
)
from hotdesk.errors import ClaimLost, Unavailable
from hotdesk.lifecycle import CLOCK_SKEW, LEASE
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import AMELIA, SCOTT, Scene, a_job
from tests.backends.aws.stacks import Stacks

pytestmark = pytest.mark.anyio

# Each look is a call of some milliseconds.
LOOKS_MAX = 3000
FAILS = json.dumps({"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "Broken"}}})


class Losing(Calls):
    """Clients that lose the first start of the execution of some jobs, with or without an error.

    For as long as they are *deaf*, no execution can be called back.
    """

    silent: set[str]
    lost: set[str]
    is_deaf = False

    async def call(
        self, service: str, operation: str, arguments: Mapping[str, object]
    ) -> dict[str, Any]:
        """Call, unless it starts one of those, or nobody answers."""
        if operation == "send_task_success" and self.is_deaf:
            raise Unavailable("nobody answered", committed=None)
        if operation == "start_execution":
            job_id = json.loads(str(arguments["input"]))["job"]
            if job_id in self.lost:
                self.lost.remove(job_id)
                raise Unavailable("nobody answered", committed=None)
            if job_id in self.silent:
                # As if its submitter had died right here, without an error for anybody.
                self.silent.remove(job_id)
                return {}
        return await super().call(service, operation, arguments)


class Stage:
    """One stack, what calls it, and looks behind its back."""

    def __init__(self, stacks: Stacks, stack: str, calls: Losing) -> None:
        """Play on *stack*."""
        self.calls = calls
        self.stacks = stacks
        self.stack = stack
        clock = FakeClock()
        clock.jump(datetime.now(UTC) - clock.now())  # noqa: TID251 - the workflow has its own clock
        self.backend = AwsBackend(calls, stack, clock)
        self.scene = Scene(self.backend, clock)
        self.states = stacks.client("stepfunctions")

    def arn(self, execution: str) -> str:
        """An execution of the stack."""
        return self.stacks.names(self.stack).execution_arn(execution)

    def execution(self, job_id: str) -> str:
        """The newest execution of a job."""
        return self.stacks.execution(self.stack, job_id)

    def status(self, execution: str) -> str:
        """Whether an execution runs, or how it ended."""
        return str(self.states.describe_execution(executionArn=self.arn(execution))["status"])

    def stop(self, execution: str) -> None:
        """Stop an execution by hand, and see it stopped."""
        self.states.stop_execution(executionArn=self.arn(execution))
        for _ in range(LOOKS_MAX):
            if self.status(execution) == "ABORTED":
                return
        raise AssertionError(f"{execution} is {self.status(execution)}")

    def see(self, execution: str, state: str, times: int = 1) -> None:
        """See an execution enter a state so many times."""
        entered: list[str] = []
        for _ in range(LOOKS_MAX):
            answer = self.states.get_execution_history(
                executionArn=self.arn(execution), maxResults=1000
            )
            entered = [
                each["stateEnteredEventDetails"]["name"]
                for each in answer["events"]
                if each["type"].endswith("StateEntered")
            ]
            if entered.count(state) >= times:
                return
        raise AssertionError(f"{execution} entered {entered}, and not {state} {times} times")

    def redefine(self, definition: str) -> None:
        """Let every execution from now on follow another definition."""
        self.states.update_state_machine(
            stateMachineArn=self.stacks.names(self.stack).state_machine_arn, definition=definition
        )

    def definition(self, **seconds: int) -> str:
        """The definition of the stack, with other times."""
        names = self.stacks.names(self.stack)
        url = self.stacks.client("sqs").get_queue_url(QueueName=names.unclaimed)["QueueUrl"]
        return workflow.definition(names, unclaimed_url=url, queue_wait_seconds=0, **seconds)

    def requests(self) -> int:
        """How many claim requests nobody has taken yet."""
        sqs = self.stacks.client("sqs")
        url = sqs.get_queue_url(QueueName=self.stacks.names(self.stack).unclaimed)["QueueUrl"]
        kind = "ApproximateNumberOfMessages"
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[kind])
        return int(answer["Attributes"][kind])

    def messages(self) -> int:
        """How many messages are in the queues of desks, shown or hidden."""
        kinds = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = 0
        for url in self.stacks.queues(self.stack):
            if "-input-" in url:
                answer = self.stacks.client("sqs").get_queue_attributes(
                    QueueUrl=url, AttributeNames=kinds
                )
                found += sum(int(answer["Attributes"][kind]) for kind in kinds)
        return found


@pytest.fixture
def stage(
    connect_calls: Callable[..., Calls],
    stacks: Stacks,
    stack: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Stage]:
    """A stack through clients that lose nothing yet, and that do not wait for long."""
    monkeypatch.setattr(inbox, "ARRIVAL", timedelta(seconds=1))
    calls = connect_calls(Losing)
    assert isinstance(calls, Losing)
    calls.silent, calls.lost = set(), set()
    with closing(calls):
        yield Stage(stacks, stack, calls)


async def test_jobs_keep_their_order_though_the_messages_come_in_another(stage: Stage) -> None:
    scene = stage.scene
    stage.calls.silent = {"a"}
    await scene.submit(a_job("a"), a_job("b"), a_job("c"))
    claim = await scene.claimed("w1")
    assert (await scene.viewed(claim)).has_pending

    assert [await scene.done(claim) for _ in range(3)] == ["a", "b", "c"]
    assert await scene.release(claim)
    assert stage.messages() == 0
    for job_id in "abc":
        stage.see(stage.execution(job_id), "Over")


async def test_a_job_whose_message_came_early_outlives_its_worker(stage: Stage) -> None:
    scene = stage.scene
    stage.calls.silent = {"a"}
    await scene.submit(a_job("a"), a_job("b"))
    claim = await scene.claimed("w1")
    assert (await scene.viewed(claim)).has_pending
    await scene.done(claim)
    assert isinstance(await scene.next_job(claim), Delivery)

    await scene.deregister("w1")
    claim = await scene.claimed("w2")

    assert await scene.done(claim) == "b"
    stage.see(stage.execution("b"), "Over")


@pytest.mark.parametrize("end", ["cancel", "fold in"])
async def test_a_job_whose_message_came_early_is_called_back_though_that_fails_at_first(
    stage: Stage, end: str
) -> None:
    scene = stage.scene
    stage.calls.silent = {"a"}
    await scene.submit(a_job("a"), a_job("b"))
    claim = await scene.claimed("w1")
    assert (await scene.viewed(claim)).has_pending
    await scene.done(claim)

    stage.calls.is_deaf = True
    if end == "cancel":
        with pytest.raises(Unavailable):
            await scene.cancel("b")
    else:
        await scene.submit(a_job("newer", interrupt=InterruptPolicy.DESK))
        with pytest.raises(Unavailable):
            await scene.next_job(claim)
    stage.calls.is_deaf = False

    assert (await scene.job("b")).state.is_ended
    if end == "fold in":
        assert await scene.done(claim) == "newer"
    assert await scene.release(claim)
    stage.see(stage.execution("b"), "Over")


async def test_a_job_whose_execution_was_never_started_runs_all_the_same(stage: Stage) -> None:
    scene = stage.scene
    stage.calls.lost = {"a"}
    with pytest.raises(Unavailable):
        await scene.submit(a_job("a"))
    claim = await scene.claimed("w1")

    assert (await scene.viewed(claim)).has_pending

    await scene.handed(claim, "a")


async def test_a_queued_job_whose_execution_is_stopped_by_hand_is_cancelled(stage: Stage) -> None:
    scene = stage.scene
    await scene.running("before")
    await scene.submit(a_job("a"))
    stage.see(stage.execution("a"), "Send")

    stage.stop(stage.execution("a"))
    await stage.backend.workflow_over(stage.execution("a"), AMELIA, "a", now=scene.clock.now())

    job = await scene.job("a")
    assert (job.state, job.error) == (JobState.CANCELLED, "its workflow was stopped by hand")


async def test_a_running_job_whose_execution_is_stopped_by_hand_is_interrupted(
    stage: Stage,
) -> None:
    scene = stage.scene
    claim, delivery = await scene.running("a")

    stage.stop(stage.execution("a"))
    await stage.backend.workflow_over(stage.execution("a"), AMELIA, "a", now=scene.clock.now())

    view = await scene.beat(claim, delivery)
    assert view.interrupt is not None
    assert view.interrupt.reason is InterruptReason.CANCEL
    await scene.settle(delivery, Outcome.interrupted(InterruptReason.CANCEL))
    assert await scene.state("a") is JobState.CANCELLED
    assert stage.messages() == 0


async def test_the_heartbeat_of_a_worker_finds_its_execution_stopped(stage: Stage) -> None:
    scene = stage.scene
    claim, delivery = await scene.running("a")
    stage.stop(stage.execution("a"))

    await scene.beat(claim, delivery)

    view = await scene.beat(claim, delivery)
    assert view.interrupt is not None
    assert view.interrupt.reason is InterruptReason.CANCEL


async def test_a_job_whose_executions_fail_again_and_again_fails(stage: Stage) -> None:
    scene = stage.scene
    stage.redefine(FAILS)
    await scene.submit(a_job("a"), a_job("b", SCOTT))
    claim = await scene.claimed("w1")

    for _ in range(5):
        assert (await scene.viewed(claim)).has_pending
    assert not (await scene.viewed(claim)).has_pending

    job = await scene.job("a")
    assert job.state is JobState.FAILED
    assert "workflow" in job.error
    assert await scene.state("b") is JobState.QUEUED


async def test_a_message_that_nobody_can_find_is_sent_by_another_execution(stage: Stage) -> None:
    scene = stage.scene
    await scene.submit(a_job("a"))
    claim = await scene.claimed("w1")
    stage.see(stage.execution("a"), "Send")
    for url in stage.stacks.queues(stage.stack):
        stage.stacks.client("sqs").purge_queue(QueueUrl=url)
    assert (await scene.viewed(claim)).has_pending

    scene.clock.jump(inbox.MISSING_MAX)
    await scene.beat(claim)
    assert (await scene.viewed(claim)).has_pending

    await scene.handed(claim, "a")


async def test_a_job_that_nobody_touched_for_long_is_sent_again_and_runs_once(
    stage: Stage,
) -> None:
    scene = stage.scene
    # One emulator knows no watchdog: there the other bound ends the wait.
    stage.redefine(stage.definition(watchdog_seconds=1, longest_run_seconds=2))
    await scene.submit(a_job("a"))
    stage.see(stage.execution("a"), "Stalled")
    stage.redefine(stage.definition())
    claim = await scene.claimed("w1")

    delivery = await scene.next_job(claim)
    while not isinstance(delivery, Delivery):
        delivery = await scene.next_job(claim)
    await scene.settle(delivery)

    job = await scene.job("a")
    assert (job.state, job.outcomes, job.attempt) == (JobState.SUCCEEDED, 1, 1)
    assert not (await scene.viewed(claim)).has_pending


async def test_an_execution_that_somebody_made_up_harms_nobody(stage: Stage) -> None:
    scene = stage.scene
    claim, delivery = await scene.running("a")
    made_up = {"pk": "desk nobody", "desk": "nobody", "job": "x", "send": 1, "policy": "desk"}
    made_up |= {"queue": "", "name": f"{stage.stack}-input-x.fifo", "round": 0, "lost": 0}

    stage.states.start_execution(
        stateMachineArn=stage.stacks.names(stage.stack).state_machine_arn,
        name="made-up",
        input=json.dumps(made_up),
    )
    stage.see("made-up", "Remember")

    await scene.settle(delivery)
    assert await scene.release(claim)
    assert [str(each.desk) for each in await scene.backend.desks()] == [str(AMELIA)]


async def test_a_run_beyond_what_sqs_hides_goes_on_without_its_message(stage: Stage) -> None:
    scene = stage.scene
    claim, delivery = await scene.running("a")

    for _ in range(24):
        scene.clock.jump(timedelta(minutes=30))
        await scene.beat(claim, delivery)
        await stage.backend.extend(delivery, span=timedelta(hours=1), now=scene.clock.now())
    assert stage.messages() == 0
    await scene.settle(delivery)

    assert await scene.state("a") is JobState.SUCCEEDED
    stage.see(stage.execution("a"), "Over")


async def test_the_requests_in_the_queue_are_those_of_desks_that_wait(stage: Stage) -> None:
    scene = stage.scene
    await scene.submit(a_job("a"))
    await scene.submit(a_job("b", SCOTT))
    for job_id in "ab":
        stage.see(stage.execution(job_id), "Send")
    assert stage.requests() == 2

    # It was busy until now, and looks at the desks before it waits.
    await scene.claimed("w1", AMELIA)

    assert stage.requests() == 1


async def test_a_desk_is_asked_for_once_however_many_jobs_come(stage: Stage) -> None:
    scene = stage.scene
    await scene.submit(a_job("a"), a_job("b"), a_job("c"))

    for job_id in "abc":
        stage.see(stage.execution(job_id), "Send")

    assert stage.requests() == 1


async def test_desks_and_workers_of_the_longest_names_are_served_and_told_apart(
    stage: Stage,
) -> None:
    scene = stage.scene
    long = "x" * NAME_LENGTH_MAX
    first, second = Desk(long, f"{long[:-1]}a"), Desk(long, f"{long[:-1]}b")
    await scene.submit(a_job("a", first), a_job("b", second))

    claims = [await scene.claimed("w" * NAME_LENGTH_MAX, first), await scene.claimed("w2", second)]

    assert [await scene.done(each) for each in claims] == ["a", "b"]
    queues = [url.rpartition("/")[2] for url in stage.stacks.queues(stage.stack)]
    assert len([name for name in queues if "-input-" in name]) == 2
    # SQS takes 80 characters, of a stack of 32 as well.
    assert max(len(name) for name in queues) - len(stage.stack) + 32 <= 80


async def test_a_worker_whose_clock_is_ahead_takes_no_desk_within_the_margin(
    stage: Stage, connect_calls: Callable[..., Calls]
) -> None:
    scene = stage.scene
    claim, delivery = await scene.running("a")
    ahead = FakeClock()
    calls = connect_calls()
    ahead.jump(scene.clock.now() - ahead.now() + LEASE + CLOCK_SKEW - timedelta(seconds=1))
    other = Scene(AwsBackend(calls, stage.stack, ahead), ahead)

    assert await other.claim("w2") is None
    ahead.jump(timedelta(seconds=1))
    taken = await other.claim("w2")
    calls.close()

    assert taken is not None
    assert taken.is_takeover
    with pytest.raises(ClaimLost):
        await scene.settle(delivery)
    assert taken.generation > claim.generation


@pytest.mark.parametrize("operation", ["send_task_heartbeat", "describe_execution"])
async def test_an_answer_that_does_not_say_so_takes_nobody_for_dead(
    stage: Stage, connect_calls: Callable[..., Calls], operation: str
) -> None:
    class Unclear(Calls):
        async def call(
            self, service: str, asked: str, arguments: Mapping[str, object]
        ) -> dict[str, Any]:
            if asked == operation:
                raise Refused("InvalidParameterValue", {})
            return await super().call(service, asked, arguments)

    with closing(connect_calls(Unclear)) as calls:
        carrier = workflow.Workflow(calls, stage.stack)

        ask = {"send_task_heartbeat": carrier.is_waiting, "describe_execution": carrier.carriage}
        with pytest.raises(Unavailable):
            await ask[operation]("which")
