"""The same API on a stack of AWS: what is asked and answered does not tell the store.

One emulator will do: that both are alike is tested with the backend.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import anyio
import pytest

from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls
from hotdesk.clock import SystemClock
from hotdesk.desks import Claim, Delivery, Desk, NewJob, Origin, Outcome
from hotdesk.lifecycle import LEASE, Limits
from hotdesk.ports import WorkerCard
from hotdesk.web import feed
from tests.backends.aws.stacks import Stacks
from tests.emulators.plugin import GetEmulator
from tests.web.conftest import Web, served
from tests.web.reading import element, words
from tests.web.test_jobs import JOBS, submit
from tests.web.test_pages import turned
from tests.web.test_streams import listening, live

pytestmark = [pytest.mark.anyio, pytest.mark.emulated]

API = "/api/v1"
DESK = Desk("amelia", "scott")
NOTHING = timedelta(0)


@pytest.fixture(scope="session")
def moto(get_emulator: GetEmulator) -> Iterator[Stacks]:
    """What makes stacks; others who share the emulator give theirs other names."""
    emulator = get_emulator("moto")
    with closing(Stacks(replace(emulator, stack=f"{emulator.stack}web"))) as stacks:
        yield stacks


@pytest.fixture
async def web(moto: Stacks) -> AsyncIterator[Web]:
    """A server on an empty stack, where the first failure of a job is its last."""
    emulator = moto.emulator
    calls = Calls(emulator.region, endpoint=emulator.endpoint, session=moto.session)
    stack = moto.make()
    backend = AwsBackend(calls, stack, SystemClock(), limits=Limits(attempts_max=1))
    try:
        async with served(backend) as running:
            yield running
    finally:
        await backend.close()
        moto.remove(stack)


async def start(web: Web, name: str = "w1") -> Delivery:
    """Let a worker be handed the next job."""
    now = SystemClock().now()
    await web.backend.register(WorkerCard(id=name, pid=1), now=now)
    claim = await web.backend.claim(name, wait=NOTHING, lease=LEASE, now=now)
    assert isinstance(claim, Claim)
    delivery = await web.backend.next_job(claim, wait=NOTHING, now=now)
    assert isinstance(delivery, Delivery)
    return delivery


async def settle(web: Web, delivery: Delivery, outcome: Outcome) -> Delivery | None:
    """End it; the next one of the desk is handed over with that."""
    now = SystemClock().now()
    await web.backend.settle(delivery, outcome, and_next=False, now=now)
    found = await web.backend.next_job(delivery.claim, wait=NOTHING, now=now)
    return found if isinstance(found, Delivery) else None


async def get(web: Web, path: str, **query: str | int) -> Any:  # noqa: ANN401 - JSON
    """What is answered to a viewer."""
    answer = await web.viewer.get(f"{API}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_jobs_are_submitted_once_and_their_pages_turned(web: Web) -> None:
    jobs = [(await submit(web, str(n), desk=f"amelia/u{n}", thread="t"))["job"] for n in range(3)]
    more = [(await submit(web, str(n), desk="amelia/u0", thread="t"))["job"] for n in range(2)]
    again = {"desk": "amelia/u0", "instruction": "1", "thread": "t"}
    same = await web.operator.post(JOBS, json=again, headers={"Idempotency-Key": more[1]})
    other = await web.operator.post(
        JOBS, json={**again, "instruction": "2"}, headers={"Idempotency-Key": more[1]}
    )

    assert (same.json()["job"], same.json()["position"]) == (more[1], 2)
    assert other.status_code == 409
    assert await turned(web, JOBS) == [*jobs, *more][::-1]
    assert await turned(web, JOBS, state="queued") == [*jobs, *more][::-1]
    assert await turned(web, JOBS, desk="amelia/u0") == [jobs[0], *more][::-1]
    assert await turned(web, f"{API}/threads/amelia/u0/t") == [jobs[0], *more][::-1]
    assert sorted(await turned(web, f"{API}/desks")) == [f"amelia/u{n}" for n in range(3)]
    assert sorted(await turned(web, f"{API}/desks", waiting="true")) == [
        f"amelia/u{n}" for n in range(3)
    ]
    assert sorted(await turned(web, f"{API}/threads")) == [f"amelia/u{n}" for n in range(3)]
    queue = (await get(web, "desks/amelia/u0/queue"))["items"]
    assert [each["job"] for each in queue] == [jobs[0], *more]


async def test_a_cursor_of_another_list_and_a_name_that_nobody_knows_are_told(web: Web) -> None:
    for number in range(2):
        await submit(web, str(number))
    ours = (await get(web, "jobs", limit=1))["next"]

    async def status(path: str, **query: str) -> int:
        return (await web.viewer.get(f"{API}/{path}", params=query)).status_code

    assert await status("jobs", cursor=ours) == 200
    assert await status("desks", cursor=ours) == 422
    assert await status("events", after="no cursor") == 422
    for path in ("jobs/no", "jobs/no/log", "desks/no/no", "held/no", "threads/amelia/scott/no"):
        assert await status(path) == 404, path
    for path in ("jobs/no/cancel", "jobs/no/retry", "workers/no/drain", "held/no/approve"):
        assert (await web.operator.post(f"{API}/{path}")).status_code == 404, path


async def test_events_come_as_they_happen_and_go_on_where_they_were_cut_off(web: Web) -> None:
    await live(web)
    async with listening(web) as stream:
        first = (await submit(web))["job"]
        seen = [await stream.next() for _ in range(2)]
        cursor = stream.last_id
    second = (await submit(web))["job"]

    async with listening(web, headers={"Last-Event-ID": cursor}, kind="JobSubmitted") as stream:
        later = await stream.next()
    async with listening(web, after="", kind="JobSubmitted") as stream:
        oldest = await stream.next()

    assert ("JobSubmitted", first) in [(each["event"], each["job"]) for each in seen]
    assert (later["job"], oldest["job"]) == (second, first)


async def test_output_is_followed_to_the_end_of_its_job(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LOOK_AT_LEAST", timedelta(seconds=60))
    job = (await submit(web))["job"]
    delivery = await start(web)
    await web.backend.append_log(job, 1, "it begins\n", now=SystemClock().now())

    async with listening(web, f"{JOBS}/{job}/log/stream") as stream:
        first = await stream.next("log")
        # Nothing but the output itself tells from here on that there is more.
        while not await web.feed.written(web.feed.writes, wait=1.5):
            pass
        await web.backend.append_log(job, 1, "it ends\n", now=SystemClock().now())
        second = await stream.next("log")
        await settle(web, delivery, Outcome.succeeded())
        end = await stream.next("end")

    assert [first["text"], second["text"]] == ["it begins\n", "it ends\n"]
    assert end == {"job": job, "state": "succeeded"}
    assert len((await get(web, f"jobs/{job}/log"))["items"]) == 2


async def test_a_job_is_cancelled_sent_again_and_corrected(web: Web) -> None:
    job = (await submit(web, thread="t"))["job"]

    cancelled = await web.operator.post(f"{JOBS}/{job}/cancel")
    retried = await web.operator.post(f"{JOBS}/{job}/retry")
    twice = await web.operator.post(f"{JOBS}/{job}/retry")
    corrected = await web.operator.post(f"{JOBS}/{job}/interrupt", json={"instruction": "red"})

    assert cancelled.json()["state"] == "cancelled"
    assert retried.json()["state"] == "queued"
    assert twice.status_code == 409
    assert (corrected.status_code, corrected.json()["thread"]) == (201, "t")
    taken = [each for each in await web.client.timeline(job) if each.kind == "ActionTaken"]
    assert [each.details["action"] for each in taken] == ["submit", "cancel", "retry"]


async def test_dead_letters_are_listed_retried_and_discarded(web: Web) -> None:
    jobs = [(await submit(web, str(number)))["job"] for number in range(3)]
    delivery: Delivery | None = await start(web)
    while delivery is not None:
        delivery = await settle(web, delivery, Outcome.attempt_failed("it is broken"))

    listed = await turned(web, f"{API}/dead")
    retried = await web.operator.post(f"{API}/dead/retry", json={"jobs": [jobs[0], "no"]})
    discarded = await web.operator.post(f"{API}/dead/discard", json={"jobs": jobs})

    assert listed == jobs[::-1]
    assert retried.json()["done"] == [jobs[0]]
    assert [each["job"] for each in retried.json()["refused"]] == ["no"]
    assert discarded.json()["done"] == jobs[1:]
    assert [each["job"] for each in discarded.json()["refused"]] == [jobs[0]]
    assert await turned(web, f"{API}/dead") == []


async def test_screens_show_what_the_stack_has(web: Web) -> None:
    job = (await submit(web, "blue"))["job"]
    delivery = await start(web)
    for line in ("it begins\n", "it breaks\n"):
        await web.backend.append_log(job, 1, line, now=SystemClock().now())
    await settle(web, delivery, Outcome.attempt_failed("it is broken"))

    async def page(path: str) -> str:
        answer = await web.viewer.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    letter = words(element(await page("/dead"), f"job-{job}"))
    worker = words(element(await page("/workers"), "worker-w1"))
    health = await page("/health")

    assert "it is broken it breaks 1 " in letter
    assert worker.startswith("w1 Holding amelia · scott none ")
    assert "hotdesk send --desk amelia/scott" in health


async def test_a_mail_that_waits_is_approved_or_dropped(web: Web) -> None:
    for name in ("one", "two"):
        origin = Origin(source="mail", sender="guest@example.org", subject="<b>please</b>")
        new = NewJob(id=name, desk=DESK, thread="t", instruction="blue", origin=origin)
        await web.backend.hold(new, "a guest", now=SystemClock().now())

    listed = (await get(web, "held"))["items"]
    approved = await web.operator.post(f"{API}/held/one/approve")
    dropped = await web.operator.post(f"{API}/held/two/drop")

    assert [each["job"] for each in listed] == ["one", "two"]
    assert (approved.json()["state"], dropped.status_code) == ("queued", 204)
    assert (await get(web, "held"))["items"] == []


async def test_desks_workers_pool_and_health_tell_how_it_stands(web: Web) -> None:
    job = (await submit(web))["job"]
    waits = await get(web, "pool")
    paused = await web.operator.post(f"{API}/desks/amelia/scott/pause")
    resumed = await web.operator.post(f"{API}/desks/amelia/scott/resume")
    await start(web)
    released = await web.operator.post(f"{API}/desks/amelia/scott/release")
    drained = await web.operator.post(f"{API}/workers/w1/drain")

    assert [each["desk"] for each in waits["waiting"]] == ["amelia/scott"]
    assert (paused.json()["state"], resumed.json()["state"]) == ("paused", "waiting")
    assert (released.json()["state"], released.json()["job"]) == ("running", job)
    assert drained.status_code == 204
    [worker] = (await get(web, "workers"))["items"]
    assert (worker["worker"], worker["state"], worker["job"]) == ("w1", "draining", job)
    pool = await get(web, "pool")
    assert (pool["running"], pool["pending"], pool["waiting"]) == (1, 1, [])
    assert {each["level"] for each in (await get(web, "health"))["checks"]} == {"ok"}
    assert 'hotdesk_workers{state="draining"} 1' in (await web.viewer.get("/metrics")).text
    with anyio.fail_after(10):
        while (await web.stranger.get("/readyz")).status_code != 200:
            pass
