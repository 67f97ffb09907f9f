"""The same faults befall each call of holding, dropping and counting, one after the other."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from types import SimpleNamespace

import boto3
import botocore.endpoint
import pytest
from anyio import to_thread

from hotdesk.backends.aws import approving
from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls
from hotdesk.clock import SystemClock
from hotdesk.errors import NotFound, Unavailable
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import MOMENT, RETENTION, a_mail
from tests.backends.aws.faults import Faults, FaultySession, Killed, Kind
from tests.backends.aws.stacks import Stacks

pytestmark = pytest.mark.anyio

# Its text stands in the bucket.
LETTER = replace(a_mail("letter"), instruction="lang " * 5000)
TALLY = "jobs/website"
ASKED_MAX = 3
# Whoever is not told that it was counted counts again.
COUNTED_TWICE = {Kind.UNANSWERED, Kind.LATE, Kind.DIES_AFTER}
Call = Callable[[AwsBackend], Awaitable[object]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let boto3 not wait between its tries."""
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _: None))


@dataclass(slots=True, kw_only=True)
class Stage:
    """One store, which a process uses that meets a fault, and another one that meets none."""

    kind: Kind
    connect: Callable[[Faults | None], AwsBackend]
    clock: FakeClock
    sound: AwsBackend

    async def strike_each(self, call: Call, *, before: Call | None = None, after: Call) -> None:
        """Have *call* done again and again, until each call of AWS in it was struck once.

        *before* it everything goes well, and *after* it must find what it should.
        """
        for number in count(1):
            if before is not None:
                await before(self.sound)
            is_struck = await self._strike(call, number)
            await after(self.sound)
            if not is_struck:
                assert number > 1, "no call of AWS was struck"
                return

    async def _strike(self, call: Call, number: int) -> bool:
        faults = Faults(self.kind)
        faults.begin(number)
        is_struck = False
        for _ in range(ASKED_MAX):
            process = self.connect(faults)
            try:
                await call(process)
            except Unavailable:
                is_struck |= faults.end()
            except (Killed, BaseExceptionGroup):
                assert faults.is_dead
                is_struck, faults = True, Faults(Kind.HICCUPS)
            else:
                is_struck |= faults.end()
                await to_thread.run_sync(faults.deliver_late)
                return is_struck
            finally:
                await process.close()
        raise AssertionError("it does not go well any more")


@pytest.fixture(params=list(Kind), ids=lambda kind: kind.name)
def stage(
    request: pytest.FixtureRequest,
    stacks: Stacks,
    session: boto3.session.Session,
    new_stack: Callable[[], str],
) -> Stage:
    faulty, clock, stack = FaultySession(session), FakeClock(SystemClock().now()), new_stack()

    def connect(faults: Faults | None) -> AwsBackend:
        if faults is not None:
            faulty.faults = faults
        emulator = stacks.emulator
        used = session if faults is None else faulty
        calls = Calls(emulator.region, endpoint=emulator.endpoint or None, session=used)
        return AwsBackend(calls, stack, clock)

    return Stage(kind=request.param, connect=connect, clock=clock, sound=connect(None))


async def test_whatever_befalls_a_call_a_mail_waits_once_until_it_is_dropped(stage: Stage) -> None:
    async def hold(store: AwsBackend) -> None:
        await store.hold(LETTER, "why", now=stage.clock.now())

    async def waits(store: AwsBackend) -> None:
        assert [each.job for each in await store.held()] == [LETTER]

    async def drop(store: AwsBackend) -> None:
        with suppress(NotFound):  # Its answer was lost, and it is asked again.
            await store.drop_held(LETTER.id, by="anna", now=stage.clock.now())

    async def is_gone(store: AwsBackend) -> None:
        assert await store.held() == []
        with pytest.raises(NotFound):
            await store.held_job(LETTER.id)

    async def look(store: AwsBackend) -> None:
        await waits(store)
        assert (await store.held_job(LETTER.id)).job == LETTER

    await stage.strike_each(hold, before=drop, after=waits)
    await stage.strike_each(look, after=waits)
    await stage.strike_each(drop, before=hold, after=is_gone)


async def test_whatever_befalls_a_call_what_waits_too_long_is_dropped_and_told_once(
    stage: Stage,
) -> None:
    numbers, letter = count(1), LETTER

    async def hold(store: AwsBackend) -> None:
        nonlocal letter
        letter = replace(LETTER, id=f"old-{next(numbers)}")
        await store.hold(letter, "why", now=stage.clock.now() - RETENTION - MOMENT)

    async def sweep(store: AwsBackend) -> None:
        # The part of a sweep that is about them.
        now = stage.clock.now()
        await approving.remove_held(store._table, before=now - RETENTION, now=now, limit=10)

    async def is_told(store: AwsBackend) -> None:
        assert await store.held() == []
        assert [each.kind for each in await store.events(job_id=letter.id)] == ["MailDropped"]

    await stage.strike_each(sweep, before=hold, after=is_told)


async def test_whatever_befalls_a_call_it_is_counted_once_for_each_time_that_it_was_asked(
    stage: Stage,
) -> None:
    before = 0

    async def add(store: AwsBackend) -> None:
        await store.count(TALLY, 1, now=stage.clock.now())

    async def is_counted(store: AwsBackend) -> None:
        nonlocal before
        counted = await store.counted(TALLY, since=stage.clock.now())
        added, before = counted - before, counted
        assert added == 1 or (added == 2 and stage.kind in COUNTED_TWICE)

    async def look(store: AwsBackend) -> None:
        assert await store.counted(TALLY, since=stage.clock.now()) == before

    async def nothing(_: AwsBackend) -> None:
        return

    await stage.strike_each(add, after=is_counted)
    await stage.strike_each(look, after=nothing)
