"""Streams: live, resumed where they were cut off, shared, bounded, and ended."""

import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.events import JobDiscarded, MailRefused, StoredEvent
from hotdesk.ports import Backend
from hotdesk.web import connections, streams
from tests.web.conftest import VIEWER, Web, served

pytestmark = pytest.mark.anyio

EVENTS = "/api/v1/events"
JOBS = "/api/v1/jobs"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ASK = (
    f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {VIEWER}\r\n\r\n"
).encode()


class Stream:
    """Server-sent events as they come."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()
        self.last_id = ""

    async def next(self, event: str = "message") -> dict[str, Any]:
        """The data of the next event of that name."""
        name, data = "message", ""
        with anyio.fail_after(10):
            async for line in self._lines:
                field, _, value = line.partition(": ")
                if field == "id":
                    self.last_id = value
                elif field == "event":
                    name = value
                elif field == "data":
                    data = value
                elif line == "" and data:
                    found: dict[str, Any] = json.loads(data)
                    if name == event:
                        return found
                    name, data = "message", ""
        raise EOFError

    async def is_over(self) -> bool:
        with anyio.fail_after(10):
            async for _ in self._lines:
                pass
        return True


@asynccontextmanager
async def listening(
    web: Web, path: str = EVENTS, headers: Mapping[str, str] | None = None, **query: str
) -> AsyncIterator[Stream]:
    async with web.viewer.stream("GET", path, params=query, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = Stream(answer)
        # The first line says that the stream has begun, so nothing is missed from here on.
        async for line in stream._lines:
            if line == "":
                break
        yield stream


async def discard(web: Web, *names: str) -> None:
    """Let something happen."""
    await web.backend.record([JobDiscarded(job_id=name) for name in names], now=NOW)


async def live(web: Web) -> None:
    """Wait until the feed follows the store."""
    with anyio.fail_after(10):
        while not web.feed.is_live:
            await anyio.lowlevel.checkpoint()


async def test_what_happens_is_heard_by_everybody_who_listens(web: Web) -> None:
    await live(web)
    async with listening(web) as one, listening(web) as two:
        await discard(web, "j1")

        heard = [await one.next(), await two.next()]

    assert [(each["event"], each["job"]) for each in heard] == [("JobDiscarded", "j1")] * 2


async def test_a_stream_begins_where_it_is_asked_to(web: Web) -> None:
    await discard(web, "old")
    async with listening(web, after="") as every:
        old = await every.next()
        with anyio.fail_after(10):
            while web.feed.behind(every.last_id) is None:
                await anyio.lowlevel.checkpoint()
        async with listening(web) as new:
            await discard(web, "new")

            heard = [await new.next(), await every.next()]

    assert old["job"] == "old"
    assert [each["job"] for each in heard] == ["new", "new"]


async def test_a_stream_is_resumed_behind_the_last_event_that_was_heard(web: Web) -> None:
    await live(web)
    async with listening(web) as first:
        await discard(web, "a", "b")
        await first.next()
        last = first.last_id
    await discard(web, "c")

    async with listening(web, headers={"Last-Event-ID": last}, after="") as again:
        assert (await again.next())["job"] == "b"
        assert (await again.next())["job"] == "c"


async def test_a_stream_is_resumed_by_another_process_after_a_restart(backend: Backend) -> None:
    async with served(backend) as web:
        await live(web)
        async with listening(web) as first:
            await discard(web, "a")
            await first.next()
            last = first.last_id
    await backend.record([JobDiscarded(job_id="b")], now=NOW)

    async with served(backend) as web, listening(web, headers={"Last-Event-ID": last}) as again:
        await discard(web, "c")

        assert [(await again.next())["job"] for _ in range(2)] == ["b", "c"]


async def test_who_resumes_far_behind_misses_nothing_and_hears_nothing_twice(
    backend: Backend,
) -> None:
    names = [f"j{number}" for number in range(1200)]
    await backend.record([JobDiscarded(job_id=name) for name in names[:1100]], now=NOW)

    async with served(backend, kept_max=50) as web, listening(web, after="") as stream:
        await discard(web, *names[1100:1120])
        heard = [(await stream.next())["job"] for _ in range(1120)]
        await discard(web, *names[1120:1130])
        heard += [(await stream.next())["job"] for _ in range(10)]

    assert heard == names[:1130]


async def test_a_stream_tells_only_what_is_wanted(web: Web) -> None:
    await web.operator.post(JOBS, json={"desk": "a/b", "instruction": "x"})
    sent = (await web.operator.post(JOBS, json={"desk": "a/c", "instruction": "x"})).json()
    await web.operator.post(f"{JOBS}/{sent['job']}/cancel")

    async with (
        listening(web, after="", desk="a/c") as desk,
        listening(web, after="", job=sent["job"]) as job,
        listening(web, after="", kind="JobEnded") as kind,
    ):
        first = [await desk.next(), await job.next(), await kind.next()]

    assert [each["desk"] for each in first] == ["a/c"] * 3
    assert [each["event"] for each in first] == ["JobSubmitted", "JobSubmitted", "JobEnded"]


@pytest.mark.parametrize("cursor", ["nonsense", "1; DROP TABLE event", "9" * 30, "-1", "\u0663"])
async def test_a_cursor_that_was_tampered_with_is_refused(web: Web, cursor: str) -> None:
    told = await web.viewer.get(EVENTS, params={"after": cursor})
    header = await web.viewer.get(EVENTS, headers=[(b"Last-Event-ID", cursor.encode())])

    assert (told.status_code, header.status_code) == (422, 422)


async def test_what_is_no_text_in_an_event_ends_nothing(web: Web) -> None:
    await live(web)
    odd = MailRefused(sender="\ud800@x", recipient="\x1b[2J\n\ndata: x", reason="a\0b")
    async with listening(web) as stream:
        await web.backend.record([odd], now=NOW)

        details = (await stream.next())["details"]

    expected = {"sender": "?@x", "recipient": "\x1b[2J\n\ndata: x", "reason": "a\0b"}
    assert details == {**expected, "envelope": ""}


async def test_a_stream_ends_after_an_hour_so_that_its_token_is_asked_for_again(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "SECONDS_MAX", 0.1)
    monkeypatch.setattr(streams, "KEEP_ALIVE_SECONDS", 0.1)

    async with listening(web) as stream:
        assert await stream.is_over()


async def test_output_is_streamed_with_its_backlog_until_the_job_ends(web: Web) -> None:
    sent = (await web.operator.post(JOBS, json={"desk": "a/b", "instruction": "x"})).json()
    job, path = sent["job"], f"{JOBS}/{sent['job']}/log/stream"
    for number in range(25):
        await web.backend.append_log(job, 1, f"{number}\n", now=NOW)

    async with listening(web, path) as stream:
        backlog = [(await stream.next("log"))["text"] for _ in range(25)]
        await web.backend.append_log(job, 1, "\x1b]0;evil\x07\n", now=NOW)
        live = await stream.next("log")
        await web.operator.post(f"{JOBS}/{job}/cancel")
        end = await stream.next("end")
        is_over = await stream.is_over()
    async with listening(web, path, headers={"Last-Event-ID": "25"}) as again:
        resumed = await again.next("log")

    assert backlog == [f"{number}\n" for number in range(25)]
    assert live["text"] == resumed["text"] == "\x1b]0;evil\x07\n"
    assert end == {"job": job, "state": "cancelled"}
    assert is_over


async def test_the_output_of_a_job_that_is_not_there_is_not_found(web: Web) -> None:
    assert (await web.viewer.get(f"{JOBS}/nope/log/stream")).status_code == 404


class Counted(SqliteBackend):
    """A store that knows how often it was asked for events."""

    asked = 0

    async def events(
        self, *, after: str = "", job_id: str | None = None, limit: int = 1000
    ) -> list[StoredEvent]:
        self.asked += 1
        return await super().events(after=after, job_id=job_id, limit=limit)


@pytest.mark.long
async def test_a_thousand_streams_share_one_poll_and_leave_room_for_others(tmp_path: Path) -> None:
    backend = Counted(tmp_path / "hotdesk.db", SystemClock())
    heard = 0

    async def listen(web: Web, number: int) -> None:
        nonlocal heard
        # Every other one was here before.
        again = f"Last-Event-ID: {newest}\r\n\r\n".encode() if number % 2 else b"\r\n"
        async with await anyio.connect_tcp("127.0.0.1", web.port) as stream:
            await stream.send(ASK.removesuffix(b"\r\n") + again)
            seen = b""
            while b"JobDiscarded" not in seen:
                seen = seen[-100:] + await stream.receive()
            heard += 1
            await anyio.sleep_forever()

    async with served(backend) as web, anyio.create_task_group() as tasks:
        await live(web)
        newest = await backend.latest_cursor()
        for number in range(1000):
            tasks.start_soon(listen, web, number)
        with anyio.fail_after(60):
            while web.feed.streams < 1000:
                await anyio.lowlevel.checkpoint()
            before = backend.asked
            await discard(web, "x")
            while heard < 1000:
                await anyio.lowlevel.checkpoint()

        one_more = await web.viewer.get(EVENTS)
        other = await web.viewer.get(JOBS)
        asked = backend.asked - before
        tasks.cancel_scope.cancel()
    await backend.close()

    assert asked <= 5
    assert (one_more.status_code, other.status_code) == (503, 200)
    assert one_more.headers["retry-after"]


async def test_streams_end_with_the_server(backend: Backend) -> None:
    async with served(backend) as web:
        await live(web)
        async with listening(web) as stream, listening(web) as other:
            web.feed.close()

            assert await stream.is_over()
            assert await other.is_over()
    assert web.feed.streams == 0


async def test_a_stream_is_counted_only_while_somebody_listens(web: Web) -> None:
    async with listening(web):
        assert web.feed.streams == 1

    with anyio.fail_after(10):
        while web.feed.streams:
            await anyio.lowlevel.checkpoint()


async def test_a_reader_that_does_not_read_is_let_go(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STALL_SECONDS_MAX", 0.2)
    # So much is kept that nobody is let go for having fallen behind.
    async with served(backend, kept_max=10**6) as web:
        await live(web)
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", web.port))
            deaf.sendall(ASK)
            with anyio.fail_after(10):
                while not web.feed.streams:
                    await anyio.lowlevel.checkpoint()
                while web.feed.streams:
                    await discard(web, *["x" * 100] * 500)
                    await anyio.lowlevel.checkpoint()
        async with listening(web) as other:
            await discard(web, "y")
            while (await other.next())["job"] != "y":
                pass


async def test_who_falls_behind_what_is_kept_is_told_so(backend: Backend) -> None:
    async with served(backend, kept_max=3) as web:
        await live(web)
        place = web.feed.end()
        await discard(web, "a", "b", "c")
        await web.feed.moved(place, wait=10)
        kept = web.feed.since(place)
        later = web.feed.end()
        await discard(web, "d")
        await web.feed.moved(later, wait=10)

        assert kept is not None
        assert [each.event.job_id for each in kept] == ["a", "b", "c"]
        assert web.feed.since(place) is None


async def test_a_request_whose_head_does_not_come_is_let_go(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS_MAX", 0.2)

    async with await anyio.connect_tcp("127.0.0.1", web.port) as slow:
        await slow.send(b"GET / HTTP/1.1\r\nHost: ")
        with anyio.fail_after(10), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await slow.receive()
    async with await anyio.connect_tcp("127.0.0.1", web.port) as silent:
        with anyio.fail_after(10), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await silent.receive()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: x\r\n\r\n",
        b"POST /api/v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused_and_nobody_else_notices(
    web: Web, garbage: bytes
) -> None:
    async with await anyio.connect_tcp("127.0.0.1", web.port) as stream:
        await stream.send(garbage)
        with anyio.fail_after(10):
            first = await stream.receive()

    assert first.split(b" ")[1].startswith(b"4")
    assert (await web.viewer.get(JOBS)).status_code == 200
    assert web.told == []
