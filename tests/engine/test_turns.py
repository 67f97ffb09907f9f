"""Who else gets a turn while a worker has jobs to run."""

import anyio
import pytest

from hotdesk import Client, Context, Job

from .conftest import Serve

pytestmark = pytest.mark.anyio


async def test_a_backlog_whose_handler_never_waits_does_not_keep_a_worker_from_draining(
    client: Client, serve: Serve
) -> None:
    started = anyio.Event()

    async def handle(job: Job, context: Context) -> None:
        started.set()

    new = [client.new_job("amelia/scott", "x", interrupt="never") for _ in range(200)]
    await client.submit_many(new)

    async with serve(handle):
        await started.wait()

    assert await client.jobs(state="queued")
