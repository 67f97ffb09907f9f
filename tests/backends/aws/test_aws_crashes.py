"""A process that dies between any two calls to AWS loses nothing and leaves nothing behind."""

import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import anyio
import pytest

from hotdesk.backends.aws import queues
from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls
from hotdesk.desks import Delivery, JobState, Outcome
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import AMELIA, TAKEOVER, Scene, a_job

pytestmark = [pytest.mark.anyio, pytest.mark.long]

ConnectCalls = Callable[..., Calls]
NewStack = Callable[[], str]

# More calls than the story makes: the search ends at the first run that nobody killed.
CALLS_MAX = 200
PATIENCE = 20
JOBS = ("a", "b", "c")


class Killed(BaseException):
    """The process is gone; no code of it catches that."""


class Mortal(Calls):
    """Clients of a process that dies at its call number ``dies_at``.

    With ``is_done`` that call still reaches AWS, and only its answer is lost.
    """

    dies_at = CALLS_MAX
    is_done = False
    count = 0

    async def dynamodb(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Call DynamoDB, or die."""
        return await self._unless_dead(lambda: super(Mortal, self).dynamodb(operation, **arguments))

    async def sqs(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Call SQS, or die."""
        return await self._unless_dead(lambda: super(Mortal, self).sqs(operation, **arguments))

    async def _unless_dead(self, call: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        self.count += 1
        if self.count < self.dies_at:
            return await call()
        if self.count == self.dies_at and self.is_done:
            await call()
        raise Killed


async def live(scene: Scene) -> None:
    """Submit three jobs; fail the first once, then do them all, and leave."""
    await scene.submit(*(a_job(name) for name in JOBS))
    claim = await scene.claimed("w1")
    await scene.settle(await scene.handed(claim), Outcome.attempt_failed("no"))
    scene.clock.jump(timedelta(minutes=1))
    following = await scene.settle(await scene.handed(claim), and_next=True)
    assert following is not None
    await scene.give_way(claim)
    claim = await scene.claimed("w1")
    while isinstance(delivery := await scene.next_job(claim), Delivery):
        await scene.settle(delivery)
    assert await scene.release(claim)


async def mend(scene: Scene) -> None:
    """What others do anyway: the caller asks again, and another worker does what is left."""
    await scene.submit(*(a_job(name) for name in JOBS))
    scene.clock.jump(TAKEOVER + timedelta(minutes=1))
    await scene.sweep()
    while (claim := await scene.claim("w2")) is not None:
        while not await scene.release(claim):
            if isinstance(delivery := await scene.next_job(claim), Delivery):
                await scene.settle(delivery)


@pytest.mark.parametrize("is_done", [False, True])
async def test_a_death_between_any_two_calls_loses_no_job_and_leaves_nothing(
    connect_calls: ConnectCalls,
    new_stack: NewStack,
    monkeypatch: pytest.MonkeyPatch,
    is_done: bool,  # noqa: FBT001 - pytest gives it
) -> None:
    # What was received and not registered comes again after this, in moto's own time.
    monkeypatch.setattr(queues, "RECEIVED", timedelta(seconds=1))
    for dies_at in itertools.count(1):
        clock, stack = FakeClock(), new_stack()
        mortal = connect_calls(Mortal)
        mortal.dies_at, mortal.is_done = dies_at, is_done

        was_killed = await _was_killed(Scene(AwsBackend(mortal, stack, clock), clock))
        scene = Scene(AwsBackend(connect_calls(), stack, clock), clock)
        with anyio.fail_after(PATIENCE):
            await mend(scene)

        told = f"died at call {dies_at}"
        jobs = [await scene.job(name) for name in JOBS]
        assert [job.state for job in jobs] == [JobState.SUCCEEDED] * 3, told
        assert [job.outcomes for job in jobs] == [1, 1, 1], told
        desk = await scene.backend.desk(AMELIA)
        assert (desk.owner, desk.pending, desk.active_job) == ("", 0, ""), told
        await scene.backend.close()
        if not was_killed:
            assert dies_at > len(JOBS)
            return


async def _was_killed(scene: Scene) -> bool:
    try:
        await live(scene)
    except Killed:
        return True
    return False
