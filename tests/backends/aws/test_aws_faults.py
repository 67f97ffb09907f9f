"""Any call to AWS fails, is throttled, repeated or late, or its process dies: nothing is lost.

That is done to every call of every verb, by telling a story again and again until it has no
call that was not struck.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import anyio
import boto3
import botocore.endpoint
import pytest

from hotdesk.backends.aws import queues
from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls
from hotdesk.clock import SystemClock
from hotdesk.desks import JobState
from hotdesk.lifecycle import Limits
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import AMELIA
from tests.backends.aws.faults import Faults, FaultySession, Kind
from tests.backends.aws.stacks import Stacks
from tests.backends.aws.story import CORRECTION, JOBS, LAST, Story

pytestmark = [pytest.mark.anyio, pytest.mark.long]

# What executions that were called back need to end, and queues to say what is in them.
SECONDS_MAX = 10
# Whoever dies in the middle of a run has used up an attempt; here that happens often.
LIMITS = Limits(attempts_max=1000)
UNAVAILABLE = {Kind.FAILS, Kind.THROTTLED, Kind.UNANSWERED, Kind.LATE}
VERBS = {
    *("submit", "cancel", "pause", "resume", "sweep", "register", "claim", "next_job", "beat"),
    *("extend", "save_partial", "seal", "settle", "settle failed", "settle interrupted"),
    *("give_way", "release"),
}
DEPTHS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither boto3 waits between its tries nor SQS with what was received and not registered."""
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _: None))
    monkeypatch.setattr(queues, "RECEIVED", timedelta(seconds=1))


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.name)
async def test_whatever_befalls_a_call_no_job_is_lost_and_nothing_is_left(
    stacks: Stacks, session: boto3.session.Session, new_stack: Callable[[], str], kind: Kind
) -> None:
    struck: Counter[str] = Counter()
    over: set[str] = set()
    unanswered: set[str] = set()
    faulty = FaultySession(session)
    before = -1
    while struck.total() > before:
        before = struck.total()
        clock, stack = FakeClock(SystemClock().now()), new_stack()

        def connect(faults: Faults, clock: FakeClock = clock, stack: str = stack) -> AwsBackend:
            faulty.faults = faults
            emulator = stacks.emulator
            calls = Calls(emulator.region, endpoint=emulator.endpoint or None, session=faulty)
            return AwsBackend(calls, stack, clock, limits=LIMITS)

        story = Story(connect, clock, kind, struck=struck, over=over, unanswered=unanswered)
        await story.tell()

        told = f"{kind} {struck}"
        await _everything_ended_once(connect(Faults(kind)), told)
        await _nothing_is_left(stacks, stack, told)
    # Of each verb some call must be heard of. Others need not: what they do is done again later.
    assert unanswered == (VERBS if kind in UNAVAILABLE else set())
    assert {verb for verb in struck if struck[verb]} == VERBS


async def _everything_ended_once(backend: AwsBackend, told: str) -> None:
    jobs = {name: await backend.job(name) for name in (*JOBS, CORRECTION, LAST, "unwanted")}
    desk = await backend.desk(AMELIA)
    await backend.close()

    assert {job.outcomes for job in jobs.values()} == {1}, told
    assert jobs["unwanted"].state is JobState.CANCELLED, told
    # The correction continues what of its thread it stops, and what is still waiting.
    ends = {JobState.SUCCEEDED, JobState.PREEMPTED}
    assert {jobs[name].state for name in JOBS} <= ends, told
    assert {jobs[CORRECTION].state, jobs[LAST].state} == {JobState.SUCCEEDED}, told
    assert (desk.owner, desk.pending, desk.active_job) == ("", 0, ""), told


async def _nothing_is_left(stacks: Stacks, stack: str, told: str) -> None:
    left: list[object] = []
    with anyio.move_on_after(SECONDS_MAX):
        while left := await anyio.to_thread.run_sync(_left, stacks, stack):
            pass
    assert not left, told


def _left(stacks: Stacks, stack: str) -> list[object]:
    """Executions that run, messages in queues of desks, what an owner left to finish."""
    names = stacks.names(stack)
    running: list[object] = stacks.client("stepfunctions").list_executions(
        stateMachineArn=names.state_machine_arn, statusFilter="RUNNING"
    )["executions"]
    sqs = stacks.client("sqs")
    for url in stacks.queues(stack):
        if url.endswith(".fifo"):
            depths = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[*DEPTHS])["Attributes"]
            running += [f"{url}: {depths}"] if set(depths.values()) != {"0"} else []
    desk = stacks.client("dynamodb").get_item(
        TableName=names.table, Key={"pk": {"S": f"desk {AMELIA.key}"}, "sk": {"S": "desk"}}
    )["Item"]
    return running + ([desk["leftover"]] if desk["leftover"] != {"NULL": True} else [])
