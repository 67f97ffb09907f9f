"""Handlers that do what no handler should: their job ends, and their worker goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import anyio
import pytest

from hotdesk import Client, Context, Job, JobState, Result
from hotdesk.errors import AttemptFailed, ClaimLost, Rejected, Unavailable
from hotdesk.session import WorkerLimits

from .conftest import Serve

pytestmark = pytest.mark.anyio
SOON = 5.0
HALF = "half a character: \udc80"
Misdeed = Callable[[Context], Awaitable[object]]


async def returns_a_dict(_: Context) -> object:
    return {"text": "no result"}


async def returns_bytes_in_a_result(_: Context) -> object:
    return Result(text=b"bytes")  # type: ignore[arg-type] # as a handler may


async def logs_bytes(context: Context) -> object:
    await context.log(b"bytes")  # type: ignore[arg-type] # as a handler may
    return "logged"


async def raises_what_no_text_is(_: Context) -> object:
    raise ValueError(HALF)


async def fails_with_what_no_text_is(_: Context) -> object:
    raise AttemptFailed(HALF, is_retryable=False)


async def calls_exit(_: Context) -> object:
    raise SystemExit(2)


async def awaits_something_that_was_cancelled(_: Context) -> object:
    waiting = asyncio.get_running_loop().create_future()
    waiting.cancel()
    return await waiting


async def says_that_the_claim_is_lost(_: Context) -> object:
    raise ClaimLost("amelia#scott", 1)


@pytest.mark.parametrize(
    "misdeed",
    [
        returns_a_dict,
        returns_bytes_in_a_result,
        logs_bytes,
        raises_what_no_text_is,
        fails_with_what_no_text_is,
        calls_exit,
        awaits_something_that_was_cancelled,
        says_that_the_claim_is_lost,
    ],
)
async def test_a_handler_that_misbehaves_ends_its_job_and_not_its_worker(
    client: Client, serve: Serve, misdeed: Misdeed
) -> None:
    async def handle(job: Job, context: Context) -> object:
        return "done" if job.instruction == "good" else await misdeed(context)

    async with serve(handle):
        bad = await client.submit("amelia/scott", "bad")
        ended = await client.result(bad.id, timeout=SOON)
        good = await client.submit("amelia/scott", "good")
        done = await client.result(good.id, timeout=SOON)

    assert ended.state in (JobState.FAILED, JobState.DEAD)
    assert ended.text
    assert done.text == "done"


async def test_what_is_no_text_is_replaced_in_the_log_and_in_the_answer(
    client: Client, serve: Serve
) -> None:
    async def handle(_: Job, context: Context) -> str:
        await context.log(HALF)
        return HALF

    async with serve(handle):
        job = await client.submit("amelia/scott", "talk")
        done = await client.result(job.id, timeout=SOON)
        (chunk,) = await client.log(job.id)

    assert done.text == chunk.text == "half a character: ?"


async def test_an_instruction_that_is_no_text_is_rejected(client: Client) -> None:
    with pytest.raises(Rejected, match="UTF-8"):
        await client.submit("amelia/scott", HALF)


async def test_a_handler_that_swallows_its_cancellation_is_reported_and_not_kept_alive(
    client: Client, serve: Serve
) -> None:
    stuck = anyio.Event()

    async def handle(_: Job, __: Context) -> str:
        while not stuck.is_set():
            with suppress(asyncio.CancelledError):
                await anyio.sleep_forever()
        return "at last"

    brief = timedelta(milliseconds=20)
    limits = WorkerLimits(job_time=brief, keep_time=brief, lease=timedelta(milliseconds=150))
    async with serve(handle, limits, on_stuck=stuck.set):
        await client.submit("amelia/scott", "never end")
        with anyio.fail_after(SOON):
            await stuck.wait()


async def test_a_handler_that_breaks_while_it_stops_was_interrupted_and_did_not_fail(
    client: Client, serve: Serve
) -> None:
    started = anyio.Event()

    async def handle(job: Job, context: Context) -> str:
        if job.instruction == "first" and not started.is_set():
            started.set()
            await context.interrupted.wait()
            raise ValueError("half done")
        return "done"

    async with serve(handle):
        first = await client.submit("amelia/scott", "first", thread="t1")
        await started.wait()
        await client.submit("amelia/scott", "second", thread="t2")
        done = await client.result(first.id, timeout=SOON)

    assert (done.text, done.attempt, done.preemptions) == ("done", 1, 1)


async def test_an_attempt_whose_work_the_store_does_not_take_is_given_back(
    client: Client, serve: Serve
) -> None:
    refusals = iter([True, True, True, True, False])

    async def save(job: Job, context: Context) -> str:
        await context.save_partial({"step": 1})
        return f"attempt {job.attempt}"

    async with serve(save) as worker:
        keep = worker._backend.save_partial

        async def refuse(*arguments: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
            if next(refusals):
                raise Unavailable("the disk is full", committed=False)
            await keep(*arguments, **options)

        setattr(worker._backend, "save_partial", refuse)  # noqa: B010 - mypy takes it for a method
        job = await client.submit("amelia/scott", "1")
        done = await client.result(job.id, timeout=SOON)

    # More were refused than a job has attempts.
    assert (done.state, done.text, done.attempt) == (JobState.SUCCEEDED, "attempt 1", 1)
