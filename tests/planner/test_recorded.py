"""Traffic out of the events of a deployment, whatever happened to its jobs."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.desks import Desk, NewJob
from hotdesk.events import StoredEvent
from hotdesk.planner import recorded as module
from hotdesk.planner.recorded import Recording, recorded
from hotdesk.planner.traffic import Arrival

SINCE = datetime(2026, 11, 2, tzinfo=UTC)
DESK = Desk.parse("amelia/scott")

Told = tuple[float, str, str]


def event(number: int, at: float, kind: str, job: str, **details: str) -> StoredEvent:
    return StoredEvent(
        cursor=str(number),
        at=SINCE + timedelta(seconds=at),
        kind=kind,
        desk=DESK.key,
        job_id=job,
        generation=1,
        details=details,
    )


def read(told: Sequence[Told], recording: Recording | None = None) -> list[Arrival]:
    """The jobs of events that are written as time, kind and job; a thread follows the job."""
    recording = recording or Recording(SINCE)
    found: list[Arrival] = []
    for number, (at, kind, name) in enumerate(told, start=1):
        job, _, thread = name.partition("@")
        details = {"thread": thread or job} if kind == "JobSubmitted" else {}
        found += [each for _, each in recording.take(event(number, at, kind, job, **details))]
    return found + [each for _, each in recording.finish()]


def a_run(job: str, begins: float, ends: float, thread: str = "") -> list[Told]:
    return [
        (begins, "JobSubmitted", f"{job}@{thread}" if thread else job),
        (begins, "JobStarted", job),
        (ends, "JobEnded", job),
    ]


def times(found: Sequence[Arrival]) -> list[tuple[float, float]]:
    return [(each.at, each.seconds) for each in found]


def test_a_job_works_from_its_start_to_its_end() -> None:
    found = read([(5, "JobSubmitted", "a"), (9, "JobStarted", "a"), (19, "JobEnded", "a")])

    assert found == [Arrival(5, "amelia/scott", 10)]


def test_jobs_that_never_ran_or_have_not_ended_are_left_out_and_counted() -> None:
    recording = Recording(SINCE)
    told = [
        *((1, "JobSubmitted", "never"), (2, "JobEnded", "never")),
        *((3, "JobSubmitted", "waits"), (4, "JobSubmitted", "runs"), (5, "JobStarted", "runs")),
        *a_run("done", 6, 9),
    ]

    assert times(read(told, recording)) == [(6, 3)]
    assert recording.left_out == 3


def test_a_job_at_the_head_of_the_line_holds_up_the_order_but_loses_nothing() -> None:
    recording = Recording(SINCE)
    told = [
        *((1, "JobSubmitted", "long"), (1, "JobStarted", "long")),
        *a_run("short", 2, 3),
        (99, "JobEnded", "long"),
    ]

    assert times(read(told, recording)) == [(1, 98), (2, 1)]
    assert recording.left_out == 0


@pytest.mark.parametrize("kind", ["JobPutBack", "AttemptGivenBack", "AttemptFailed"])
def test_a_job_that_ran_twice_worked_both_times_and_not_in_between(kind: str) -> None:
    told = [
        *((0, "JobSubmitted", "a"), (0, "JobStarted", "a"), (10, kind, "a")),
        *((50, "JobStarted", "a"), (55, "JobEnded", "a")),
    ]

    assert times(read(told)) == [(0, 15)]


def test_what_a_crash_cut_off_does_not_count() -> None:
    told = [
        *((0, "JobSubmitted", "a"), (0, "JobStarted", "a")),
        *((500, "JobStarted", "a"), (510, "JobEnded", "a")),
    ]

    assert times(read(told)) == [(0, 10)]


def test_a_job_that_is_retried_is_another_job() -> None:
    told = [
        *a_run("a", 0, 10),
        *((60, "JobRetried", "a"), (70, "JobStarted", "a"), (75, "JobEnded", "a")),
    ]

    found = read(told)

    assert times(found) == [(0, 10), (60, 5)]
    assert not found[1].is_correction


def test_a_job_corrects_the_one_before_it_if_that_is_of_its_thread_and_had_not_ended() -> None:
    one, two = a_run("a", 0, 20, "t"), a_run("b", 10, 30, "t")
    late = a_run("c", 31, 40, "t")
    told = sorted([*one, *two, *late], key=lambda each: each[0])

    assert [each.is_correction for each in read(told)] == [False, True, False]


def test_a_job_behind_one_of_another_thread_corrects_nothing() -> None:
    told = sorted(
        [*a_run("a", 0, 50, "t"), *a_run("b", 5, 60, "other"), *a_run("c", 10, 70, "t")],
        key=lambda each: each[0],
    )

    # Played, a correction stops the job before it, and that is not the one that was meant.
    assert [each.is_correction for each in read(told)] == [False, False, False]


def test_what_was_folded_away_hides_no_correction() -> None:
    told = [
        *((0, "JobSubmitted", "a@t"), (0, "JobStarted", "a")),
        *((5, "JobSubmitted", "folded@t"), (6, "JobSubmitted", "c@t"), (6, "JobEnded", "folded")),
        *((9, "JobEnded", "a"), (9, "JobStarted", "c"), (20, "JobEnded", "c")),
    ]

    assert [(each.at, each.is_correction) for each in read(told)] == [(0, False), (6, True)]


def test_events_that_come_twice_count_once() -> None:
    told = [each for each in a_run("a", 0, 10) for _ in range(2)]

    assert times(read(told)) == [(0, 10)]


def test_a_clock_that_goes_back_neither_turns_the_order_nor_makes_work_negative() -> None:
    told = [
        *((100, "JobSubmitted", "a"), (100, "JobStarted", "a")),
        *((40, "JobSubmitted", "b"), (45, "JobEnded", "a")),
        *((50, "JobStarted", "b"), (60, "JobEnded", "b")),
        *a_run("c", 70, 80),
    ]
    recording = Recording(SINCE)

    assert times(read(told, recording)) == [(100, 10), (100, 10)]
    assert recording.left_out == 1


def test_what_was_submitted_before_is_not_looked_at() -> None:
    recording = Recording(SINCE)

    assert times(read([*a_run("old", -10, 20), *a_run("new", 30, 31)], recording)) == [(30, 1)]
    assert recording.left_out == 0


# ---------------------------------------------------------------------- out of a store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteBackend]:
    """An empty one."""
    opened = SqliteBackend(tmp_path / "hotdesk.db", SystemClock())
    yield opened
    await opened.close()


async def submit(store: SqliteBackend, at: datetime, *names: str) -> None:
    for name in names:
        job = NewJob(id=name, desk=DESK, thread=name, instruction="work")
        await store.submit([job], now=at)


@pytest.mark.anyio
async def test_a_month_of_history_is_not_read_for_a_day(store: SqliteBackend) -> None:
    for days in range(30):
        at = SINCE - timedelta(days=30 - days)
        await submit(store, at, *(f"j{days}-{number}" for number in range(10)))
    await submit(store, SINCE + timedelta(hours=1), "new")
    read: list[int] = []
    recording = Recording(SINCE)

    found = [each async for each in recorded(store, recording, on_progress=read.append)]

    assert (found, recording.left_out, recording.begins) == ([], 1, SINCE)
    assert read == [1]


@pytest.mark.anyio
async def test_a_short_history_lasts_from_its_first_event(store: SqliteBackend) -> None:
    await submit(store, SINCE + timedelta(hours=5), "first")
    recording = Recording(SINCE)

    assert [each async for each in recorded(store, recording)] == []
    assert (recording.begins, recording.ends) == (SINCE + timedelta(hours=5), None)


@pytest.mark.anyio
async def test_no_more_is_read_than_was_asked_for_and_where_it_ends_is_told(
    store: SqliteBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        await submit(store, SINCE + timedelta(minutes=number), f"j{number}")
    monkeypatch.setattr(module, "AT_ONCE", 10)
    recording = Recording(SINCE)

    assert [each async for each in recorded(store, recording, jobs_max=2)] == []
    assert recording.left_out == 20
    assert recording.ends == SINCE + timedelta(minutes=19)
