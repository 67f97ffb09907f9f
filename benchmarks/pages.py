"""``python -m benchmarks.pages``: each page of the dashboard, and each list of the API, at scale.

A file of a million desks and a million jobs is made; the application is asked in this
process, so what is measured is the server: gates, queries, templates. What SQLite was
asked meanwhile is explained, and a step that reads a whole table is told of.
"""

import json
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, time_ns

import anyio
import click
import httpx

from benchmarks.machine import Machine
from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.placement import PoolLimits
from hotdesk.ports import TALLY_STEP
from hotdesk.web.access import Caller, Role, Token, Tokens, digest_of
from hotdesk.web.app import make_app
from hotdesk.web.entrance import Entrance, ways_of
from hotdesk.web.feed import Feed
from hotdesk.web.logins import Logins
from hotdesk.web.metrics import Metrics
from hotdesk.web.rates import Rates
from hotdesk.web.site import Site
from hotdesk.web.streams import encode_event
from hotdesk.wiring import client_of

ROWS = 1_000_000
REPEATS = 9
AIM_MS = 100
SECRET = "a token of the benchmark"  # noqa: S105 - it opens nothing else
API = "/api/v1"
WORKERS, DEAD, WAITING, HELD = 20, 2000, 1500, 500
# One desk and one conversation have a tenth of everything.
BUSY, TALK = "website/u7", "t7"
STEPS_KEPT = 2304
MINUTE_US = 60_000_000

# Steps that read from the begin of a table or an index, and may. As many as there are workers:
SMALL = ("SCAN worker", "SCAN desk USING INDEX desk_owned", "SCAN CONSTANT ROW", "SCAN (subquery-")
# What waits or is held, in the order of its index and up to a limit:
LIMITED = (
    "SCAN desk USING INDEX desk_waiting",
    "SCAN desk USING COVERING INDEX desk_waiting",
    "SCAN job USING INDEX job_unended",
    "SCAN held USING",
)
# The last rows of a table, up to a limit:
NEWEST = "ORDER BY cursor DESC LIMIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What was asked, and what came of it."""

    url: str
    status: int
    kilobytes: float
    first_ms: float
    median_ms: float
    longest_ms: float
    statements: int
    costly: tuple[str, ...]


def urls(rows: int) -> list[str]:
    """Every page and every list, in the ways that cost most."""
    middle = rows // 2
    states = ("queued", "running", "succeeded", "failed", "preempted", "cancelled", "dead")
    return [
        *("/", "/?span=24h", "/desks", "/desks?waiting=true", f"/desks?before=2.{middle}"),
        f"/desks/{BUSY}",
        *("/jobs", f"/jobs?before={middle}", *(f"/jobs?state={state}" for state in states)),
        *(f"/jobs?desk={BUSY.replace('/', '%2F')}&{more}" for more in ("state=dead", "thread=no")),
        *(f"/jobs/j{rows}", "/jobs/j7"),
        *("/threads", f"/threads/{BUSY}/{TALK}", "/workers", "/dead", "/health"),
        *(f"{API}/{name}" for name in ("desks", "jobs", "threads", "workers", "dead", "held")),
        *(f"{API}/jobs?state={state}" for state in ("queued", "succeeded", "dead")),
        *(f"{API}/jobs/j{rows}", f"{API}/jobs/j7/log", f"{API}/desks/{BUSY}/queue"),
        *(f"{API}/threads/{BUSY}/{TALK}", f"{API}/pool", f"{API}/health", "/metrics"),
    ]


def fill(path: Path, rows: int) -> None:
    """Write *rows* desks and *rows* jobs into the new file at *path*, and what belongs to them."""
    now = time_ns() // 1000
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -200000")
        connection.executemany(
            "INSERT INTO desk (id, key, generation, free_since, pending, last_place, owner,"
            " lease_until, active_job) VALUES (?, ?, 1, ?, ?, 1, ?, ?, ?)",
            _desks(rows, now),
        )
        connection.executemany(
            'INSERT INTO job (seq, id, desk, thread, instruction, interrupt, state, "order",'
            " place, submitted_at, started_at, ended_at, error, origin)"
            " VALUES (?, ?, ?, ?, ?, 'desk', ?, 1, 1, ?, ?, ?, ?, '')",
            _jobs(rows, now),
        )
        connection.executemany(
            "INSERT INTO event (at, kind, desk, job, generation, details)"
            " VALUES (?, ?, ?, ?, 1, ?)",
            _events(rows, now),
        )
        connection.executemany(
            "INSERT INTO log (job, number, attempt, at, text) VALUES (?, ?, 1, ?, ?)",
            [("j7", number, now, "a line of output\n" * 20) for number in range(1, 1001)],
        )
        connection.executemany(
            "INSERT INTO worker (id, pid, desk, started_at, seen_at) VALUES (?, 1, ?, ?, ?)",
            [(f"w{number}", number, now, now) for number in range(1, WORKERS + 1)],
        )
        connection.executemany(
            "INSERT INTO held (job, desk, thread, instruction, interrupt, origin, reason, held_at)"
            " VALUES (?, 'website#u7', 't', 'a mail', 'desk', '', 'a guest', ?)",
            [(f"h{number}", now) for number in range(min(HELD, rows))],
        )
        step = now // (int(TALLY_STEP.total_seconds()) * 1_000_000)
        counts = json.dumps({"succeeded": 90, "failed": 1, **dict.fromkeys(map(str, range(90)), 1)})
        connection.executemany(
            "INSERT INTO figure (step, counts) VALUES (?, ?)",
            [(step - back, counts) for back in range(STEPS_KEPT)],
        )
        connection.execute(
            "UPDATE meta SET value = (SELECT max(cursor) - 100 FROM event) WHERE key = 'counted'"
        )
        connection.commit()


def _desks(rows: int, now: int) -> Iterator[tuple[object, ...]]:
    every = max(rows // WAITING, 1)
    for number in range(1, rows + 1):
        is_owned = number <= WORKERS
        waits = not is_owned and number % every == 0
        yield (
            number,
            f"website#u{number}",
            now - number if waits else None,
            1 if waits or is_owned else 0,
            f"w{number}" if is_owned else None,
            now + MINUTE_US if is_owned else None,
            f"j{number}" if is_owned else None,
        )


def _jobs(rows: int, now: int) -> Iterator[tuple[object, ...]]:
    every, lost = max(rows // WAITING, 1), max(rows // DEAD, 4)
    for number in range(1, rows + 1):
        state = {0: "dead", 1: "failed", 2: "cancelled", 3: "preempted"}.get(number % lost, "")
        state, ended = state or "succeeded", now
        if number <= WORKERS:
            state, ended = "running", 0
        elif number % every == 0:
            state, ended = "queued", 0
        is_talk = number > WORKERS and number % 10 == 1
        yield (
            number,
            f"j{number}",
            7 if is_talk else number,
            TALK if is_talk else f"t{number % 50}",
            "do what this long instruction says, again and again; " * 6,
            state,
            now - (rows - number) * 1000,
            None if state == "queued" else now - 5_000_000,
            ended or None,
            "" if state == "succeeded" else "it did not work",
        )


def _events(rows: int, now: int) -> Iterator[tuple[object, ...]]:
    started = json.dumps({"worker_id": "w1", "attempt": 1, "folded": 0, "waited_ms": 1500})
    for number in range(1, rows + 1):
        at, key, job = now - (rows - number) * 1000, f"website#u{number}", f"j{number}"
        yield at, "JobStarted", key, job, started
        yield at, "JobEnded", key, job, '{"state": "succeeded"}'


@asynccontextmanager
async def asking(backend: SqliteBackend) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application on *backend*, in this process."""
    clock = SystemClock()
    caller = Caller(name="benchmark", role=Role.OPERATOR)
    tokens = [Token(caller=caller, digest=digest_of(SECRET))]
    site = Site(
        client=client_of(backend),
        backend=backend,
        clock=clock,
        feed=Feed(backend, clock, encode=encode_event),
        metrics=Metrics(backend, clock),
        pool=PoolLimits(),
        check_project=lambda _: None,
    )
    app = make_app(
        site,
        Entrance(Tokens(tokens, clock), Logins(ways_of(tokens, None), clock), clock, password=None),
        hosts=["127.0.0.1"],
        rates=Rates(clock, per_second=1e6, at_once=1e6),
        tell=lambda what: print(what, file=sys.stderr),
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://127.0.0.1",
        headers={"Authorization": f"Bearer {SECRET}"},
    ) as client:
        yield client


async def measure(path: Path, rows: int, repeats: int) -> list[Page]:
    """Ask for every page of the file at *path* so often, and explain what it asks SQLite."""
    backend = SqliteBackend(path, SystemClock())
    found = []
    try:
        async with asking(backend) as client:
            for url in urls(rows):
                statements = await statements_of(backend, client, url)
                found.append(await _page(client, url, repeats, statements, path))
    finally:
        await backend.close()
    return found


async def statements_of(backend: SqliteBackend, client: httpx.AsyncClient, url: str) -> list[str]:
    """What SQLite is asked while *url* is answered."""
    connection = backend._file._connection  # noqa: SLF001 - to see what is asked, unchanged
    asked: list[str] = []
    connection.set_trace_callback(asked.append)
    try:
        await client.get(url)
    finally:
        connection.set_trace_callback(None)
    return [each for each in asked if each.lstrip("-").strip() and "SELECT" in each.upper()]


def costly(path: Path, statements: list[str]) -> list[str]:
    """The steps of *statements* that read a whole table or index, and have no reason to."""
    with closing(sqlite3.connect(path)) as connection:
        steps = {
            str(row[3])
            for statement in set(statements)
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
            if not _has_reason(str(row[3]), " ".join(statement.split()))
        }
    return sorted(step for step in steps if step.startswith("SCAN"))


def _has_reason(step: str, statement: str) -> bool:
    if step == "SCAN event":
        return NEWEST in statement
    return step.startswith(SMALL) or (step.startswith(LIMITED) and "LIMIT" in statement)


async def _page(
    client: httpx.AsyncClient, url: str, repeats: int, statements: list[str], path: Path
) -> Page:
    took, status, size = [], 0, 0
    for _ in range(repeats):
        begin = perf_counter()
        answer = await client.get(url)
        took.append((perf_counter() - begin) * 1000)
        status, size = answer.status_code, len(answer.content)
    return Page(
        url=url,
        status=status,
        kilobytes=size / 1000,
        first_ms=took[0],
        median_ms=sorted(took)[len(took) // 2],
        longest_ms=max(took),
        statements=len(statements),
        costly=tuple(costly(path, statements)),
    )


def show(pages: list[Page], rows: int) -> None:
    """Print a table in Markdown."""
    machine = Machine.this()
    print(f"{rows:,} desks, {rows:,} jobs; commit {machine.commit}, {machine.processor},", end=" ")
    print(f"Python {machine.python}, SQLite {machine.sqlite}\n")
    print("| page | status | size | median | longest | statements | scans |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for each in pages:
        aim = "" if each.longest_ms < AIM_MS else " **missed**"
        print(
            f"| `{each.url}` | {each.status} | {each.kilobytes:.0f} kB | {each.median_ms:.1f} ms"
            f" | {each.longest_ms:.1f} ms{aim} | {each.statements} | {', '.join(each.costly)} |"
        )


@click.command()
@click.option("--rows", default=ROWS, show_default=True, help="So many desks, and so many jobs.")
@click.option("--repeat", default=REPEATS, show_default=True, help="How often each is asked.")
@click.option(
    "--file", type=click.Path(path_type=Path), help="A file of an earlier run, or a new one."
)
def main(rows: int, repeat: int, file: Path | None) -> None:
    """Time every page of the dashboard and every list of the API on a large file."""
    with tempfile.TemporaryDirectory(prefix="hotdesk-pages-") as folder:
        path = file or Path(folder) / "hotdesk.db"
        if not path.exists():
            anyio.run(make, path)
            fill(path, rows)
        show(anyio.run(measure, path, rows, repeat), rows)


async def make(path: Path) -> None:
    """An empty database at *path*."""
    await SqliteBackend(path, SystemClock()).close()


if __name__ == "__main__":
    main()
