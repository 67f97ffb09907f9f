"""Signalling a child process without taking its exit status from whoever waits for it."""

import os
import signal
from contextlib import suppress

from anyio.abc import Process


def send_signal(process: Process, number: signal.Signals) -> None:
    """Signal *process*; one that has ended already stays as it ended.

    ``Process.send_signal`` looks whether the process has ended and, if so, reaps it:
    the event loop, which reaps it as well, then finds nothing and reports status 255.
    """
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
