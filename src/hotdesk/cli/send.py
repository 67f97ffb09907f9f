"""``hotdesk send``: submit one instruction, and wait for what comes of it if asked to."""

import sys
from pathlib import Path

import click

from hotdesk.cli.ending import EXIT_CODES, follow
from hotdesk.cli.invocation import Connected, Invocation
from hotdesk.cli.options import Command, pass_invocation
from hotdesk.client import INSTRUCTION_MAX
from hotdesk.desks import Desk, Job, Json, Origin
from hotdesk.errors import Rejected

BYTES_OF_A_CHARACTER = 4  # The most that UTF-8 takes.


@click.command(cls=Command)
@click.option("--desk", required=True, metavar="PROJECT/USER", help="Whose work it is.")
@click.option("-m", "--message", help="The instruction.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Read the instruction from a file, or from standard input (-).",
)
@click.option("--thread", help="Go on with this conversation; a new one begins without it.")
@click.option(
    "--interrupt",
    type=click.Choice(["desk", "thread", "never"]),
    help="What it may interrupt; the project's setting without it.",
)
@click.option("--id", "job_id", help="The job's id: sending it again changes nothing.")
@click.option("--wait", is_flag=True, help="Wait for the end and print what came of it.")
@pass_invocation
def send(
    invocation: Invocation,
    *,
    desk: str,
    message: str | None,
    file: Path | None,
    thread: str | None,
    interrupt: str | None,
    job_id: str | None,
    wait: bool,
) -> int:
    """Submit one instruction.

    Prints the job and its position, 0 for the next one. With --wait the exit code tells
    how it ended: 0 succeeded, 10 failed or dead, 11 cancelled, 12 preempted.
    """
    instruction = _instruction(message, file)
    place = Desk.parse(desk)
    output = invocation.output

    async def submit(connected: Connected) -> int:
        connected.config.check_project(place.project)
        job = await connected.client.submit(
            place,
            instruction,
            thread=thread,
            id=job_id,
            interrupt=interrupt,
            origin=Origin(source="cli"),
        )
        if not wait:
            position = await _position(connected, job)
            output.result(sent_json(job, position), _sentence(job, position))
        if not await connected.client.workers():
            output.note("no worker is running: start Hotdesk with: hotdesk up")
        if not wait:
            return 0
        job = await follow(connected, job.id, on_state=lambda job: output.note(_progress(job)))
        output.result({**sent_json(job, None), "text": job.text, "error": job.error}, job.text)
        return EXIT_CODES[job.state]

    return invocation.connect(submit, is_new=True)


def sent_json(job: Job, position: int | None) -> dict[str, Json]:
    """What is printed of a job that was submitted."""
    return {
        "job": job.id,
        "desk": str(job.desk),
        "thread": job.thread,
        "state": job.state.value,
        "position": position,
    }


async def _position(connected: Connected, job: Job) -> int | None:
    return None if job.state.is_ended else await connected.client.position(job)


def _sentence(job: Job, position: int | None) -> str:
    place = "" if position is None else f", position {position}"
    return f"job {job.id} of {job.desk} is {job.state}{place}"


def _progress(job: Job) -> str:
    return f"job {job.id} is {job.state}"


def _instruction(message: str | None, file: Path | None) -> str:
    if (message is None) == (file is None):
        raise Rejected("say what should be done, with either -m or --file")
    if file is None:
        return message or ""
    bytes_max = BYTES_OF_A_CHARACTER * INSTRUCTION_MAX + 1
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(bytes_max).decode()
        with file.open("rb") as opened:
            return opened.read(bytes_max).decode()
    except OSError as error:
        raise Rejected(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise Rejected(f"{file} is not a text in UTF-8") from None
