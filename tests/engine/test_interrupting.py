"""Interrupts: fold in, put back, cancel, drain, and handlers that do not listen."""

from datetime import timedelta

import anyio
import pytest

from hotdesk import Client, Context, Job, JobState
from hotdesk.backends.address import database_path
from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.backends.sqlite.bell import SocketBell
from hotdesk.clock import SystemClock
from hotdesk.desks import Interrupt, InterruptReason
from hotdesk.session import WorkerLimits

from .conftest import Serve

pytestmark = pytest.mark.anyio
SOON = 5.0


class Stoppable:
    """A handler whose "slow" jobs work until they are interrupted."""

    def __init__(self) -> None:
        self.started = anyio.Event()
        self.order: list[str] = []
        self.reasons: list[str] = []

    async def __call__(self, job: Job, context: Context) -> str | None:
        self.order.append(job.instruction)
        if job.instruction.startswith("slow") and context.partial is None:
            assert not context.interrupted.is_set()
            self.started.set()
            await context.interrupted.wait()
            assert context.interrupted.is_set()
            assert context.interrupted.reason is not None
            self.reasons.append(str(context.interrupted.reason.reason))
            await context.save_partial({"of": job.instruction})
            return None
        folded = ", ".join(f"{each.instruction}={each.partial}" for each in context.folded)
        return f"partial {context.partial}; folded {folded}"


async def test_a_correction_in_the_thread_folds_the_running_job_in(
    client: Client, serve: Serve
) -> None:
    handler = Stoppable()
    async with serve(handler):
        first = await client.submit("amelia/scott", "slow header", thread="t1")
        await handler.started.wait()

        second = await client.submit("amelia/scott", "no, green", thread="t1")
        done = await client.result(second.id, timeout=SOON)

    assert (await client.job(first.id)).state is JobState.PREEMPTED
    assert done.text == "partial None; folded slow header={'of': 'slow header'}"


async def test_a_job_of_another_thread_puts_the_running_one_back_with_its_partial_work(
    client: Client, serve: Serve
) -> None:
    handler = Stoppable()
    async with serve(handler):
        first = await client.submit("amelia/scott", "slow header", thread="t1")
        await handler.started.wait()

        second = await client.submit("amelia/scott", "footer", thread="t2")
        resumed = await client.result(first.id, timeout=SOON)

    assert handler.order == ["slow header", "footer", "slow header"]
    assert (await client.job(second.id)).text == "partial None; folded "
    assert resumed.text == "partial {'of': 'slow header'}; folded "
    assert (resumed.attempt, resumed.send, resumed.preemptions) == (1, 2, 1)


@pytest.mark.parametrize(("policy", "thread"), [("never", "t1"), ("never", "t2"), ("thread", "t2")])
async def test_a_job_whose_policy_does_not_reach_the_running_one_waits_its_turn(
    client: Client, serve: Serve, policy: str, thread: str
) -> None:
    started, finish = anyio.Event(), anyio.Event()
    interrupted = []

    async def handle(job: Job, context: Context) -> str:
        if job.instruction == "first":
            started.set()
            await finish.wait()
            interrupted.append(context.interrupted.is_set())
        return "done"

    async with serve(handle):
        first = await client.submit("amelia/scott", "first", thread="t1")
        await started.wait()
        second = await client.submit("amelia/scott", "second", thread=thread, interrupt=policy)
        finish.set()
        done = await client.result(second.id, timeout=SOON)

    assert interrupted == [False]
    assert (await client.job(first.id)).state is JobState.SUCCEEDED
    assert done.state is JobState.SUCCEEDED


async def test_cancelling_a_running_job_interrupts_it_and_ends_it_as_cancelled(
    client: Client, serve: Serve
) -> None:
    handler = Stoppable()
    async with serve(handler):
        job = await client.submit("amelia/scott", "slow header")
        await handler.started.wait()

        asked = await client.cancel(job.id)
        ended = await client.result(job.id, timeout=SOON)

    assert asked.state is JobState.RUNNING
    assert ended.state is JobState.CANCELLED
    assert handler.reasons == ["cancel"]


async def test_a_finished_result_stands_although_an_interrupt_came(
    client: Client, serve: Serve
) -> None:
    started = anyio.Event()

    async def handle(_: Job, context: Context) -> str:
        started.set()
        await context.interrupted.wait()
        return "finished all the same"

    async with serve(handle):
        first = await client.submit("amelia/scott", "first", thread="t1")
        await started.wait()
        await client.submit("amelia/scott", "second", thread="t1")
        done = await client.result(first.id, timeout=SOON)

    assert (done.state, done.text) == (JobState.SUCCEEDED, "finished all the same")


async def test_a_handler_that_ignores_the_interrupt_is_cancelled_after_the_grace_time(
    client: Client, serve: Serve
) -> None:
    started = anyio.Event()
    was_cancelled = []

    async def handle(job: Job, _: Context) -> str:
        if job.instruction == "deaf":
            started.set()
            try:
                await anyio.sleep_forever()
            finally:
                was_cancelled.append(job.id)
        return "done"

    async with serve(handle, WorkerLimits(grace=timedelta(milliseconds=20))):
        first = await client.submit("amelia/scott", "deaf", thread="t1")
        await started.wait()
        second = await client.submit("amelia/scott", "correction", thread="t1")
        await client.result(second.id, timeout=SOON)

    assert was_cancelled == [first.id]
    assert (await client.job(first.id)).state is JobState.PREEMPTED


async def test_a_drained_worker_hands_its_job_to_another_and_the_attempt_is_not_counted(
    client: Client, serve: Serve
) -> None:
    handler = Stoppable()
    async with serve(handler):
        job = await client.submit("amelia/scott", "slow header")
        await handler.started.wait()
        [worker] = await client.workers()

        async with serve(handler):
            await client.drain(worker.id)
            done = await client.result(job.id, timeout=SOON)

    assert handler.reasons == ["drain"]
    assert (done.state, done.attempt, done.given_back) == (JobState.SUCCEEDED, 1, 1)
    assert done.text == "partial {'of': 'slow header'}; folded "


async def test_an_interrupt_that_nothing_in_the_record_stands_behind_is_ignored(
    client: Client, serve: Serve, url: str
) -> None:
    started = anyio.Event()

    async def handle(_: Job, context: Context) -> str:
        started.set()
        with anyio.move_on_after(0.1):
            await context.interrupted.wait()
        return f"interrupted: {context.interrupted.is_set()}"

    async with serve(handle):
        job = await client.submit("amelia/scott", "work")
        await started.wait()
        [worker] = await client.workers()
        bell = SocketBell(database_path(url))
        for reason in InterruptReason:
            bell.ring(worker.id, Interrupt(reason=reason, send_id=job.send_id))
        bell.shut()
        done = await client.result(job.id, timeout=SOON)

    assert done.text == "interrupted: False"


class BrokenBell(SocketBell):
    """A bell whose rings are lost on the way."""

    def ring(self, worker_id: str, interrupt: Interrupt | None) -> bool:
        return True


async def test_an_interrupt_that_was_lost_is_noticed_with_the_next_heartbeat(
    client: Client, serve: Serve, url: str
) -> None:
    handler = Stoppable()
    path, clock = database_path(url), SystemClock()
    silent = SqliteBackend(path, clock, bell=BrokenBell(path))
    async with serve(handler, WorkerLimits(lease=timedelta(milliseconds=300))):
        first = await client.submit("amelia/scott", "slow header", thread="t1")
        await handler.started.wait()

        correction = client.new_job("amelia/scott", "no, green", thread="t1")
        await silent.submit([correction], now=clock.now())
        await client.result(correction.id, timeout=SOON)

    await silent.close()
    assert (await client.job(first.id)).state is JobState.PREEMPTED
