"""One invocation: an event loop and connections that stay, a bound in time, lines of a log.

Between two invocations the process may be frozen, or gone: nothing runs on after one.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import anyio

from hotdesk.clock import SystemClock
from hotdesk.errors import HotdeskError
from hotdesk.wiring.stack import Stack, open_stack

T = TypeVar("T")

# Kept for what must still be said and closed when the work is broken off.
MARGIN_SECONDS = 5
SHORTEST_SECONDS = 1


class Context(Protocol):
    """What Lambda tells of an invocation."""

    def get_remaining_time_in_millis(self) -> int:
        """How long it may still take."""
        ...


class NotDone(HotdeskError):
    """Something is left to be done: AWS invokes again with the same event, then keeps it."""


class _Process:
    """What one process keeps between its invocations."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.stack: Stack | None = None


_process: list[_Process] = []


def run(work: Callable[[Stack], Awaitable[T]], context: Context) -> T:
    """Do *work* on the stack of this process, within the time that is left.

    Raises:
        NotDone: The time was over.
        HotdeskError: Whatever *work* raises.
    """
    if not _process:
        _process.append(_Process())
    process = _process[0]
    left = context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS

    async def bounded() -> T:
        try:
            with anyio.fail_after(max(left, SHORTEST_SECONDS)):
                process.stack = await open_stack(process.stack)
                return await work(process.stack)
        except TimeoutError as error:
            raise NotDone("the time of this invocation was over; it is done again") from error

    return process.runner.run(bounded())


def say(event: str, *, level: str = "info", **facts: object) -> None:
    """Write one line to the log: what happened, never what a mail says."""
    at = SystemClock().now().isoformat(timespec="milliseconds")
    line = json.dumps({"timestamp": at, "level": level, "event": event, **facts})
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def say_failure(event: str, error: Exception, **facts: object) -> None:
    """Write why something was not done. The text of an error that is not ours may hold anything."""
    reason = str(error) if isinstance(error, HotdeskError) else type(error).__name__
    say(event, level="error", error=type(error).__name__, reason=reason, **facts)
