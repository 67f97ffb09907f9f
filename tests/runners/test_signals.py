"""A signal does not change how a process is seen to end."""

import os
import signal
from contextlib import suppress

import anyio
import pytest

from hotdesk.signals import send_signal

pytestmark = pytest.mark.anyio

WITHOUT_REAPING = os.WEXITED | os.WNOWAIT


async def test_a_signal_that_comes_too_late_leaves_the_exit_status_to_who_waits() -> None:
    # Who reaps first differs from run to run.
    for _ in range(20):
        process = await anyio.open_process(["sh", "-c", "exit 3"], stdin=None)
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, process.pid, WITHOUT_REAPING)  # noqa: ASYNC222 - it ends at once

        send_signal(process, signal.SIGTERM)

        assert await process.wait() == 3


async def test_a_signal_ends_a_process() -> None:
    process = await anyio.open_process(["sleep", "60"])

    send_signal(process, signal.SIGTERM)

    assert await process.wait() == -signal.SIGTERM


async def test_a_process_that_has_ended_can_be_signalled() -> None:
    process = await anyio.open_process(["true"])
    await process.wait()

    send_signal(process, signal.SIGKILL)

    assert await process.wait() == 0
