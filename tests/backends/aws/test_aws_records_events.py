"""Whoever follows the events of a stack misses none and waits for none that never comes."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import anyio
import pytest

from hotdesk.backends.aws import history
from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls
from hotdesk.events import MailIgnored
from hotdesk.lifecycle import CLOCK_SKEW
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import PATIENCE, RETENTION, Scene, a_job

pytestmark = pytest.mark.anyio

ConnectCalls = Callable[..., Calls]
Connect = Callable[..., AwsBackend]


class Held(Calls):
    """Clients whose first transaction waits until it is let go."""

    def __init__(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401 - as Calls has them
        super().__init__(*args, **settings)
        self.is_waiting = anyio.Event()
        self.may_go = anyio.Event()

    async def dynamodb(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Call DynamoDB, a transaction only when it may go."""
        if operation == "transact_write_items":
            self.is_waiting.set()
            await self.may_go.wait()
        return await super().dynamodb(operation, **arguments)


class SmallPages(Calls):
    """Clients whose queries give two items a page, however many were asked for."""

    queries = 0

    async def dynamodb(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Call DynamoDB."""
        if operation == "query":
            self.queries += 1
            arguments["Limit"] = min(2, int(str(arguments.get("Limit", 2))))
        return await super().dynamodb(operation, **arguments)


@pytest.fixture
def held(connect_calls: ConnectCalls) -> Held:
    """Clients that hold their transactions."""
    calls = connect_calls(Held)
    assert isinstance(calls, Held)
    return calls


@pytest.fixture
async def connect(
    stack: str, connect_calls: ConnectCalls, clock: FakeClock
) -> AsyncIterator[Connect]:
    """Open the stack once more, with clients of a kind."""
    opened: list[AwsBackend] = []

    def make(calls: Calls | None = None) -> AwsBackend:
        opened.append(AwsBackend(calls or connect_calls(), stack, clock))
        return opened[-1]

    yield make
    for each in opened:
        await each.close()


def an_event(name: str) -> MailIgnored:
    return MailIgnored(sender=name, recipient="website@", reason="a machine")


async def told(backend: AwsBackend, after: str = "") -> list[str]:
    return [str(event.details.get("sender")) for event in await backend.events(after=after)]


async def record(backend: AwsBackend, *names: str) -> None:
    await backend.record([an_event(name) for name in names], now=backend._clock.now())


async def test_a_reader_waits_for_an_event_that_was_begun_before_others_and_comes_after_them(
    connect: Connect, held: Held
) -> None:
    slow, quick, reader = connect(held), connect(), connect()
    await record(quick, "first")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(record, slow, "late")
        await held.is_waiting.wait()
        await record(quick, "quick")
        assert await told(reader) == ["first"]
        assert await told(reader, await reader.latest_cursor()) == []
        cursor = await reader.latest_cursor()
        held.may_go.set()

    assert await told(reader, cursor) == ["late", "quick"]


async def test_who_waits_for_changes_is_woken_by_an_event_that_comes_late(
    connect: Connect, held: Held
) -> None:
    slow, quick, reader = connect(held), connect(), connect()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(record, slow, "late")
        await held.is_waiting.wait()
        before = await reader.changed(None, wait=timedelta(0))
        await record(quick, "quick")
        mark = await reader.changed(before, wait=timedelta(hours=1))
        held.may_go.set()
        with anyio.fail_after(PATIENCE):
            assert await reader.changed(mark, wait=timedelta(hours=1)) != mark

    assert await told(reader) == ["late", "quick"]


async def test_who_waits_for_changes_is_woken_by_an_event_behind_one_that_may_still_come(
    connect: Connect, held: Held
) -> None:
    slow, reader = connect(held), connect()
    await history.take_cursors(slow._table, 1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(record, slow, "behind")
        await held.is_waiting.wait()
        mark = await reader.changed(None, wait=timedelta(0))
        assert await reader.changed(mark, wait=timedelta(0)) == mark
        held.may_go.set()
        with anyio.fail_after(PATIENCE):
            assert await reader.changed(mark, wait=timedelta(hours=1)) != mark


async def test_a_reader_passes_what_was_begun_and_never_comes(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, reader = connect(), connect()
    await history.take_cursors(backend._table, 2)
    await record(backend, "behind")
    assert await told(reader) == []

    monkeypatch.setattr(history, "COMMIT_SECONDS_MAX", 0)

    assert await told(reader) == ["behind"]
    assert await reader.latest_cursor() == "3"


async def test_who_waits_for_changes_does_not_look_for_ever_for_what_never_comes(
    connect: Connect, connect_calls: ConnectCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = connect_calls(SmallPages)
    assert isinstance(calls, SmallPages)
    backend = connect(calls)
    await record(backend, "first")
    await history.take_cursors(backend._table, 2)
    assert await backend.latest_cursor() == "1"

    monkeypatch.setattr(history, "COMMIT_SECONDS_MAX", 0)
    assert await backend.latest_cursor() == "3"

    before = calls.queries
    await backend.changed(None, wait=timedelta(0))
    assert calls.queries == before
    await record(backend, "next")
    assert await told(backend) == ["first", "next"]


async def test_who_reads_later_does_not_wait_at_all(connect: Connect, clock: FakeClock) -> None:
    backend = connect()
    await history.take_cursors(backend._table, 1)
    await record(backend, "behind")

    clock.jump(timedelta(seconds=history.COMMIT_SECONDS_MAX) + CLOCK_SKEW)
    assert await told(connect()) == []
    clock.jump(timedelta(microseconds=1))

    assert await told(connect()) == ["behind"]


async def test_nobody_waits_for_the_events_of_a_lost_race(
    connect: Connect, held: Held, clock: FakeClock
) -> None:
    slow, quick = Scene(connect(held), clock), Scene(connect(), clock)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(slow.submit, a_job("slower"))
        await held.is_waiting.wait()
        await quick.submit(a_job("faster"))
        held.may_go.set()

    events = await connect().events()
    assert [event.job_id for event in events] == ["faster", "slower"]
    assert events[0].cursor != "1"


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
async def test_events_are_read_in_their_order_at_any_length_of_a_page(
    connect: Connect, connect_calls: ConnectCalls, limit: int
) -> None:
    names = [f"{number}" for number in range(17)]
    backend = connect(connect_calls(SmallPages))
    for name in names:
        await record(backend, name)

    read, cursor = [], ""
    while page := await backend.events(after=cursor, limit=limit):
        assert len(page) <= limit
        read += page
        cursor = page[-1].cursor

    assert [event.details["sender"] for event in read] == names
    assert await backend.latest_cursor() == cursor


async def test_no_event_is_passed_where_the_partitions_are_filled_unevenly(
    connect: Connect, clock: FakeClock
) -> None:
    backend = connect()
    for number in range(4):
        await record(backend, f"alone {number}")
        lost = await history.take_cursors(backend._table, 3)
        await history.give_up_cursors(backend._table, lost, 3, clock.now())
    await record(backend, *(f"together {number}" for number in range(8)))
    clock.jump(timedelta(hours=1))

    read, cursor = [], ""
    while page := await backend.events(after=cursor, limit=8):
        read += page
        cursor = page[-1].cursor

    assert len(read) == 12


async def test_old_events_are_removed_in_bounded_steps_and_nobody_waits_for_them(
    connect: Connect, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "REMOVED_MAX", 2)
    backend = connect()
    for number in range(11):
        await record(backend, f"old {number}")
    clock.jump(RETENTION + timedelta(microseconds=1))
    await record(backend, "new")

    left = []
    for _ in range(3):
        await backend.sweep(retention=RETENTION, now=clock.now())
        left.append(await told(connect()))

    assert left == [["old 8", "old 9", "old 10", "new"], ["new"], ["new"]]
