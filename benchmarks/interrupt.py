"""``python -m benchmarks.interrupt``: how soon the real Claude Code has stopped for a newer job.

A job is at work in a shell when another one of its thread is submitted: measured from there
until its agent has ended, and until what it had done is committed and pushed. Beside it, in the
same run, the bare program gets a SIGINT at the same point. The model is a scripted one on
loopback, so nothing of this is the model's time.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import anyio
import click
from anyio.streams.text import TextReceiveStream

from benchmarks.figures import percentiles
from benchmarks.machine import Machine
from hotdesk.agents.claude import Claude
from hotdesk.agents.dialect import AgentSettings, Turn
from hotdesk.demo.stage import stage
from tests.agents.model_api import ModelApi, Say, bash, write
from tests.agents.real.house import DESK, House, house
from tests.agents.real.room import CLI, KEY

BEGIN, NEWER, BARE = "begin the work", "go on with it", "work alone"
RUNS = 300
BARE_EVERY = 2
TOLD_EVERY = 25
END_SECONDS_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run, in milliseconds after the newer job was submitted."""

    stopped: float
    pushed: float


@dataclass(slots=True)
class Measured:
    """What was measured so far; ``bare`` are milliseconds after the SIGINT."""

    samples: list[Sample] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)


@click.command()
@click.option("--runs", type=click.IntRange(min=3), default=RUNS, show_default=True)
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object.")
def main(*, runs: int, is_json: bool) -> None:
    """Measure how soon Claude Code is stopped, and what it had done is pushed."""
    if not CLI.is_file():
        raise click.ClickException("Claude Code is missing: make test-agents sets it up")
    measured = Measured()
    try:
        anyio.run(measure, runs, measured)
    finally:
        # Also what was measured before it was told to end, or something went wrong.
        if len(measured.bare) > 1:
            show(measured, is_json=is_json)


def show(measured: Measured, *, is_json: bool) -> None:
    """Print the figures."""
    figures = {
        "bare SIGINT to the end of the program": measured.bare,
        "newer job to the end of the agent": [each.stopped for each in measured.samples],
        "newer job to partial work pushed": [each.pushed for each in measured.samples],
    }
    machine = Machine.this()
    if is_json:
        click.echo(json.dumps({"machine": asdict(machine), "milliseconds": figures}))
        return
    print(f"{machine.cores} cores, {machine.processor}, {machine.kernel}, {machine.commit}")
    print(f"{'milliseconds':<38} {'p50':>7} {'p99':>7} {'least':>7} {'most':>7} samples")
    for name, values in figures.items():
        p50, p99 = percentiles(values)
        spread = f"{p50:7.0f} {p99:7.0f} {min(values):7.0f} {max(values):7.0f}"
        print(f"{name:<38} {spread} {len(values):7}")


async def measure(runs: int, measured: Measured) -> None:
    """Interrupt so many jobs, each in a thread of its own, and a bare program with every other."""
    api = ModelApi()
    work = (write("{cwd}/work.txt", "half of it"), bash("true; sleep 60"))
    # Once more than it should be asked: a run that the machine breaks off goes on afterwards.
    api.on(BEGIN, *work).on(BARE, *work).on(NEWER, Say("done"), Say("done"))
    begun = perf_counter()
    with stage(keep=False) as folder, api.serve():
        async with house(folder, api) as at:
            for number in range(1, runs + 1):
                if number % BARE_EVERY == 1:
                    measured.bare.append(await _bare(folder / "bare", api))
                measured.samples.append(await _interrupted(at, f"t{number}"))
                if number % TOLD_EVERY == 0:
                    seconds = perf_counter() - begun
                    print(f"[{seconds:4.0f} s] {number} of {runs}", file=sys.stderr, flush=True)


async def _interrupted(at: House, thread: str) -> Sample:
    """Have one job interrupted by the next one of *thread*."""
    job = await at.client.submit(DESK, BEGIN, thread=thread)
    # The file, and then the shell, which has been started when the model hears no more.
    await at.happened("ToolUsed", job_id=job.id, times=2)
    begin = datetime.now(UTC)
    newer = await at.client.submit(DESK, NEWER, thread=thread)
    ended = await at.happened("AgentEnded", job_id=job.id)
    saved = await at.happened("PartialSaved", job_id=job.id)
    assert saved.details["commit"], "what was done is pushed"
    await at.happened("JobEnded", job_id=newer.id)
    stopped, pushed = ((each.at - begin).total_seconds() * 1000 for each in (ended, saved))
    return Sample(stopped=stopped, pushed=pushed)


async def _bare(folder: Path, api: ModelApi) -> float:
    """Stop the program alone, without walls, a worker or a repository."""
    workspace, session = folder / "workspace", folder / "session"
    for each in (workspace, session):
        each.mkdir(parents=True, exist_ok=True)
    settings = AgentSettings(program=(str(CLI),), key=KEY, base_url=api.url)
    turn = Turn(prompt=BARE, workspace=workspace, session=session)
    made = Claude().invocation(settings, turn)
    env = {"PATH": os.defpath, "HOME": str(folder), **made.env}
    if os.getuid() == 0:
        env["IS_SANDBOX"] = "1"  # Without walls it wants to hear that root is no danger.
    async with _process(made.argv, workspace, env, made.stdin) as process:
        assert process.stdout is not None
        said = ""
        async for text in TextReceiveStream(process.stdout):
            said += text
            if '"name":"Bash"' in said:
                break
        begin = perf_counter()
        process.send_signal(signal.SIGINT)
        async for _ in process.stdout:
            """Read to its end, as a worker does."""
        await process.wait()
        return (perf_counter() - begin) * 1000


@asynccontextmanager
async def _process(
    argv: tuple[str, ...], cwd: Path, env: dict[str, str], stdin: bytes
) -> AsyncIterator[anyio.abc.Process]:
    process = await anyio.open_process(
        argv, cwd=cwd, env=env, stdin=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        with anyio.fail_after(END_SECONDS_MAX):
            assert process.stdin is not None
            await process.stdin.send(stdin)
            await process.stdin.aclose()
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.aclose()


if __name__ == "__main__":
    main()
