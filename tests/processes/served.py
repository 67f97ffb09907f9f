"""The program that worker processes of these tests run: serve a handler that leaves a trace.

Usage: served.py URL WORKER_ID TRACE LEASE_SECONDS [PIN]. Each line of the trace is written
with one append, so that lines of several processes never mix.
"""

import os
import signal
import sys
from datetime import timedelta

import anyio

from hotdesk import Context, Desk, Job
from hotdesk.clock import SystemClock
from hotdesk.lifecycle import Limits
from hotdesk.ports import WorkerCard
from hotdesk.runners.function import FunctionRunner
from hotdesk.session import WorkerLimits
from hotdesk.wiring import open_backend
from hotdesk.worker import Worker


async def main(*arguments: str) -> None:
    """Serve until SIGTERM."""
    url, worker_id, trace, lease, pin = (*arguments, "")[:5]
    clock = SystemClock()
    out = os.open(trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(what: str, job: Job) -> None:
        line = f"{clock.monotonic()} {what} {worker_id} {job.generation} {job.desk} {job.id}\n"
        os.write(out, line.encode())

    async def handle(job: Job, context: Context) -> str | None:
        note("start", job)
        with anyio.move_on_after(float(job.instruction)):
            await context.interrupted.wait()
            note("interrupted", job)
            return None
        note("end", job)
        return worker_id

    limits = Limits(attempts_max=1000, backoff=timedelta(0))
    backend = open_backend(url, limits=limits)
    spans = WorkerLimits(
        lease=timedelta(seconds=float(lease)), linger=timedelta(seconds=1), grace=timedelta(0)
    )
    card = WorkerCard(id=worker_id, pid=os.getpid(), pinned=Desk.parse(pin) if pin else None)
    worker = Worker(card, backend, FunctionRunner(handle), clock, spans)
    # The receiver stands before anything can be claimed.
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async with anyio.create_task_group() as tasks:

            async def drain_on_sigterm() -> None:
                async for _ in signals:
                    await worker.drain()

            tasks.start_soon(drain_on_sigterm)
            await worker.run()
            tasks.cancel_scope.cancel()
    await backend.close()


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
