"""Dead letters as pages: what is known of each, and what is done about many at once."""

import html
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from hotdesk.desks import Claim, Delivery, Origin, Outcome
from hotdesk.lifecycle import Limits
from hotdesk.ports import Backend, WorkerCard
from hotdesk.web.screens.dead import last_line
from hotdesk.wiring import open_backend
from tests.web.conftest import Web

pytestmark = pytest.mark.anyio

EVIL = "</textarea><script>alert(1)</script>"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = timedelta(days=9999)


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    """A store in which the first failure of a job is its last."""
    opened = open_backend(f"sqlite:///{tmp_path / 'hotdesk.db'}", limits=Limits(attempts_max=1))
    yield opened
    await opened.close()


async def die(web: Web, *names: str, error: str = "it broke", instruction: str = "blue") -> None:
    """Let jobs of these ids die, one after another."""
    origin = Origin(source="mail", sender="ana@example.org", subject="", message_id="<m@x>")
    await web.client.submit_many(
        [
            web.client.new_job(
                "bakery/ana", instruction, id=name, thread="t", interrupt="never", origin=origin
            )
            for name in names
        ]
    )
    await web.backend.register(WorkerCard(id="w1", pid=1), now=NOW)
    claim = await web.backend.claim("w1", wait=timedelta(0), lease=LEASE, now=NOW)
    assert isinstance(claim, Claim)
    for name in names:
        delivery = await web.backend.next_job(claim, wait=timedelta(0), now=NOW)
        assert isinstance(delivery, Delivery)
        assert delivery.job.id == name
        await web.backend.settle(delivery, Outcome.attempt_failed(error), and_next=False, now=NOW)
    await web.backend.release(claim, now=NOW)


async def page(web: Web, url: str) -> str:
    answer = await web.operator.get(url)
    assert answer.status_code == 200, answer.text
    return answer.text


async def post(web: Web, url: str, *jobs: str, **fields: str) -> httpx.Response:
    return await web.operator.post(url, data={**fields, **({"jobs": [*jobs]} if jobs else {})})


def rows(text: str) -> list[str]:
    return re.findall(r'<tr id="job-([^"]+)">', text)


async def test_a_dead_letter_shows_its_error_attempts_and_last_line(web: Web) -> None:
    await die(web, "j1", error=f"no {EVIL}", instruction=EVIL)
    await web.backend.append_log("j1", 1, "an earlier line\n", now=NOW)
    output = f"\x1b]0;a title\x07\x1b[31mFAILED\x1b[0m {EVIL}\n \x1b[2K\n"
    await web.backend.append_log("j1", 1, output, now=NOW)

    shown = await page(web, "/dead")

    assert rows(shown) == ["j1"]
    assert EVIL not in shown
    assert f"no {html.escape(EVIL)}" in shown
    assert f'<span class="t-red">FAILED</span> {html.escape(EVIL)}' in shown
    assert '<td class="number" data-label="Attempts">1</td>' in shown
    assert "an earlier line" not in shown
    assert "a title" not in shown


def test_the_last_line_of_much_output_is_short() -> None:
    assert len(last_line("x" * 10_000_000)) < 400
    assert last_line("one\n\n  \n") == "one"
    assert last_line("") == ""


async def test_dead_letters_are_on_pages_of_fifty_and_of_one_desk_on_demand(web: Web) -> None:
    names = [f"j{number:02}" for number in range(55)]
    await die(web, *names)

    first = await page(web, "/dead")
    older = html.unescape(re.findall(r'rel="next" href="([^"]+)"', first)[0])
    second = await page(web, older)

    assert rows(first) + rows(second) == names[::-1]
    assert len(rows(first)) == 50
    assert rows(await page(web, "/dead?desk=bakery/ben")) == []
    assert len(rows(await page(web, "/dead?desk=bakery/ana"))) == 50


async def test_what_was_chosen_is_asked_about_with_its_number_before_anything_is_done(
    web: Web,
) -> None:
    await die(web, "j1", "j2", "j3")

    chosen = await web.operator.get("/dead/choose?jobs=j1&jobs=j3&do=discard")
    asked = await page(web, chosen.headers["location"])
    one = await page(web, "/dead/retry?jobs=j2")

    assert chosen.status_code == 303
    assert "<h1>Discard 2 dead letters?</h1>" in asked
    assert "Discard 2 jobs</button>" in asked
    assert re.findall(r'name="jobs" value="([^"]+)"', asked) == ["j1", "j3"]
    assert "Retry 1 job</button>" in one
    assert len(await web.client.jobs(state="dead")) == 3


async def test_dead_letters_are_retried_and_discarded_together(web: Web) -> None:
    await die(web, "j1", "j2", "j3")

    retried = await post(web, "/dead/retry", "j1", "j2")
    discarded = await post(web, "/dead/discard", "j3", "j1")
    again = await post(web, "/dead/discard", "j3")

    assert retried.json() == {"said": "2 dead letters retried.", "to": "/dead"}
    assert discarded.json()["said"].startswith("1 dead letter discarded. 1 other not: job j1")
    assert again.status_code == 409
    assert {job.id: str(job.state) for job in await web.client.jobs()} == {
        "j1": "queued",
        "j2": "queued",
    }
    taken = [each for each in await web.backend.events() if each.kind == "ActionTaken"]
    assert [(each.details["action"], each.details["target"]) for each in taken] == [
        ("retry", "j1"),
        ("retry", "j2"),
        ("discard", "j3"),
    ]


async def test_somebody_who_was_quicker_is_told_and_leaves_out_no_other(web: Web) -> None:
    await die(web, "j1", "j2")
    await web.client.retry("j1")

    asked = await page(web, "/dead/discard?jobs=j1,j2,nope,j2")
    nothing = await page(web, "/dead/discard?jobs=j1")

    assert "<h1>Discard 1 dead letter?</h1>" in asked
    assert "2 others left out" in asked
    assert "somebody else was quicker" in nothing
    assert "<button class" not in nothing.partition("<main")[2].partition("</main>")[0]


@pytest.mark.parametrize("jobs", [[], ["x"] * 201, ["a b"], ["<script>"]])
async def test_a_choice_that_is_not_usable_is_refused(web: Web, jobs: list[str]) -> None:
    for path in ("/dead/retry", "/dead/discard"):
        assert (await post(web, path, *jobs)).status_code == 422
    if jobs:
        asked = await web.operator.get("/dead/retry", params={"jobs": ",".join(jobs)})
        assert asked.status_code == 422


async def test_a_dead_letter_is_sent_again_in_other_words(web: Web) -> None:
    await die(web, "j1", instruction=f"\nblue\n{EVIL} {'x' * 20_000}")

    asked = await page(web, "/dead/edit/j1")
    action = re.findall(r'<form method="post" action="(/jobs/[^"]+)"', asked)[0]
    sent = await post(web, action, instruction="red\r\nplease")

    # The first line end behind the tag is not part of the text.
    assert f"required>\n\nblue\n{html.escape(EVIL)} " in asked
    assert f"{'x' * 20_000}</textarea>" in asked
    assert EVIL not in asked
    assert sent.status_code == 200, sent.text
    [new] = [job for job in await web.client.jobs() if job.id != "j1"]
    assert (new.instruction, new.thread, str(new.state)) == ("red\nplease", "t", "queued")


async def test_only_a_dead_letter_is_edited(web: Web) -> None:
    await web.client.submit("bakery/ana", "blue", id="alive")

    assert (await web.operator.get("/dead/edit/alive")).status_code == 409
    assert (await web.operator.get("/dead/edit/nope")).status_code == 404


async def test_who_only_looks_is_offered_nothing_and_can_do_nothing(web: Web) -> None:
    await die(web, "j1")

    for url in ("/dead", "/dead/retry?jobs=j1", "/dead/edit/j1"):
        shown = (await web.viewer.get(url)).text.partition("<main")[2].partition("</main>")[0]
        assert "j1" in shown
        assert 'type="checkbox"' not in shown
        assert 'class="primary"' not in shown
    for path in ("/dead/retry", "/dead/discard"):
        answer = await web.viewer.post(path, data={"jobs": ["j1"]})
        assert answer.status_code == 403
    assert [str(job.state) for job in await web.client.jobs()] == ["dead"]


async def test_without_dead_letters_it_says_when_there_would_be_some(web: Web) -> None:
    assert "There are no dead letters." in await page(web, "/dead")
    assert "There is no dead letter here." in await page(web, "/dead?desk=bakery/ana")
