"""``hotdesk dead``: look at dead letters, and retry or discard them, many at once if asked."""

from collections.abc import Awaitable, Callable, Sequence

import click

from hotdesk.cli.invocation import Connected, Invocation
from hotdesk.cli.options import Group, pass_invocation
from hotdesk.cli.records import job_columns, job_json
from hotdesk.desks import Job, JobState
from hotdesk.errors import Rejected

LIST_MAX = 10_000


@click.group(cls=Group)
def dead() -> None:
    """Look at dead letters, and retry or discard them."""


@dead.command("list")
@click.option("--desk", metavar="PROJECT/USER", help="Only those of this desk.")
@click.option("--limit", type=click.IntRange(1, LIST_MAX), default=50, show_default=True)
@pass_invocation
def list_(invocation: Invocation, *, desk: str | None, limit: int) -> None:
    """List the jobs whose attempts are used up."""

    async def work(connected: Connected) -> list[Job]:
        return await _letters(connected, desk, limit)

    now = invocation.now()
    columns = {
        **{name: job_columns(now)[name] for name in ("JOB", "DESK", "AGE")},
        "ATTEMPTS": lambda job: str(job.attempt),
        "ERROR": lambda job: job.error,
    }
    invocation.output.listing(
        invocation.connect(work), job_json, columns, empty="There are no dead letters."
    )


@dead.command()
@click.argument("job_ids", metavar="[JOB]...", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="All of them.")
@click.option("--desk", metavar="PROJECT/USER", help="With --all: only those of this desk.")
@pass_invocation
def retry(
    invocation: Invocation,
    *,
    job_ids: tuple[str, ...],
    is_all: bool,
    desk: str | None,
) -> None:
    """Send dead letters again, with their attempts at zero."""

    async def once(connected: Connected, job_id: str) -> None:
        await connected.client.retry(job_id)

    _each(invocation, job_ids, once, verb="retry", is_all=is_all, desk=desk)


@dead.command()
@click.argument("job_ids", metavar="[JOB]...", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="All of them.")
@click.option("--desk", metavar="PROJECT/USER", help="With --all: only those of this desk.")
@pass_invocation
def discard(
    invocation: Invocation,
    *,
    job_ids: tuple[str, ...],
    is_all: bool,
    desk: str | None,
) -> None:
    """Remove dead letters, or failed jobs by their ids, for good."""

    async def once(connected: Connected, job_id: str) -> None:
        await connected.client.discard(job_id)

    _each(invocation, job_ids, once, verb="discard", is_all=is_all, desk=desk)


def _each(
    invocation: Invocation,
    job_ids: Sequence[str],
    once: Callable[[Connected, str], Awaitable[None]],
    *,
    verb: str,
    is_all: bool,
    desk: str | None,
) -> None:
    """Do the same to each letter, after a question that names their number."""
    if is_all == bool(job_ids):
        raise Rejected(f"say what to {verb}: either ids of jobs, or --all")
    if desk is not None and not is_all:
        raise Rejected("--desk only narrows --all")
    output = invocation.output

    async def choose(connected: Connected) -> list[str]:
        return [job.id for job in await _letters(connected, desk, LIST_MAX)]

    chosen = invocation.connect(choose) if is_all else [*dict.fromkeys(job_ids)]
    # Asked outside of the event loop and with nothing open: a person may take long.
    if chosen and (is_all or len(chosen) > 1 or verb == "discard"):
        output.confirm(f"{verb.capitalize()} {len(chosen)} job{'s'[: len(chosen) != 1]}?")

    async def work(connected: Connected) -> None:
        for job_id in chosen:
            await once(connected, job_id)
            output.result({"job": job_id, "done": verb}, f"{verb}: {job_id}")

    invocation.connect(work)
    if not chosen:
        output.note("There are no dead letters.")


async def _letters(connected: Connected, desk: str | None, limit: int) -> list[Job]:
    return await connected.client.jobs(desk, state=JobState.DEAD, limit=limit)
