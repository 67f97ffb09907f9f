"""The text of a mail as it arrives: whole, without the dots of SMTP, little of it in memory."""

from __future__ import annotations

import asyncio
import os
import tracemalloc

import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdesk.intakes import incoming as module
from hotdesk.intakes.incoming import Incoming
from hotdesk.mail.rejection import MailRejected

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
lines = st.lists(st.sampled_from([b"", b".", b"..", b".x", b"x", b"\r", b"\n", b"\n.\n", b"\r.\r"]))


async def received(*pieces: bytes, size_max: int = MIB) -> tuple[bytes, bytes]:
    """What arrives if *pieces* are sent one after the other, and what is left behind it."""
    reader = asyncio.StreamReader()

    async def send() -> None:
        for piece in pieces:
            reader.feed_data(piece)
            await anyio.lowlevel.checkpoint()

    with Incoming(size_max=size_max) as mail:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await mail.receive(reader)
        reader.feed_eof()
        return await mail.content(), await reader.read()


@given(lines=lines, cuts=st.lists(st.integers(1, 5)), in_memory_max=st.integers(5, 40))
def test_a_mail_arrives_as_it_was_written_however_it_is_cut_into_pieces(
    lines: list[bytes], cuts: list[int], in_memory_max: int
) -> None:
    text = b"".join(line + b"\r\n" for line in lines)
    dotted = b"\r\n".join(b"." * line.startswith(b".") + line for line in text.split(b"\r\n"))
    sent = dotted + b".\r\nQUIT\r\n"
    pieces = []
    for cut in cuts:
        pieces.append(sent[:cut])
        sent = sent[cut:]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "IN_MEMORY_MAX", in_memory_max)
        arrived = anyio.run(lambda: received(*pieces, sent))

    assert arrived == (text, b"QUIT\r\n")


@pytest.mark.parametrize("piece", [b"x" * 65536, b"\r\n" * 32768], ids=["one line", "many lines"])
async def test_of_a_mail_that_is_too_large_little_is_in_memory_and_no_more_than_allowed_in_a_file(
    piece: bytes,
) -> None:
    reader = asyncio.StreamReader()
    with Incoming(size_max=8 * MIB) as mail:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(mail.receive, reader)
            await anyio.lowlevel.checkpoint()
            tracemalloc.start()
            try:
                for _ in range(16 * MIB // len(piece)):
                    reader.feed_data(piece)
                    while reader._buffer:  # type: ignore[attr-defined]  # typeshed hides it
                        await anyio.lowlevel.checkpoint()
                _, peak = tracemalloc.get_traced_memory()
                assert mail._file is not None
                in_file = os.fstat(mail._file.fileno()).st_size
            finally:
                tracemalloc.stop()
            tasks.cancel_scope.cancel()

    assert peak < 5 * MIB
    assert in_file <= 8 * MIB


async def test_a_mail_of_the_largest_size_arrives_and_a_larger_one_does_not() -> None:
    assert await received(b"x" * 98 + b"\r\n.\r\n", size_max=100) == (b"x" * 98 + b"\r\n", b"")
    with pytest.raises(MailRejected, match="larger than 100 bytes"):
        await received(b"x" * 99 + b"\r\n.\r\n", size_max=100)


async def test_who_goes_away_in_the_middle_ends_the_mail() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"x\r\n.")
    reader.feed_eof()

    with Incoming(size_max=MIB) as mail, pytest.raises(ConnectionResetError):
        await mail.receive(reader)
