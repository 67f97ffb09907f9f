"""When a worker leaves a desk: linger, others that wait, fairness, pause, release."""

from datetime import timedelta
from typing import Any

import anyio
import pytest

from hotdesk import AttemptFailed, Client, Context, Job, JobState
from hotdesk.lifecycle import Limits
from hotdesk.session import WorkerLimits

from .conftest import Serve

pytestmark = pytest.mark.anyio
SOON = 5.0
LINGER_FOR_EVER = WorkerLimits(linger=timedelta(hours=1))


async def echo(job: Job, _: Context) -> str:
    """Finish at once."""
    return job.instruction


async def until_event(client: Client, kind: str, desk: str) -> None:
    """Wait until something has happened to a desk."""
    with anyio.fail_after(SOON):
        async for event in client.events(after=""):
            if event.kind == kind and event.desk == desk:
                return


async def test_a_worker_stays_with_an_idle_desk_and_serves_its_next_job_in_the_same_claim(
    client: Client, serve: Serve
) -> None:
    async with serve(echo, LINGER_FOR_EVER):
        first = await client.result((await client.submit("amelia/scott", "1")).id, timeout=SOON)
        second = await client.result((await client.submit("amelia/scott", "2")).id, timeout=SOON)

        desk = await client.desk("amelia/scott")
        [worker] = await client.workers()

    assert (first.generation, second.generation) == (1, 1)
    assert desk.owner == worker.id
    assert worker.state == "holding"


async def test_an_idle_desk_is_released_when_the_linger_time_is_over(
    client: Client, serve: Serve
) -> None:
    async with serve(echo, WorkerLimits(linger=timedelta(milliseconds=20))):
        await client.submit("amelia/scott", "1")
        await until_event(client, "DeskReleased", "amelia#scott")

        [worker] = await client.workers()

    assert worker.state == "warm"


async def test_a_lingering_worker_leaves_at_once_for_a_desk_that_nobody_else_can_take(
    client: Client, serve: Serve
) -> None:
    async with serve(echo, LINGER_FOR_EVER):
        await client.result((await client.submit("amelia/scott", "1")).id, timeout=SOON)

        other = await client.submit("amelia/ana", "2")
        done = await client.result(other.id, timeout=SOON)

    assert done.state is JobState.SUCCEEDED


async def test_a_lingering_worker_stays_while_another_one_is_free(
    client: Client, serve: Serve
) -> None:
    async with serve(echo, LINGER_FOR_EVER), serve(echo, LINGER_FOR_EVER):
        await client.result((await client.submit("amelia/scott", "1")).id, timeout=SOON)
        before = await client.desk("amelia/scott")

        await client.result((await client.submit("amelia/ana", "2")).id, timeout=SOON)
        after = await client.desk("amelia/scott")

    assert after.owner == before.owner != ""


async def test_a_desk_with_an_endless_backlog_gives_way_to_one_that_waits(
    client: Client, serve: Serve
) -> None:
    order: list[str] = []

    async def handle(job: Job, _: Context) -> None:
        order.append(str(job.desk))
        if job.instruction == "first":
            backlog = [client.new_job("amelia/busy", str(n), interrupt="never") for n in range(50)]
            await client.submit_many(backlog)
            await client.submit("amelia/patient", "at last")

    async with serve(handle, WorkerLimits(session_max=timedelta(0))):
        await client.submit("amelia/busy", "first")
        await until_event(client, "DeskGivenWay", "amelia#busy")
        last = (await client.queue("amelia/busy"))[-1]
        await client.result(last.id, timeout=SOON)

    assert order.index("amelia/patient") == 1
    assert order.count("amelia/busy") == 51


async def test_a_paused_desk_finishes_its_job_and_is_left_until_it_is_resumed(
    client: Client, serve: Serve
) -> None:
    started, finish = anyio.Event(), anyio.Event()

    async def handle(_: Job, context: Context) -> str:
        started.set()
        await finish.wait()
        return f"interrupted: {context.interrupted.is_set()}"

    async with serve(handle, LINGER_FOR_EVER):
        first = await client.submit("amelia/scott", "1")
        await started.wait()
        second = await client.submit("amelia/scott", "2", interrupt="never")
        await client.pause("amelia/scott")
        finish.set()
        await until_event(client, "DeskGivenWay", "amelia#scott")
        paused = await client.job(second.id)

        await client.resume("amelia/scott")
        done = await client.result(second.id, timeout=SOON)

    assert (await client.job(first.id)).text == "interrupted: False"
    assert paused.state is JobState.QUEUED
    assert (done.state, done.generation) == (JobState.SUCCEEDED, 2)


async def test_a_desk_whose_release_is_asked_for_is_left_although_it_lingers(
    client: Client, serve: Serve
) -> None:
    async with serve(echo, LINGER_FOR_EVER):
        await client.result((await client.submit("amelia/scott", "1")).id, timeout=SOON)

        await client.ask_release("amelia/scott")
        await until_event(client, "DeskReleased", "amelia#scott")

        desk = await client.desk("amelia/scott")

    assert desk.owner == ""


async def test_a_worker_that_is_done_lingering_waits_out_a_backoff_without_asking_again_and_again(
    client: Client, serve: Serve
) -> None:
    asked = 0

    async def fail_once(job: Job, _: Context) -> str:
        if job.attempt == 1:
            raise AttemptFailed("not yet")
        return "done"

    rules = Limits(backoff=timedelta(milliseconds=500))
    async with serve(fail_once, WorkerLimits(linger=timedelta(0)), rules=rules) as worker:
        ask = worker._backend.next_job

        async def count(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on
            nonlocal asked
            asked += 1
            return await ask(*arguments, **options)

        setattr(worker._backend, "next_job", count)  # noqa: B010 - mypy takes it for a method
        job = await client.submit("amelia/scott", "1")
        done = await client.result(job.id, timeout=SOON)

    assert done.text == "done"
    assert asked < 10
