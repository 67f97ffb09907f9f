"""The program that worker processes of the benchmarks run, as in production but for its stamps.

Usage: served.py URL WORKER_ID STAMPS LINGER_SECONDS. Stamps are lines of a named pipe:
nanoseconds of the monotonic clock, which all processes of a machine share; what
happened; to which job. The instruction says what the handler does: ``none`` of it,
``note`` its start, or ``wait`` until it is interrupted. When the worker is drained, the
starts of the jobs without a line are in a file beside the pipe.
"""

import os
import signal
import sys
from array import array
from datetime import timedelta
from pathlib import Path
from time import monotonic_ns

import anyio

from hotdesk import Context, Job
from hotdesk.clock import SystemClock
from hotdesk.lifecycle import Limits
from hotdesk.ports import WorkerCard
from hotdesk.runners.function import FunctionRunner
from hotdesk.session import WorkerLimits
from hotdesk.wiring import open_backend
from hotdesk.worker import Worker

# A benchmark kills its workers, and no job should die of it.
RULES = Limits(attempts_max=1_000_000)


async def main(*arguments: str) -> None:
    """Serve until SIGTERM."""
    url, worker_id, stamps, linger = arguments
    out = os.open(stamps, os.O_WRONLY)
    starts = array("Q")

    async def handle(job: Job, context: Context) -> None:
        began = monotonic_ns()
        if job.instruction == "none":
            starts.append(began)
            return
        os.write(out, f"{began} start {job.id}\n".encode())
        if job.instruction == "wait":
            await context.interrupted.wait()
            os.write(out, f"{monotonic_ns()} interrupted {job.id}\n".encode())

    backend = open_backend(url, limits=RULES)
    limits = WorkerLimits(lease=timedelta(hours=1), linger=timedelta(seconds=float(linger)))
    card = WorkerCard(id=worker_id, pid=os.getpid())
    worker = Worker(card, backend, FunctionRunner(handle), SystemClock(), limits)
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async with anyio.create_task_group() as tasks:

            async def drain_on_sigterm() -> None:
                async for _ in signals:
                    await worker.drain()

            tasks.start_soon(drain_on_sigterm)
            await worker.run()
            tasks.cancel_scope.cancel()
    await backend.close()
    Path(stamps).with_name(f"{worker_id}.starts").write_bytes(starts.tobytes())


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
