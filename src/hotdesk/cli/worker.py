"""``hotdesk worker``: run, look at, drain and stop workers."""

from contextlib import closing
from datetime import timedelta

import click

from hotdesk.backends.address import is_stack
from hotdesk.cli.invocation import Connected, Invocation
from hotdesk.cli.options import Group, pass_invocation
from hotdesk.cli.records import worker_columns, worker_json
from hotdesk.cli.serving import serve_alone, serve_together
from hotdesk.cli.signals import end_with
from hotdesk.config.environment import variables
from hotdesk.desks import Desk, WorkerStatus
from hotdesk.errors import NotFound, Rejected
from hotdesk.wiring.deployment import leaving_time
from hotdesk.wiring.worker_process import Ending

WORKERS_MAX = 256
DESK_VARIABLE = "HOTDESK_DESK"


@click.group(cls=Group)
def worker() -> None:
    """Run, look at and stop workers."""


@worker.command()
@click.option("--handler", metavar="MODULE:FUNCTION", help="Serve this Python function.")
@click.option("--workers", type=click.IntRange(1, WORKERS_MAX), default=1, show_default=True)
@click.option("--desk", metavar="PROJECT/USER", help="Serve this desk only; or set HOTDESK_DESK.")
@click.option("--id", "worker_id", help="The worker's name; a new one without it.")
@click.option("--parent", type=int, hidden=True, help="End when this process ends.")
@pass_invocation
def run(
    invocation: Invocation,
    *,
    handler: str | None,
    workers: int,
    desk: str | None,
    worker_id: str | None,
    parent: int | None,
) -> int:
    """Serve desks until SIGTERM or Ctrl-C.

    Once means drain: the running job is handed back with its partial work. Twice means
    stop at once.
    """
    if parent is not None:
        end_with(parent)
    elif desk is None:
        # A child is told by its parent, whose own desk this would be.
        desk = variables().get(DESK_VARIABLE) or None
    pinned = None if desk is None else Desk.parse(desk)
    if workers == 1:
        return serve_alone(
            invocation, handler=handler, worker_id=worker_id, pinned=pinned, is_child=bool(parent)
        )
    if pinned is not None or worker_id is not None:
        raise Rejected("--desk and --id are for one worker")
    return serve_together(invocation, handler=handler, workers=workers)


@worker.command("list")
@pass_invocation
def list_(invocation: Invocation) -> None:
    """List the workers that are running."""

    async def work(connected: Connected) -> list[WorkerStatus]:
        return await connected.client.workers()

    invocation.output.listing(
        invocation.connect(work),
        worker_json,
        worker_columns(invocation.now()),
        empty="No worker is running. Start some with: hotdesk up",
    )


@worker.command()
@click.argument("worker_id", metavar="WORKER")
@pass_invocation
def drain(invocation: Invocation, *, worker_id: str) -> None:
    """Ask a worker to hand back its running job and take no more.

    A worker that belongs to a pool is replaced.
    """

    async def work(connected: Connected) -> None:
        await connected.client.drain(worker_id)

    invocation.connect(work)
    invocation.output.result(
        {"worker": worker_id, "state": "draining"}, f"worker {worker_id} is draining"
    )


@worker.command()
@click.argument("worker_id", metavar="WORKER")
@click.option(
    "--kill-after",
    type=click.FloatRange(min=0, max=86_400),
    metavar="SECONDS",
    help="Give it this long to leave, instead of as long as it may take.",
)
@pass_invocation
def stop(invocation: Invocation, *, worker_id: str, kill_after: float | None) -> None:
    """Drain a worker of this machine, and kill its process if it does not leave.

    It has the time to stop its job and to save what was done. Its job is handed over
    again by whoever claims the desk next. A worker that belongs to a pool is replaced.
    """

    async def work(connected: Connected) -> str:
        status = await _find(connected, worker_id)
        with closing(Ending(status, is_shared=is_stack(connected.config.backend))) as ending:
            await ending.drain(connected.client)
            invocation.output.note(f"worker {worker_id} is draining")
            leaving = leaving_time(connected.config)
            return await ending.wait(
                leaving if kill_after is None else timedelta(seconds=kill_after)
            )

    end = invocation.connect(work)
    invocation.output.result({"worker": worker_id, "state": end}, f"worker {worker_id} was {end}")


async def _find(connected: Connected, worker_id: str) -> WorkerStatus:
    for status in await connected.client.workers():
        if status.id == worker_id:
            return status
    raise NotFound("worker", worker_id)
