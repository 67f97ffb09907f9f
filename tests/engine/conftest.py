"""A real backend on a temporary file, and workers that serve a function."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

import anyio
import pytest

import hotdesk
from hotdesk.clock import SystemClock
from hotdesk.lifecycle import Limits
from hotdesk.ports import WorkerCard
from hotdesk.runners.function import FunctionRunner, Handler
from hotdesk.session import WorkerLimits
from hotdesk.wiring import open_backend
from hotdesk.worker import Worker

Serve = Callable[..., AbstractAsyncContextManager[Worker]]
NO_BACKOFF = Limits(backoff=timedelta(0))


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of a database of its own."""
    return f"sqlite:///{tmp_path / 'hotdesk.db'}"


@pytest.fixture
async def client(url: str) -> AsyncIterator[hotdesk.Client]:
    """A client of that database."""
    async with hotdesk.connect(url) as client:
        yield client


@pytest.fixture
def serve(url: str) -> Serve:
    """Run a worker beside the test for as long as the block lasts."""
    numbers = count(1)

    @asynccontextmanager
    async def serve(
        handler: Handler,
        limits: WorkerLimits | None = None,
        *,
        pinned: hotdesk.Desk | None = None,
        rules: Limits = NO_BACKOFF,
        on_stuck: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[Worker]:
        backend = open_backend(url, limits=rules)
        card = WorkerCard(id=f"w{next(numbers)}", pid=os.getpid(), pinned=pinned)
        worker = Worker(
            card, backend, FunctionRunner(handler), SystemClock(), limits, on_stuck=on_stuck
        )
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(worker.run)
                yield worker
                await worker.drain()
        finally:
            await backend.close()

    return serve
