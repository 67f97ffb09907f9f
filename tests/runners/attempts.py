"""An attempt of a real job for tests: handed over by a store, with its log and timeline."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from hotdesk.attempt import AttemptContext, Stop
from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.confinement import Confinement, find_confinement
from hotdesk.desks import Delivery, Desk, Interrupt, InterruptReason, NewJob, Origin
from hotdesk.lifecycle import LEASE
from hotdesk.ports import WorkerCard
from tests.runners.programs import UIDS

DESK = Desk("amelia", "scott")
NONE = timedelta(0)


@dataclass(kw_only=True)
class Attempt:
    """One attempt of the job ``j1``; ``confirmed`` counts the proofs of its claim."""

    delivery: Delivery
    backend: SqliteBackend
    stop: Stop
    context: AttemptContext = field(init=False)
    confirmed: int = 0
    _news: anyio.Event = field(default_factory=anyio.Event)

    def __post_init__(self) -> None:
        self.context = AttemptContext(
            self.delivery,
            self.stop,
            self.backend,
            SystemClock(),
            on_log=self._heard,
            confirm=self.confirm,
        )

    async def confirm(self) -> None:
        self.confirmed += 1

    def interrupt(self) -> None:
        job = self.delivery.job
        self.stop.ask(Interrupt(send_id=job.send_id, reason=InterruptReason.PREEMPT))

    async def log(self) -> str:
        await self.context.flush()
        return "".join(chunk.text for chunk in await self.backend.log("j1"))

    async def logged(self, text: str) -> None:
        """Wait until the log has *text*."""
        with anyio.fail_after(10):
            while True:
                news = self._news
                if text in await self.log():
                    return
                await news.wait()

    def _heard(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def steps(self) -> list[tuple[object, ...]]:
        """The steps on the timeline."""
        await self.context.flush()
        events = await self.backend.events(job_id="j1")
        return [
            (event.details["step"], event.details["number"], event.details["exit_code"])
            for event in events
            if event.kind == "StepEnded"
        ]


@asynccontextmanager
async def attempt(folder: Path, *attachments: str) -> AsyncIterator[Attempt]:
    """Submit a job to a new store and take it."""
    clock = SystemClock()
    backend = SqliteBackend(folder / "hotdesk.db", clock)
    try:
        job = NewJob(
            id="j1",
            desk=DESK,
            thread="t1",
            instruction="do it",
            origin=Origin(attachments=tuple(attachments)),
        )
        await backend.submit([job], now=clock.now())
        await backend.register(WorkerCard(id="w1", pid=1), now=clock.now())
        claim = await backend.claim("w1", wait=NONE, lease=LEASE, now=clock.now())
        assert claim is not None
        delivery = await backend.next_job(claim, wait=NONE, now=clock.now())
        assert isinstance(delivery, Delivery)
        stop = Stop(anyio.CancelScope(), timedelta(seconds=10))
        yield Attempt(delivery=delivery, backend=backend, stop=stop)
    finally:
        await backend.close()


@pytest.fixture
def passable() -> Iterator[Path]:
    """A folder that every user can reach; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="hotdesk-test-") as name:
        Path(name).chmod(0o711)
        yield Path(name).resolve()


@pytest.fixture
def confinement() -> Confinement:
    """The best confinement of this machine, with a user of its own."""
    best = find_confinement().best
    return best if best.uid is None else replace(best, uid=next(UIDS))
