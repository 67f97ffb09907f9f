"""What a program of ours says, made in a process of its own that does not outlive its bound."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

import anyio

from hotdesk.config.environment import variables
from hotdesk.signals import send_signal

# -P: a module of the current folder does not stand in for one of the library.
HOTDESK = (sys.executable, "-P", "-m", "hotdesk")
NICE = 19


async def output_of(
    command: Sequence[str], more: Mapping[str, str], *, seconds: float, is_patient: bool = False
) -> bytes:
    """Both outputs of *command*, run with *more* variables than this process has.

    One that ``is_patient`` gets what time of the processor others leave.

    Raises:
        OSError: It cannot be started.
        TimeoutError: It took longer than *seconds*.
    """
    process = await anyio.open_process(
        command,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        env={**variables(), **more},
    )
    try:
        if is_patient:
            # It may have ended.
            with suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
        said = bytearray()
        with anyio.fail_after(seconds):
            assert process.stdout is not None, "it was asked for"
            async for part in process.stdout:
                said += part
        return bytes(said)
    finally:
        # Before it is closed, which waits for it: the server cancels a request only once.
        send_signal(process, signal.SIGKILL)
        with anyio.CancelScope(shield=True):
            await process.aclose()
