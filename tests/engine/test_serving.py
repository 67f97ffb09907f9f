"""A worker serves a function: results, order, attempts, logs."""

from datetime import timedelta

import anyio
import pytest

import hotdesk
from hotdesk import AttemptFailed, Client, Context, Job, JobState, Result
from hotdesk.attempt import CUT, LOG_BYTES_MAX
from hotdesk.session import WorkerLimits

from .conftest import Serve

pytestmark = pytest.mark.anyio
SOON = 5.0


async def echo(job: Job, _: Context) -> str:
    """Answer with the instruction."""
    return f"did: {job.instruction}"


async def test_the_text_of_a_handler_is_the_result_of_its_job(client: Client, serve: Serve) -> None:
    async with serve(echo):
        job = await client.submit("amelia/scott", "make it blue")

        done = await client.result(job.id, timeout=SOON)

    assert done.state is JobState.SUCCEEDED
    assert done.text == "did: make it blue"


async def test_a_result_that_does_not_come_in_time_is_a_timeout_and_the_job_goes_on(
    client: Client,
) -> None:
    job = await client.submit("amelia/scott", "nobody serves this")

    with pytest.raises(TimeoutError, match="queued"):
        await client.result(job.id, timeout=0.01)

    assert (await client.job(job.id)).state is JobState.QUEUED


async def test_the_same_id_again_returns_the_same_job_and_runs_it_once(
    client: Client, serve: Serve
) -> None:
    runs = []

    async def handle(job: Job, _: Context) -> str:
        runs.append(job.id)
        return "done"

    first = await client.submit("amelia/scott", "once", id="mail-1")
    again = await client.submit("amelia/scott", "once more", id="mail-1")
    async with serve(handle):
        await client.result(first.id, timeout=SOON)
        late = await client.submit("amelia/scott", "late", id="mail-1")

    assert again.instruction == "once"
    assert late.state is JobState.SUCCEEDED
    assert runs == ["mail-1"]


async def test_jobs_of_a_desk_run_in_order_and_one_at_a_time(client: Client, serve: Serve) -> None:
    seen: list[str] = []
    running = 0

    async def handle(job: Job, _: Context) -> None:
        nonlocal running
        running += 1
        assert running == 1
        await anyio.lowlevel.checkpoint()
        seen.append(job.instruction)
        running -= 1

    new = [client.new_job("amelia/scott", str(n), interrupt="never") for n in range(30)]
    async with serve(handle), serve(handle):
        jobs = await client.submit_many(new)
        await client.result(jobs[-1].id, timeout=SOON)

    assert seen == [str(n) for n in range(30)]


async def test_a_handler_that_raises_is_tried_again_until_its_attempts_are_used_up(
    client: Client, serve: Serve
) -> None:
    attempts = []

    async def handle(job: Job, _: Context) -> None:
        attempts.append(job.attempt)
        raise ValueError("no such colour")

    async with serve(handle):
        job = await client.submit("amelia/scott", "make it octarine")
        dead = await client.result(job.id, timeout=SOON)

    assert attempts == [1, 2, 3]
    assert dead.state is JobState.DEAD
    assert dead.text == "ValueError: no such colour"


async def test_a_failure_that_is_not_worth_retrying_ends_the_job_at_once(
    client: Client, serve: Serve
) -> None:
    async def handle(job: Job, _: Context) -> None:
        raise AttemptFailed(f"{job.desk} has no header", is_retryable=False)

    async with serve(handle):
        job = await client.submit("amelia/scott", "make the header blue")
        failed = await client.result(job.id, timeout=SOON)

    assert (failed.state, failed.attempt) == (JobState.FAILED, 1)
    assert failed.text == "amelia/scott has no header"


async def test_a_dead_job_that_a_person_retries_starts_with_all_its_attempts(
    client: Client, serve: Serve
) -> None:
    broken = True

    async def handle(job: Job, _: Context) -> str:
        if broken:
            raise ValueError
        return f"attempt {job.attempt}"

    async with serve(handle):
        job = await client.submit("amelia/scott", "try")
        await client.result(job.id, timeout=SOON)

        broken = False
        await client.retry(job.id)
        done = await client.result(job.id, timeout=SOON)

    assert done.text == "attempt 1"


async def test_a_job_is_stopped_at_its_time_limit_and_counts_as_a_failed_attempt(
    client: Client, serve: Serve
) -> None:
    async def handle(_: Job, context: Context) -> None:
        await context.save_partial("half of it")
        await anyio.sleep_forever()

    async with serve(handle, WorkerLimits(job_time=timedelta(milliseconds=20))):
        job = await client.submit("amelia/scott", "take for ever")
        dead = await client.result(job.id, timeout=SOON)

    assert dead.state is JobState.DEAD
    assert "not finished within" in dead.text
    assert dead.partial == "half of it"


async def test_what_a_handler_logs_is_kept_in_order_up_to_the_bound(
    client: Client, serve: Serve
) -> None:
    async def handle(_: Job, context: Context) -> Result:
        for line in ("one\n", "two\n", "x" * LOG_BYTES_MAX, "not kept"):
            await context.log(line)
        return Result(text="logged")

    async with serve(handle):
        job = await client.submit("amelia/scott", "talk")
        await client.result(job.id, timeout=SOON)

    text = "".join(chunk.text for chunk in await client.log(job.id))
    assert text.startswith("one\ntwo\nxxx")
    assert text.endswith(CUT)
    assert len(text) < LOG_BYTES_MAX + 100


async def test_events_can_be_followed_and_resumed_behind_any_cursor(
    client: Client, serve: Serve
) -> None:
    async with serve(echo):
        job = await client.submit("amelia/scott", "go")
        await client.result(job.id, timeout=SOON)

    kinds, cursors = [], []
    async for event in client.events(after=""):
        kinds.append(event.kind)
        cursors.append(event.cursor)
        if event.kind == "WorkerStopped":
            break
    resumed = [await anext(client.events(after=cursors[0])) for _ in range(2)]

    ours = [kind for kind in kinds if kind.startswith("Job")]
    assert ours == ["JobSubmitted", "JobStarted", "JobEnded"]
    assert {event.cursor for event in resumed} == {cursors[1]}


def test_the_blocking_client_serves_scripts(url: str) -> None:
    with hotdesk.connect(url) as client:
        job = client.submit("amelia/scott", "from a script", thread="t1")

        cancelled = client.cancel(job.id)

        assert cancelled.state is JobState.CANCELLED
        assert client.result(job.id, timeout=1).state is JobState.CANCELLED
        assert [each.id for each in client.jobs("amelia/scott")] == [job.id]
        assert next(client.events(after="")).kind == "JobSubmitted"
