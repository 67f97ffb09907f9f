"""Another process on the same store: opens it, does one thing, says so, and waits to be ended."""

import os
import resource
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.desks import Delivery, Desk, NewJob
from hotdesk.errors import StoreError, Unavailable
from hotdesk.lifecycle import LEASE
from hotdesk.ports import WorkerCard
from hotdesk.testing.scene import NOW

NOBODY = 65534
clock = SystemClock()


def say(word: str) -> None:
    """Tell the test how far this process is."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def a_job(job_id: str) -> NewJob:
    """A job for a desk of its own name."""
    return NewJob(id=job_id, desk=Desk("peer", "peer"), thread="t", instruction="x" * 1000)


async def create(path: Path, job_id: str) -> None:
    """Open the store when told to, at the same moment as others, and submit a job."""
    say("ready")
    sys.stdin.readline()
    backend = SqliteBackend(path, clock)
    await backend.submit([a_job(job_id)], now=clock.now())
    await backend.close()
    say("done")


async def hold(path: Path, worker_id: str) -> None:
    """Claim a desk, run its job, and stop answering."""
    backend = SqliteBackend(path, clock)
    await backend.register(WorkerCard(id=worker_id, pid=os.getpid()), now=clock.now())
    claim = await backend.claim(worker_id, wait=NOW, lease=LEASE, now=clock.now())
    assert claim is not None
    assert isinstance(await backend.next_job(claim, wait=NOW, now=clock.now()), Delivery)
    say("holding")
    await anyio.sleep_forever()


async def write(path: Path) -> None:
    """Submit job after job until the test ends this process."""
    backend = SqliteBackend(path, clock)
    number = 0
    while True:
        await backend.submit([a_job(f"job-{number}")], now=clock.now())
        number += 1
        if number == 1:
            say("writing")


async def fill(path: Path, size: str) -> None:
    """Submit until files may not grow; say which jobs were confirmed, and how it ended."""
    backend = SqliteBackend(path, clock)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))
    number = 0
    while True:
        try:
            await backend.submit([a_job(f"peer-{number}")], now=clock.now())
        except Unavailable as error:
            say(f"{number} {error.committed}")
            os._exit(0)
        number += 1


async def read_only(path: Path) -> None:
    """Open the store as somebody who may only read it."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        SqliteBackend(path, clock)
    except StoreError as error:
        say(f"refused: {error}")
    else:
        say("opened")


if __name__ == "__main__":
    _, file, action, *arguments = sys.argv
    actions: dict[str, Callable[..., Awaitable[None]]] = {
        each.__name__: each for each in (create, hold, write, fill, read_only)
    }
    anyio.run(actions[action], Path(file), *arguments)
