"""Calls in threads that nobody waits for."""

import subprocess
import sys
import threading
from typing import Self, cast

import anyio
import boto3
import pytest

from hotdesk.backends.aws.abandoning import Call
from hotdesk.backends.aws.calls import Calls

pytestmark = pytest.mark.anyio

# Far beyond what a start of Python takes, and far below what the call would.
PATIENCE = 15
ABANDONS = """\
import threading
import anyio
from hotdesk.backends.aws.abandoning import Call
from hotdesk.backends.aws.calls import Calls

async def main():
    with anyio.move_on_after(0.05):
        await Call(lambda: threading.Event().wait(60)).result()
    print("left")

anyio.run(main)
"""


async def test_a_call_gives_what_it_returns() -> None:
    assert await Call(lambda: "said").result() == "said"


async def test_a_call_raises_what_went_wrong() -> None:
    def fail() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await Call(fail).result()


async def test_a_call_that_was_left_is_there_for_who_comes_again() -> None:
    goes_on = threading.Event()
    call = Call(goes_on.wait)
    with anyio.move_on_after(0.01) as first:
        await call.result()

    goes_on.set()

    assert first.cancelled_caught
    assert await call.result()


class Slow:
    """Stands for boto3's session and its client: a poll that lasts until the message comes."""

    def __init__(self) -> None:
        self.comes = threading.Event()
        self.polls = 0

    def client(self, *_: object, **__: object) -> Self:
        return self

    def get_credentials(self) -> Self:
        return self

    def receive_message(self, **_: object) -> dict[str, object]:
        self.polls += 1
        self.comes.wait(PATIENCE)
        return {"Messages": [{"Body": "ring"}]}

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("is_ours", "polls"), [(True, 1), (False, 2)])
async def test_what_an_abandoned_poll_receives_is_for_the_next_one_if_nobody_else_reads_there(
    *, is_ours: bool, polls: int
) -> None:
    slow = Slow()
    calls = Calls("eu-west-1", session=cast("boto3.session.Session", slow))
    with anyio.move_on_after(0.01):
        await calls.poll("a queue", is_ours=is_ours)

    slow.comes.set()
    received = await calls.poll("a queue", is_ours=is_ours)

    assert received == [{"Body": "ring"}]
    assert slow.polls == polls


def test_a_call_that_was_left_behind_does_not_hold_up_the_end_of_the_process() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ABANDONS], timeout=PATIENCE, capture_output=True, check=True
    )

    assert ended.stdout == b"left\n"
    assert ended.stderr == b""
