"""What an intake does with too much of anything, and with clients that misbehave."""

from __future__ import annotations

import smtplib
import socket
from contextlib import suppress

import anyio
import pytest
from anyio import to_thread

from hotdesk.intakes.connection import ERRORS_MAX
from hotdesk.intakes.smtp import SmtpIntake
from hotdesk.mail.proof.verdict import believe
from tests.intakes.conftest import (
    Listen,
    Post,
    connected,
    deliver,
    everything_from,
    start_of_mail,
)
from tests.mail.samples import a_mail

pytestmark = pytest.mark.anyio

SCOTT = "amelia+scott@desk.example"


async def test_a_mail_that_is_too_big_is_refused_before_it_is_sent(listen: Listen) -> None:
    def talk(port: int) -> tuple[int, bytes]:
        with connected(port) as smtp:
            return smtp.mail("anna@example.org", ["SIZE=50000000"])

    async with listen() as port:
        assert (await to_thread.run_sync(talk, port))[0] == 552


async def test_a_mail_of_50_mb_is_taken_or_refused_as_configured(
    post: Post, listen: Listen
) -> None:
    body = ("x" * 76 + "\r\n") * (49 * 1024 * 1024 // 78)
    big = a_mail(body, Content_Type="application/octet-stream")
    async with listen() as port:
        refused = await deliver(port, big, SCOTT)
    async with listen(size_max=50 * 1024 * 1024) as port:
        taken = await deliver(port, big, SCOTT)

    assert (refused[0], taken[0]) == (552, 250)
    assert len(post.stored()[(await post.the_job()).origin.attachments[0]]) == len(body)


async def test_of_10_000_recipients_no_more_than_the_bound_are_taken(
    post: Post, listen: Listen
) -> None:
    replies: list[int] = []

    def talk(port: int) -> None:
        with suppress(smtplib.SMTPServerDisconnected), connected(port) as smtp:
            smtp.mail("anna@example.org")
            users = (f"berta+user{number}@desk.example" for number in range(10_000))
            replies.extend(smtp.rcpt(user)[0] for user in users)

    async with listen() as port:
        await to_thread.run_sync(talk, port)

    assert replies[:100] == [250] * 100
    assert 250 not in replies[100:]
    assert replies[100] == 452
    assert len(replies) <= 2001


async def test_the_accepted_of_too_many_recipients_get_the_mail(post: Post, listen: Listen) -> None:
    def talk(port: int) -> int:
        with connected(port) as smtp:
            smtp.mail("anna@example.org")
            for number in range(5):
                smtp.rcpt(f"berta+user{number}@desk.example")
            return smtp.data(a_mail())[0]

    async with listen(recipients_max=3) as port:
        assert await to_thread.run_sync(talk, port) == 250

    assert len(await post.client.jobs()) == 3


async def test_a_prober_of_addresses_fills_no_store(post: Post, listen: Listen) -> None:
    def talk(port: int) -> None:
        with connected(port) as smtp:
            smtp.mail("anna@example.org")
            for number in range(200):
                smtp.rcpt(f"guess{number}+scott@desk.example")

    async with listen() as port:
        await to_thread.run_sync(talk, port)

    assert len(await post.events("MailRefused")) == 20


async def test_300_idle_connections_leave_room_after_the_bound(post: Post, listen: Listen) -> None:
    async with listen(connections_max=50, timeout_seconds=2) as port:
        streams = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(300)]
        greetings = [(await stream.receive())[:3] for stream in streams]
        # The idle ones time out, whether their clients read or not.
        ends = [await everything_from(stream) for stream in streams]
        reply = await deliver(port, a_mail(), SCOTT)
        for stream in streams:
            await stream.aclose()

    assert greetings.count(b"220") == 50
    assert greetings.count(b"421") == 250
    assert ends == [b""] * 300
    assert reply[0] == 250


async def test_a_client_that_is_too_slow_with_its_mail_is_cut_off(
    post: Post, listen: Listen
) -> None:
    async with (
        listen(timeout_seconds=1) as port,
        await anyio.connect_tcp("127.0.0.1", port) as stream,
    ):
        await stream.send(start_of_mail(SCOTT) + a_mail())
        answer = await everything_from(stream)

    assert answer.endswith(b"354 End data with <CR><LF>.<CR><LF>\r\n")
    assert await post.client.jobs() == []


async def test_a_client_that_never_reads_is_cut_off_too(post: Post) -> None:
    async def talk_on(stream: anyio.abc.ByteSendStream) -> None:
        while True:
            await stream.send(b"HELP\r\n" * 10_000)

    intake = SmtpIntake(
        post.mailroom,
        prove=believe,
        port=0,
        hostname="x",
        timeout_seconds=1,
        connections_max=1,
    )
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(intake.run)
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.receive()
            (connection,) = intake._connections._open
            assert connection.transport is not None
            # Over a network the kernel holds less of what nobody reads than on loopback.
            server_end = connection.transport.get_extra_info("socket")
            server_end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            client_end = stream.extra(anyio.abc.SocketAttribute.raw_socket)
            client_end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with anyio.fail_after(10), pytest.raises(anyio.BrokenResourceError):
                await talk_on(stream)
        reply = await deliver(port, a_mail(), SCOTT)
        tasks.cancel_scope.cancel()

    assert reply[0] == 250


async def test_a_client_that_goes_away_in_the_middle_leaves_nothing(
    post: Post, listen: Listen
) -> None:
    async with listen() as port:
        for end in (b"EHLO x\r\n", b"EHLO x\r\nMAIL FROM:<anna@example.org>\r\n"):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(end)
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(start_of_mail(SCOTT) + a_mail())
        reply = await deliver(port, a_mail(), SCOTT)

    assert reply[0] == 250
    assert len(await post.client.jobs()) == 1


async def test_what_is_not_offered_is_refused_and_reveals_nothing(listen: Listen) -> None:
    def talk(port: int) -> list[int]:
        with connected(port) as smtp:
            assert not {"auth", "starttls", "xclient", "vrfy"} & set(smtp.esmtp_features)
            commands = ["AUTH PLAIN AGEAYg==", "STARTTLS", "XCLIENT ADDR=1.2.3.4", "EXPN a"]
            replies = [smtp.docmd(command)[0] // 100 for command in commands]
            asked = (SCOTT, "nobody@desk.example", "<a@[")
            assert len({smtp.docmd(f"VRFY {who}") for who in asked}) == 1
            return replies

    async with listen() as port:
        assert await to_thread.run_sync(talk, port) == [5, 4, 5, 5]


async def test_lines_that_are_no_commands_end_the_connection(listen: Listen) -> None:
    async with listen() as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(b"\r\n" * ERRORS_MAX * 10)
        replies = (await everything_from(stream)).splitlines()

    assert [reply[:3] for reply in replies] == [b"220", *[b"500"] * ERRORS_MAX, b"421"]


async def test_a_line_that_is_too_long_refuses_its_mail_and_nothing_else(
    post: Post, listen: Listen
) -> None:
    def talk(port: int) -> list[tuple[int, bytes]]:
        with connected(port) as smtp:
            lines = (999, 998)
            return [
                (smtp.mail("anna@example.org"), smtp.rcpt(SCOTT), smtp.data(a_mail("x" * length)))[
                    2
                ]
                for length in lines
            ]

    async with listen() as port:
        refused, taken = await to_thread.run_sync(talk, port)

    assert refused[0] == 554
    assert b"let your mail program encode it" in refused[1]
    assert taken[0] == 250
    assert (await post.the_job()).instruction.endswith("x" * 998)


@pytest.mark.parametrize(
    "command",
    [
        "MAIL FROM:<",
        "MAIL FROM:<[",
        "MAIL FROM:<a@[",
        'MAIL FROM:<"',
        "RCPT TO:<(",
        "MAIL FROM:<<>>",
    ],
)
async def test_an_address_that_breaks_the_library_is_refused(listen: Listen, command: str) -> None:
    def talk(port: int) -> tuple[int, int]:
        with connected(port) as smtp:
            return smtp.docmd(command)[0], smtp.noop()[0]

    async with listen() as port:
        assert await to_thread.run_sync(talk, port) == (553, 250)
