"""SIGINT and SIGTERM: asked once, a process drains; asked again, it stops."""

import ctypes
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence

import anyio

from hotdesk.errors import NotAllowed

Answer = Callable[[anyio.CancelScope], Coroutine[None, None, None]]
"""What a signal does to the run whose scope it is given."""

PR_SET_PDEATHSIG = 1  # prctl(2).


async def run_until_told(
    run: Callable[[], Awaitable[object]],
    answers: Sequence[Answer],
) -> None:
    """Await *run*; the first signal calls the first of *answers*, the next one the second.

    Each is given the scope of *run*. More signals than answers change nothing.
    """
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with anyio.create_task_group() as tasks:
            scope = anyio.CancelScope()

            async def heed() -> None:
                left = iter(answers)
                async for _ in signals:
                    if answer := next(left, None):
                        # Not awaited: the next signal must not wait for this answer.
                        tasks.start_soon(answer, scope)

            tasks.start_soon(heed)
            with scope:
                await run()
            tasks.cancel_scope.cancel()


def end_with(parent: int) -> None:
    """Have the kernel send SIGTERM to this process when *parent*, which started it, ends.

    On systems other than Linux nothing is sent.

    Raises:
        NotAllowed: It has ended already, or did not start this process.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    # Asked afterwards, so that no end of the parent falls between the two.
    if os.getppid() != parent:
        raise NotAllowed(f"process {parent}, which this one belongs to, is gone")
