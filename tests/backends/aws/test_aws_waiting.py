"""A long poll to AWS fails, is throttled, repeated or unheard: whoever waited still hears."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import anyio
import boto3
import pytest

from hotdesk.backends.aws import bell, queues
from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import LONG_POLL_SECONDS_MAX, Calls
from hotdesk.clock import SystemClock
from hotdesk.desks import Claim, InterruptPolicy
from hotdesk.errors import Unavailable
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import Scene, a_job
from tests.backends.aws.faults import Faults, FaultySession, Kind
from tests.emulators.server import Emulator

pytestmark = pytest.mark.anyio

MOMENT = timedelta(seconds=1)
PATIENCE = 20
INTERRUPT_SECONDS_MAX = 8
KINDS = [Kind.FAILS, Kind.THROTTLED, Kind.REPEATED, Kind.UNANSWERED]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rings that nobody heard of come again soon, and who heard nothing soon listens again."""
    monkeypatch.setattr(queues, "RUNG", MOMENT)
    monkeypatch.setattr(bell, "DEAF_SECONDS", 1)


@pytest.fixture
def faulty(session: boto3.session.Session) -> FaultySession:
    """Clients of which only the one that polls meets faults."""
    return FaultySession(session, spared_below=LONG_POLL_SECONDS_MAX)


@pytest.fixture
async def scene(emulator: Emulator, stack: str, faulty: FaultySession) -> AsyncIterator[Scene]:
    """An empty stack through those clients."""
    clock = FakeClock(SystemClock().now())
    calls = Calls(emulator.region, endpoint=emulator.endpoint or None, session=faulty)
    scene = Scene(AwsBackend(calls, stack, clock), clock)
    yield scene
    await scene.backend.close()


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_a_worker_that_waits_through_a_fault_is_given_the_next_desk(
    scene: Scene, faulty: FaultySession, kind: Kind, number: int
) -> None:
    await scene.register("w1")
    faulty.faults = Faults(kind)
    faulty.faults.begin(number)

    with anyio.fail_after(PATIENCE):
        await _wait(lambda: scene.claim("w1", wait=MOMENT))
        await scene.submit(a_job("a"))
        claim = None
        while claim is None:
            claim = await _wait(lambda: scene.claim("w1", wait=MOMENT))

    assert faulty.faults.end()
    assert await scene.done(claim) == "a"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_an_interrupt_comes_through_a_fault(
    scene: Scene, faulty: FaultySession, kind: Kind
) -> None:
    claim, delivery = await scene.running("a")
    faulty.faults = Faults(kind)
    faulty.faults.begin(1)

    await scene.submit(a_job("b", interrupt=InterruptPolicy.DESK))
    heard = []
    with anyio.move_on_after(INTERRUPT_SECONDS_MAX):
        async for interrupt in scene.backend.interrupts("w1"):
            heard.append(interrupt.by)
            break
    view = await scene.beat(claim, delivery)

    # A ring that was lost with the answer to the poll is in the record at the next heartbeat.
    assert heard == ["b"] or kind is Kind.UNANSWERED
    assert view.interrupt is not None
    assert view.interrupt.by == "b"


async def _wait(claim: Callable[[], Awaitable[Claim | None]]) -> Claim | None:
    """Wait as a worker does: it asks again when AWS did not answer."""
    try:
        return await claim()
    except Unavailable:
        return None
