"""The process of a worker, where it is one of this machine: its memory, and its end.

A number that stands in the store may belong to another process here, or by now: only one
that ``hotdesk worker run`` started is looked at or ended.
"""

import os
import re
import signal
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import anyio

from hotdesk.client import Client
from hotdesk.desks import WorkerStatus
from hotdesk.errors import NotAllowed

_RESIDENT = re.compile(r"^VmRSS:\s+(\d+) kB$", re.MULTILINE)  # proc(5), status
KIBIBYTE = 1024


def memory_of(worker: WorkerStatus, *, is_shared: bool) -> int | None:
    """The bytes that its process has in memory, without the agents that it runs.

    ``None`` if it is no process of this machine, or the system does not tell. *is_shared* as
    for ``end_worker``.
    """
    with suppress(OSError):
        if _is_its_own(worker, is_shared=is_shared):
            status = Path(f"/proc/{worker.pid}/status").read_text(encoding="utf-8")
            found = _RESIDENT.search(status)
            return int(found[1]) * KIBIBYTE if found else None
    return None


class Ending:
    """The end of one worker of this machine; holds its process until ``close``."""

    def __init__(self, worker: WorkerStatus, *, is_shared: bool) -> None:
        """Find its process.

        Where machines share the desks (*is_shared*), another worker may have its number here:
        only one that was started with this name is meant.

        Raises:
            NotAllowed: It is none that ``hotdesk`` started on this machine.
        """
        self._worker_id = worker.id
        self._process = _open(worker, is_shared=is_shared)
        self._has_left = False

    async def drain(self, client: Client) -> None:
        """Ask it to leave.

        Raises:
            NotFound: It has left meanwhile.
        """
        await client.drain(self._worker_id)
        # Asking it has shown whether it is alive; so the process is still the worker's,
        # unless it was quick: then there is nobody to kill.
        self._has_left = all(each.id != self._worker_id for each in await client.workers())

    async def wait(self, within: timedelta) -> str:
        """Wait for it to leave, then kill it; say whether it was ``stopped`` or ``killed``."""
        with anyio.move_on_after(within.total_seconds()):
            await anyio.wait_readable(self._process)
            return "stopped"
        if self._has_left:
            return "stopped"
        signal.pidfd_send_signal(self._process, signal.SIGKILL)
        return "killed"

    def close(self) -> None:
        """Let go of the process."""
        os.close(self._process)


def _open(worker: WorkerStatus, *, is_shared: bool) -> int:
    """Return a descriptor of its process; its number may go to another one later."""
    try:
        process = os.pidfd_open(worker.pid)
    except (OSError, AttributeError):
        # Gone, or another machine's; or a system without such descriptors.
        pass
    else:
        with suppress(OSError):
            if _is_its_own(worker, is_shared=is_shared):
                return process
        os.close(process)
    raise NotAllowed(
        f"worker {worker.id} is no process of hotdesk worker run on this machine; only this "
        f"can be done from here: hotdesk worker drain {worker.id}"
    )


def _is_its_own(worker: WorkerStatus, *, is_shared: bool) -> bool:
    command = Path(f"/proc/{worker.pid}/cmdline").read_bytes()
    is_named = f"--id\0{worker.id}\0".encode() in command
    return b"worker\0run" in command and (is_named or not is_shared)
