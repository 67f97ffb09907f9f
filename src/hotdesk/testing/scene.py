"""What every part of the contract plays on: a store, a clock, and short ways to say the verbs."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta

import anyio
import pytest

from hotdesk.desks import (
    Claim,
    Delivery,
    Desk,
    DeskView,
    Interrupt,
    InterruptPolicy,
    Job,
    JobState,
    Json,
    NewJob,
    Origin,
    Outcome,
)
from hotdesk.lifecycle import CLOCK_SKEW, LEASE
from hotdesk.ports import Answer, Backend, SweepReport, WorkerCard
from hotdesk.testing.clock import FakeClock

AMELIA = Desk("website", "amelia")
SCOTT = Desk("website", "scott")

NOW = timedelta(0)
MOMENT = timedelta(microseconds=1)
TAKEOVER = LEASE + CLOCK_SKEW
"""How long after its last heartbeat a silent owner's desk may be taken."""
RETENTION = timedelta(days=30)
PATIENCE = 10
"""Seconds that a test waits for what must come at once."""


def a_job(
    job_id: str,
    desk: Desk = AMELIA,
    *,
    thread: str = "header",
    interrupt: InterruptPolicy = InterruptPolicy.NEVER,
    origin: Origin | None = None,
) -> NewJob:
    """A job that interrupts nothing, unless the test says otherwise."""
    return NewJob(
        id=job_id,
        desk=desk,
        thread=thread,
        instruction=f"do {job_id}",
        interrupt=interrupt,
        origin=origin or Origin(),
    )


def a_mail(job_id: str, desk: Desk = AMELIA, *, thread: str = "header") -> NewJob:
    """A job that came by mail, and so is owed an answer."""
    origin = Origin(source="mail", sender="a@example.org", message_id=f"<{job_id}@example.org>")
    return a_job(job_id, desk, thread=thread, origin=origin)


class Scene:
    """One connection to the store: the verbs of the protocol at the clock's present.

    A worker is registered when it first claims. ``claimed``, ``handed`` and
    ``viewed`` are the verbs for tests that know what the answer must be.
    """

    def __init__(self, backend: Backend, clock: FakeClock) -> None:
        """Play on *backend*, at the time of *clock*."""
        self.backend = backend
        self.clock = clock
        self._known: set[str] = set()

    async def submit(self, *jobs: NewJob) -> list[Job]:
        """Submit *jobs* in one batch."""
        return await self.backend.submit(jobs, now=self.clock.now())

    async def register(self, worker_id: str, *, pinned: Desk | None = None) -> None:
        """Register a worker of this process."""
        self._known.add(worker_id)
        card = WorkerCard(id=worker_id, pid=1, pinned=pinned)
        await self.backend.register(card, now=self.clock.now())

    async def deregister(self, worker_id: str) -> None:
        """Let a worker leave."""
        await self.backend.deregister(worker_id, now=self.clock.now())

    async def claim(self, worker_id: str, *, wait: timedelta = NOW) -> Claim | None:
        """Claim a desk, or not."""
        if worker_id not in self._known:
            await self.register(worker_id)
        return await self.backend.claim(worker_id, wait=wait, lease=LEASE, now=self.clock.now())

    async def claimed(self, worker_id: str, desk: Desk = AMELIA) -> Claim:
        """Claim *desk*, the one that must be next."""
        claim = await self.claim(worker_id)
        assert claim is not None, f"{worker_id} found no desk to claim"
        assert claim.desk == desk
        return claim

    async def next_job(self, claim: Claim, *, wait: timedelta = NOW) -> Delivery | DeskView:
        """Ask for the oldest send."""
        return await self.backend.next_job(claim, wait=wait, now=self.clock.now())

    async def handed(self, claim: Claim, job_id: str | None = None) -> Delivery:
        """Be handed a job, *job_id* if it is given."""
        delivery = await self.next_job(claim)
        assert isinstance(delivery, Delivery), f"nothing was handed over: {delivery}"
        assert job_id is None or delivery.job.id == job_id
        return delivery

    async def viewed(self, claim: Claim) -> DeskView:
        """Be handed nothing, and see the desk."""
        view = await self.next_job(claim)
        assert isinstance(view, DeskView), f"{view.job.id} was handed over"
        return view

    async def beat(self, claim: Claim, delivery: Delivery | None = None) -> DeskView:
        """Heartbeat, with a running job or without."""
        return await self.backend.beat(claim, delivery, lease=LEASE, now=self.clock.now())

    async def save(self, delivery: Delivery, partial: Json = None, commit: str = "") -> None:
        """Save partial work."""
        await self.backend.save_partial(delivery, partial, commit, now=self.clock.now())

    async def seal(self, delivery: Delivery) -> None:
        """Mark the running job as ending."""
        await self.backend.seal(delivery, lease=LEASE, now=self.clock.now())

    async def settle(
        self, delivery: Delivery, outcome: Outcome | None = None, *, and_next: bool = False
    ) -> Delivery | None:
        """Settle a delivery, as succeeded unless *outcome* says otherwise."""
        return await self.backend.settle(
            delivery, outcome or Outcome.succeeded(), and_next=and_next, now=self.clock.now()
        )

    async def done(self, claim: Claim) -> str:
        """Be handed a job and succeed with it; return its id."""
        delivery = await self.handed(claim)
        await self.settle(delivery)
        return delivery.job.id

    async def ended(self, job_id: str, outcome: Outcome) -> Claim:
        """Submit *job_id* to the free desk, give it *outcome* and keep the desk."""
        await self.submit(a_job(job_id))
        claim = await self.claimed("w1")
        await self.settle(await self.handed(claim, job_id), outcome)
        return claim

    async def running(
        self, job_id: str = "a", *, policy: InterruptPolicy = InterruptPolicy.DESK
    ) -> tuple[Claim, Delivery]:
        """Claim the desk for ``w1`` and run *job_id* of the thread ``header`` there."""
        await self.submit(a_job(job_id, interrupt=policy))
        claim = await self.claimed("w1")
        return claim, await self.handed(claim, job_id)

    async def release(self, claim: Claim) -> bool:
        """Compare and release."""
        return await self.backend.release(claim, now=self.clock.now())

    async def give_way(self, claim: Claim) -> None:
        """Leave the desk with jobs pending."""
        await self.backend.give_way(claim, now=self.clock.now())

    async def fenced(self, claim: Claim, thread: str) -> None:
        """Note that *thread* is fenced."""
        await self.backend.fenced(claim, thread, now=self.clock.now())

    async def cancel(self, job_id: str) -> Job:
        """Cancel a job."""
        return await self.backend.cancel(job_id, now=self.clock.now())

    async def retry(self, job_id: str) -> Job:
        """Send an ended job again."""
        return await self.backend.retry(job_id, now=self.clock.now())

    async def pause(self, desk: Desk = AMELIA) -> None:
        """Pause a desk."""
        await self.backend.pause(desk, now=self.clock.now())

    async def resume(self, desk: Desk = AMELIA) -> None:
        """Resume a desk."""
        await self.backend.resume(desk, now=self.clock.now())

    async def ask_release(self, desk: Desk = AMELIA) -> None:
        """Ask the owner of a desk to leave it."""
        await self.backend.ask_release(desk, now=self.clock.now())

    async def drain(self, worker_id: str) -> None:
        """Ask a worker to finish."""
        await self.backend.drain(worker_id, now=self.clock.now())

    async def sweep(self) -> SweepReport:
        """Sweep, keeping what ended in the last thirty days."""
        return await self.backend.sweep(retention=RETENTION, now=self.clock.now())

    async def interrupted(self, worker_id: str) -> Interrupt:
        """The next interrupt that reaches *worker_id*."""
        with anyio.fail_after(PATIENCE):
            async for interrupt in self.backend.interrupts(worker_id):
                return interrupt
        raise AssertionError("the stream of interrupts ended")

    async def due(self) -> list[Answer]:
        """The answers that should be sent now."""
        return await self.backend.due_answers(limit=100, now=self.clock.now())

    async def job(self, job_id: str) -> Job:
        """A job as it stands."""
        return await self.backend.job(job_id)

    async def state(self, job_id: str) -> JobState:
        """The state of a job."""
        return (await self.backend.job(job_id)).state

    async def kinds(self, job_id: str | None = None) -> list[str]:
        """What happened, by the names of the events; to one job on demand."""
        return [event.kind for event in await self.backend.events(job_id=job_id)]


def ids(jobs: Sequence[Job]) -> list[str]:
    """The ids of *jobs*, in their order."""
    return [job.id for job in jobs]


def folded(delivery: Delivery) -> list[str]:
    """The ids of the jobs that a delivery continues."""
    return [each.job_id for each in delivery.folded]


class Contract:
    """The fixtures of every part: a clock, and two connections to one empty store.

    A backend's test class gives ``connect``. Each call opens one more connection to
    the same store, as another process would; the contract closes them.
    """

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        """The loop that Hotdesk is deployed on."""
        return "asyncio"

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The time of the test, for every connection."""
        return FakeClock()

    @pytest.fixture
    def connect(self, clock: FakeClock) -> Callable[[], Backend]:
        """Open one more connection to the store of this test."""
        raise NotImplementedError("the class that tests a backend gives this fixture")

    @pytest.fixture
    async def scene(self, connect: Callable[[], Backend], clock: FakeClock) -> AsyncIterator[Scene]:
        """The store through its first connection."""
        scene = Scene(connect(), clock)
        yield scene
        await scene.backend.close()

    @pytest.fixture
    async def other(self, connect: Callable[[], Backend], clock: FakeClock) -> AsyncIterator[Scene]:
        """The same store through a connection of its own."""
        scene = Scene(connect(), clock)
        yield scene
        await scene.backend.close()
