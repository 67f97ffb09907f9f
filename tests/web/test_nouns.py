"""Desks, workers, threads, mails that wait, dead letters, the pool, health and metrics."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio
import anyio.lowlevel
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hotdesk.cli.records import desk_json, held_json, thread_json, worker_json
from hotdesk.desks import Claim, Delivery, Desk, NewJob, Origin, Outcome
from hotdesk.errors import Rejected
from hotdesk.ports import Backend, WorkerCard
from tests.web.conftest import Web, served
from tests.web.test_jobs import same, submit

pytestmark = pytest.mark.anyio

API = "/api/v1"
DESK = Desk("amelia", "scott")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = timedelta(days=9999)


async def register(web: Web, name: str = "w1") -> None:
    await web.backend.register(WorkerCard(id=name, pid=1), now=NOW)


async def start(web: Web, name: str = "w1") -> Delivery:
    """Let a worker be handed the next job."""
    claim = await web.backend.claim(name, wait=timedelta(0), lease=LEASE, now=NOW)
    assert isinstance(claim, Claim)
    delivery = await web.backend.next_job(claim, wait=timedelta(0), now=NOW)
    assert isinstance(delivery, Delivery)
    return delivery


async def die(web: Web, count: int) -> list[str]:
    """Let jobs fail for good."""
    jobs = [(await submit(web, f"{number}"))["job"] for number in range(count)]
    await register(web)
    delivery: Delivery | None = await start(web)
    while delivery is not None:
        failed = Outcome.failed("it is broken")
        delivery = await web.backend.settle(delivery, failed, and_next=True, now=NOW)
    return jobs


def hold(name: str) -> NewJob:
    origin = Origin(source="mail", sender="guest@example.org", subject="<b>please</b>")
    return NewJob(id=name, desk=DESK, thread="t", instruction="y" * 2000, origin=origin)


async def test_a_desk_is_shown_as_the_command_line_shows_it(web: Web) -> None:
    await submit(web)
    await register(web)
    await start(web)

    shown = (await web.viewer.get(f"{API}/desks/amelia/scott")).json()
    [listed] = (await web.viewer.get(f"{API}/desks")).json()["items"]

    known = desk_json(await web.client.desk("amelia/scott"))
    assert shown == listed
    assert all(same(shown[name], known[name]) for name in {*known, *shown})
    assert shown["state"] == "running"


async def test_a_desk_is_paused_resumed_and_released(web: Web) -> None:
    await submit(web)

    paused = await web.operator.post(f"{API}/desks/amelia/scott/pause")
    waits = (await web.viewer.get(f"{API}/desks", params={"waiting": True})).json()["items"]
    resumed = await web.operator.post(f"{API}/desks/amelia/scott/resume")
    released = await web.operator.post(f"{API}/desks/amelia/scott/release")

    assert (paused.json()["state"], resumed.json()["state"]) == ("paused", "waiting")
    assert released.status_code == 200
    assert len(waits) <= 1
    kinds = [each.kind for each in await web.backend.events()]
    assert kinds.count("ActionTaken") == 4


async def test_the_queue_of_a_desk_is_in_the_order_of_the_hand_over(web: Web) -> None:
    jobs = [(await submit(web, str(number)))["job"] for number in range(3)]

    queue = (await web.viewer.get(f"{API}/desks/amelia/scott/queue?limit=2")).json()

    assert [each["job"] for each in queue["items"]] == jobs[:2]
    assert queue["has_more"]


@pytest.mark.parametrize("path", ["desks/no/body", "workers/nobody/drain", "held/nope", "dead/x"])
async def test_what_nobody_knows_is_not_found(web: Web, path: str) -> None:
    is_action = path.endswith("drain")

    answer = await web.operator.request("POST" if is_action else "GET", f"{API}/{path}")

    assert answer.status_code in ({404, 405} if path == "dead/x" else {404})


async def test_a_project_that_is_not_configured_is_refused(backend: Backend) -> None:
    def check(project: str) -> None:
        if project != "amelia":
            raise Rejected(f"there is no project {project!r} here; configured: amelia")

    async with served(backend, check_project=check) as web:
        answer = await web.operator.post(
            f"{API}/jobs", json={"desk": "other/scott", "instruction": "x"}
        )

    assert answer.status_code == 422
    assert "configured: amelia" in answer.json()["detail"]


async def test_a_worker_is_shown_and_drained(web: Web) -> None:
    await register(web)
    known = [worker_json(each) for each in await web.client.workers()]

    [shown] = (await web.viewer.get(f"{API}/workers")).json()["items"]
    drained = await web.operator.post(f"{API}/workers/w1/drain")

    assert all(same(shown[name], known[0][name]) for name in {*known[0], *shown})
    assert drained.status_code == 204
    assert [each.kind for each in await web.backend.events()][-1] == "ActionTaken"


async def test_a_conversation_is_shown_with_its_jobs(web: Web) -> None:
    sent = [(await submit(web, str(number), thread="t"))["job"] for number in range(2)]

    [shown] = (await web.viewer.get(f"{API}/threads?desk=amelia/scott")).json()["items"]
    jobs = (await web.viewer.get(f"{API}/threads/amelia/scott/t")).json()["items"]

    [known] = [thread_json(each) for each in await web.client.threads()]
    assert all(same(shown[name], known[name]) for name in {*known, *shown})
    assert [job["job"] for job in jobs] == sent[::-1]
    assert (await web.viewer.get(f"{API}/threads/amelia/scott/u")).status_code == 404


async def test_a_mail_that_waits_is_approved_or_dropped_in_the_name_of_the_token(web: Web) -> None:
    for name in ("one", "two"):
        await web.backend.hold(hold(name), "a guest", now=NOW)
    known = held_json(await web.client.held_job("one"))

    listed = (await web.viewer.get(f"{API}/held")).json()["items"]
    shown = (await web.viewer.get(f"{API}/held/one")).json()
    approved = await web.operator.post(f"{API}/held/one/approve")
    dropped = await web.operator.post(f"{API}/held/two/drop")

    assert all(same(shown[name], known[name]) for name in {*known, *shown})
    assert [len(each["instruction"]) for each in listed] == [1000, 1000]
    assert (approved.json()["state"], dropped.status_code) == ("queued", 204)
    by = [each.details["by"] for each in await web.backend.events() if "by" in each.details]
    assert by == ["otto@http"] * 2
    assert (await web.viewer.get(f"{API}/held")).json()["items"] == []


async def test_a_subject_that_is_no_text_does_not_hide_the_list(web: Web) -> None:
    odd = Origin(source="mail", sender="\ud800@x", subject="\udfff <script>")
    await web.client.submit(DESK, "x", origin=odd)
    await web.backend.hold(replace(hold("one"), origin=odd), "a guest", now=NOW)

    [job] = (await web.viewer.get(f"{API}/jobs")).json()["items"]
    [held] = (await web.viewer.get(f"{API}/held")).json()["items"]

    assert job["subject"] == held["subject"] == "? <script>"


async def test_dead_letters_are_retried_and_discarded_in_bulk(web: Web) -> None:
    first, second, third = await die(web, 3)
    alive = (await submit(web, "alive"))["job"]

    listed = (await web.viewer.get(f"{API}/jobs?state=failed")).json()["items"]
    cancelled = (await submit(web, "cancelled"))["job"]
    await web.client.cancel(cancelled)
    retried = await web.operator.post(
        f"{API}/dead/retry", json={"jobs": [first, first, "nope", cancelled]}
    )
    discarded = await web.operator.post(
        f"{API}/dead/discard", json={"jobs": [second, third, alive]}
    )

    assert {each["job"] for each in listed} == {first, second, third}
    assert retried.json()["done"] == [first]
    assert [each["job"] for each in retried.json()["refused"]] == ["nope", cancelled]
    assert discarded.json()["done"] == [second, third]
    assert [each["job"] for each in discarded.json()["refused"]] == [alive]
    assert {job.id for job in await web.client.jobs()} == {first, alive, cancelled}


@pytest.mark.parametrize("jobs", [[], ["x"] * 201, ["a b"], [1], "x", None])
async def test_a_bulk_that_is_not_usable_is_refused(web: Web, jobs: object) -> None:
    answer = await web.operator.post(f"{API}/dead/discard", json={"jobs": jobs})

    assert answer.status_code == 422


async def test_the_pool_says_who_waits_and_why(web: Web) -> None:
    await submit(web)

    empty = (await web.viewer.get(f"{API}/pool")).json()
    health = (await web.viewer.get(f"{API}/health")).json()
    await register(web)
    await start(web)
    busy = (await web.viewer.get(f"{API}/pool")).json()

    assert empty["waiting"] == [
        {"desk": "amelia/scott", "pending": 1, "why": "no worker is running"}
    ]
    assert (health["status"], health["checks"][1]["what"]) == ("warn", "no worker runs")
    assert (busy["waiting"], busy["running"], busy["pending"]) == ([], 1, 1)
    assert busy["workers"][0]["state"] == "busy"
    assert (await web.viewer.get(f"{API}/health")).json()["status"] == "ok"


async def test_metrics_tell_how_it_stands_and_what_was_counted(web: Web) -> None:
    with anyio.fail_after(10):
        while not web.feed.is_live:
            await anyio.lowlevel.checkpoint()
    await die(web, 2)
    end = web.feed.end()
    with anyio.fail_after(10):
        while not re.search(r'jobs_ended_total{state="failed"} 2', await text(web)):
            await web.feed.moved(end, wait=0.1)

    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(await text(web))
        for sample in family.samples
    }

    assert found["hotdesk_events_total", "JobSubmitted"] == 2
    assert found["hotdesk_job_wait_seconds_count",] == 2
    assert found["hotdesk_job_run_seconds_count",] == 2
    assert found["hotdesk_http_requests_total", "201"] == 2
    assert {key[0] for key in found if "amelia" in str(key)} == set()
    for family in text_string_to_metric_families(await text(web)):
        assert family.name.startswith("hotdesk_")
        assert family.documentation


async def text(web: Web) -> str:
    answer = await web.viewer.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return answer.text
