"""The command line in an empty folder, with a home of its own; and workers for its jobs."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from hotdesk import Context, Job
from hotdesk.cli.main import run as run_command
from hotdesk.clock import SystemClock
from hotdesk.lifecycle import Limits
from hotdesk.ports import WorkerCard
from hotdesk.runners.function import FunctionRunner, Handler
from hotdesk.session import WorkerLimits
from hotdesk.wiring import client_of, open_backend
from hotdesk.worker import Worker
from tests.cli.program import Program

URL = "sqlite:///hotdesk.db"
TASKS = """\
import anyio

async def handle(job, context):
    await context.log(f"working on {job.instruction}\\n")
    if job.instruction == "fail":
        raise RuntimeError("it is broken")
    if job.instruction == "long":
        await context.interrupted.wait()
        return None
    if job.instruction == "nap":
        await anyio.sleep(2)
    return f"done: {job.instruction}"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """What it printed as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def record(self) -> dict[str, Any]:
        """The one object that it printed."""
        (record,) = self.records
        return record


Run = Callable[..., Ran]
Serve = Callable[..., None]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def run(*arguments: str) -> Ran:
        capfd.readouterr()
        code = run_command(arguments)
        out, err = capfd.readouterr()
        return Ran(code=code, out=out, err=err)

    return run


@pytest.fixture
def send(run: Run) -> Callable[..., str]:
    """Send an instruction and return the id of its job."""

    def send(instruction: str, *options: str, desk: str = "amelia/scott") -> str:
        sent = run("send", "--desk", desk, "-m", instruction, "--json", *options)
        return str(sent.record["job"])

    return send


async def answer(job: Job, context: Context) -> str:
    """Do the instruction, or fail when that is the instruction."""
    await context.log(f"working on {job.instruction}\n")
    if job.instruction == "fail":
        raise RuntimeError("it is broken")
    return f"done: {job.instruction}"


@pytest.fixture
def serve(here: Path) -> Serve:
    """Run a worker in this process until every job has ended."""

    def serve(handler: Handler = answer) -> None:
        anyio.run(_serve, handler)

    return serve


async def _serve(handler: Handler) -> None:
    backend = open_backend(URL, limits=Limits(backoff=timedelta(0)))
    card = WorkerCard(id="w1", pid=os.getpid())
    limits = WorkerLimits(linger=timedelta(0))
    worker = Worker(card, backend, FunctionRunner(handler), SystemClock(), limits)
    client = client_of(backend)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worker.run)
        for job in await client.jobs():
            await client.result(job.id)
        await worker.drain()
    await backend.close()


@pytest.fixture
def start(here: Path) -> Iterator[Callable[..., Program]]:
    """Start a command as a process of its own; it is ended with the test."""
    (here / "tasks.py").write_text(TASKS)
    programs: list[Program] = []

    def start(*arguments: str, **variables: str) -> Program:
        programs.append(Program(arguments, here, variables))
        return programs[-1]

    yield start
    for program in programs:
        program.end()
