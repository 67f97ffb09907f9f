"""``hotdesk thread``: look at conversations, and decide about the mails that wait."""

import os
import pwd
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import PurePath

import click

from hotdesk.cli import terminal
from hotdesk.cli.invocation import Connected, Invocation
from hotdesk.cli.options import Group, pass_invocation
from hotdesk.cli.records import (
    held_columns,
    held_json,
    job_columns,
    job_json,
    thread_columns,
    thread_json,
)
from hotdesk.desks import Job, Json
from hotdesk.errors import NotAllowed, NotFound
from hotdesk.ports import Held, ThreadView

LIST_MAX = 10_000
# What a person sees of an instruction before the question.
LINES_SHOWN_MAX = 12
LINE_LENGTH_MAX = 120


@click.group(cls=Group)
def thread() -> None:
    """Look at conversations, and approve or drop mails that wait."""


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


@thread.command()
@click.option("--desk", metavar="PROJECT/USER", help="Only those of this desk.")
@click.option("--limit", type=click.IntRange(1, LIST_MAX), default=50, show_default=True)
@pass_invocation
def held(invocation: Invocation, *, desk: str | None, limit: int) -> None:
    """List the mails that wait for approval, oldest first."""

    async def work(connected: Connected) -> list[Held]:
        return await connected.client.held(desk, limit=limit)

    invocation.output.listing(
        invocation.connect(work),
        held_json,
        held_columns(invocation.now()),
        empty="Nothing waits for approval.",
    )


@thread.command()
@click.argument("names", metavar="JOB|THREAD...", nargs=-1, required=True)
@pass_invocation
def approve(invocation: Invocation, *, names: tuple[str, ...]) -> None:
    """Let mails that wait become jobs, by their ids or whole conversations of them."""

    async def once(connected: Connected, job_id: str) -> tuple[Mapping[str, Json], str]:
        job = await connected.client.approve(job_id, by=_operator())
        return job_json(job), f"job {job.id} is {job.state}"

    _decide(invocation, names, once, verb="approve")


@thread.command()
@click.argument("names", metavar="JOB|THREAD...", nargs=-1, required=True)
@pass_invocation
def drop(invocation: Invocation, *, names: tuple[str, ...]) -> None:
    """Forget mails that wait, by their ids or whole conversations of them."""

    async def once(connected: Connected, job_id: str) -> tuple[Mapping[str, Json], str]:
        await connected.client.drop_held(job_id, by=_operator())
        return {"job": job_id, "done": "drop"}, f"drop: {job_id}"

    _decide(invocation, names, once, verb="drop")


def _decide(
    invocation: Invocation,
    names: Sequence[str],
    once: Callable[[Connected, str], Awaitable[tuple[Mapping[str, Json], str]]],
    *,
    verb: str,
) -> None:
    """Do the same to each that is meant, after a question that shows what it is."""
    output = invocation.output

    async def choose(connected: Connected) -> dict[str, Held | None]:
        chosen: dict[str, Held | None] = {}
        for name in names:
            found = await _waiting(connected, name)
            chosen |= found
            if not found:
                job = await _submitted(connected, name)
                if verb == "drop":
                    raise NotAllowed(f"job {name} does not wait: it is {job.state}")
                # One that was approved already is told as what it has become.
                chosen[name] = None
        return chosen

    chosen = invocation.connect(choose)
    found = [each for each in chosen.values() if each is not None]
    for each in found:
        output.note(_letter(each))
    # Asked with nothing open: a person may take long.
    if found:
        output.confirm(f"{verb.capitalize()} {len(found)} mail{'s'[: len(found) != 1]}?")

    async def work(connected: Connected) -> None:
        for job_id in chosen:
            output.result(*await once(connected, job_id))

    invocation.connect(work)


async def _waiting(connected: Connected, name: str) -> dict[str, Held]:
    """The job of that id, or else all that waits in the thread of that name."""
    try:
        return {name: await connected.client.held_job(name)}
    except NotFound:
        found = await connected.client.held(thread=name, limit=LIST_MAX)
        return {each.job.id: each for each in found}


async def _submitted(connected: Connected, name: str) -> Job:
    """What became of one that does not wait any more."""
    try:
        return await connected.client.job(name)
    except NotFound:
        raise NotFound("held job or thread", name) from None


def _letter(held: Held) -> str:
    """What a person has to see of a mail; no line of its text looks like one of ours."""
    job, origin = held.job, held.job.origin
    lines = [
        row
        for each in terminal.block(job.instruction).splitlines()
        for row in _rows(terminal.line(each, length_max=len(each)))
    ]
    names = ", ".join(PurePath(each).name for each in origin.attachments)
    facts = {
        "mail": f"{job.id}, since {held.held_at:%Y-%m-%d %H:%M} UTC",
        "desk": f"{job.desk}, thread {job.thread}",
        "from": origin.sender,
        "subject": origin.subject,
        "reason": held.reason,
        "attached": names,
    }
    said = [
        f"{name + ':':<10}{terminal.line(fact, length_max=len(fact))}"
        for name, fact in facts.items()
        if fact
    ]
    said += [f"  | {each}" for each in lines[:LINES_SHOWN_MAX]]
    if len(lines) > LINES_SHOWN_MAX:
        said.append(f"  and {len(lines) - LINES_SHOWN_MAX} lines more")
    return "\n".join([*said, ""])


def _rows(line: str) -> list[str]:
    """Cut a line into what a screen shows: what stood far to the right would be approved unseen."""
    return [line[at : at + LINE_LENGTH_MAX] for at in range(0, len(line), LINE_LENGTH_MAX)] or [""]


def _operator() -> str:
    """Who decides, as this machine knows them."""
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = str(number)
    return f"{name}@{socket.gethostname()}"
