"""Submissions that come at once share a commit, and nothing else."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup

from hotdesk.backends.sqlite import SqliteBackend, file
from hotdesk.backends.sqlite.submissions import TOGETHER_MAX
from hotdesk.desks import Job, NewJob
from hotdesk.errors import HotdeskError, Rejected, Unavailable
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import AMELIA, SCOTT, a_job

pytestmark = pytest.mark.anyio
Answers = dict[str, list[Job] | HotdeskError]


class HurriedClock(FakeClock):
    """A clock on which sleeping passes the time at once."""

    async def sleep(self, span: timedelta) -> None:
        self.jump(span)
        await anyio.lowlevel.checkpoint()


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteBackend]:
    """The store of this test."""
    backend = SqliteBackend(path, HurriedClock())
    yield backend
    await backend.close()


@pytest.fixture
def other(path: Path, store: SqliteBackend) -> Iterator[sqlite3.Connection]:
    """Another program's connection to the store."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def start(tasks: TaskGroup, store: SqliteBackend, jobs: list[NewJob]) -> Answers:
    """Submit each of *jobs* in a task of its own; what became of them, by job."""
    answers: Answers = {}

    async def submit(job: NewJob, now: timedelta) -> None:
        try:
            answers[job.id] = await store.submit([job], now=FakeClock().now() + now)
        except HotdeskError as error:
            answers[job.id] = error

    for number, job in enumerate(jobs):
        tasks.start_soon(submit, job, timedelta(seconds=number))
    return answers


def stored(connection: sqlite3.Connection) -> list[str]:
    """The ids of all jobs, in their order."""
    return [row[0] for row in connection.execute("SELECT id FROM job ORDER BY seq")]


async def test_submissions_that_come_at_once_share_a_commit_and_keep_their_order(
    store: SqliteBackend, other: sqlite3.Connection
) -> None:
    before = store._file._commits

    async with anyio.create_task_group() as tasks:
        answers = start(tasks, store, [a_job(f"job-{number}") for number in range(20)])

    assert store._file._commits == before + 1
    assert stored(other) == [f"job-{number}" for number in range(20)]
    assert [each for each in answers.values() if isinstance(each, HotdeskError)] == []


async def test_each_is_answered_with_its_own_job_at_its_own_time(store: SqliteBackend) -> None:
    async with anyio.create_task_group() as tasks:
        answers = start(tasks, store, [a_job("a"), a_job("b", SCOTT)])

    for seconds, (job_id, answer) in enumerate(answers.items()):
        assert not isinstance(answer, HotdeskError)
        assert [job.id for job in answer] == [job_id]
        assert answer[0].submitted_at == FakeClock().now() + timedelta(seconds=seconds)
        assert answer == [await store.job(job_id)]


async def test_none_is_answered_before_its_job_is_durable(
    store: SqliteBackend, other: sqlite3.Connection
) -> None:
    other.execute("BEGIN IMMEDIATE")
    async with anyio.create_task_group() as tasks:
        answers = start(tasks, store, [a_job("a"), a_job("b")])
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        assert answers == {}

        other.execute("COMMIT")

    assert set(answers) == {"a", "b"} == set(stored(other))


async def test_a_rejected_one_spoils_no_other(
    store: SqliteBackend, other: sqlite3.Connection
) -> None:
    await store.submit([a_job("a")], now=FakeClock().now())

    async with anyio.create_task_group() as tasks:
        answers = start(tasks, store, [a_job("before"), a_job("a", SCOTT), a_job("behind")])

    assert isinstance(answers["a"], Rejected)
    assert stored(other) == ["a", "before", "behind"]
    assert [type(answers[each]) for each in ("before", "behind")] == [list, list]


@pytest.mark.parametrize("is_first", [True, False])
async def test_one_that_is_cancelled_while_it_waits_for_the_lock_leaves_the_others(
    store: SqliteBackend, other: sqlite3.Connection, *, is_first: bool
) -> None:
    hasty = anyio.CancelScope()

    async def submit_hastily() -> None:
        with hasty:
            await store.submit([a_job("hasty")], now=FakeClock().now())

    other.execute("BEGIN IMMEDIATE")
    async with anyio.create_task_group() as tasks:
        if is_first:
            tasks.start_soon(submit_hastily)
        answers = start(tasks, store, [a_job("a"), a_job("b")])
        if not is_first:
            tasks.start_soon(submit_hastily)
        for _ in range(10):
            await anyio.lowlevel.checkpoint()

        hasty.cancel()
        await anyio.lowlevel.checkpoint()
        other.execute("COMMIT")

    assert hasty.cancelled_caught
    assert set(answers) == {"a", "b"}
    assert stored(other) == ["a", "b"]


async def test_all_are_told_when_the_store_cannot_be_written(
    store: SqliteBackend, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "LOCK_WAIT", timedelta(milliseconds=20))
    other.execute("BEGIN IMMEDIATE")

    async with anyio.create_task_group() as tasks:
        answers = start(tasks, store, [a_job("a"), a_job("b")])

    assert [type(each) for each in answers.values()] == [Unavailable, Unavailable]
    other.execute("COMMIT")
    assert stored(other) == []
    assert [job.id for job in await store.submit([a_job("a", AMELIA)], now=FakeClock().now())]


async def test_a_flood_of_submissions_is_no_single_transaction(store: SqliteBackend) -> None:
    before = store._file._commits

    async with anyio.create_task_group() as tasks:
        start(tasks, store, [a_job(f"job-{number}") for number in range(TOGETHER_MAX + 1)])

    assert store._file._commits == before + 2
