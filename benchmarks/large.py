"""A database in which everything is there in large numbers, as years of work leave it.

One desk and one conversation have a tenth of all jobs; some desks wait, some jobs failed,
and the figures of every step are full.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import time_ns

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.ports import FIGURES_KEPT, TALLY_STEP

WORKERS, DEAD, WAITING, HELD = 20, 2000, 1500, 500
BUSY, TALK = "website/u7", "t7"
MINUTE_US = 60_000_000


async def make(path: Path) -> None:
    """An empty database at *path*."""
    await SqliteBackend(path, SystemClock()).close()


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
            [(step - back, counts) for back in range(FIGURES_KEPT // TALLY_STEP)],
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
