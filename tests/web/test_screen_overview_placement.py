"""The card of placements: what others would have cost with the jobs of the last day."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from hotdesk.clock import SystemClock
from hotdesk.desks import Claim, Delivery, Desk, NewJob, Outcome
from hotdesk.lifecycle import LEASE
from hotdesk.placement import PoolLimits
from hotdesk.planner.bill import Where
from hotdesk.ports import Backend, WorkerCard
from hotdesk.web import comparing as module
from hotdesk.web.comparing import EVERY, JOBS_MIN, Comparing, Comparison, Placed
from tests.web.conftest import Web, served
from tests.web.pages import Page
from tests.web.reading import element, words

pytestmark = pytest.mark.anyio
NOW = timedelta(0)
POOL = PoolLimits(workers_min=1, workers_max=3)


async def run_jobs(backend: Backend, count: int, *, first: int = 0) -> None:
    """So many jobs at two desks, each done by one worker."""
    clock = SystemClock()
    await backend.register(WorkerCard(id="w1", pid=1), now=clock.now())
    for number in range(first, first + count):
        desk = Desk("amelia", f"u{number % 2}")
        job = NewJob(id=f"j{number}", desk=desk, thread="t", instruction="x")
        await backend.submit([job], now=clock.now())
        claim = await backend.claim("w1", wait=NOW, lease=LEASE, now=clock.now())
        assert isinstance(claim, Claim)
        delivery = await backend.next_job(claim, wait=NOW, now=clock.now())
        assert isinstance(delivery, Delivery)
        await backend.settle(delivery, Outcome.succeeded(), and_next=False, now=clock.now())
        await backend.release(claim, now=clock.now())


def program(code: str) -> Comparing:
    """One whose program is another one."""
    made = Comparing(POOL)
    made._command = [sys.executable, "-c", code]
    return made


async def card(web: Web) -> str:
    page = Page(await web.viewer.get("/", follow_redirects=False))
    return words(element(page.html, "placement"))


async def compared(web: Web) -> str:
    """The card once there is something to see."""
    with anyio.fail_after(20):
        writes = web.feed.writes
        while "being played" in (told := await card(web)):
            await web.feed.written(writes, wait=0.1)
    return told


async def test_too_few_jobs_are_not_compared(web: Web, backend: Backend) -> None:
    await run_jobs(backend, 2)

    told = await card(web)

    assert f"2 jobs started in the last 24 hours: from {JOBS_MIN} on" in told


async def test_the_jobs_of_the_day_are_played_by_the_planner_in_the_background(
    backend: Backend, tmp_path: Path
) -> None:
    await run_jobs(backend, JOBS_MIN)
    comparing = Comparing(POOL, ["--backend", f"sqlite:///{tmp_path / 'hotdesk.db'}"])
    async with served(backend, comparing=comparing) as web:
        assert "are being played through other placements" in await card(web)

        told = await compared(web)

    assert comparing.problem == ""
    assert told.startswith(f"What placements cost {JOBS_MIN} jobs of the last 24 hours")
    assert "One worker per desk always on, 2 desks" in told
    assert "On demand started by its work, up to 3" in told
    assert "This pool 1 to 3 workers" in told
    # Two desks have room on one server, and so have three workers.
    assert told.count("$60.00") == 4
    assert "This pool costs as much as one worker per desk, and gives 95 % of jobs" in told


async def test_who_looks_sees_it_without_a_new_event(backend: Backend) -> None:
    await run_jobs(backend, JOBS_MIN)
    async with served(backend, comparing=program("import time; time.sleep(0.3)")) as web:
        with anyio.fail_after(10):
            async with web.viewer.stream("GET", "/live", params={"of": "/"}) as answer:
                async for line in answer.aiter_lines():
                    if "Placements were not compared" in line:
                        break


@pytest.mark.parametrize(
    "code",
    [
        "",
        "print('error: no')",
        "print('{}')",
        "print('[1]')",
        "print('{\"placement\": 1}\\n{}')",
        "raise SystemExit(3)",
    ],
)
async def test_a_program_that_says_something_else_is_told_of(backend: Backend, code: str) -> None:
    await run_jobs(backend, JOBS_MIN)
    async with served(backend, comparing=program(code)) as web:
        told = await compared(web)

    assert "Placements were not compared: it did not work. Try hotdesk plan --recorded 1." in told


async def test_a_program_that_takes_too_long_is_ended(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS_MAX", 0.2)
    await run_jobs(backend, JOBS_MIN)
    async with served(backend, comparing=program("import time; time.sleep(60)")) as web:
        told = await compared(web)

    assert "it took longer than 0 seconds" in told


async def test_it_is_made_while_somebody_looks_and_not_again_for_a_while(
    backend: Backend, tmp_path: Path
) -> None:
    await run_jobs(backend, JOBS_MIN)
    runs = tmp_path / "runs"
    made = program(f"open({str(runs)!r}, 'a').write('x')")
    async with served(backend, comparing=made) as web:
        # Nobody looks yet, so nothing comes, however long one waits.
        await web.feed.written(web.feed.writes, wait=0.1)
        assert not runs.exists()
        await compared(web)
        for _ in range(3):
            await card(web)
        assert runs.read_text() == "x"

        made.look(SystemClock().now() + EVERY)
        with anyio.fail_after(10):
            writes = web.feed.writes
            while runs.read_text() != "xx":
                await web.feed.written(writes, wait=0.1)


async def test_without_a_pool_there_is_nothing_to_compare(backend: Backend) -> None:
    made = Comparing(PoolLimits(workers_min=0, workers_max=0))
    async with served(backend, comparing=made) as web:
        assert "Every worker here is of one desk." in await card(web)


def said(*, least: int = 1, most: int = 3, is_cut: bool = False, days: float = 1.0) -> bytes:
    """What the planner says of three placements, and one that is not shown."""
    figures = {
        "dedicated, always on": (744.0, 1440.0, 0.0),
        "dedicated, 0 to 1": (96.0, 200.0, 50.0),
        f"warm pool, {least} to {most}" if least else f"on demand, 0 to {most}": (192, 374.4, 5.0),
    }
    if least:
        figures[f"on demand, 0 to {most}"] = (50.0, 100.0, 45.0)
    records: list[object] = [
        {
            "placement": name,
            "worker_hours": hours,
            "cost_month_usd": cost,
            "delay_seconds": {"p95": delay},
        }
        for name, (hours, cost, delay) in figures.items()
    ]
    records.append({"jobs": 2000, "desks": 31, "days": days, "is_cut": is_cut})
    return b"note: something\n" + "\n".join(map(json.dumps, records)).encode()


def test_the_figures_are_those_of_the_planner() -> None:
    found = Comparing(POOL)._read(said(), SystemClock().now())

    assert [(each.name, each.hours, each.cost, each.delay_told) for each in found.placed] == [
        ("One worker per desk", 744.0, 1440.0, "0s"),
        ("On demand", 50.0, 100.0, "45s"),
        ("This pool", 192.0, 374.4, "5s"),
    ]
    assert found.of == "2,000 jobs of the last 24 hours"
    assert found.verdict == (
        "This pool costs 26 % of one worker per desk, and gives 95 % of jobs a worker within 5s;"
        " on demand, it would be 45s."
    )


def test_a_pool_that_is_on_demand_is_compared_with_desks_that_are() -> None:
    on_demand = replace(POOL, workers_min=0)

    found = Comparing(on_demand)._read(said(least=0), SystemClock().now())

    assert [each.name for each in found.placed][1:] == ["One per desk on demand", "This pool"]
    assert [each.is_ours for each in found.placed] == [False, False, True]


def test_what_was_cut_says_so() -> None:
    found = Comparing(POOL)._read(said(is_cut=True, days=0.25), SystemClock().now())

    assert found.of == "2,000 jobs of the first 6.0 of the last 24 hours"


@pytest.mark.parametrize(
    ("costs", "told"),
    [((100, 100.4), "as much as"), ((100, 260), "2.6 times as much as"), ((0, 0), "as much as")],
)
def test_the_verdict_is_worded_as_the_figures_are(costs: Sequence[float], told: str) -> None:
    always, ours = (
        Placed(name="A", about="", hours=1, cost=cost, delay=1, is_ours=cost == costs[1])
        for cost in costs
    )
    found = Comparison(
        at=SystemClock().now(), jobs=30, hours=24, is_cut=False, placed=[always, always, ours]
    )

    assert f"This pool costs {told} one worker per desk" in found.verdict


def test_prices_and_cold_starts_are_those_of_where_workers_run() -> None:
    here, there = Comparing(POOL), Comparing(POOL, where=Where.FARGATE)

    assert here.priced == "a server of $60.00 a month for 8 workers"
    assert there.priced.endswith("an hour of a worker on Fargate, November 2026")
    assert here.timing.cold_start < there.timing.cold_start
