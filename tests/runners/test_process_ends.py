"""No process outlives its program, however that and its worker end."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Self

import anyio
import pytest

from hotdesk.clock import SystemClock
from hotdesk.confinement import Limits, Mode
from hotdesk.runners.process import Program, run_program
from tests.runners.programs import Place, living

pytestmark = pytest.mark.anyio

# What leaves something running, as tools do; $0 marks it. The first stays in its group. The
# program goes on when that has begun its own life.
STRAYS = {
    stray: f"{start} until test -e out; do sleep 0.01; done; echo ready"
    for stray, start in {
        "a child": 'sh -c "touch out; sleep 60; : $0" &',
        "a session of its own": 'setsid sh -c "touch out; sleep 60; : $0" &',
        "a daemon": '(setsid sh -c "touch out; sleep 60; : $0" </dev/null >/dev/null 2>&1 &) ;',
        "one that ignores": "setsid sh -c \"trap '' INT TERM; touch out; sleep 60; : $0\" &",
    }.items()
}


def ends(place: Place, stray: str) -> bool:
    """Whether the mode promises to end it."""
    return stray == "a child" or place.confinement.ends_whole_tree


def survives(mark: str) -> bool:
    """Whether a process with *mark* is alive; it is not, after this."""
    found = living(mark)
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    return bool(found)


@pytest.fixture
def mark() -> str:
    return f"stray-{secrets.token_hex(8)}"


@asynccontextmanager
async def running(
    place: Place, script: str, mark: str, ended: anyio.Event | None = None
) -> AsyncIterator[None]:
    """Run *script* until the block ends; enter it when the script says the first word."""
    ready = anyio.Event()

    async def listen(chunk: bytes) -> None:
        ready.set()

    async def run() -> None:
        await run_program(
            Program(argv=("sh", "-c", script, mark), walls=place.walls),
            place.confinement,
            on_start=place.note,
            on_output=listen,
            stop=anyio.sleep_forever,
        )
        if ended is not None:
            ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await ready.wait()
        yield
        tasks.cancel_scope.cancel()


async def gone(mark: str) -> bool:
    """Whether no process with *mark* is left, soon."""
    with anyio.move_on_after(5):
        while living(mark):
            # Nobody tells us of a process that is not ours.
            await SystemClock().sleep(timedelta(milliseconds=10))
    return not living(mark)


@pytest.mark.parametrize("stray", STRAYS)
async def test_what_a_program_leaves_running_ends_with_it(
    place: Place, stray: str, mark: str
) -> None:
    end, output = await place.run("", argv=("sh", "-c", STRAYS[stray], mark))

    assert (end.exit_code, output) == (0, "ready\n")
    assert survives(mark) != ends(place, stray)


@pytest.mark.parametrize("stray", STRAYS)
async def test_a_cancelled_program_is_gone_with_its_children_when_the_cancel_returns(
    place: Place, stray: str, mark: str
) -> None:
    with anyio.fail_after(5):
        async with running(place, f"{STRAYS[stray]}; sleep 60; : $0", mark):
            assert living(mark)

    assert survives(mark) != ends(place, stray)


@pytest.mark.parametrize("stray", STRAYS)
async def test_without_a_namespace_or_a_user_of_its_own_only_the_group_ends(
    place: Place, stray: str, mark: str
) -> None:
    groups = replace(place.confinement, mode=Mode.GROUPS, uid=None)
    place = replace(place, confinement=groups)

    end, output = await place.run("", argv=("sh", "-c", STRAYS[stray], mark))

    assert not groups.ends_whole_tree
    assert (end.exit_code, output) == (0, "ready\n")
    assert survives(mark) == (stray != "a child")


async def test_a_fork_bomb_is_bounded(place: Place) -> None:
    walls = replace(place.walls, limits=Limits(processes=30))
    # Bounded by itself as well: 200 children, should the limit not hold.
    script = "for i in $(seq 200); do sleep 60 & echo born; done; echo all"

    _, output = await place.run(script, walls=walls)

    if place.confinement.limits_processes:
        assert 10 < output.count("born") < 30
    else:
        assert "all" in output


@pytest.mark.parametrize("kill_first", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_killed_worker_leaves_nothing_running(
    place: Place, mark: str, kill_first: signal.Signals
) -> None:
    with started_worker(place, mark) as worker:
        assert living(mark)

        worker.send_signal(kill_first)
        worker.send_signal(signal.SIGKILL)
        worker.wait()

        if place.confinement.has_namespace:
            assert await gone(mark)
        else:
            # Who takes the desk over ends them: their group was noted.
            assert survives(mark)


async def test_a_worker_killed_before_the_gate_opens_leaves_nothing(
    place: Place, mark: str
) -> None:
    with started_worker(place, mark, is_held_at_gate=True) as worker:
        worker.kill()
        worker.wait()

        assert await gone(mark)


async def test_the_noted_processes_are_enough_to_end_a_program(place: Place, mark: str) -> None:
    ended = anyio.Event()
    async with running(place, STRAYS["a daemon"] + "; sleep 60", mark, ended):
        for pid in place.pids:
            os.kill(pid, signal.SIGKILL)

        with anyio.fail_after(5):
            await ended.wait()

    assert survives(mark) != place.confinement.ends_whole_tree


def started_worker(place: Place, mark: str, *, is_held_at_gate: bool = False) -> "Worker":
    return Worker(
        [
            *(sys.executable, str(Path(__file__).with_name("one_program.py"))),
            *(place.confinement.mode, str(place.confinement.uid), str(place.root)),
            *("gate" if is_held_at_gate else "run", STRAYS["a daemon"] + "; sleep 60; : $0", mark),
        ]
    )


class Worker(subprocess.Popen[bytes]):
    """A process that runs one program; ready when it has said a line."""

    def __init__(self, command: list[str]) -> None:
        super().__init__(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
        assert self.stdout is not None
        assert self.stdout.readline() == b"ready\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        super().__exit__(None, None, None)
