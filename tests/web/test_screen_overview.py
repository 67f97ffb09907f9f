"""The overview as a page: who works, who waits and why, what came of it, and what happened."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

import anyio
import pytest

from hotdesk import events
from hotdesk.clock import SystemClock
from hotdesk.desks import Claim, Delivery, Desk, JobState, NewJob, Origin, Outcome
from hotdesk.events import Event, StoredEvent
from hotdesk.lifecycle import LEASE
from hotdesk.overview import Overview
from hotdesk.ports import TALLY_STEP, Counts, Figure, Trend, WorkerCard
from hotdesk.web.news import LEFT_OUT, WORDS, news_of
from hotdesk.web.screens.overview import STEPS, Span, columns_of
from tests.web.conftest import Web
from tests.web.pages import EVIL, Page
from tests.web.reading import element, words

pytestmark = pytest.mark.anyio
NOW = timedelta(0)


async def send(
    web: Web, name: str, desk: str, instruction: str = "", *, source: str = "", subject: str = ""
) -> None:
    job = NewJob(
        id=name,
        desk=Desk.parse(desk),
        thread="t",
        instruction=instruction or f"do {name}",
        origin=Origin(source=source, subject=subject) if source else Origin(),
    )
    await web.backend.submit([job], now=SystemClock().now())


async def register(web: Web, *names: str) -> None:
    for name in names:
        await web.backend.register(WorkerCard(id=name, pid=1), now=SystemClock().now())


async def run(web: Web, name: str) -> Delivery:
    """Let a worker be handed the next job."""
    now = SystemClock().now()
    claim = await web.backend.claim(name, wait=NOW, lease=LEASE, now=now)
    assert isinstance(claim, Claim)
    delivery = await web.backend.next_job(claim, wait=NOW, now=now)
    assert isinstance(delivery, Delivery)
    return delivery


async def settle(web: Web, delivery: Delivery, outcome: Outcome) -> None:
    now = SystemClock().now()
    await web.backend.settle(delivery, outcome, and_next=False, now=now)


async def shown(web: Web, path: str = "/") -> Page:
    return Page(await web.viewer.get(path, follow_redirects=False))


def tiles(page: Page) -> str:
    found = re.search(r'<section class="tiles".*?</section>', page.html, re.DOTALL)
    assert found
    return words(found[0])


async def test_the_first_visit_shows_the_one_command_that_sends_a_job(web: Web) -> None:
    page = await shown(web)

    assert 'hotdesk send --desk amelia/scott -m "Make the header blue"' in page.text
    assert "No worker runs." in page.text
    assert "No desk is waiting." in page.text
    assert "Workers 0 the next job starts one Desks waiting 0 everybody is served" in tiles(page)
    assert "Wait, p95 none no job started in the last hour Failed, 24 h 0" in tiles(page)

    await send(web, "j1", "amelia/scott")
    assert "sends the first one" not in (await shown(web)).text


async def test_the_tiles_count_what_is_there(web: Web) -> None:
    await register(web, "w1", "w2")
    await send(web, "bad", "amelia/ann")
    await settle(web, await run(web, "w1"), Outcome.failed("no"))
    await send(web, "j1", "amelia/scott")
    await run(web, "w2")
    for number in range(2):
        await send(web, f"behind{number}", "amelia/scott")

    told = tiles(await shown(web))

    assert "Workers 2 1 busy, 1 holding" in told
    assert "Desks waiting 1 behind their running jobs" in told
    assert "Jobs queued 2 on 1 desk " in told
    assert "Throughput 1 /h" in told
    assert re.search(r"Wait, p95 [\d.]+ s", told)
    assert "Failed, 24 h 1 no dead letters" in told


async def test_who_waits_is_shown_with_the_next_job_and_why(web: Web) -> None:
    await send(web, "j1", "amelia/one", "Fix the flaky test", source="cli")
    await send(web, "j2", "amelia/two", subject="Re: a mail", source="mail")
    await web.client.pause("amelia/two")

    page = await shown(web)
    first, second = (words(element(page.html, f"waits-amelia--{user}")) for user in ("one", "two"))
    assert first.startswith("amelia · one 1 ")
    assert first.endswith("Fix the flaky test cli no worker is running")
    assert second.endswith("Re: a mail mail paused")
    assert "2 without a worker, longest" in tiles(page)

    await register(web, "w1")
    await run(web, "w1")
    await send(web, "j3", "amelia/one")
    await send(web, "j4", "amelia/three")

    page = await shown(web)
    assert words(element(page.html, "waits-amelia--one")).endswith("do j3 python behind j1")
    assert words(element(page.html, "waits-amelia--three")).endswith("no free worker")
    assert "/jobs/j1" in page.links


async def test_more_desks_than_are_shown_are_counted(web: Web) -> None:
    for number in range(12):
        await send(web, f"j{number}", f"amelia/u{number}")

    page = await shown(web)

    assert page.html.count('<tr id="waits-') == 10
    assert "2 more" in page.text
    assert "Jobs queued 12 on 12 desks" in tiles(page)


async def test_each_worker_has_a_card_with_its_lease(web: Web) -> None:
    await register(web, "w1", "w2")
    await send(web, "j1", "amelia/scott", "Make the header blue\nand more")
    await run(web, "w1")

    page = await shown(web)

    cards = dict(
        re.findall(r'<article[^>]* id="worker-(\w+)">(.*?)</article>', page.html, re.DOTALL)
    )
    assert words(cards["w1"]).startswith("w1 Busy amelia · scott Make the header blue ")
    assert "gen 1 lease ends" in words(cards["w1"])
    assert '<progress max="90" value="90"' in cards["w1"]
    assert "and more" not in cards["w1"]
    assert words(cards["w2"]).startswith("w2 Warm Ready. Any desk can claim it. warm for")
    assert "progress" not in cards["w2"]


async def test_the_charts_have_their_numbers_beside_them(web: Web) -> None:
    await register(web, "w1")
    await send(web, "j1", "amelia/scott")
    await settle(web, await run(web, "w1"), Outcome.succeeded())

    page = await shown(web)

    assert "1 job ended in the last 4 hours, 0 of them failed; at most 1 in one of 48" in page.text
    table = words(page.html[page.html.index('id="throughput-numbers"') :].split("</details>")[0])
    assert re.search(r"Failed .* UTC 1 0 0 0$", table)
    day = await shown(web, "/?span=24h")
    assert "1 job ended in the last 24 hours" in day.text
    assert (await web.viewer.get("/?span=1y")).status_code == 422


async def test_what_happened_is_told_in_sentences_the_latest_first(web: Web) -> None:
    await register(web, "w1")
    await send(web, "j1", "amelia/scott")
    await settle(web, await run(web, "w1"), Outcome.succeeded())

    page = await shown(web)

    told = words(element(page.html, "events"))
    happened = re.findall(r"UTC (.*?)(?= \d{4}-|$)", told)
    assert happened[0] == "finish j1 amelia · scott succeeded"
    assert re.fullmatch(r"start j1 amelia · scott w1 runs it, after \d+s", happened[1])
    assert happened[2:] == ["claim amelia · scott w1 claimed the desk", "join w1 has started"]


async def test_nothing_that_strangers_write_steers_the_page(web: Web) -> None:
    await send(web, "j1", "amelia/scott", EVIL, source="mail", subject=EVIL)
    await register(web, "w1")
    await run(web, "w1")
    await send(web, "j2", "amelia/scott", EVIL, source="mail")
    refused = events.MailRefused(sender=EVIL, recipient=EVIL, reason=EVIL)
    await web.backend.record([refused], now=SystemClock().now())

    page = await shown(web)

    assert "<script>alert" not in page.html
    assert "alert(1)" in page.text
    told = re.sub(r"[\d:-]+ [\d:]+ UTC", "", words(element(page.html, "events")))
    assert "49" not in told
    # What is written from right to left must not turn what stands behind it.
    assert "\u202e" not in re.sub(r"<bdi.*?</bdi>", "", page.html, flags=re.DOTALL)


async def test_the_page_is_pushed_again_when_something_happens(web: Web) -> None:
    with anyio.fail_after(10):
        async with web.viewer.stream("GET", "/live", params={"of": "/"}) as answer:
            assert answer.status_code == 200
            lines = answer.aiter_lines()
            async for line in lines:
                if line.startswith("data:") and "everybody is served" in line:
                    break
            await send(web, "j1", "amelia/scott")
            async for line in lines:
                if line.startswith("data:") and "waits-amelia--scott" in line:
                    break


def test_every_event_is_worded_or_left_out_on_purpose() -> None:
    assert {each.__name__ for each in Event.__subclasses__()} == {*WORDS, *LEFT_OUT}


@pytest.mark.parametrize("kind", [*WORDS])
def test_an_event_of_another_version_is_told_all_the_same(kind: str) -> None:
    event = StoredEvent(
        cursor="1",
        at=SystemClock().now(),
        kind=kind,
        desk="",
        job_id="",
        generation=0,
        details={"reason": "x" * 10_000, "state": "new", "attempt": "many", "delay_seconds": 1e300},
    )

    [told] = news_of([event], most=1)

    assert told.word
    assert 0 < len(told.said) <= 160


def a_view(at: datetime, figures: Sequence[Figure]) -> Overview:
    counts = Counts(desks_waiting=0, waiting_since=None, queued=0, running=0, dead=0, held=0)
    trend = Trend(steps=figures, is_complete=True)
    return Overview(at=at, workers=(), desks=(), waiting=(), counts=counts, trend=trend)


@pytest.mark.parametrize("span", STEPS)
def test_each_step_is_in_one_column_and_a_column_keeps_its_begin(span: Span) -> None:
    step = STEPS[span]
    start = datetime.fromisoformat("2026-03-01T00:00:00+00:00")
    figures = [
        Figure(at=start + number * TALLY_STEP, ended={JobState.DEAD: 1}, waits={})
        for number in range(48)
    ]

    early = columns_of(a_view(figures[-1].at, figures), 48, step)
    late = columns_of(a_view(figures[-1].at + timedelta(minutes=4), figures), 48, step)

    assert sum(each.failed for each in early) == 48
    assert early == late
    assert {(each.at - start) % step for each in early} == {timedelta(0)}
    assert early[-1].at <= figures[-1].at < early[-1].at + step
