"""The SQLite backend gives the rules few candidates; they must decide as if given all."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from hypothesis import given
from hypothesis import strategies as st

from hotdesk import Desk, InterruptPolicy, NewJob
from hotdesk.backends.sqlite.backend import SqliteBackend
from hotdesk.backends.sqlite.claiming import newer
from hotdesk.backends.sqlite.file import DatabaseFile
from hotdesk.clock import SystemClock
from hotdesk.desks import Entry
from hotdesk.lifecycle import Limits, folds, preemptor

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = Limits()


@dataclass(frozen=True)
class Pending:
    """What tells one pending job from another."""

    thread: str
    interrupt: InterruptPolicy
    send: int
    is_cancelled: bool
    preemptions: int


pending = st.builds(
    Pending,
    thread=st.sampled_from(["a", "b", "c"]),
    interrupt=st.sampled_from(InterruptPolicy),
    send=st.sampled_from([1, 2]),
    is_cancelled=st.booleans(),
    preemptions=st.integers(0, LIMITS.preemptions_max),
)


@contextmanager
def stored(jobs: list[Pending]) -> Iterator[DatabaseFile]:
    """A database with these jobs pending at one desk, in this order."""

    async def submit(path: Path) -> None:
        backend = SqliteBackend(path, SystemClock())
        new = [
            NewJob(
                id=f"j{n}",
                desk=Desk("amelia", "scott"),
                thread=job.thread,
                instruction="x",
                interrupt=job.interrupt,
            )
            for n, job in enumerate(jobs, 1)
        ]
        await backend.submit(new, now=NOW)
        await backend.close()

    with TemporaryDirectory() as folder:
        path = Path(folder) / "hotdesk.db"
        anyio.run(submit, path)
        with closing(sqlite3.connect(path)) as raw:
            raw.executemany(
                "UPDATE job SET send = ?, cancelled = ?, preemptions = ? WHERE id = ?",
                [(j.send, j.is_cancelled, j.preemptions, f"j{n}") for n, j in enumerate(jobs, 1)],
            )
            raw.commit()
        file = DatabaseFile(path, SystemClock())
        try:
            yield file
        finally:
            file.close()


@given(st.lists(pending, min_size=1, max_size=8))
def test_the_candidates_decide_as_all_pending_jobs_would(jobs: list[Pending]) -> None:
    entries = [
        Entry(
            job_id=f"j{n}",
            send=job.send,
            order=n,
            thread=job.thread,
            interrupt=job.interrupt,
            is_cancelled=job.is_cancelled,
            preemptions=job.preemptions,
        )
        for n, job in enumerate(jobs, 1)
    ]

    with stored(jobs) as file:
        for entry in entries:
            given_by_index = file.read(partial(newer, desk_id=1, entry=entry))
            by = preemptor(entry, given_by_index, LIMITS)

            expected = preemptor(entry, entries, LIMITS)

            assert (by is None) == (expected is None)
            if by is not None and expected is not None:
                assert folds(by, entry) == folds(expected, entry)


def test_a_backlog_that_may_not_interrupt_is_not_in_the_indexes_of_candidates() -> None:
    jobs = [Pending("a", InterruptPolicy.NEVER, 1, is_cancelled=False, preemptions=0)] * 3
    first = Entry(job_id="j1", send=1, order=1, thread="a", interrupt=InterruptPolicy.NEVER)

    with stored(jobs) as file:
        found = file.read(partial(newer, desk_id=1, entry=first))

    assert found == []
