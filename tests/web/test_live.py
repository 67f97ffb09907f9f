"""Screens that keep up: pushed when they changed, once for all who look, and ended in time."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.lowlevel import checkpoint

from hotdesk.desks import Claim, Delivery, Outcome
from hotdesk.lifecycle import Limits
from hotdesk.ports import Backend, WorkerCard
from hotdesk.web import live
from hotdesk.web.hosts import HEADER
from hotdesk.web.live import Board, Boards, Rendering
from hotdesk.web.rendering import Renderer
from hotdesk.web.site import Site
from hotdesk.wiring import open_backend
from tests.web.conftest import OPERATOR, Web, served

pytestmark = pytest.mark.anyio

BROWSER = {"Accept": "text/html"}
JOBS = "/live?of=/jobs"


class Stream:
    """What comes of one stream, event by event."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def event(self) -> dict[str, str]:
        """The next event that has data."""
        found: dict[str, str] = {}
        with anyio.fail_after(8):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name in {"id", "event", "data"}:
                    found[name] = value
                if not line and "data" in found:
                    return found
        pytest.fail("the stream has ended")

    async def shown(self) -> dict[str, Any]:
        """The next rendering."""
        event = await self.event()
        assert event["event"] == "shown"
        return {**json.loads(event["data"]), "id": event["id"]}

    async def has_ended(self) -> bool:
        """Whether nothing with data comes any more."""
        with anyio.fail_after(8):
            return not [line async for line in self._lines if line.startswith("data")]


@asynccontextmanager
async def looking(
    client: httpx.AsyncClient, url: str = JOBS, **headers: str
) -> AsyncIterator[Stream]:
    async with client.stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200
        yield Stream(answer)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits a second for nothing."""
    monkeypatch.setattr(live, "EVERY", 0.05)


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the screens that were rendered for streams, one after another."""
    paths: list[str] = []
    render = Boards._render

    async def told(boards: Boards, board: Board) -> None:
        paths.append(board.screen.path)
        await render(boards, board)

    monkeypatch.setattr(Boards, "_render", told)
    return paths


@pytest.fixture
def boards(monkeypatch: pytest.MonkeyPatch) -> list[Boards]:
    """Those of the servers that are started."""
    made: list[Boards] = []
    make = Boards.__init__

    def told(boards: Boards, here: Site, renderer: Renderer) -> None:
        made.append(boards)
        make(boards, here, renderer)

    monkeypatch.setattr(Boards, "__init__", told)
    return made


async def test_what_changes_on_a_screen_is_pushed(web: Web) -> None:
    async with looking(web.viewer) as stream:
        before = await stream.shown()
        await web.client.submit("a/b", "<b>header</b>", id="j1")
        after = await stream.shown()

    assert "No job was submitted yet" in before["html"]
    assert "&lt;b&gt;header&lt;/b&gt;" in after["html"]
    assert after["title"] == "Jobs"


async def test_a_page_that_was_seen_is_not_sent_again(web: Web) -> None:
    page = (await web.viewer.get("/jobs", headers=BROWSER)).text
    seen = page.partition('data-seen="')[2].partition('"')[0]

    async with looking(web.viewer, f"{JOBS}&seen={seen}") as stream:
        await web.client.submit("a/b", "new", id="j1")
        first = await stream.shown()

    assert len(seen) == 20
    assert 'href="/jobs/j1"' in first["html"]


async def test_a_browser_that_comes_again_gets_what_it_has_missed_after_a_restart(
    backend: Backend,
) -> None:
    async with served(backend) as web, looking(web.viewer) as stream:
        seen = (await stream.shown())["id"]

    async with served(backend) as web:
        async with looking(web.viewer, **{"Last-Event-ID": seen}) as stream:
            await web.client.submit("a/b", "x", id="j1")
            missed = await stream.shown()
        async with looking(web.viewer, **{"Last-Event-ID": missed["id"]}) as stream:
            await web.client.submit("a/b", "y", id="j2")
            newer = await stream.shown()

    assert 'href="/jobs/j1"' in missed["html"]
    assert 'href="/jobs/j2"' in newer["html"]


async def test_all_who_look_at_the_same_share_a_rendering(web: Web, rendered: list[str]) -> None:
    async with anyio.create_task_group() as tasks:
        ready, go, done = [anyio.Event() for _ in range(20)], anyio.Event(), []

        async def look(number: int) -> None:
            client = web.viewer if number % 2 else web.stranger
            headers = {} if number % 2 else {"Authorization": web.viewer.headers["authorization"]}
            async with looking(client, **headers) as stream:
                await stream.shown()
                ready[number].set()
                await go.wait()
                done.append((await stream.shown())["id"])

        for number in range(20):
            tasks.start_soon(look, number)
        for each in ready:
            await each.wait()
        before = len(rendered)
        await web.client.submit("a/b", "x", id="j1")
        go.set()

    assert len(done) == 20
    assert len(set(done)) == 1
    assert len(rendered) - before <= 2


async def test_operators_and_viewers_do_not_share_one(web: Web, rendered: list[str]) -> None:
    async with looking(web.viewer) as one, looking(web.operator) as other:
        await one.shown()
        await other.shown()

    assert rendered == ["/jobs", "/jobs"]


async def test_events_that_a_screen_does_not_show_do_not_render_it(
    web: Web, rendered: list[str]
) -> None:
    await web.client.submit("a/b", "x", id="j1")
    async with looking(web.viewer) as stream, looking(web.viewer, "/live?of=/desks") as other:
        await stream.shown()
        await other.shown()
        await web.client.pause("a/b")
        await other.shown()
        await web.client.submit("a/b", "y", id="j2")
        await stream.shown()

    assert rendered.count("/jobs") == 2


async def test_a_board_is_gone_with_the_last_who_looks(
    boards: list[Boards], backend: Backend
) -> None:
    async with served(backend) as web:
        async with looking(web.viewer) as stream, looking(web.viewer) as other:
            await stream.shown()
            await other.shown()
            assert len(boards[0]._boards) == 1

        with anyio.fail_after(5):
            while boards[0]._boards:
                await checkpoint()


async def test_a_log_out_ends_the_streams_of_its_browser(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "KEEP_ALIVE_SECONDS", 0.2)
    async with served(backend) as web:
        ours = {HEADER: "page"}
        await web.stranger.post("/login", data={"secret": OPERATOR}, headers=ours)
        async with looking(web.stranger) as stream:
            await stream.shown()

            await web.stranger.post("/logout", headers=ours)
            await web.client.submit("a/b", "secret", id="j1")

            assert await stream.has_ended()


async def test_a_stream_of_no_screen_is_refused(web: Web) -> None:
    for url, status in (
        ("/live", 422),
        ("/live?of=/nothing", 404),
        ("/live?of=https://evil.example/jobs", 404),
        ("/live?of=//evil.example/jobs", 404),
        ("/live?of=/jobs%3Fstate%3Dodd", 422),
        ("/live?of=/jobs&more=1", 422),
        (f"/live?of=/jobs&seen={'x' * 65}", 422),
        (f"/live?of=/jobs%3Fbefore%3D{'x' * 3000}", 422),
    ):
        assert (await web.viewer.get(url)).status_code == status, url


async def test_a_screen_whose_thing_is_gone_says_so_and_ends(web: Web) -> None:
    async with looking(web.viewer, "/live?of=/jobs%3Fbefore%3Dnonsense") as stream:
        event = await stream.event()

        assert event["event"] == "gone"
        assert await stream.has_ended()


async def test_the_dead_letters_are_counted_on_every_page(tmp_path: Path) -> None:
    limits = Limits(attempts_max=1)
    backend = open_backend(f"sqlite:///{tmp_path / 'hotdesk.db'}", limits=limits)
    async with served(backend) as web:
        await _count_on_every_page(web)
    await backend.close()


async def _count_on_every_page(web: Web) -> None:
    before = (await web.viewer.get("/desks", headers=BROWSER)).text
    async with looking(web.viewer, "/live?of=/jobs") as stream:
        assert (await stream.shown())["dead"] == ""
        await web.client.submit("a/b", "x", id="j1")
        await _kill(web.backend, "j1")
        while not (shown := await stream.shown())["dead"]:
            pass
    after = (await web.viewer.get("/desks", headers=BROWSER)).text

    assert 'id="dead-count" hidden' in before
    assert shown["dead"] == "1"
    assert 'id="dead-count">1</b>' in after


async def test_renderings_leave_time_for_the_rest(
    web: Web, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look takes 20 ms, and is followed by a rest of 24 times as long."""
    render = Boards.render

    async def slowly(boards: Boards, *what: Any) -> Rendering:  # noqa: ANN401 - passed on
        ends = anyio.current_time() + 0.02
        while anyio.current_time() < ends:
            await checkpoint()
        return await render(boards, *what)

    monkeypatch.setattr(Boards, "render", slowly)
    began = anyio.current_time()
    async with looking(web.viewer) as stream, looking(web.viewer, "/live?of=/desks") as other:
        await stream.shown()
        await other.shown()

    assert len(rendered) == 2
    assert anyio.current_time() - began >= 0.02 + 24 * 0.02


async def test_streams_end_with_the_server_even_while_they_rest(
    backend: Backend, boards: list[Boards], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "EVERY", 30.0)
    async with served(backend) as web, looking(web.viewer) as stream:
        await stream.shown()
        await web.client.submit("a/b", "x", id="j1")
        [board] = boards[0]._boards.values()
        with anyio.fail_after(5):
            while not board.turn.locked():
                await checkpoint()
        web.feed.close()

        assert await stream.has_ended()


async def test_the_thousandth_stream_is_the_last(backend: Backend) -> None:
    async with served(backend, streams_max=2) as web, looking(web.viewer), looking(web.viewer):
        answer = await web.viewer.get(JOBS)

        assert answer.status_code == 503
        assert "retry-after" in answer.headers


async def _kill(backend: Backend, job_id: str) -> None:
    """Let the first failure of a job be its last."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    await backend.register(WorkerCard(id="w1", pid=1), now=now)
    claim = await backend.claim("w1", wait=timedelta(0), lease=timedelta(days=9999), now=now)
    assert isinstance(claim, Claim)
    delivery = await backend.next_job(claim, wait=timedelta(0), now=now)
    assert isinstance(delivery, Delivery)
    assert delivery.job.id == job_id
    failed = Outcome.attempt_failed("it broke")
    await backend.settle(delivery, failed, and_next=False, now=now)
