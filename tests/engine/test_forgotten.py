"""A worker that others took for dead while it was not."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import pytest

from hotdesk import Client, Context, Job
from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.desks import Claim
from hotdesk.errors import NotFound, Unavailable
from hotdesk.ports import WorkerCard
from hotdesk.runners.function import FunctionRunner
from hotdesk.worker import Worker

pytestmark = pytest.mark.anyio
SOON = 5.0


class Forgetful(SqliteBackend):
    """A store that does not know the worker at its first claim, and is locked just then."""

    claims = registrations = 0

    async def register(self, card: WorkerCard, *, now: datetime) -> None:
        self.registrations += 1
        if self.registrations == 2:
            raise Unavailable("locked")
        await super().register(card, now=now)

    async def claim(
        self, worker_id: str, *, wait: timedelta, lease: timedelta, now: datetime
    ) -> Claim | None:
        self.claims += 1
        if self.claims <= 2:
            raise NotFound("worker", worker_id)
        return await super().claim(worker_id, wait=wait, lease=lease, now=now)


async def test_a_worker_that_was_forgotten_registers_again_even_if_that_fails_at_first(
    client: Client, tmp_path: Path
) -> None:
    async def handle(_: Job, __: Context) -> str:
        return "done"

    job = await client.submit("amelia/scott", "work")
    backend = Forgetful(tmp_path / "hotdesk.db", SystemClock())
    worker = Worker(
        WorkerCard(id="w1", pid=os.getpid()), backend, FunctionRunner(handle), SystemClock()
    )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worker.run)
        done = await client.result(job.id, timeout=SOON)
        await worker.drain()
    await backend.close()

    assert done.text == "done"
    assert backend.registrations == 3
