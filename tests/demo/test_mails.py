"""The sink of the demo keeps what it is given, and a refusal is an answer, not an error."""

from collections.abc import AsyncIterator

import anyio
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from hotdesk.demo.mails import Person, Sink, send

pytestmark = pytest.mark.anyio
SCOTT = Person(name="Scott", address="scott@agency.example")
ADDRESS = "amelia+scott@desk.example"


class ChoosySink(Sink):
    """Refuses one recipient and one text."""

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd looks for
        self, _server: SMTP, _session: Session, envelope: Envelope, to: str, _options: list[str]
    ) -> str:
        if to == "nobody@desk.example":
            return "550 5.1.1 nobody is not here"
        envelope.rcpt_tos.append(to)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd looks for
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if b"refuse me" in (envelope.original_content or b""):
            return "554 5.6.0 not this one"
        return await super().handle_DATA(server, session, envelope)


@pytest.fixture
async def sink() -> AsyncIterator[tuple[Sink, int]]:
    sink = ChoosySink()
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(sink.run)
        yield sink, port
        tasks.cancel_scope.cancel()


async def test_a_mail_that_was_sent_is_in_the_sink(sink: tuple[Sink, int]) -> None:
    box, port = sink
    mail = SCOTT.writes(ADDRESS, "Make the header blue.\n", subject="Header")

    reply = await send(mail, port)

    assert reply.is_taken
    kept = await box.until(lambda each: each["Message-ID"] == mail["Message-ID"])
    assert (kept["From"], kept["To"]) == ("Scott <scott@agency.example>", ADDRESS)
    assert kept.get_content().strip() == "Make the header blue."


async def test_a_reply_names_the_mails_before_it() -> None:
    first = SCOTT.writes(ADDRESS, "one", subject="Header")
    second = SCOTT.writes(ADDRESS, "two", subject="Re: Header", answers=first)
    third = SCOTT.writes(ADDRESS, "three", subject="Re: Header", answers=second)

    assert third["In-Reply-To"] == second["Message-ID"]
    assert third["References"].split() == [first["Message-ID"], second["Message-ID"]]


@pytest.mark.parametrize(
    ("to", "text", "code", "reason"),
    [
        ("nobody@desk.example", "hello", 550, "nobody is not here"),
        (ADDRESS, "refuse me", 554, "not this one"),
    ],
)
async def test_a_refused_mail_is_not_taken_and_says_why(
    sink: tuple[Sink, int], to: str, text: str, code: int, reason: str
) -> None:
    box, port = sink

    reply = await send(SCOTT.writes(to, text, subject="Header"), port)

    assert not reply.is_taken
    assert reply.code == code
    assert reason in reply.text
    assert box.mails == []


async def test_the_sink_ends_the_connection_of_a_client_that_stays() -> None:
    sink = Sink()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            port = await tasks.start(sink.run)
            client = await anyio.connect_tcp("127.0.0.1", port)
            await client.receive()
            tasks.cancel_scope.cancel()
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await client.receive()
    await client.aclose()
