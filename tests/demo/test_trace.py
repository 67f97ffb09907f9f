"""The trace sees agents that work beside each other, whatever anybody says about them."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from hotdesk.demo.trace import Trace

from .conftest import AGENT, Ask, variables

pytestmark = pytest.mark.anyio
SOON = 10
INSTRUCTION = "Make the header navy."


@asynccontextmanager
async def listening(trace: Trace) -> AsyncIterator[tuple[str, str]]:
    """Listen for as long as the block lasts; give the agent's option for it."""
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(trace.run)
        with anyio.fail_after(SOON):
            yield ("--trace", f"127.0.0.1:{port}")
        tasks.cancel_scope.cancel()


async def test_an_agent_tells_of_its_start_its_steps_and_its_end(tmp_path: Path, ask: Ask) -> None:
    trace = Trace(tmp_path / "trace")

    async with listening(trace) as options:
        await to_thread.run_sync(partial(ask, INSTRUCTION, options=options))
        await trace.until("gone", "j1")

    assert [mark.what for mark in trace.marks] == ["start", "step", "gone"]
    assert (tmp_path / "trace").read_text().splitlines() == [
        "1 start amelia/scott j1",
        "1 step amelia/scott j1",
        "1 gone amelia/scott j1",
    ]
    assert trace.overlaps == []


async def test_a_second_agent_on_the_desk_of_one_that_works_is_an_overlap(
    tmp_path: Path, site: Path, ask: Ask
) -> None:
    trace = Trace(tmp_path / "trace")

    other = tmp_path / "other"
    other.mkdir()

    async with listening(trace) as options:
        async with await anyio.open_process(
            [*AGENT, *options, "--pace", "60"],
            cwd=site,
            env=variables(other, id="j0"),
            stdout=subprocess.DEVNULL,
        ) as process:
            assert process.stdin
            await process.stdin.send(INSTRUCTION.encode())
            await process.stdin.aclose()
            await trace.until("step", "j0")
            await to_thread.run_sync(partial(ask, INSTRUCTION, options=options))
            beside = [(one.job, other.job) for one, other in trace.overlaps]
            process.kill()
        await trace.until("gone", "j0")
        await to_thread.run_sync(partial(ask, INSTRUCTION, options=options))
        await trace.until("gone", "j1", times=2)

    assert beside == [("j0", "j1")]
    assert len(trace.overlaps) == 1


async def test_whatever_else_connects_is_not_taken_for_an_agent(tmp_path: Path, ask: Ask) -> None:
    trace = Trace(tmp_path / "trace")

    async with listening(trace) as options:
        port = int(options[1].rpartition(":")[2])
        for words in (b"GET / HTTP/1.1\n", b'{"what": "gone"}\n', b"x" * 100_000, b"\xff\n"):
            async with await anyio.connect_tcp("127.0.0.1", port) as stranger:
                await stranger.send(words)
        await to_thread.run_sync(partial(ask, INSTRUCTION, options=options))
        await trace.until("gone", "j1")

    assert [mark.what for mark in trace.marks] == ["start", "step", "gone"]
