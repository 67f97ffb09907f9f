"""``hotdesk thread``: look at conversations."""

import click

from hotdesk.cli.invocation import Connected, Invocation
from hotdesk.cli.options import Group, pass_invocation
from hotdesk.cli.records import job_columns, job_json, thread_columns, thread_json
from hotdesk.desks import Job
from hotdesk.errors import NotFound
from hotdesk.ports import ThreadView

LIST_MAX = 10_000


@click.group(cls=Group)
def thread() -> None:
    """Look at conversations."""


@thread.command("list")
@click.option("--desk", metavar="PROJECT/USER", help="Only those of this desk.")
@click.option("--limit", type=click.IntRange(1, LIST_MAX), default=50, show_default=True)
@pass_invocation
def list_(invocation: Invocation, *, desk: str | None, limit: int) -> None:
    """List conversations, the latest first."""

    async def work(connected: Connected) -> list[ThreadView]:
        return await connected.client.threads(desk, limit=limit)

    invocation.output.listing(
        invocation.connect(work),
        thread_json,
        thread_columns(invocation.now()),
        empty="There is no conversation yet; the first job begins one.",
    )


@thread.command()
@click.argument("desk", metavar="PROJECT/USER")
@click.argument("name", metavar="THREAD")
@click.option("--limit", type=click.IntRange(1, LIST_MAX), default=50, show_default=True)
@pass_invocation
def show(invocation: Invocation, *, desk: str, name: str, limit: int) -> None:
    """Show the jobs of one conversation, oldest first."""

    async def work(connected: Connected) -> list[Job]:
        return await connected.client.jobs(desk, thread=name, limit=limit)

    found = invocation.connect(work)
    if not found:
        raise NotFound("thread", f"{desk} {name}")
    invocation.output.listing(
        reversed(found), job_json, job_columns(invocation.now()), empty="There is none."
    )
