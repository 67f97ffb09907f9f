"""How many calls a job costs, and what becomes of queues and messages that are not ours."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest

from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import Scene, a_job

pytestmark = pytest.mark.anyio

ConnectCalls = Callable[..., Calls]


class Counting(Calls):
    """Clients that count what they are asked for."""

    made: Counter[str]

    async def dynamodb(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Count, and call DynamoDB."""
        self.made[operation] += 1
        return await super().dynamodb(operation, **arguments)

    async def sqs(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Count, and call SQS."""
        self.made[operation] += 1
        return await super().sqs(operation, **arguments)


@pytest.fixture
def counting(connect_calls: ConnectCalls) -> Counting:
    """Clients that have counted nothing yet."""
    calls = connect_calls(Counting)
    assert isinstance(calls, Counting)
    calls.made = Counter()
    return calls


@pytest.fixture
def scene(counting: Counting, stack: str) -> Scene:
    """A stack through clients that count."""
    clock = FakeClock()
    return Scene(AwsBackend(counting, stack, clock), clock)


@pytest.fixture
def queue_urls(
    endpoint: str, session: boto3.session.Session, stack: str
) -> Callable[[], list[str]]:
    """The queues of desks that there are."""
    sqs = session.client("sqs", endpoint_url=endpoint)
    return lambda: sqs.list_queues(QueueNamePrefix=f"{stack}-input-").get("QueueUrls", [])


async def test_a_job_at_a_warm_desk_costs_no_more_calls_than_it_did(
    scene: Scene, counting: Counting
) -> None:
    await scene.submit(a_job("first"))
    claim = await scene.claimed("w1")
    await scene.done(claim)
    counting.made.clear()

    await scene.submit(a_job("a"))
    submitting = counting.made.total()
    await scene.done(claim)

    working = counting.made.total() - submitting
    assert (submitting, working) == (6, 13)


async def test_a_message_that_is_not_ours_does_not_block_its_desk(
    scene: Scene,
    queue_urls: Callable[[], list[str]],
    endpoint: str,
    session: boto3.session.Session,
) -> None:
    await scene.submit(a_job("first"))
    claim = await scene.claimed("w1")
    await scene.done(claim)
    [url] = queue_urls()
    sqs = session.client("sqs", endpoint_url=endpoint)
    for number, body in enumerate(["no JSON", "[]", '{"job": 1}', '{"job": "x", "send": "1"}']):
        sqs.send_message(
            QueueUrl=url,
            MessageBody=body,
            MessageGroupId="desk",
            MessageDeduplicationId=str(number),
        )

    await scene.submit(a_job("a"))

    await scene.handed(claim, "a")


async def test_a_desk_whose_queue_was_removed_goes_on(
    scene: Scene,
    queue_urls: Callable[[], list[str]],
    endpoint: str,
    session: boto3.session.Session,
) -> None:
    await scene.submit(a_job("a"))
    claim = await scene.claimed("w1")
    for url in queue_urls():
        session.client("sqs", endpoint_url=endpoint).delete_queue(QueueUrl=url)

    assert (await scene.viewed(claim)).has_pending
    scene.clock.jump(timedelta(minutes=1))

    await scene.handed(claim, "a")
