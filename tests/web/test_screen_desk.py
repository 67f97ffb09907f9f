"""The page of one desk: who has it, what waits, what was done, and what people do with it."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from hotdesk.desks import (
    Desk,
    DeskStatus,
    InterruptReason,
    Job,
    Origin,
    Outcome,
    Result,
)
from hotdesk.errors import Rejected
from hotdesk.ports import Backend
from hotdesk.web.screens.desk import leaves
from tests.web.conftest import Web, served
from tests.web.pages import EVIL, Page
from tests.web.test_screen_job import SENT, noted, settle, start

pytestmark = pytest.mark.anyio

DESK = "amelia/scott"
URL = f"/desks/{DESK}"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def page(web: Web, *, is_operator: bool = True) -> Page:
    return Page(await (web.operator if is_operator else web.viewer).get(URL))


async def post(web: Web, what: str, **fields: str) -> httpx.Response:
    return await web.operator.post(f"{URL}/{what}", data=fields, headers=SENT)


async def test_a_desk_that_waits_says_what_happens_next(web: Web) -> None:
    await web.client.submit(DESK, "Make the header blue", id="j1")

    shown = await page(web)

    for words in ("amelia · scott", "Waiting", "1 pending job", "Make the header blue", "nobody"):
        assert words in shown.text
    assert "The next free one takes it" in shown.text
    assert {f"{URL}/send", f"{URL}/pause"} == set(shown.actions)
    assert {"/jobs/j1", "/threads?desk=amelia/scott"} <= set(shown.links)


async def test_a_desk_at_work_shows_its_worker_its_job_and_its_queue_in_order(web: Web) -> None:
    for name in ("j1", "j2", "j3"):
        await web.client.submit(DESK, f"do {name}", id=name, interrupt="never")
    await start(web)

    shown = await page(web)

    assert "Running" in shown.text
    assert "w-01" in shown.text
    queue = shown.html.partition('<ol class="queue">')[2].partition("</ol>")[0]
    assert [part.partition('"')[0] for part in queue.split('id="queued-')[1:]] == ["j1", "j2", "j3"]
    assert queue.count('aria-current="true"') == 1
    assert f"{URL}/release" in shown.actions


async def test_a_viewer_sees_the_desk_and_no_button(web: Web) -> None:
    await web.client.submit(DESK, "blue", id="j1")

    shown = await page(web, is_operator=False)

    assert shown.actions == []
    assert (await web.viewer.post(f"{URL}/pause", headers=SENT)).status_code == 403


async def test_hostile_instructions_stay_words(web: Web) -> None:
    origin = Origin(source=EVIL, sender=EVIL, subject=EVIL)
    await web.client.submit(DESK, EVIL, id="j1", origin=origin)
    await web.client.submit(DESK, EVIL, id="j2")
    await start(web)

    shown = await page(web)

    assert "<script>alert" not in shown.html
    assert "<img" not in shown.html
    assert "alert(1)" in shown.text


async def test_the_history_says_who_interrupted_whom(web: Web) -> None:
    await web.client.submit(DESK, "the first", id="j1", thread="t1")
    first = await start(web)
    await web.client.submit(DESK, "the other", id="j2", thread="t2")
    second = await settle(web, first, Outcome.interrupted(InterruptReason.PREEMPT))
    assert second is not None
    await settle(web, second, Outcome.succeeded(Result(text="done")))

    shown = await page(web)

    history = shown.text.partition("History")[2]
    assert "j1 the first ↳ interrupted by j2 the other" in history
    assert history.index("j2 the other Succeeded") < history.index("j1 the first")
    assert "/threads/amelia/scott/t1" in shown.links


async def test_an_instruction_is_sent_as_the_form_says(web: Web) -> None:
    await web.client.submit(DESK, "blue", id="j1", thread="t1")

    plain = await post(web, "send", instruction="one\r\ntwo", thread="", interrupt="")
    chosen = await post(web, "send", instruction="red", thread="t1", interrupt="never")

    jobs = [await web.client.job(each.json()["to"][6:]) for each in (plain, chosen)]
    assert [(job.instruction, job.origin.source) for job in jobs] == [
        ("one\ntwo", "http"),
        ("red", "http"),
    ]
    assert (jobs[0].interrupt, jobs[0].thread) == ("desk", jobs[0].id)
    assert (jobs[1].interrupt, jobs[1].thread) == ("never", "t1")
    assert await noted(web, jobs[1].id) == [("otto", "submit", jobs[1].id)]


async def test_what_is_not_usable_is_refused_and_nothing_is_sent(web: Web) -> None:
    for fields in (
        {"instruction": ""},
        {"instruction": "x", "thread": "../up"},
        {"instruction": "x", "interrupt": "all"},
        {"instruction": "x", "sender": "boss@example.org"},
    ):
        assert (await post(web, "send", **fields)).status_code == 422
    assert (await web.operator.post(f"{URL}/send?x=1", headers=SENT)).status_code == 422
    assert await web.client.jobs() == []


async def test_a_desk_is_paused_resumed_and_released(web: Web) -> None:
    await web.client.submit(DESK, "blue", id="j1")
    await start(web)

    paused, shown = await post(web, "pause"), await page(web)
    resumed, released = await post(web, "resume"), await post(web, "release")

    assert paused.json() == {"said": "Paused.", "to": URL}
    assert f"{URL}/resume" in shown.actions
    assert "leaves it after the running job, because it is paused" in shown.text
    assert (resumed.status_code, released.status_code) == (200, 200)
    taken = [each for each in await web.backend.events() if each.kind == "ActionTaken"]
    assert [each.details["action"] for each in taken] == ["pause", "resume", "release"]
    assert {each.desk for each in taken} == {"amelia#scott"}


async def test_a_desk_of_no_project_or_without_a_job_is_refused(backend: Backend) -> None:
    def check(project: str) -> None:
        raise Rejected(f"there is no project {project!r} here")

    async with served(backend, check_project=check) as web:
        assert (await web.viewer.get(URL)).status_code == 404
        assert (await web.viewer.get("/desks/a/..%2f")).status_code in {404, 422}
        assert (await web.viewer.get("/desks/A/b")).status_code == 422
        for what in ("pause", "send"):
            assert (await post(web, what, instruction="x")).status_code == 422
        assert await backend.jobs() == []


def a_status(**changes: object) -> DeskStatus:
    known: dict[str, object] = {
        "desk": Desk("amelia", "scott"),
        "generation": 1,
        "owner": "w-01",
        "lease_until": NOW,
        "pending": 0,
        "active_job": "",
        "free_since": None,
        "due_at": None,
        "is_paused": False,
        "is_pinned": False,
    }
    return DeskStatus(**{**known, **changes})  # type: ignore[arg-type] # names of its fields


async def test_when_a_worker_leaves_is_told_from_what_is_known(web: Web) -> None:
    await web.client.submit(DESK, "blue", id="j1")
    await settle(web, await start(web), Outcome.succeeded(Result(text="x")))
    ended: list[Job] = await web.client.jobs()
    minute = timedelta(minutes=1)

    def told(status: DeskStatus, linger: timedelta | None, after: float) -> str:
        return leaves(status, ended, linger, now=NOW + timedelta(seconds=after))

    assert told(a_status(owner=""), minute, 0) == ""
    assert "when nothing is pending" in told(a_status(pending=1), minute, 0)
    assert "1m 00s after its last job" in told(a_status(), minute, 30)
    assert "about to leave" in told(a_status(), minute, 61)
    assert "idle for a while" in told(a_status(), None, 0)
