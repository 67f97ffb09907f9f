"""Listings are complete at any length of a page, and read no more than they show."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from hotdesk.backends.aws import listing, table
from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls
from hotdesk.desks import Desk, JobState, Outcome
from hotdesk.errors import Unavailable
from hotdesk.testing import FakeClock
from hotdesk.testing.contract_pages import leafed
from hotdesk.testing.scene import AMELIA, SCOTT, Scene, a_job, ids

pytestmark = pytest.mark.anyio

ConnectCalls = Callable[..., Calls]

NUMBER = 11


class Stingy(Calls):
    """Clients that are given two items at a time, and counts of what they ask."""

    made: Counter[str]

    async def dynamodb(self, operation: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - as Calls has it
        """Call DynamoDB."""
        self.made[operation] += 1
        if operation == "query":
            arguments["Limit"] = min(2, arguments.get("Limit", 2))
        if operation not in ("batch_get_item", "batch_write_item"):
            return await super().dynamodb(operation, **arguments)
        [(table, asked)] = arguments["RequestItems"].items()
        if operation == "batch_get_item":
            rest = {**asked, "Keys": asked["Keys"][2:]}
            arguments["RequestItems"] = {table: {**asked, "Keys": asked["Keys"][:2]}}
            answer = await super().dynamodb(operation, **arguments)
            return {**answer, "UnprocessedKeys": {table: rest} if rest["Keys"] else {}}
        arguments["RequestItems"] = {table: asked[:2]}
        answer = await super().dynamodb(operation, **arguments)
        return {**answer, "UnprocessedItems": {table: asked[2:]} if asked[2:] else {}}


class Counting(Calls):
    """Clients that count what they ask."""

    made: Counter[str]

    async def dynamodb(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Call DynamoDB."""
        self.made[operation] += 1
        return await super().dynamodb(operation, **arguments)


@pytest.fixture
def counted(
    stack: str, connect_calls: ConnectCalls, clock: FakeClock
) -> Callable[[type[Stingy] | type[Counting]], tuple[AwsBackend, Counter[str]]]:
    """The same stack through clients of a kind that count."""

    def make(kind: type[Stingy] | type[Counting]) -> tuple[AwsBackend, Counter[str]]:
        calls = connect_calls(kind)
        assert isinstance(calls, Stingy | Counting)
        calls.made = Counter()
        return AwsBackend(calls, stack, clock), calls.made

    return make


Counted = Callable[[type[Stingy] | type[Counting]], tuple[AwsBackend, Counter[str]]]


def names(prefix: str) -> list[str]:
    return [f"{prefix}{number:02}" for number in range(NUMBER)]


async def fill(scene: Scene) -> None:
    """Two threads that alternate at one desk, and another desk."""
    for even, odd in zip(names("even"), names("odd"), strict=True):
        await scene.submit(
            a_job(even, thread="even"), a_job(odd, thread="odd"), a_job(f"{odd}s", SCOTT)
        )


async def test_jobs_are_listed_in_full_when_every_answer_is_short(
    scene: Scene, counted: Counted
) -> None:
    await fill(scene)
    backend, _ = counted(Stingy)

    assert ids(await backend.jobs(desk=AMELIA, thread="even")) == names("even")[::-1]
    assert ids(await backend.jobs(desk=AMELIA, thread="odd", limit=3)) == names("odd")[:-4:-1]
    assert ids(await backend.jobs(desk=AMELIA)) == ids(await scene.backend.jobs(desk=AMELIA))
    assert ids(await backend.jobs()) == ids(await scene.backend.jobs())
    assert len(await backend.jobs()) == 3 * NUMBER
    assert ids(await backend.queue(AMELIA, limit=5)) == ids(await scene.backend.queue(AMELIA))[:5]
    assert len(await backend.desks()) == 2


async def test_jobs_in_a_state_are_found_behind_those_in_another_one(
    scene: Scene, counted: Counted
) -> None:
    for name in ("failed1", "failed2"):
        await scene.ended(name, Outcome.failed("no"))
    claim = await scene.claimed("w1")
    for name in names("done"):
        await scene.submit(a_job(name))
        assert await scene.done(claim) == name
    await scene.submit(a_job("running"), a_job("queued", thread="other"))
    await scene.handed(claim, "running")
    backend, _ = counted(Stingy)

    for limit in (1, 2, 3, 100):
        listed = partial(backend.jobs, desk=AMELIA, limit=limit)
        assert ids(await listed(state=JobState.FAILED)) == ["failed2", "failed1"][:limit]
        assert ids(await listed(state=JobState.SUCCEEDED)) == names("done")[::-1][:limit]
        assert ids(await listed(state=JobState.RUNNING)) == ["running"]
        assert ids(await listed(state=JobState.QUEUED)) == ["queued"]
        assert ids(await listed(state=JobState.QUEUED, thread="header")) == []
        assert ids(await listed(state=JobState.DEAD)) == []


async def test_a_thread_is_found_without_reading_the_jobs_of_others(
    scene: Scene, counted: Counted
) -> None:
    await scene.submit(a_job("wanted", thread="wanted"))
    await fill(scene)
    backend, made = counted(Counting)

    assert ids(await backend.jobs(desk=AMELIA, thread="wanted")) == ["wanted"]

    assert made == {"query": 1, "batch_get_item": 1}
    assert ids(await backend.jobs(desk=AMELIA, thread="odd", limit=1)) == names("odd")[-1:]
    assert made == {"query": 2, "batch_get_item": 2}


async def test_conversations_are_counted_without_reading_their_jobs(
    scene: Scene, counted: Counted
) -> None:
    await fill(scene)
    backend, made = counted(Counting)

    threads = await backend.threads(desk=AMELIA)

    assert [(each.thread, each.jobs, each.last_job) for each in threads] == [
        ("odd", NUMBER, names("odd")[-1]),
        ("even", NUMBER, names("even")[-1]),
    ]
    assert made == {"query": 1, "batch_get_item": 1}
    stingy, _ = counted(Stingy)
    assert await stingy.threads(desk=AMELIA) == threads
    assert await stingy.threads() == await backend.threads()
    assert len(await backend.threads(limit=2)) == 2


async def test_only_so_many_of_a_desks_jobs_are_looked_through(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(scene)
    monkeypatch.setattr(listing, "LOOKED_THROUGH_MAX", 4)

    assert ids(await scene.backend.jobs(desk=AMELIA, thread="even")) == names("even")[:-3:-1]
    assert [each.jobs for each in await scene.backend.threads(desk=AMELIA)] == [2, 2]
    even = partial(scene.backend.jobs, desk=AMELIA, thread="even")
    assert ids(await leafed(even, 3)) == names("even")[::-1]
    failed = partial(scene.backend.jobs, desk=AMELIA, state=JobState.FAILED)
    assert (await failed()).next
    assert await leafed(failed, 3) == []


async def test_a_sweep_asks_no_more_for_many_idle_desks_than_for_few(
    scene: Scene, counted: Counted
) -> None:
    backend, made = counted(Counting)
    counts = []
    for number in (2, 10):
        for name in range(number):
            desk = Desk("website", f"user{number}-{name}")
            await scene.submit(a_job(f"job{number}-{name}", desk))
            claim = await scene.claimed("w1", desk)
            await scene.done(claim)
            assert await scene.release(claim)
        await scene.sweep()
        made.clear()
        await backend.sweep(retention=timedelta(days=30), now=scene.clock.now())
        counts.append(dict(made))

    assert counts[0] == counts[1]
    assert "scan" not in made


async def test_what_dynamodb_never_does_is_not_asked_for_ever(
    stack: str,
    connect_calls: ConnectCalls,
    scene: Scene,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(table, "_BATCH_PAUSE_SECONDS", 0)

    class Refusing(Calls):
        """Clients whose batches are never begun."""

        async def dynamodb(self, operation: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - as Calls has it
            """Call DynamoDB."""
            asked = arguments.get("RequestItems")
            if operation == "batch_get_item":
                return {"Responses": {}, "UnprocessedKeys": asked}
            if operation == "batch_write_item":
                return {"UnprocessedItems": asked}
            return await super().dynamodb(operation, **arguments)

    await scene.ended("a", Outcome.failed("no"))
    refusing = AwsBackend(connect_calls(Refusing), stack, clock)

    with pytest.raises(Unavailable):
        await refusing.jobs()
    await scene.backend.append_log("a", 1, "text", now=clock.now())
    with pytest.raises(Unavailable):
        await refusing.discard("a", now=clock.now())


async def test_answers_of_a_job_that_is_gone_do_not_hold_up_others(
    scene: Scene, clock: FakeClock
) -> None:
    await scene.submit(a_job("gone"), a_job("there"))
    claim = await scene.claimed("w1")
    mailed = replace(
        a_job("mailed"), origin=replace(a_job("x").origin, message_id="<m@example.org>")
    )
    await scene.submit(mailed)
    for _ in range(3):
        await scene.done(claim)
    backend = scene.backend
    assert isinstance(backend, AwsBackend)
    [due] = await backend.due_answers(limit=10, now=clock.now())
    item = await backend._table.get(("job mailed", "answer 000001"))
    assert item is not None
    orphan = {**item, "pk": "job missing", "job": "missing"}
    await backend._table.put(orphan)

    answers = await backend.due_answers(limit=10, now=clock.now())

    assert [each.job.id for each in answers] == [due.job.id] == ["mailed"]
