"""Slow, many and greedy clients: what one does is not what the others wait for."""

from __future__ import annotations

import socket
import tempfile
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from hotdesk.intakes.connection import MAILS_AT_ONCE
from hotdesk.intakes.incoming import IN_MEMORY_MAX
from hotdesk.intakes.smtp import SmtpIntake
from hotdesk.mail.letter import Mailbox
from hotdesk.mail.proof.hosts import address_of, is_inside, network_of
from hotdesk.mail.proof.verdict import Peer, Proof, believe
from tests.intakes.conftest import DOMAIN, Listen, Post, deliver, everything_from, start_of_mail
from tests.mail.samples import a_mail

pytestmark = pytest.mark.anyio

SCOTT = "amelia+scott@desk.example"
HERE, THERE = "127.0.0.1", "127.0.0.2"


async def until_received(stream: anyio.abc.ByteReceiveStream, words: bytes) -> None:
    received = b""
    with anyio.fail_after(10):
        while words not in received:
            received += await stream.receive()


class Door:
    """A prover that lets nobody through before it is opened."""

    def __init__(self) -> None:
        self.opened = anyio.Event()
        self.waiting = 0

    async def __call__(self, sender: Mailbox, raw: bytes, peer: Peer, now: datetime) -> Proof:
        self.waiting += 1
        await self.opened.wait()
        return await believe(sender, raw, peer, now)


async def test_slow_clients_do_not_hold_up_the_mail_of_others(post: Post, listen: Listen) -> None:
    async with listen() as port, AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(await anyio.connect_tcp(HERE, port))
            for _ in range(2 * MAILS_AT_ONCE)
        ]
        for slow in clients:
            await slow.send(start_of_mail(SCOTT))
            await until_received(slow, b"354")
            await slow.send(a_mail())

        reply = await deliver(port, a_mail(Message_ID="<m2@x>"), SCOTT)

        assert reply[0] == 250
        assert (await post.the_job()).origin.message_id == "<m2@x>"
        # A slow one is not forgotten either.
        await clients[0].send(b"\r\n.\r\n")
        await until_received(clients[0], b"250")


async def test_no_more_mails_than_the_bound_are_taken_at_once(post: Post) -> None:
    door = Door()
    intake = SmtpIntake(post.mailroom, prove=door, port=0, hostname=DOMAIN)
    mails = [a_mail(Message_ID=f"<m{number}@x>") for number in range(MAILS_AT_ONCE + 2)]
    async with anyio.create_task_group() as intakes:
        port = await intakes.start(intake.run)
        async with anyio.create_task_group() as senders:
            for mail in mails:
                senders.start_soon(deliver, port, mail, SCOTT)
            places = intake._connections.places
            with anyio.fail_after(10):
                while places.statistics().tasks_waiting < len(mails) - MAILS_AT_ONCE:
                    await anyio.lowlevel.checkpoint()
                while door.waiting < MAILS_AT_ONCE:
                    await anyio.lowlevel.checkpoint()
            together = door.waiting
            door.opened.set()
        intakes.cancel_scope.cancel()

    assert together == MAILS_AT_ONCE
    assert len(await post.client.jobs()) == len(mails)


# ---------------------------------------------------------------------- connections of one


async def test_one_network_gets_a_part_of_the_connections(listen: Listen) -> None:
    async with (
        listen(connections_max=10, is_relay=lambda _: False) as port,
        AsyncExitStack() as stack,
    ):
        streams = [
            await stack.enter_async_context(await anyio.connect_tcp(HERE, port, local_host=host))
            for host in (HERE, HERE, HERE, THERE)
        ]
        greetings = [(await stream.receive())[:3] for stream in streams]
        # Who leaves makes room for the next.
        await streams[0].send(b"QUIT\r\n")
        await everything_from(streams[0])
        async with await anyio.connect_tcp(HERE, port, local_host=HERE) as stream:
            next_greeting = (await stream.receive())[:3]

    assert greetings == [b"220", b"220", b"421", b"220"]
    assert next_greeting == b"220"


async def test_where_all_connections_are_taken_who_has_many_makes_room_for_who_has_none(
    post: Post, listen: Listen
) -> None:
    async with (
        listen(connections_max=10, is_relay=lambda address: str(address) == HERE) as port,
        AsyncExitStack() as stack,
    ):

        async def connect(host: str) -> anyio.abc.SocketStream:
            connected = await anyio.connect_tcp(HERE, port, local_host=host)
            return await stack.enter_async_context(connected)

        greeted = [await connect(f"127.0.1.{number // 2}") for number in range(6)]
        greeted += [await connect(HERE) for _ in range(4)]
        for stream in greeted:
            assert (await stream.receive())[:3] == b"220"

        # All at once, before the intake has seen any of them.
        sockets = [
            socket.create_connection((HERE, port), source_address=(f"127.0.2.{number}", 0))
            for number in range(5)
        ]
        newcomers = [
            await stack.enter_async_context(await anyio.abc.SocketStream.from_socket(each))
            for each in sockets
        ]
        greetings = [(await stream.receive())[:3] for stream in newcomers]

        # Three had two, and each of them has one now; more than one has the relay only.
        assert greetings == [b"220"] * 3 + [b"421"] * 2
        assert [await ends_soon(stream) for stream in greeted] == [True, False] * 3 + [False] * 4


async def test_a_mail_that_is_being_taken_makes_room_for_nobody(post: Post, listen: Listen) -> None:
    door = Door()
    async with (
        listen(
            connections_max=10, is_relay=lambda address: str(address) == HERE, prove=door
        ) as port,
        AsyncExitStack() as stack,
    ):

        async def connect(host: str) -> anyio.abc.SocketStream:
            connected = await anyio.connect_tcp(HERE, port, local_host=host)
            stream = await stack.enter_async_context(connected)
            assert (await stream.receive())[:3] == b"220"
            return stream

        taking, idle = await connect("127.0.1.1"), await connect("127.0.1.1")
        for _ in range(8):
            await connect(HERE)
        await taking.send(start_of_mail(SCOTT) + a_mail() + b"\r\n.\r\n")
        with anyio.fail_after(10):
            while not door.waiting:
                await anyio.lowlevel.checkpoint()

        await connect("127.0.2.1")

        assert await ends_soon(idle)
        door.opened.set()
        await until_received(taking, b"250 2.0.0 accepted")


@pytest.mark.parametrize("options", [{}, {"is_lmtp": True, "is_relay": lambda _: False}])
async def test_a_relay_gets_all_the_connections(listen: Listen, options: dict[str, object]) -> None:
    async with listen(connections_max=10, **options) as port, AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(await anyio.connect_tcp(HERE, port)) for _ in range(11)
        ]
        greetings = [(await stream.receive())[:3] for stream in streams]

    assert greetings == [b"220"] * 10 + [b"421"]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
    ],
)
def test_hosts_of_one_network_count_as_one(one: str, other: str, *, is_same: bool) -> None:
    addresses = address_of(one), address_of(other)

    networks = {network_of(address) for address in addresses if address is not None}

    assert (len(networks) == 1) is is_same


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("10.1.2.3", True), ("fd00::1", True), ("192.0.2.1", False)],
)
def test_a_relay_is_known_by_its_address(host: str, *, expected: bool) -> None:
    address = address_of(host)

    assert address is not None
    assert is_inside(address) is expected


# ------------------------------------------------------------------------------ greed


async def test_who_repeats_a_command_gains_no_time(listen: Listen) -> None:
    async with (
        listen(timeout_seconds=0.5) as port,
        await anyio.connect_tcp(HERE, port) as stream,
    ):
        with anyio.fail_after(10):
            while not await ends_soon(stream):
                await stream.send(b"RSET\r\n")


async def ends_soon(stream: anyio.abc.ByteReceiveStream, *, within: float = 0.05) -> bool:
    with anyio.move_on_after(within):
        await everything_from(stream)
        return True
    return False


async def test_a_client_has_the_whole_time_for_each_mail_and_for_each_way_to_it(
    post: Post, listen: Listen
) -> None:
    async def slowly(sender: Mailbox, raw: bytes, peer: Peer, now: datetime) -> Proof:
        with anyio.move_on_after(0.6):
            await anyio.Event().wait()
        return await believe(sender, raw, peer, now)

    async with (
        listen(timeout_seconds=1, prove=slowly) as port,
        await anyio.connect_tcp(HERE, port) as stream,
    ):
        for number in range(2):
            assert not await ends_soon(stream, within=0.6)
            await stream.send(start_of_mail(SCOTT))
            await until_received(stream, b"354")
            assert not await ends_soon(stream, within=0.6)
            await stream.send(a_mail(Message_ID=f"<m{number}@x>") + b"\r\n.\r\n")
            await until_received(stream, b"250 2.0.0 accepted")

    assert len(await post.client.jobs()) == 2


async def test_many_commands_at_once_do_not_hold_up_the_others(listen: Listen) -> None:
    commands, turns = 1000, 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with listen() as port, await anyio.connect_tcp(HERE, port) as stream:
        await stream.receive()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take_turns)
            await stream.send(b"NOOP\r\n" * commands + b"QUIT\r\n")
            await everything_from(stream)
            tasks.cancel_scope.cancel()

    assert turns > commands


async def test_without_room_for_a_large_mail_it_may_come_again(
    post: Post, listen: Listen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = f"MAIL FROM:<scott@example.org>\r\nRCPT TO:<{SCOTT}>\r\nDATA\r\n" * 20_000
    large = a_mail(commands, Content_Type="application/octet-stream")
    assert len(large) > IN_MEMORY_MAX
    with monkeypatch.context() as without:
        without.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
        async with listen() as port, await anyio.connect_tcp(HERE, port) as stream:
            await stream.send(start_of_mail(SCOTT) + large + b"\r\n.\r\nQUIT\r\n")
            answer = await everything_from(stream)
    async with listen() as port:
        again = await deliver(port, large, SCOTT)

    # What came behind the failure was not read as commands.
    assert answer.count(b"354") == 1
    assert answer.splitlines()[-2:] == [
        b"451 4.3.0 this cannot be done now; please try again later",
        b"221 Bye",
    ]
    assert again[0] == 250
    assert len(await post.client.jobs()) == 1


async def test_a_mistake_of_ours_in_the_middle_of_a_mail_ends_the_connection(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    intake = SmtpIntake(post.mailroom, prove=believe, port=0, hostname="x", on_error=told.append)
    monkeypatch.setattr(tempfile, "TemporaryFile", None)
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(intake.run)
        async with await anyio.connect_tcp(HERE, port) as stream:
            await stream.send(start_of_mail(SCOTT) + b"NOOP\r\n" * 300_000)
            answer = await everything_from(stream)
        tasks.cancel_scope.cancel()

    # The rest of the mail was not read as commands.
    assert answer.count(b"\n250 OK") == 1
    assert told == ["mail could not be taken: TypeError"]
