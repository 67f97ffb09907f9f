"""``hotdesk desk``: look at desks, and pause, resume or release them."""

from collections.abc import Awaitable, Callable

import click

from hotdesk.cli.invocation import Connected, Invocation
from hotdesk.cli.options import Group, pass_invocation
from hotdesk.cli.records import desk_columns, desk_json, job_columns, job_json
from hotdesk.desks import DeskStatus, Job

LIST_MAX = 10_000
QUEUE_SHOWN_MAX = 100


@click.group(cls=Group)
def desk() -> None:
    """Look at desks, and pause, resume or release them."""


@desk.command("list")
@click.option("--waiting", is_flag=True, help="Only those that wait for a worker.")
@click.option("--limit", type=click.IntRange(1, LIST_MAX), default=50, show_default=True)
@pass_invocation
def list_(invocation: Invocation, *, waiting: bool, limit: int) -> None:
    """List desks, those at work first."""

    async def work(connected: Connected) -> list[DeskStatus]:
        return await connected.client.desks(waiting=waiting, limit=limit)

    invocation.output.listing(
        invocation.connect(work),
        desk_json,
        desk_columns(invocation.now()),
        empty="No desk is waiting." if waiting else "There is no desk yet; the first job makes it.",
    )


@desk.command()
@click.argument("name", metavar="PROJECT/USER")
@pass_invocation
def show(invocation: Invocation, *, name: str) -> None:
    """Show one desk and its queue."""

    async def work(connected: Connected) -> tuple[DeskStatus, list[Job]]:
        client = connected.client
        return await client.desk(name), await client.queue(name, limit=QUEUE_SHOWN_MAX)

    status, queue = invocation.connect(work)
    output = invocation.output
    if output.is_json:
        output.data({**desk_json(status), "queue": [job_json(job) for job in queue]})
        return
    output.text("\n".join(f"{key}: {value}" for key, value in desk_json(status).items() if value))
    output.listing(
        queue, job_json, job_columns(invocation.now()), empty="Nothing is pending on this desk."
    )


@desk.command()
@click.argument("name", metavar="PROJECT/USER")
@pass_invocation
def pause(invocation: Invocation, *, name: str) -> None:
    """Stop serving a desk once its running job is over."""
    _ask(invocation, name, lambda connected: connected.client.pause(name), "is paused")


@desk.command()
@click.argument("name", metavar="PROJECT/USER")
@pass_invocation
def resume(invocation: Invocation, *, name: str) -> None:
    """Serve a paused desk again."""
    _ask(invocation, name, lambda connected: connected.client.resume(name), "is served again")


@desk.command()
@click.argument("name", metavar="PROJECT/USER")
@pass_invocation
def release(invocation: Invocation, *, name: str) -> None:
    """Ask the worker to leave a desk after its running job."""
    _ask(
        invocation,
        name,
        lambda connected: connected.client.ask_release(name),
        "will be left after its running job",
    )


def _ask(
    invocation: Invocation,
    name: str,
    ask: Callable[[Connected], Awaitable[None]],
    what: str,
) -> None:
    async def work(connected: Connected) -> DeskStatus:
        await ask(connected)
        return await connected.client.desk(name)

    invocation.output.result(desk_json(invocation.connect(work)), f"desk {name} {what}")
