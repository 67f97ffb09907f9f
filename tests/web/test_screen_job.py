"""The page of one job: what became of it, what it prints, what it changed, and what one can do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio
import httpx
import pytest

from hotdesk.desks import Claim, Delivery, InterruptReason, Job, Origin, Outcome, Result
from hotdesk.events import AgentBegan, AgentEnded, AnswerSent, Event, ToolUsed
from hotdesk.ports import WorkerCard
from hotdesk.web import output
from tests.web.conftest import Web, served
from tests.web.pages import EVIL, Page

pytestmark = pytest.mark.anyio

DESK = "amelia/scott"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = timedelta(days=9999)
SENT = {"Hotdesk-Request": "page"}


async def start(web: Web, after: float = 0) -> Delivery:
    """Let a worker be handed the next job of any desk."""
    now = NOW + timedelta(seconds=after)
    await web.backend.register(WorkerCard(id="w-01", pid=1), now=now)
    claim = await web.backend.claim("w-01", wait=timedelta(0), lease=LEASE, now=now)
    assert isinstance(claim, Claim)
    delivery = await web.backend.next_job(claim, wait=timedelta(0), now=now)
    assert isinstance(delivery, Delivery)
    return delivery


async def settle(web: Web, delivery: Delivery, outcome: Outcome) -> Delivery | None:
    return await web.backend.settle(delivery, outcome, and_next=True, now=NOW)


async def page(web: Web, job_id: str, *, is_operator: bool = True) -> Page:
    asking = web.operator if is_operator else web.viewer
    return Page(await asking.get(f"/jobs/{job_id}"))


async def post(web: Web, job_id: str, what: str, **fields: str) -> httpx.Response:
    return await web.operator.post(f"/jobs/{job_id}/{what}", data=fields, headers=SENT)


async def record(web: Web, job: Job, *events: Event) -> None:
    """Let things happen to a job."""
    own = [replace(each, desk=job.desk.key, job_id=job.id) for each in events]
    await web.backend.record(own, now=NOW + timedelta(seconds=5))


async def log(web: Web, job: Job, text: str, attempt: int = 1) -> None:
    await web.backend.append_log(job.id, attempt, text, now=NOW)


async def test_a_queued_job_says_where_it_stands_and_what_can_be_done(web: Web) -> None:
    await web.client.submit(DESK, "first", id="j1")
    await web.client.submit(DESK, "Make the header blue", id="j2", interrupt="never")

    shown = await page(web, "j2")

    assert "Make the header blue" in shown.text
    assert "Queued" in shown.text
    assert {"/jobs/j2/interrupt", "/jobs/j2/cancel"} == set(shown.actions)
    assert shown.links.count("/jobs/j1") == 1
    assert {"/desks/amelia/scott", "/jobs/j2/raw"} <= set(shown.links)


async def test_a_viewer_sees_all_of_it_and_no_button(web: Web) -> None:
    await web.client.submit(DESK, "blue", id="j1")

    shown = await page(web, "j1", is_operator=False)
    refused = await web.viewer.post("/jobs/j1/cancel", headers=SENT)

    assert "blue" in shown.text
    assert shown.actions == []
    assert "/jobs/j1/raw" in shown.links
    assert refused.status_code == 403


async def test_a_running_job_shows_its_steps_its_worker_and_what_it_cost(web: Web) -> None:
    await web.client.submit(DESK, "blue", id="j1")
    delivery = await start(web)
    began = AgentBegan(agent="claude", model="opus", is_resumed=False)
    used = ToolUsed(tool="Edit", target="shop/cart.py")
    ended = AgentEnded(
        agent="claude", problem="", turns=2, tokens_in=41_000, tokens_out=900, cost_usd=0.25
    )
    await record(web, delivery.job, began, used, ended)

    shown = await page(web, "j1")

    for words in ("Running", "w-01", "generation 1", "claude reads and plans", "Edit shop/cart.py"):
        assert words in shown.text
    for words in ("41,000 in, 900 out", "$0.2500", "opus", "Steps as a table"):
        assert words in shown.text
    assert '<rect class="of-tool"' in shown.html


async def test_hostile_words_stay_words_wherever_they_stand(web: Web) -> None:
    origin = Origin(source=EVIL, sender=EVIL, subject=EVIL, message_id="<x@y>")
    await web.client.submit(DESK, EVIL, id="j1", origin=origin)
    await web.client.submit(DESK, EVIL, id="j2", origin=origin, interrupt="never")
    delivery = await start(web)
    began = AgentBegan(agent=EVIL, model=EVIL, is_resumed=True)
    await record(web, delivery.job, began, ToolUsed(tool=EVIL, target=EVIL))
    result = Result(text=EVIL, commit=EVIL, changes=(EVIL,), notes=(EVIL,))

    running = await page(web, "j1")
    await settle(web, delivery, Outcome.succeeded(result))
    ended = await page(web, "j1")
    next_one = await page(web, "j2")

    for shown in (running, ended, next_one):
        assert "<script>alert" not in shown.html
        assert "<img" not in shown.html
        assert "onerror=alert(1)>" not in shown.html
        assert "alert(1)" in shown.text
        assert "49" not in shown.text.split("alert(1)")[1][:60]


async def test_an_id_of_any_allowed_form_leads_to_its_page(web: Web) -> None:
    name = "Mail:abc@example.org_1.2-x"
    await web.client.submit(DESK, "blue", id=name)

    shown = await page(web, name)
    raw = await web.viewer.get(f"/jobs/{name}/raw")

    assert name in shown.text
    assert raw.headers["content-disposition"].endswith('"job-Mail-abc-example.org_1.2-x.log"')


async def test_a_job_that_does_not_exist_is_not_found(web: Web) -> None:
    for path in ("/jobs/nope", "/jobs/nope/raw", "/jobs/nope/output"):
        assert (await web.viewer.get(path)).status_code == 404


async def test_an_address_that_is_none_is_refused(web: Web) -> None:
    await web.client.submit(DESK, "blue", id="j1")

    for path in ("a..b", "%20", "j1?x=1", "j1/raw?x=1"):
        assert (await web.viewer.get(f"/jobs/{path}")).status_code == 422
    for place in ("x", "1", "1.2.3", "-1.2", "1.9999999999999999"):
        assert (await web.viewer.get(f"/jobs/j1/output?after={place}")).status_code == 422


async def test_who_stopped_whom_is_told_on_the_pages_of_both(web: Web) -> None:
    await web.client.submit(DESK, "the first", id="j1", thread="t1")
    first = await start(web)
    await web.client.submit(DESK, "the other", id="j2", thread="t2")
    await settle(web, first, Outcome.interrupted(InterruptReason.PREEMPT))

    one, two = await page(web, "j1"), await page(web, "j2")

    assert "Interrupted by j2 the other ." in one.text
    assert "Queued, put back" in one.text
    assert "Interrupted j1 the first when this message came in." in two.text
    assert "Next on the desk: j1 the first" in two.text


async def test_who_stopped_a_job_is_not_forgotten_when_it_is_cancelled_later(web: Web) -> None:
    await web.client.submit(DESK, "the first", id="j1", thread="t1")
    first = await start(web)
    await web.client.submit(DESK, "the other", id="j2", thread="t2")
    other = await settle(web, first, Outcome.interrupted(InterruptReason.PREEMPT))
    assert other is not None
    await settle(web, other, Outcome.succeeded(Result(text="done")))
    await web.client.cancel("j1")

    assert "Interrupted by j2 the other ." in (await page(web, "j1")).text


async def test_a_job_that_was_folded_leads_to_the_one_that_goes_on_with_it(web: Web) -> None:
    await web.client.submit(DESK, "the first", id="j1", thread="t1")
    first = await start(web)
    await web.client.submit(DESK, "the next", id="j2", thread="t1")
    await settle(web, first, Outcome.interrupted(InterruptReason.PREEMPT))

    one, two = await page(web, "j1"), await page(web, "j2")

    assert "Continued by j2 the next ." in one.text
    assert "Continues" not in one.text
    assert "Continues j1 the first ." in two.text


async def test_an_ended_job_shows_its_answer_and_what_became_of_the_mail(web: Web) -> None:
    origin = Origin(source="mail", sender="ana@example.org", message_id="<1@example.org>")
    await web.client.submit(DESK, "blue", id="j1", origin=origin)
    delivery = await start(web)
    await settle(web, delivery, Outcome.succeeded(Result(text="It is blue.", notes=("A note.",))))

    before = await page(web, "j1")
    await record(web, delivery.job, AnswerSent(message_id="<2@example.org>"))
    after = await page(web, "j1")

    assert "It is blue. A note. The answer is about to be sent by mail." in before.text
    assert "The answer was sent by mail." in after.text
    assert "This job changed no file." in after.text
    assert after.actions == ["/jobs/j1/interrupt"]


async def test_a_commit_that_is_elsewhere_is_told_with_the_names_of_the_files(web: Web) -> None:
    await web.client.submit(DESK, "blue", id="j1")
    result = Result(text="done", commit="0" * 40, changes=("shop/cart.py +6 -4",))
    await settle(web, await start(web), Outcome.succeeded(result))

    shown = await page(web, "j1")

    assert "commit 0000000000" in shown.text
    assert "This machine has no copy of the repository" in shown.text
    assert "shop/cart.py +6 -4" in shown.text


async def test_a_job_is_cancelled_and_sent_again(web: Web) -> None:
    await web.client.submit(DESK, "blue", id="j1")

    cancelled = await post(web, "j1", "cancel")
    shown = await page(web, "j1")
    retried = await post(web, "j1", "retry")
    twice = await post(web, "j1", "retry")

    assert cancelled.json() == {"said": "Cancelled.", "to": "/jobs/j1"}
    assert {"/jobs/j1/retry", "/jobs/j1/edited", "/jobs/j1/interrupt"} == set(shown.actions)
    assert retried.json()["to"] == "/jobs/j1"
    assert twice.status_code == 409
    assert await noted(web, "j1") == [("otto", "cancel", "j1"), ("otto", "retry", "j1")]


async def test_a_running_job_is_asked_to_stop(web: Web) -> None:
    await web.client.submit(DESK, "blue", id="j1")
    await start(web)

    answer = await post(web, "j1", "cancel")

    assert answer.json()["said"] == "It was asked to stop."
    assert "asked to stop" in (await page(web, "j1")).text


async def test_a_message_is_a_new_job_of_the_thread_that_stops_it(web: Web) -> None:
    await web.client.submit(DESK, "blue", id="j1", thread="t1")
    await start(web)

    answer = await post(web, "j1", "interrupt", instruction="one\r\ntwo")

    job = await web.client.job(answer.json()["to"].removeprefix("/jobs/"))
    assert (job.instruction, job.thread, job.interrupt) == ("one\ntwo", "t1", "thread")
    assert await noted(web, job.id) == [("otto", "interrupt", "j1")]


async def test_a_retry_in_other_words_is_a_new_job_that_is_answered_like_the_first(
    web: Web,
) -> None:
    origin = Origin(source="mail", sender="ana@example.org", message_id="<1@example.org>")
    await web.client.submit(DESK, "bleu", id="j1", thread="t1", origin=origin)
    early = await post(web, "j1", "edited", instruction="blue")
    await web.client.cancel("j1")

    answer = await post(web, "j1", "edited", instruction="blue")

    job = await web.client.job(answer.json()["to"].removeprefix("/jobs/"))
    assert early.status_code == 409
    assert (job.instruction, job.thread, job.origin) == ("blue", "t1", origin)


async def test_a_message_that_is_none_is_refused(web: Web) -> None:
    await web.client.submit(DESK, "blue", id="j1")

    for fields in ({}, {"instruction": " \n"}, {"instruction": "x", "more": "y"}, {"x": "y"}):
        assert (await post(web, "j1", "interrupt", **fields)).status_code == 422
    assert len(await web.client.jobs()) == 1


async def test_the_raw_log_is_a_file_with_what_was_printed_and_never_a_page(web: Web) -> None:
    job = await web.client.submit(DESK, "blue", id="j1")
    for number in range(25):
        await log(web, job, f"\x1b[31m<b>{number}</b>\n")

    raw = await web.viewer.get("/jobs/j1/raw")

    assert raw.headers["content-type"] == "text/plain; charset=utf-8"
    assert raw.headers["content-disposition"] == 'attachment; filename="job-j1.log"'
    assert raw.headers["x-content-type-options"] == "nosniff"
    assert raw.text == "".join(f"\x1b[31m<b>{number}</b>\n" for number in range(25))


class Output:
    """The stream of a job's output, event by event."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()
        self.place = ""

    async def next(self) -> tuple[str, str]:
        """The name and the data of the next event."""
        name = data = ""
        with anyio.fail_after(10):
            async for line in self._lines:
                field, _, value = line.partition(": ")
                if field == "id":
                    self.place = value
                elif field == "event":
                    name = value
                elif field == "data":
                    data = value
                elif not line and name:
                    return name, data
        raise EOFError


@asynccontextmanager
async def follow(web: Web, job_id: str, *, last: str = "", **query: str) -> AsyncIterator[Output]:
    headers = {"Last-Event-ID": last} if last else {}
    url = f"/jobs/{job_id}/output"
    async with web.viewer.stream("GET", url, params=query, headers=headers) as answer:
        assert answer.status_code == 200
        yield Output(answer)


async def test_output_comes_with_its_backlog_then_live_and_ends_with_the_job(web: Web) -> None:
    await web.client.submit(DESK, "blue", id="j1")
    delivery = await start(web)
    await log(web, delivery.job, "\x1b[32mone\x1b[0m\n<two>\n 10%")

    async with follow(web, "j1") as stream:
        backlog = await stream.next()
        await log(web, delivery.job, "\r 20%\nthree\n")
        live = await stream.next()
        await settle(web, delivery, Outcome.succeeded(Result(text="x")))
        end = await stream.next()

    first = '<li value="1"><span class="t-green">one</span></li><li value="2">&lt;two&gt;</li>'
    assert backlog == ("append", first + '<li class="is-open" value="3"> 10%</li>')
    assert live == ("append", '<li value="3"> 20%</li><li value="4">three</li>')
    assert end == ("end", "succeeded")
    assert stream.place == "2.5"


async def test_a_reader_who_was_cut_off_goes_on_where_it_was(web: Web) -> None:
    job = await web.client.submit(DESK, "blue", id="j1")
    await log(web, job, "one\n\x1b[31mtwo ")
    async with follow(web, "j1") as stream:
        await stream.next()
    await log(web, job, "2\nthree\n")

    for how in ({"last": stream.place}, {"after": stream.place}):
        async with follow(web, "j1", **how) as again:
            _, shown = await again.next()

        assert shown == (
            '<li value="2"><span class="t-red">two 2</span></li>'
            '<li value="3"><span class="t-red">three</span></li>'
        )


async def test_a_job_that_printed_nothing_says_so(web: Web) -> None:
    await web.client.submit(DESK, "blue", id="j1")

    queued = await page(web, "j1")
    delivery = await start(web)
    silent = await page(web, "j1")
    await log(web, delivery.job, "one")
    heard = await page(web, "j1")

    assert "What it prints is shown here as it comes." in queued.text
    assert "Nothing was printed yet." in silent.text
    assert "Nothing was printed" not in heard.text


async def test_of_much_output_the_end_is_shown_with_a_note_and_without_numbers(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "BACKLOG_CHARACTERS_MAX", 1000)
    job = await web.client.submit(DESK, "blue", id="j1")
    for number in range(200):
        await log(web, job, f"line {number} {'x' * 50}\n")

    async with follow(web, "j1") as stream:
        _, note = await stream.next()
        shown = [(await stream.next())[1] for _ in range(2)]

    lines = "".join(shown).split("<li>")[1:]
    assert "raw log" in note
    assert lines[0].startswith("line 184")
    assert len(lines) == 16


async def test_each_attempt_begins_with_its_number_and_without_the_colours_of_the_last(
    web: Web,
) -> None:
    job = await web.client.submit(DESK, "blue", id="j1")
    await log(web, job, "\x1b[31mopen")
    await log(web, job, "again\n", attempt=2)

    async with follow(web, "j1") as stream:
        _, shown = await stream.next()

    assert shown == (
        '<li value="1"><span class="t-red">open</span></li>'
        '<li class="note">Attempt 2</li><li value="2">again</li>'
    )


async def test_streams_of_output_are_counted_with_all_others(web: Web) -> None:
    await web.client.submit(DESK, "blue", id="j1")
    async with served(web.backend, streams_max=0) as full:
        assert (await full.viewer.get("/jobs/j1/output")).status_code == 503


async def noted(web: Web, job_id: str) -> list[tuple[object, ...]]:
    """Who did what, out of the events of a job."""
    return [
        (event.details["by"], event.details["action"], event.details["target"])
        for event in await web.client.timeline(job_id)
        if event.kind == "ActionTaken"
    ]
