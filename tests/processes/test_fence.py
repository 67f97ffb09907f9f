"""A frozen worker, a takeover and a real git origin: what is stale stays out."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio
import pytest

import hotdesk
from hotdesk import JobState
from hotdesk.confinement import find_confinement
from tests.workspaces.origins import BareOrigin, git

pytestmark = [pytest.mark.anyio, pytest.mark.long]
LEASE_AND_MARGIN = 15 + 15
SOON = 20.0

# The first push waits in the middle: git has told it where the branch stands, and has not
# moved the branch yet.
HOOK = """#!/bin/sh
if mkdir {folder}/waiting 2>/dev/null; then
    until [ -e {folder}/go ]; do sleep 0.05; done
fi
"""
CONFIG = """
backend = "sqlite:///{folder}/hotdesk.db"
data_dir = "{folder}/data"
[worker]
lease_seconds = 15
[confinement]
mode = "{mode}"
[projects.amelia]
repo = "{folder}/origin.git"
command = ["sh", "-c", '''{agent}''']
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the agents' user can reach."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def origin(folder: Path) -> BareOrigin:
    """A repository with a first commit."""
    made = BareOrigin.make(folder / "origin.git")
    made.person_pushes({"index.html": "hello\n"})
    return made


@contextmanager
def worker(folder: Path, worker_id: str, agent: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process, from the command line, that has ended when the block has."""
    config = folder / f"{worker_id}.toml"
    mode = find_confinement().best.mode
    config.write_text(CONFIG.format(folder=folder, agent=agent, mode=mode))
    command = [sys.executable, "-m", "hotdesk", "--config", str(config), "worker", "run"]
    process = subprocess.Popen([*command, "--id", worker_id], cwd=folder)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
            process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait(10)


def go(folder: Path) -> None:
    """Let the push that waits go on."""
    (folder / "go").touch()


async def until_exists(folder: Path, name: str) -> None:
    """Wait for a file of this name, somewhere in *folder*, that another process makes."""
    with anyio.fail_after(SOON):
        while not find(folder, name):
            await anyio.run_process(["sleep", "0.05"])


def find(folder: Path, name: str) -> list[Path]:
    """Files of a name."""
    return [*folder.rglob(name)]


async def test_a_push_that_was_frozen_halfway_is_refused_after_the_takeover(
    folder: Path, origin: BareOrigin
) -> None:
    hook = origin.path / "hooks" / "pre-receive"
    hook.write_text(HOOK.format(folder=folder))
    hook.chmod(0o755)
    async with hotdesk.connect(f"sqlite:///{folder}/hotdesk.db") as client:
        with worker(folder, "w1", "echo stale >> work.txt") as frozen:
            job = await client.submit("amelia/scott", "stale", thread="t1")
            await until_exists(folder, "waiting")
            frozen.send_signal(signal.SIGSTOP)

            with worker(folder, "w2", "echo fresh >> work.txt"):
                done = await client.result(job.id, timeout=LEASE_AND_MARGIN + SOON)
                go(folder)
                frozen.send_signal(signal.SIGCONT)
                follower = await client.submit("amelia/scott", "after", thread="t1")
                after = await client.result(follower.id, timeout=SOON)
        events = await client.timeline(job.id)

    assert (done.state, done.generation) == (JobState.SUCCEEDED, 2)
    assert after.state is JobState.SUCCEEDED
    assert [e.kind for e in events].count("JobEnded") == 1
    log = git("log", "--format=%B", "hotdesk/scott/t1", at=origin.path)
    assert "Hotdesk-Takeover: true" in log
    assert "Hotdesk-Generation: 1\n" not in log
    assert git("show", "hotdesk/scott/t1:work.txt", at=origin.path) == "fresh\nfresh"


async def test_the_agent_of_a_frozen_worker_is_ended_and_cannot_write_where_the_new_owner_works(
    folder: Path, origin: BareOrigin
) -> None:
    # Unlike anything else on this machine, since its processes are looked for by it.
    mark = f"stale-{folder.name}"
    agent = f"while :; do date +%N >> {mark}; sleep 0.02; done"
    async with hotdesk.connect(f"sqlite:///{folder}/hotdesk.db") as client:
        with worker(folder, "w1", agent) as frozen:
            job = await client.submit("amelia/scott", "stale", thread="t1")
            await until_exists(folder, mark)
            frozen.send_signal(signal.SIGSTOP)

            with worker(folder, "w2", "echo fresh > fresh.txt; sleep 1"):
                done = await client.result(job.id, timeout=LEASE_AND_MARGIN + SOON)
                still_there = running(mark)

    assert done.result is not None
    assert done.result.changes == ("fresh.txt +1 -0",)
    assert still_there == []
    files = git("ls-tree", "--name-only", "hotdesk/scott/t1", at=origin.path).split()
    assert files == ["fresh.txt", "index.html"]


def running(text: str) -> list[str]:
    """The processes that have *text* in their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if text.encode() in process.joinpath("cmdline").read_bytes():
                found.append(process.name)
    return found
