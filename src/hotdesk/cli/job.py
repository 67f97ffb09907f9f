"""``hotdesk job``: look at jobs, follow one, and cancel, retry or interrupt it."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import click

from hotdesk.cli.ending import EXIT_CODES, follow
from hotdesk.cli.invocation import Connected, Invocation
from hotdesk.cli.options import Group, pass_invocation
from hotdesk.cli.records import (
    event_json,
    event_line,
    job_columns,
    job_facts,
    job_json,
    log_json,
    says_something,
)
from hotdesk.cli.send import sent_json
from hotdesk.desks import Job, JobState, Origin
from hotdesk.errors import NotAllowed, NotFound
from hotdesk.events import StoredEvent

T = TypeVar("T")

LIST_MAX = 10_000


@click.group(cls=Group)
def job() -> None:
    """Look at jobs, and cancel, retry or interrupt them."""


@job.command("list")
@click.option("--desk", metavar="PROJECT/USER", help="Only those of this desk.")
@click.option(
    "--state",
    type=click.Choice([state.value for state in JobState]),
    help="Only those in this state.",
)
@click.option("--limit", type=click.IntRange(1, LIST_MAX), default=50, show_default=True)
@pass_invocation
def list_(invocation: Invocation, *, desk: str | None, state: str | None, limit: int) -> None:
    """List jobs, newest first."""

    async def work(connected: Connected) -> list[Job]:
        return await connected.client.jobs(desk, state=state, limit=limit)

    invocation.output.listing(
        invocation.connect(work),
        job_json,
        job_columns(invocation.now()),
        empty="There is no such job. Send one with: hotdesk send --desk project/user -m …",
    )


@job.command()
@click.argument("job_id", metavar="JOB")
@pass_invocation
def show(invocation: Invocation, *, job_id: str) -> None:
    """Show one job with its history."""

    async def work(connected: Connected) -> tuple[Job, list[StoredEvent]]:
        found = await connected.client.job(job_id)
        history: list[StoredEvent] = []
        cursor = ""
        # An agent may have thousands, and what it cost stands at the end.
        while page := await connected.backend.events(after=cursor, job_id=job_id):
            history += page
            cursor = page[-1].cursor
        return found, history

    found, history = _connect(invocation, job_id, work)
    told = [event_line(event) for event in history if says_something(event)]
    lines = [*job_facts(found, history), "history:", *told]
    invocation.output.result(job_json(found, history), "\n".join(lines))


@job.command()
@click.argument("job_id", metavar="JOB")
@click.option("-f", "--follow", "is_followed", is_flag=True, help="Go on until the job ends.")
@pass_invocation
def logs(invocation: Invocation, *, job_id: str, is_followed: bool) -> None:
    """Print the output of a job."""
    output = invocation.output

    async def work(connected: Connected) -> None:
        await follow(
            connected,
            job_id,
            on_log=lambda chunk: (
                output.data(log_json(chunk)) if output.is_json else output.raw(chunk.text)
            ),
            until_end=is_followed,
        )

    _connect(invocation, job_id, work)


@job.command()
@click.argument("job_id", metavar="JOB")
@pass_invocation
def watch(invocation: Invocation, *, job_id: str) -> int:
    """Follow state, events and output of a job until it ends.

    The exit code tells how it ended: 0 succeeded, 10 failed or dead, 11 cancelled, 12
    preempted.
    """
    output = invocation.output

    def tell(event: StoredEvent) -> None:
        if output.is_json or says_something(event):
            output.result({"type": "event", **event_json(event)}, event_line(event))

    async def work(connected: Connected) -> Job:
        return await follow(
            connected,
            job_id,
            on_state=lambda job: output.result(
                {"type": "state", "job": job.id, "state": job.state.value},
                f"job {job.id} is {job.state}",
            ),
            on_event=tell,
            on_log=lambda chunk: (
                output.data({"type": "log", **log_json(chunk)})
                if output.is_json
                else output.raw(chunk.text)
            ),
        )

    ended = _connect(invocation, job_id, work)
    output.result({"type": "job", **job_json(ended)}, ended.text)
    return EXIT_CODES[ended.state]


@job.command()
@click.argument("job_id", metavar="JOB")
@pass_invocation
def cancel(invocation: Invocation, *, job_id: str) -> None:
    """End a queued job, or stop a running one."""

    async def work(connected: Connected) -> Job:
        return await connected.client.cancel(job_id)

    found = _connect(invocation, job_id, work)
    told = f"job {found.id} is cancelled"
    if not found.state.is_ended:
        told = f"job {found.id} was asked to stop; see how it ends: hotdesk job watch {found.id}"
    invocation.output.result(job_json(found), told)


@job.command()
@click.argument("job_id", metavar="JOB")
@pass_invocation
def retry(invocation: Invocation, *, job_id: str) -> None:
    """Send a job again that failed, died, was cancelled or preempted."""

    async def work(connected: Connected) -> Job:
        return await connected.client.retry(job_id)

    found = _connect(invocation, job_id, work)
    invocation.output.result(job_json(found), f"job {found.id} is {found.state} again")


@job.command()
@click.argument("job_id", metavar="JOB")
@click.option("-m", "--message", required=True, help="The correction.")
@pass_invocation
def interrupt(invocation: Invocation, *, job_id: str, message: str) -> None:
    """Correct a job: a new one in its thread, which stops and continues it.

    If the job has ended, the new one follows it.
    """

    async def work(connected: Connected) -> tuple[Job, int]:
        former = await connected.client.job(job_id)
        new = await connected.client.submit(
            former.desk,
            message,
            thread=former.thread,
            interrupt="thread",
            origin=Origin(source="cli"),
        )
        return new, await connected.client.position(new)

    new, position = _connect(invocation, job_id, work)
    invocation.output.result(
        {**sent_json(new, position), "interrupts": job_id},
        f"job {new.id} continues job {job_id}",
    )


def _connect(invocation: Invocation, job_id: str, work: Callable[[Connected], Awaitable[T]]) -> T:
    """Do *work* on a job; a mail that waits has the id of the job that it may become."""

    async def known(connected: Connected) -> T:
        try:
            return await work(connected)
        except NotFound:
            with suppress(NotFound):
                await connected.client.held_job(job_id)
                raise NotAllowed(
                    f"job {job_id} waits for approval; see it with: hotdesk thread held; let it "
                    f"run with: hotdesk thread approve {job_id}"
                ) from None
            raise

    return invocation.connect(known)
