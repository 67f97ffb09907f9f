"""Workers as a page: who they are, and how they are asked to leave."""

import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
import pytest
from anyio.abc import Process

from hotdesk.clock import SystemClock
from hotdesk.desks import Claim, Delivery, Desk
from hotdesk.ports import Backend, WorkerCard
from hotdesk.web.upkeep import Upkeep
from tests.web.conftest import Web, served
from tests.web.reading import element, words

pytestmark = pytest.mark.anyio

LEASE = timedelta(seconds=90)
# What stands there makes it a worker to whoever looks; it never heeds that it is to leave.
PROGRAM = "import sys; print('up', flush=True); sys.stdin.read()"


@asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[Process]:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    async with await anyio.open_process(command, stderr=None) as started:
        assert started.stdout is not None
        await started.stdout.receive()
        try:
            yield started
        finally:
            if started.returncode is None:
                started.kill()


async def register(
    web: Web, name: str, pid: int = 1, *, ago: timedelta = timedelta(0), pinned: str = ""
) -> None:
    card = WorkerCard(id=name, pid=pid, pinned=Desk.parse(pinned) if pinned else None)
    await web.backend.register(card, now=SystemClock().now() - ago)


async def run(web: Web, name: str) -> None:
    """Let a worker be handed the next job."""
    now = SystemClock().now()
    claim = await web.backend.claim(name, wait=timedelta(0), lease=LEASE, now=now)
    assert isinstance(claim, Claim)
    assert isinstance(await web.backend.next_job(claim, wait=timedelta(0), now=now), Delivery)


async def row(web: Web, name: str) -> str:
    """What the page says of a worker, in words."""
    return words(element((await web.operator.get("/workers")).text, f"worker-{name}"))


async def test_a_worker_is_shown_with_what_it_does(web: Web) -> None:
    await register(web, "w1", os.getpid())
    await register(web, "w2", pinned="bakery/ben")
    await web.client.submit("bakery/ana", "blue", id="j1")
    await run(web, "w1")

    shown = (await web.viewer.get("/workers")).text

    assert (await row(web, "w1")).startswith("w1 Busy bakery · ana j1 ")
    assert (await row(web, "w2")).startswith("w2 pinned to bakery · ben Warm none none ")
    assert 'href="/jobs/j1"' in shown
    assert '<dialog id="drain-w1"' not in shown


async def test_who_is_not_heard_of_any_more_is_silent(web: Web) -> None:
    await register(web, "w1", ago=timedelta(minutes=3))
    await register(web, "w2", ago=timedelta(minutes=1))

    assert (await row(web, "w1")).startswith("w1 Silent")
    assert (await row(web, "w2")).startswith("w2 Warm")
    assert "forgotten by the sweep" in (await web.viewer.get("/workers")).text


async def test_memory_is_that_of_a_worker_of_this_machine_and_of_nobody_else(
    backend: Backend,
) -> None:
    async with (
        process("worker", "run", "--id", "w1") as ours,
        process("another") as other,
        served(backend) as web,
        served(backend, upkeep=Upkeep(is_shared=True)) as shared,
    ):
        await register(web, "w1", ours.pid)
        await register(web, "w2", ours.pid)
        await register(web, "w3", other.pid)

        alone = [await row(web, name) for name in ("w1", "w2", "w3")]
        among_machines = [await row(shared, name) for name in ("w1", "w2", "w3")]

    assert [bool(re.search(r" [1-9]\d* MiB ", each)) for each in alone] == [True, True, False]
    assert [" MiB " in each for each in among_machines] == [True, False, False]
    assert [("Stop…" in each) == (" MiB " in each) for each in alone + among_machines] == [True] * 6
    assert all("Drain…" in each for each in alone + among_machines)


async def test_a_worker_is_drained(web: Web) -> None:
    await register(web, "w1")

    asked = (await web.operator.get("/workers")).text
    drained = await web.operator.post("/workers/w1/drain")
    missing = await web.operator.post("/workers/nobody/drain")

    assert "Drain 1 worker?</h2>" in asked
    assert drained.json() == {"said": "Worker w1 is draining.", "to": "/workers"}
    assert missing.status_code == 404
    assert (await row(web, "w1")).startswith("w1 Draining")
    last = (await web.backend.events())[-1]
    assert (last.details["action"], last.details["by"]) == ("drain", "otto")


async def test_a_worker_that_does_not_leave_is_killed_behind_the_answer(backend: Backend) -> None:
    upkeep = Upkeep(leaving=timedelta(seconds=0.3))
    async with process("worker", "run") as ours, served(backend, upkeep=upkeep) as web:
        await register(web, "w1", ours.pid)

        stopped = await web.operator.post("/workers/w1/stop")
        was_alive = ours.returncode is None
        with anyio.fail_after(10):
            ended = await ours.wait()

        assert stopped.json()["said"] == "Worker w1 is asked to leave."
        assert (was_alive, ended) == (True, -signal.SIGKILL)
        assert [worker.state for worker in await web.client.workers()] == ["draining"]
        assert (await web.backend.events())[-1].details["action"] == "stop"


async def test_a_process_that_is_no_worker_of_this_machine_is_left_alone(
    backend: Backend,
) -> None:
    upkeep = Upkeep(leaving=timedelta(0), is_shared=True)
    async with (
        process("another") as other,
        process("worker", "run", "--id", "w9") as ninth,
        served(backend, upkeep=upkeep) as web,
    ):
        await register(web, "w1", other.pid)
        await register(web, "w2", ninth.pid)

        answers = [await web.operator.post(f"/workers/{name}/stop") for name in ("w1", "w2")]
        missing = await web.operator.post("/workers/nobody/stop")

        assert [each.status_code for each in (*answers, missing)] == [409, 409, 404]
        assert "hotdesk worker drain w1" in answers[0].json()["detail"]
        assert (other.returncode, ninth.returncode) == (None, None)
        assert [worker.state for worker in await web.client.workers()] == ["warm", "warm"]


async def test_who_only_looks_asks_nobody_to_leave(web: Web) -> None:
    await register(web, "w1")

    for action in ("drain", "stop"):
        assert (await web.viewer.post(f"/workers/w1/{action}")).status_code == 403
    assert [worker.state for worker in await web.client.workers()] == ["warm"]


async def test_without_workers_it_says_who_starts_them(web: Web) -> None:
    assert "No worker runs. The pool starts" in (await web.viewer.get("/workers")).text
