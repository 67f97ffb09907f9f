"""What becomes of messages that are not ours, and of queues that somebody removes."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls
from hotdesk.desks import Delivery
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import Scene, a_job
from tests.backends.aws.stacks import Stacks

pytestmark = pytest.mark.anyio

FOREIGN = [
    "no JSON",
    "[]",
    '{"job": 1}',
    '{"job": "x", "send": "1", "execution": "e", "token": "t"}',
    '{"job": "x", "send": 1, "execution": "e", "token": "t"}',
]
# A queue that was removed is noticed, and its messages are sent again, within a few calls.
CALLS_MAX = 10


@pytest.fixture
async def scene(connect_calls: Callable[..., Calls], stack: str) -> AsyncIterator[Scene]:
    """An empty stack."""
    clock = FakeClock()
    backend = AwsBackend(connect_calls(), stack, clock)
    yield Scene(backend, clock)
    await backend.close()


def queues_of_desks(stacks: Stacks, stack: str) -> list[str]:
    """The URLs of the queues of desks that there are."""
    return [url for url in stacks.queues(stack) if "-input-" in url]


async def test_a_message_that_is_not_ours_does_not_block_its_desk(
    scene: Scene, stacks: Stacks, stack: str
) -> None:
    await scene.submit(a_job("first"))
    claim = await scene.claimed("w1")
    await scene.done(claim)
    [url] = queues_of_desks(stacks, stack)
    for number, body in enumerate(FOREIGN):
        stacks.client("sqs").send_message(
            QueueUrl=url,
            MessageBody=body,
            MessageGroupId="desk",
            MessageDeduplicationId=str(number),
        )

    await scene.submit(a_job("a"))

    assert await scene.done(claim) == "a"


async def test_a_desk_whose_queue_was_removed_goes_on(
    scene: Scene, stacks: Stacks, stack: str
) -> None:
    await scene.submit(a_job("first"))
    claim = await scene.claimed("w1")
    await scene.done(claim)
    [url] = queues_of_desks(stacks, stack)

    stacks.client("sqs").delete_queue(QueueUrl=url)
    await scene.submit(a_job("a"))

    for _ in range(CALLS_MAX):
        found = await scene.next_job(claim)
        if isinstance(found, Delivery):
            break
        await scene.beat(claim)
        scene.clock.jump(timedelta(seconds=10))
    else:
        pytest.fail("the job never came")
    await scene.settle(found)
    assert await scene.release(claim)
