"""Calls in threads that nobody waits for."""

import subprocess
import sys

import pytest

from hotdesk.backends.aws.abandoning import call_abandoning

pytestmark = pytest.mark.anyio

# Far beyond what a start of Python takes, and far below what the call would.
PATIENCE = 15
ABANDONS = """\
import threading
import anyio
from hotdesk.backends.aws.abandoning import call_abandoning

async def main():
    with anyio.move_on_after(0.05):
        await call_abandoning(lambda: threading.Event().wait(60))
    print("left")

anyio.run(main)
"""


async def test_a_call_gives_what_it_returns() -> None:
    assert await call_abandoning(lambda: "said") == "said"


async def test_a_call_raises_what_went_wrong() -> None:
    def fail() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await call_abandoning(fail)


def test_a_call_that_was_left_behind_does_not_hold_up_the_end_of_the_process() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ABANDONS], timeout=PATIENCE, capture_output=True, check=True
    )

    assert ended.stdout == b"left\n"
    assert ended.stderr == b""
