"""Conversations: the list, one of them, and the mails that wait or were refused."""

from datetime import UTC, datetime

import httpx
import pytest

from hotdesk.desks import Desk, InterruptReason, NewJob, Origin, Outcome, Result
from hotdesk.events import AnswerFailed, AnswerSent, Event, MailIgnored, MailRefused
from tests.web.conftest import Web
from tests.web.pages import EVIL, Page
from tests.web.test_screen_job import SENT, record, settle, start

pytestmark = pytest.mark.anyio

DESK = Desk("amelia", "scott")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE = "/threads/amelia/scott/t1"


def letter(text: str, subject: str = "The header") -> Origin:
    return Origin(
        source="mail",
        sender="ana@example.org",
        recipient="amelia@desk.example.org",
        subject=subject,
        message_id=f"<{text}@example.org>",
    )


async def hold(web: Web, name: str, *, text: str = "please", thread: str = "t1") -> None:
    job = NewJob(id=name, desk=DESK, thread=thread, instruction=text, origin=letter(name))
    await web.backend.hold(job, "ana@example.org is not known", now=NOW)


async def page(web: Web, url: str = "/threads", *, is_operator: bool = True) -> Page:
    return Page(await (web.operator if is_operator else web.viewer).get(url))


async def decide(web: Web, name: str, what: str) -> httpx.Response:
    return await web.operator.post(f"/held/{name}/{what}", headers=SENT)


async def test_conversations_are_listed_of_all_desks_or_of_one(web: Web) -> None:
    await web.client.submit(DESK, "one", id="j1", thread="t1")
    await web.client.submit(DESK, "two", id="j2", thread="t1")
    await web.client.submit("bakery/ben", "three", id="j3", thread="t9")

    every, of_one = await page(web), await page(web, "/threads?desk=amelia/scott")

    assert {ONE, "/threads/bakery/ben/t9", "/jobs/j2", "/jobs/j3"} <= set(every.links)
    assert ONE in of_one.links
    assert "two t1 amelia · scott 2 j2" in of_one.text
    assert "/threads/bakery/ben/t9" not in of_one.links
    assert 'value="amelia/scott"' in of_one.html


async def test_a_list_without_conversations_says_what_happens_next(web: Web) -> None:
    assert "There is no conversation yet" in (await page(web)).text
    assert "This desk has no conversation yet" in (await page(web, "/threads?desk=a/b")).text


async def test_pages_of_conversations_follow_each_other_to_the_end(web: Web) -> None:
    await web.client.submit_many(
        [web.client.new_job(DESK, "x", id=f"j{n}", thread=f"t{n}") for n in range(60)]
    )

    first = await page(web)
    [older] = [link for link in first.links if "before=" in link]
    second = await page(web, older)

    seen = {link for each in (first, second) for link in each.links if link.startswith("/threads/")}
    assert len(seen) == 60
    assert not [link for link in second.links if "before=" in link]


async def test_a_mail_that_waits_is_shown_with_its_reason_and_approved(web: Web) -> None:
    await hold(web, "m1")
    await hold(web, "m2", text="of another thread", thread="t2")
    assert "of another thread" not in (await page(web, ONE)).text
    await web.client.drop_held("m2", by="me")

    for url in ("/threads", "/threads?desk=amelia/scott", ONE):
        shown = await page(web, url)
        assert "ana@example.org is not known" in shown.text
        assert {"/held/m1/approve", "/held/m1/drop"} == set(shown.actions)
        assert (await page(web, url, is_operator=False)).actions == []
    answer = await decide(web, "m1", "approve")

    assert answer.json()["to"] == "/jobs/m1"
    assert (await web.client.job("m1")).state == "queued"
    assert "Approved by otto@http ." in (await page(web, ONE)).text.replace("http.", "http .")
    assert "/held/m1/approve" not in (await page(web)).actions


async def test_a_mail_that_waits_is_dropped_once(web: Web) -> None:
    await hold(web, "m1")

    dropped, again = await decide(web, "m1", "drop"), await decide(web, "m1", "drop")
    refused = await web.viewer.post("/held/m1/drop", headers=SENT)

    assert dropped.json() == {"said": "Dropped.", "to": "/threads"}
    assert (again.status_code, refused.status_code) == (404, 403)
    [event] = [each for each in await web.backend.events() if each.kind == "MailDropped"]
    assert event.details["by"] == "otto@http"


async def test_mails_that_were_not_taken_show_the_reason(web: Web) -> None:
    events: list[Event] = [
        MailRefused(sender="x@example.org", recipient="a@b", reason="no proof of its sender"),
        MailIgnored(sender=EVIL, recipient=EVIL, reason=EVIL),
    ]
    await web.backend.record(events, now=NOW)

    shown, of_one = await page(web), await page(web, "/threads?desk=amelia/scott")

    assert "x@example.org a@b Refused no proof of its sender" in shown.text
    assert "Ignored" in shown.text
    assert "<script>alert" not in shown.html
    assert "no proof" not in of_one.text


async def test_a_conversation_is_told_oldest_first_with_its_jobs_commits_and_answers(
    web: Web,
) -> None:
    await web.client.submit(DESK, "the first", id="j1", thread="t1", origin=letter("1"))
    first = await start(web)
    await web.client.submit(DESK, "the next", id="j2", thread="t1", origin=letter("2", "Re: it"))
    second = await settle(web, first, Outcome.interrupted(InterruptReason.PREEMPT))
    assert second is not None
    result = Result(text="It is blue.", commit="abcdef0123456789", changes=("a.py +1 -0",))
    await settle(web, second, Outcome.succeeded(result))
    before = await page(web, ONE)
    await record(web, second.job, AnswerSent(message_id="<3@example.org>"))

    shown = await page(web, ONE)

    places = [
        shown.text.index(words)
        for words in (
            "the first Preempted j1 · interrupted by j2",
            "the next Succeeded j2 · commit abcdef0123",
            "a.py +1 -0",
            "Answer sent by mail",
            "It is blue.",
        )
    ]
    assert places == sorted(places)
    assert shown.text.index("The header") < places[0]
    assert "Answer about to be sent by mail" in before.text


async def test_an_answer_that_failed_says_why(web: Web) -> None:
    await web.client.submit(DESK, "the first", id="j1", thread="t1", origin=letter("1"))
    delivery = await start(web)
    await settle(web, delivery, Outcome.failed("it is broken"))
    await record(web, delivery.job, AnswerFailed(reason="550 no such user", is_final=True))

    shown = await page(web, ONE)

    assert "Error was given up: 550 no such user" in shown.text
    assert "it is broken" in shown.text
    await web.client.retry("j1")
    again = await settle(web, await start(web), Outcome.failed("still broken"))
    assert again is None
    assert "Error about to be sent by mail" in (await page(web, ONE)).text


async def test_hostile_mails_stay_words(web: Web) -> None:
    origin = Origin(source=EVIL, sender=EVIL, subject=EVIL, attachments=("/x",))
    await web.client.submit(DESK, EVIL, id="j1", thread="t1", origin=origin)
    job = NewJob(id="m1", desk=DESK, thread="t1", instruction=EVIL, origin=origin)
    await web.backend.hold(job, EVIL, now=NOW)
    result = Result(text=EVIL, commit=EVIL, changes=(EVIL,))
    await settle(web, await start(web), Outcome.succeeded(result))

    for url in ("/threads", ONE):
        shown = await page(web, url)
        assert "<script>alert" not in shown.html
        assert "<img" not in shown.html
        assert "alert(1)" in shown.text
        assert "1 attachment" in shown.text


async def test_a_long_conversation_has_pages_and_long_texts_are_cut(web: Web) -> None:
    await web.client.submit_many(
        [web.client.new_job(DESK, f"{n} {'x' * 9000}", id=f"j{n}", thread="t1") for n in range(25)]
    )

    first = await page(web, ONE)
    [older] = [link for link in first.links if "before=" in link]
    second = await page(web, older)

    assert first.links.index("/jobs/j5") < first.links.index("/jobs/j24")
    assert "/jobs/j4" not in first.links
    assert {f"/jobs/j{n}" for n in range(5)} <= set(second.links)
    assert "It goes on in the job." in first.text
    assert "x" * 5001 not in first.html


async def test_a_conversation_that_nobody_had_is_not_found(web: Web) -> None:
    await web.client.submit(DESK, "one", id="j1", thread="t1")

    for url in ("/threads/amelia/scott/t2", "/threads/no/body/t1"):
        assert (await web.viewer.get(url)).status_code == 404
    for url in (
        "/threads/A/b/c",
        "/threads?desk=x",
        "/threads?before=x",
        f"{ONE}?before=x",
        "/threads?y=1",
    ):
        assert (await web.viewer.get(url)).status_code == 422
