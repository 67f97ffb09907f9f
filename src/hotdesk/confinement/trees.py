"""The processes of one program: signalling the program itself, and ending all of them.

The outermost process is bubblewrap, ``unshare`` or the program. In a namespace the kernel
ends every other process with the first one. Inner processes are held by file descriptors,
because a number may come to mean somebody else's process.
"""

import os
import signal
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import anyio
from anyio.abc import Process

from hotdesk.confinement.modes import SHELL, Confinement
from hotdesk.errors import AttemptFailed
from hotdesk.signals import send_signal

END_SECONDS_MAX = 10
"""How long SIGKILL may take. Only a process that hangs in the kernel takes longer."""
POLL_SECONDS = 0.01


class Tree:
    """A started program with everything that it starts. Whoever made it must ``end`` it."""

    def __init__(self, process: Process, confinement: Confinement) -> None:
        self._process = process
        self._confinement = confinement
        self._held = ExitStack()
        self._is_killed = False
        self._first: int | None = None  # Descriptor of the first process in the namespace.
        self._program: int | None = None  # Descriptor of the program, in a namespace.
        self.pids: tuple[int, ...] = (process.pid,)

    def find_program(self) -> None:
        """Find the processes that matter; ``pids`` are then those worth noting elsewhere.

        Until the gate opens there are only bubblewrap or ``unshare``, the first process of
        the namespace, and the gate.

        Raises:
            AttemptFailed: They are not where they should be.
        """
        if self._confinement.has_namespace:
            first, self._first = self._only_child(self._process.pid)
            _, self._program = self._only_child(first)
            self.pids = (self._process.pid, first)

    @property
    def program(self) -> int:
        """A descriptor of the program; there is one in a namespace, once it was found."""
        assert self._program is not None, "find_program found it"
        return self._program

    def signal(self, number: signal.Signals) -> None:
        """Signal the program, and not what is around it. One that has ended stays so."""
        if self._program is None:
            send_signal(self._process, number)
            return
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._program, number)

    def kill(self) -> None:
        """Kill everything that can be told from others now, without waiting for it."""
        self._is_killed = True
        with suppress(ProcessLookupError):
            if self._first is not None:
                signal.pidfd_send_signal(self._first, signal.SIGKILL)
        send_signal(self._process, signal.SIGKILL)

    async def wait(self) -> int:
        """Return the program's exit code; 128 + the signal that ended it, as in a shell.

        A program that was killed with ``kill`` counts as killed.
        """
        code = await self._process.wait()
        if self._is_killed:
            # `unshare` may see the end of its child before its own, and has a code for that.
            return 128 + signal.SIGKILL
        return code if code >= 0 else 128 - code

    async def end(self) -> None:
        """Kill what is left and return once it is gone; bounded, and not to be interrupted.

        To be called once.

        Raises:
            AttemptFailed: Something outlives SIGKILL, so nobody may use its workspace.
        """
        with self._held, anyio.move_on_after(END_SECONDS_MAX, shield=True):
            self.kill()
            await self._process.wait()
            if self._first is not None:
                # The kernel lets it end as the last of its namespace.
                await anyio.wait_readable(self._first)
            if not self._confinement.has_namespace:
                await _end_group(self._process.pid, self._confinement.uid)
            return
        raise AttemptFailed(f"processes of the program outlive SIGKILL, see {self.pids}")

    def _only_child(self, parent: int) -> tuple[int, int]:
        """Return the number of the only child, and a descriptor that means it for ever."""
        children = Path(f"/proc/{parent}/task/{parent}/children")
        with suppress(OSError, ValueError):
            pid = int(children.read_text())
            descriptor = os.pidfd_open(pid)
            self._held.callback(os.close, descriptor)
            # Looked at again, now that the number cannot go to another process any more.
            if int(children.read_text()) == pid:
                return pid, descriptor
        raise AttemptFailed("the program was ended while it was started")


async def _end_group(group: int, uid: int | None) -> None:
    """Kill a process group and, where they have a user of their own, all that left it."""
    while True:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
        if uid is not None:
            # As that user, because the kernel then misses none: not even one being forked.
            await anyio.run_process(
                [SHELL, "-c", "kill -9 -1"], check=False, user=uid, group=uid, extra_groups=()
            )
        if not _is_anybody_left(group, uid):
            return
        await anyio.sleep(POLL_SECONDS)


def _is_anybody_left(group: int, uid: int | None) -> bool:
    if sys.platform != "linux":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, 0)
            return True
        return False
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                lines = (folder / "status").read_text().splitlines()
                said = {name: value.split() for name, _, value in (s.partition(":") for s in lines)}
                is_ours = said["NSpgid"][0] == str(group) or str(uid) in said["Uid"]
                # A container may have nobody who takes away what is dead.
                if is_ours and said["State"][0] not in ("Z", "X"):
                    return True
    return False
