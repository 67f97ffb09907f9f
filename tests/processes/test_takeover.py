"""Takeover between real processes: killed, frozen and drained workers."""

import random
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

import hotdesk
from hotdesk import Client, JobState
from hotdesk.clock import SystemClock
from hotdesk.wiring import open_backend

from .crew import Crew, crew

pytestmark = pytest.mark.anyio
SOON = 15.0
FOR_EVER = "1000"


async def until_started(client: Client, job_id: str, *, not_by: str = "") -> str:
    """Wait until a worker was handed the job; return its id."""
    with anyio.fail_after(SOON):
        async for event in client.events(after=""):
            worker_id = str(event.details.get("worker_id", ""))
            if event.kind == "JobStarted" and event.job_id == job_id and worker_id != not_by:
                return worker_id
    raise AssertionError


async def test_a_killed_workers_job_starts_again_without_waiting_for_the_lease(
    tmp_path: Path,
) -> None:
    with crew(tmp_path, lease_seconds=3600) as people:
        people.start(2)
        async with hotdesk.connect(people.url) as client:
            job = await client.submit("amelia/scott", FOR_EVER)
            first = await until_started(client, job.id)

            people.kill(first)
            second = await until_started(client, job.id, not_by=first)

            taken = await client.job(job.id)
            desk = await client.desk("amelia/scott")
    assert second != first
    assert (taken.state, taken.attempt) == (JobState.RUNNING, 2)
    assert (desk.owner, desk.generation) == (second, 2)


async def test_a_frozen_worker_is_not_taken_for_dead_before_its_lease_has_ended(
    tmp_path: Path,
) -> None:
    with crew(tmp_path, lease_seconds=3600) as people:
        people.start(1)
        async with hotdesk.connect(people.url) as client:
            job = await client.submit("amelia/scott", FOR_EVER)
            first = await until_started(client, job.id)
            people.freeze(first)
            people.start(1)
            other = await client.submit("amelia/ana", "0")
            await client.result(other.id, timeout=SOON)

            desk = await client.desk("amelia/scott")
            people.thaw()

    assert (desk.owner, desk.generation) == (first, 1)


async def test_a_drained_process_hands_its_job_back_and_leaves_nothing(tmp_path: Path) -> None:
    with crew(tmp_path) as people:
        people.start(1)
        async with hotdesk.connect(people.url) as client:
            job = await client.submit("amelia/scott", FOR_EVER)
            await until_started(client, job.id)

            statuses = people.drain()

            queued = await client.job(job.id)
            workers = await client.workers()
    assert statuses == [0]
    assert (queued.state, queued.attempt, queued.given_back) == (JobState.QUEUED, 0, 1)
    assert workers == []
    assert left_in(tmp_path / "hotdesk.db-bell") == set()


async def test_a_pinned_process_serves_its_desk_and_no_other(tmp_path: Path) -> None:
    with crew(tmp_path) as people:
        async with hotdesk.connect(people.url) as client:
            backend = open_backend(people.url)
            await backend.pin([hotdesk.Desk("amelia", "scott")], now=SystemClock().now())
            await backend.close()
            pinned = people.start(pin="amelia/scott")
            own = await client.submit("amelia/scott", "0")
            done = await client.result(own.id, timeout=SOON)
            other = await client.submit("amelia/ana", "0")
            with pytest.raises(TimeoutError):
                await client.result(other.id, timeout=0.5)

            generic = people.start()
            served = await client.result(other.id, timeout=SOON)

    assert done.text == pinned
    assert served.text == generic


@pytest.mark.long
async def test_nothing_is_lost_or_out_of_order_while_workers_are_killed_and_frozen(
    tmp_path: Path,
) -> None:
    dice = random.Random(20)
    with crew(tmp_path, lease_seconds=15) as people:
        people.start(4)
        async with hotdesk.connect(people.url) as client:
            jobs = await client.submit_many(
                [
                    client.new_job(f"shop/user{n % 20}", "0.08", interrupt="never")
                    for n in range(400)
                ]
            )
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(torment, people, dice)
                with anyio.fail_after(240):
                    for job in jobs:
                        await client.result(job.id)
                tasks.cancel_scope.cancel()
            people.thaw()
            await until_registered(client, set(people.alive))
            statuses = people.drain()
            ended = await client.jobs(limit=1000)
            starts_out_of_order, outcomes = await audit(client)
            await sweep(people.url)
            desks = await client.desks(limit=1000)
            workers = await client.workers()

    assert {job.state for job in ended} == {JobState.SUCCEEDED}
    assert len(ended) == len(jobs)
    assert set(outcomes.values()) == {1}
    assert starts_out_of_order == []
    assert people.overlaps() == []
    assert set(statuses) == {0}
    assert workers == []
    assert [d for d in desks if d.owner or d.pending or d.active_job] == []
    assert left_in(tmp_path) == {"hotdesk.db", "hotdesk.db-bell", "trace"}
    assert left_in(tmp_path / "hotdesk.db-bell") == set()


def left_in(folder: Path) -> set[str]:
    """What there is in a folder."""
    return {path.name for path in folder.iterdir()}


async def sweep(url: str) -> None:
    """What `hotdesk up` does every minute."""
    backend = open_backend(url)
    await backend.sweep(retention=None, now=SystemClock().now())
    await backend.close()


async def until_registered(client: Client, worker_ids: set[str]) -> None:
    """Wait until each of these workers has said that it is there."""
    with anyio.fail_after(SOON):
        async for event in client.events(after=""):
            if event.kind == "WorkerStarted":
                worker_ids.discard(str(event.details["worker_id"]))
            if not worker_ids:
                return


async def torment(people: Crew, dice: random.Random) -> None:
    """Kill a worker every moment, and keep one frozen for longer than its lease and margin."""
    clock = SystemClock()
    for round_number in range(1000):
        await clock.sleep(timedelta(milliseconds=dice.randint(200, 900)))
        if round_number % 8 == 1 and not people.frozen:
            people.freeze(people.random_alive(dice))
        else:
            people.kill(people.random_alive(dice))
        people.start()


async def audit(client: Client) -> tuple[list[str], dict[str, int]]:
    """From the events: starts before an older job of the desk had ended, and outcomes per job."""
    waiting: dict[str, list[str]] = defaultdict(list)
    out_of_order = []
    outcomes: dict[str, int] = defaultdict(int)
    with anyio.move_on_after(SOON):
        last = await client._backend.latest_cursor()
        async for event in client.events(after=""):
            queue = waiting[event.desk]
            if event.kind == "JobSubmitted":
                queue.append(event.job_id)
            elif event.kind == "JobStarted" and queue[0] != event.job_id:
                out_of_order.append(event.job_id)
            elif event.kind == "JobEnded":
                queue.remove(event.job_id)
                outcomes[event.job_id] += 1
            if event.cursor == last:
                break
    return out_of_order, outcomes
