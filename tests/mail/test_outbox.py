from __future__ import annotations

import asyncio
import socket
import sqlite3
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.desks import Origin, Outcome, Result
from hotdesk.errors import Rejected, Unavailable
from hotdesk.mail.answer import Presentation
from hotdesk.mail.outbox import AT_ONCE_MAX, GIVE_UP_AFTER, HOLD, Outbox
from hotdesk.mail.parse import parse_mail
from hotdesk.mail.relay import Relay
from hotdesk.ports import Clock
from hotdesk.testing.clock import FakeClock
from hotdesk.testing.scene import Scene, a_job

pytestmark = pytest.mark.anyio

DOMAIN = "desk.example"
KEY = b"a key of 32 bytes, kept in a file"
PASSWORD = "correct horse battery"


class Sink:
    """A relay that takes every mail, unless it was told to answer something else."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.envelopes: list[tuple[str | None, list[str]]] = []
        self.replies: dict[str, str] = {}
        self.at_once: list[int] = []
        self.gate = anyio.Event()
        self.gate.set()
        self._now = 0

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd looks for
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if reply := self.replies.get("RCPT"):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd looks for
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self._now += 1
        self.at_once.append(self._now)
        await self.gate.wait()
        self._now -= 1
        if reply := self.replies.get("DATA"):
            return reply
        assert isinstance(envelope.content, bytes)
        self.mails.append(envelope.content)
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        return "250 queued"


@pytest.fixture
def sink() -> Sink:
    return Sink()


Start = Callable[..., AbstractAsyncContextManager[int]]


@pytest.fixture
def start(sink: Sink) -> Start:
    """Let the sink listen for the length of a block; gives its port."""

    @asynccontextmanager
    async def listening(
        implicit: ssl.SSLContext | None = None,
        **options: Any,  # noqa: ANN401 - of aiosmtpd
    ) -> AsyncIterator[int]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(sink, hostname="relay.example", loop=loop, **options),
            "127.0.0.1",
            ssl=implicit,
        )
        async with server:
            yield server.sockets[0].getsockname()[1]

    return listening


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    clock = FakeClock()
    backend = SqliteBackend(tmp_path / "hotdesk.db", clock)
    yield Scene(backend, clock)
    await backend.close()


def plain(port: int) -> Relay:
    return Relay(host="127.0.0.1", port=port, tls="none")


def outbox(scene: Scene, relay: Relay, clock: Clock | None = None) -> Outbox:
    return Outbox(
        scene.backend,
        clock or scene.clock,
        relay,
        domain=DOMAIN,
        key=KEY,
        presentation_of=lambda job: Presentation(preview=f"https://preview.example/{job.thread}"),
    )


async def owe_answers(scene: Scene, *names: str, sender: str = "anna@example.org") -> None:
    """Let a job by mail succeed for each name, so that its answer is due."""
    for name in names:
        origin = Origin(source="mail", sender=sender, message_id=f"<{name}@example.org>")
        await scene.submit(a_job(name, origin=origin))
    claim = await scene.claimed("w1")
    for name in names:
        delivery = await scene.handed(claim, name)
        await scene.settle(delivery, Outcome.succeeded(Result(text=f"did {name}")))
    await scene.release(claim)


async def test_an_answer_goes_to_the_sender_from_the_desk_and_back_to_the_thread(
    scene: Scene, start: Start, sink: Sink
) -> None:
    await owe_answers(scene, "j1")
    async with start() as port:
        sent = await outbox(scene, plain(port)).send_due()

    letter = parse_mail(sink.mails[0])
    assert sent == 1
    assert sink.envelopes == [("website+amelia@desk.example", ["anna@example.org"])]
    assert letter.in_reply_to == ("<j1@example.org>",)
    assert "did j1" in letter.text
    assert "https://preview.example/header" in letter.text
    assert b"Reply-To: website+amelia+thread-header-" in sink.mails[0]


async def test_an_answer_that_was_taken_is_not_sent_again(
    scene: Scene, start: Start, sink: Sink
) -> None:
    await owe_answers(scene, "j1")
    async with start() as port:
        box = outbox(scene, plain(port))
        await box.send_due()
        scene.clock.jump(timedelta(days=1))

        assert await box.send_due() == 0
    assert len(sink.mails) == 1


async def test_a_reply_to_an_answer_finds_its_thread(
    scene: Scene, start: Start, sink: Sink
) -> None:
    await owe_answers(scene, "j1")
    async with start() as port:
        await outbox(scene, plain(port)).send_due()

    message_id = parse_mail(sink.mails[0]).message_id
    job = await scene.job("j1")
    assert await scene.backend.thread_of_mail(message_id, job.desk) == job.thread


async def test_a_temporary_refusal_is_tried_again_later_and_later_with_the_same_id(
    scene: Scene, start: Start, sink: Sink
) -> None:
    await owe_answers(scene, "j1")
    waits = []
    async with start() as port:
        box = outbox(scene, plain(port))
        sink.replies["DATA"] = "450 try again"
        for _ in range(10):
            assert await box.send_due() == 1
            waited = timedelta(0)
            while not await scene.due():
                scene.clock.jump(timedelta(minutes=1))
                waited += timedelta(minutes=1)
            waits.append(waited // timedelta(minutes=1))
        first_id = box.message_id((await scene.due())[0])
        sink.replies.clear()
        await box.send_due()

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 240, 240]
    assert [parse_mail(mail).message_id for mail in sink.mails] == [first_id]


async def test_after_five_days_of_refusals_an_answer_is_kept_as_failed(
    scene: Scene, start: Start, sink: Sink
) -> None:
    await owe_answers(scene, "j1")
    sink.replies["RCPT"] = "450 try again"
    async with start() as port:
        box = outbox(scene, plain(port))
        scene.clock.jump(GIVE_UP_AFTER - timedelta(minutes=2))
        await box.send_due()
        scene.clock.jump(timedelta(minutes=1))
        await box.send_due()
        scene.clock.jump(timedelta(days=1))

        assert await box.send_due() == 0
    assert await failures(scene) == [("450 try again", False), ("450 try again", True)]


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
async def test_a_refusal_for_good_is_not_tried_again(
    scene: Scene, start: Start, sink: Sink, command: str
) -> None:
    await owe_answers(scene, "j1")
    sink.replies[command] = "550 5.1.1 no such\ruser"
    async with start() as port:
        box = outbox(scene, plain(port))
        await box.send_due()
        scene.clock.jump(timedelta(days=1))

        assert await box.send_due() == 0
    assert await failures(scene) == [("550 5.1.1 no such user", True)]


async def failures(scene: Scene) -> list[tuple[object, object]]:
    return [
        (event.details["reason"], event.details["is_final"])
        for event in await scene.backend.events()
        if event.kind == "AnswerFailed"
    ]


async def test_a_relay_that_cannot_be_reached_is_tried_again(scene: Scene) -> None:
    await owe_answers(scene, "j1")
    with socket.create_server(("127.0.0.1", 0)) as unanswered:
        port = unanswered.getsockname()[1]
        silent = Relay(host="127.0.0.1", port=port, tls="none", timeout_seconds=0.2)
        await outbox(scene, silent).send_due()
    scene.clock.jump(timedelta(minutes=1))
    await outbox(scene, plain(port)).send_due()

    assert [is_final for _, is_final in await failures(scene)] == [False, False]


async def test_no_more_mails_than_the_bound_are_sent_at_once(
    scene: Scene, start: Start, sink: Sink
) -> None:
    await owe_answers(scene, *(f"j{number}" for number in range(AT_ONCE_MAX + 2)))
    sink.gate = anyio.Event()
    async with start() as port, anyio.create_task_group() as tasks:
        box = outbox(scene, plain(port))
        tasks.start_soon(box.send_due)
        while len(sink.at_once) < AT_ONCE_MAX:
            await anyio.lowlevel.checkpoint()
        sink.gate.set()
    async with start() as port:
        await outbox(scene, plain(port)).send_due()

    assert max(sink.at_once) == AT_ONCE_MAX
    assert len(sink.mails) == AT_ONCE_MAX + 2


async def test_an_answer_that_cannot_be_noted_is_not_sent_a_second_time(
    tmp_path: Path, start: Start, sink: Sink
) -> None:
    backend = SqliteBackend(tmp_path / "hotdesk.db", SystemClock())
    scene = Scene(backend, FakeClock(SystemClock().now()))
    await owe_answers(scene, "j1")
    lock = sqlite3.connect(tmp_path / "hotdesk.db", isolation_level=None)
    sink.gate = anyio.Event()
    async with start() as port:
        box = outbox(scene, plain(port))

        async def send_and_fail() -> None:
            with pytest.raises(Unavailable):
                await box.send_due()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send_and_fail)
            while not sink.at_once:
                await anyio.lowlevel.checkpoint()
            lock.execute("BEGIN IMMEDIATE")
            sink.gate.set()
        lock.execute("ROLLBACK")
        scene.clock.jump(HOLD)
        await box.send_due()

    assert len(sink.mails) == 1
    assert await scene.due() == []
    lock.close()
    await backend.close()


async def test_two_outboxes_send_an_answer_once(scene: Scene, start: Start, sink: Sink) -> None:
    await owe_answers(scene, "j1", "j2", "j3")
    async with start() as port, anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(outbox(scene, plain(port)).send_due)

    assert len(sink.mails) == 3
    assert await scene.due() == []


async def test_an_answer_whose_sender_died_goes_out_again_as_the_same_mail(
    scene: Scene, start: Start, sink: Sink
) -> None:
    await owe_answers(scene, "j1")
    sink.gate = anyio.Event()
    async with start() as port:
        box = outbox(scene, plain(port))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(outbox(scene, plain(port)).send_due)
            while not sink.at_once:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        sink.gate.set()

        assert await box.send_due() == 0
        scene.clock.jump(HOLD)
        assert await box.send_due() == 1
    assert len({parse_mail(mail).message_id for mail in sink.mails}) == 1
    assert await scene.due() == []


async def test_the_answers_of_one_job_are_sent_alone(
    scene: Scene, start: Start, sink: Sink
) -> None:
    await owe_answers(scene, "j1", "j2")
    async with start() as port:
        sent = await outbox(scene, plain(port)).send_due(job_id="j2")

    assert sent == 1
    assert "did j2" in parse_mail(sink.mails[0]).text
    assert [answer.job.id for answer in await scene.due()] == ["j1"]


async def test_one_bad_answer_does_not_hold_up_the_others(
    scene: Scene, start: Start, sink: Sink
) -> None:
    await owe_answers(scene, "j1", sender="nobody")
    await owe_answers(scene, "j2")
    async with start() as port:
        await outbox(scene, plain(port)).send_due()

    assert len(sink.mails) == 1
    assert await failures(scene) == [("job j1 names no sender to answer", True)]


async def test_the_outbox_sends_by_itself_what_becomes_due(
    tmp_path: Path, start: Start, sink: Sink
) -> None:
    backend = SqliteBackend(tmp_path / "hotdesk.db", SystemClock())
    scene = Scene(backend, FakeClock(SystemClock().now() - timedelta(seconds=1)))
    async with start() as port, anyio.create_task_group() as tasks:
        tasks.start_soon(outbox(scene, plain(port), SystemClock()).run)
        await owe_answers(scene, "j1", "j2")
        with anyio.fail_after(10):
            while len(sink.mails) < 2:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    await backend.close()


# ------------------------------------------------------------------------ TLS and passwords


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def is_right(server: SMTP, session: Session, envelope: Envelope, kind: str, data: object) -> Any:  # noqa: ANN401 - aiosmtpd's
    return AuthResult(success=data == LoginPassword(b"hotdesk", PASSWORD.encode()), handled=False)


@pytest.mark.parametrize("password", [PASSWORD, "Tr0ub4dor"])
async def test_a_password_goes_over_starttls_and_into_no_record(
    scene: Scene, start: Start, sink: Sink, authority: trustme.CA, password: str
) -> None:
    await owe_answers(scene, "j1")
    context = server_context(authority)
    async with start(tls_context=context, authenticator=is_right, auth_required=True) as port:
        relay = Relay(
            host="127.0.0.1",
            port=port,
            tls="starttls",
            username="hotdesk",
            password=password,
            context=client_context(authority),
        )
        await outbox(scene, relay).send_due()

    # A wrong password is the operator's to mend; the answer waits for it.
    assert len(sink.mails) == (password == PASSWORD)
    assert [is_final for _, is_final in await failures(scene)] == [False] * (
        password == "Tr0ub4dor"
    )
    told = [repr(relay), *map(repr, await scene.backend.events())]
    assert not any(password in text for text in told)


async def test_implicit_tls_with_a_certificate_that_we_trust_is_used(
    scene: Scene, start: Start, sink: Sink, authority: trustme.CA
) -> None:
    await owe_answers(scene, "j1")
    async with start(implicit=server_context(authority)) as port:
        relay = Relay(
            host="127.0.0.1", port=port, tls="implicit", context=client_context(authority)
        )
        await outbox(scene, relay).send_due()

    assert len(sink.mails) == 1


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
async def test_a_relay_that_nobody_vouches_for_gets_nothing(
    scene: Scene,
    start: Start,
    sink: Sink,
    authority: trustme.CA,
    tls: Any,  # noqa: ANN401 - pytest's
) -> None:
    await owe_answers(scene, "j1")
    context = server_context(authority)
    options = {"implicit": context} if tls == "implicit" else {"tls_context": context}
    async with start(**options) as port:
        await outbox(scene, Relay(host="127.0.0.1", port=port, tls=tls)).send_due()

    assert sink.mails == []
    assert [is_final for _, is_final in await failures(scene)] == [False]


async def test_a_relay_without_starttls_gets_nothing_when_it_is_asked_for(
    scene: Scene, start: Start, sink: Sink
) -> None:
    await owe_answers(scene, "j1")
    async with start() as port:
        await outbox(scene, Relay(host="127.0.0.1", port=port, tls="starttls")).send_due()

    assert sink.mails == []


def test_a_password_is_not_sent_over_the_network_in_the_clear() -> None:
    with pytest.raises(Rejected, match="TLS"):
        Relay(host="relay.example", port=25, tls="none", username="a", password="b")
