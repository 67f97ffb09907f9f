"""A drain that comes at the worst moment, while nobody can write that it came."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import pytest

from hotdesk import Client, Context, Job, JobState
from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.desks import Claim, Delivery, Outcome
from hotdesk.errors import Unavailable
from hotdesk.ports import WorkerCard
from hotdesk.runners.function import FunctionRunner
from hotdesk.worker import Worker

pytestmark = pytest.mark.anyio
SOON = 5.0


class Untold(SqliteBackend):
    """A store that cannot take note of a drain, and the moment at which one comes."""

    def __init__(self, path: Path, *, moment: str) -> None:
        super().__init__(path, SystemClock())
        self._moment = moment
        self.handled: list[str] = []
        self.reasons: list[str] = []
        self.worker = Worker(
            WorkerCard(id="w1", pid=os.getpid()), self, FunctionRunner(self._handle), SystemClock()
        )

    async def _handle(self, job: Job, context: Context) -> str | None:
        self.handled.append(job.instruction)
        if job.instruction == "slow":
            await context.interrupted.wait()
            self.reasons.append(str(context.interrupted.reason))
            return None
        return "done"

    async def drain(self, worker_id: str, *, now: datetime) -> None:
        raise Unavailable("the disk is full")

    async def claim(
        self, worker_id: str, *, wait: timedelta, lease: timedelta, now: datetime
    ) -> Claim | None:
        claim = await super().claim(worker_id, wait=wait, lease=lease, now=now)
        if self._moment == "claimed":
            await self.worker.drain()
        return claim

    async def settle(
        self, delivery: Delivery, outcome: Outcome, *, and_next: bool, now: datetime
    ) -> Delivery | None:
        if self._moment == "settling":
            await self.worker.drain()
        return await super().settle(delivery, outcome, and_next=and_next, now=now)


@pytest.mark.parametrize(
    ("moment", "handled", "reasons"), [("claimed", [], 0), ("settling", ["quick", "slow"], 1)]
)
async def test_a_drain_is_heeded_although_the_store_never_heard_of_it(
    client: Client, tmp_path: Path, moment: str, handled: list[str], reasons: int
) -> None:
    for instruction in ("quick", "slow"):
        await client.submit("amelia/scott", instruction, interrupt="never")
    backend = Untold(tmp_path / "hotdesk.db", moment=moment)

    with anyio.fail_after(SOON):
        await backend.worker.run()
    await backend.close()

    assert backend.handled == handled
    assert len(backend.reasons) == reasons
    assert (await client.jobs())[0].state is JobState.QUEUED
