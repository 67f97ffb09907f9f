"""``python -m benchmarks.pages``: each page of the dashboard, and each list of the API, at scale.

A file of a million desks and a million jobs is made; the application is asked in this
process, so what is measured is the server: gates, queries, templates. What SQLite was
asked meanwhile is explained, and a step that reads a whole table is told of.
"""

import re
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter, process_time

import anyio
import click
import httpx

from benchmarks.large import BUSY, TALK, fill, make
from benchmarks.machine import Machine
from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.placement import PoolLimits
from hotdesk.web.access import Caller, Role, Token, Tokens, digest_of
from hotdesk.web.app import make_app
from hotdesk.web.entrance import Entrance, ways_of
from hotdesk.web.feed import Feed
from hotdesk.web.logins import Logins
from hotdesk.web.metrics import Metrics
from hotdesk.web.opening import warm
from hotdesk.web.rates import Rates
from hotdesk.web.site import Site
from hotdesk.web.streams import encode_event
from hotdesk.wiring import client_of

ROWS = 1_000_000
REPEATS = 9
AIM_MS = 100
HTTP_OK = 200
SECRET = "a token of the benchmark"  # noqa: S105 - it opens nothing else
API = "/api/v1"

# Steps that read from the begin of a table or an index, and may. As many as there are workers:
SMALL = ("SCAN worker", "SCAN desk USING INDEX desk_owned", "SCAN CONSTANT ROW", "SCAN (subquery-")
# What waits, in the order of its index and up to a limit; the index holds nothing else:
LIMITED = (
    "SCAN desk USING INDEX desk_waiting",
    "SCAN desk USING COVERING INDEX desk_waiting",
    "SCAN job USING INDEX job_unended",
)
# The last rows of a table, up to a limit:
NEWEST = "ORDER BY cursor DESC LIMIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What was asked, and what came of it.

    ``first_ms`` is the first time of all, when templates are compiled and nothing is
    cached; the others are of those behind it, ``cpu_ms`` at the mean.
    """

    url: str
    status: int
    kilobytes: float
    median_ms: float
    longest_ms: float
    cpu_ms: float
    first_ms: float = 0.0
    statements: int = 0
    costly: tuple[str, ...] = ()


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
    # As a server that has just been started does.
    await warm(app, "http://127.0.0.1", SECRET)
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
                begin = perf_counter()
                statements = await statements_of(backend, client, url)
                first_ms = (perf_counter() - begin) * 1000
                steps = costly(path, statements)
                page = await _page(client, url, repeats)
                found.append(
                    replace(
                        page, first_ms=first_ms, statements=len(statements), costly=tuple(steps)
                    )
                )
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


def _without_index(statement: str) -> str:
    return re.sub(r" INDEXED BY \w+", "", statement)


def _has_reason(step: str, statement: str) -> bool:
    if step == "SCAN event":
        return NEWEST in statement
    if step.startswith("SCAN held USING"):
        # A limit bounds nothing where rows are passed by: all of them may be.
        return "LIMIT" in statement and "held WHERE" not in _without_index(statement)
    return step.startswith(SMALL) or (step.startswith(LIMITED) and "LIMIT" in statement)


async def _page(client: httpx.AsyncClient, url: str, repeats: int) -> Page:
    took, status, size = [], 0, 0
    began = process_time()
    for _ in range(repeats):
        begin = perf_counter()
        answer = await client.get(url)
        took.append((perf_counter() - begin) * 1000)
        status, size = answer.status_code, len(answer.content)
    return Page(
        url=url,
        status=status,
        kilobytes=size / 1000,
        median_ms=sorted(took)[len(took) // 2],
        longest_ms=max(took),
        cpu_ms=(process_time() - began) * 1000 / repeats,
    )


def show(pages: list[Page], rows: int) -> None:
    """Print a table in Markdown."""
    machine = Machine.this()
    print(f"{rows:,} desks, {rows:,} jobs; commit {machine.commit}, {machine.processor},", end=" ")
    print(f"Python {machine.python}, SQLite {machine.sqlite}\n")
    print("| page | size | first | median | longest | CPU | statements | scans |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for each in pages:
        aim = "" if max(each.longest_ms, each.first_ms) < AIM_MS else " **missed**"
        what = f"`{each.url}`" if each.status == HTTP_OK else f"`{each.url}` ({each.status})"
        print(
            f"| {what} | {each.kilobytes:.0f} kB | {each.first_ms:.1f} ms"
            f" | {each.median_ms:.1f} ms | {each.longest_ms:.1f} ms{aim} | {each.cpu_ms:.1f} ms"
            f" | {each.statements} | {', '.join(each.costly)} |"
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


if __name__ == "__main__":
    main()
