"""The text of one mail while it arrives: from DATA to the line that is nothing but a dot.

A slow client holds its connection and what it has sent, and nothing that others wait for. Of
a large mail all but the last part is in a file without a name, where ``TMPDIR`` says.
"""

import asyncio
import tempfile
from typing import IO, Self

from anyio import to_thread

from hotdesk.mail.rejection import MailRejected

IN_MEMORY_MAX = 1024 * 1024
LINE_LENGTH_MAX = 998  # RFC 5321, 4.5.3.1.6: 1,000 with the line break.

_LINE_BREAK = b"\r\n"
_END = b"\r\n.\r\n"
_EVERYTHING = 1 << 30  # More than a reader ever holds.


class Incoming:
    """A mail that arrives. Its file is gone with the ``with`` block."""

    def __init__(self, *, size_max: int) -> None:
        """A mail of more than *size_max* bytes is read to its end, and not kept."""
        self._size_max = size_max
        # The line with DATA has ended, and the dot may be all that follows.
        self._text = bytearray(_LINE_BREAK)
        self._put_away = 0
        self._file: IO[bytes] | None = None
        self._problem: MailRejected | OSError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            self._file.close()

    async def receive(self, reader: asyncio.StreamReader) -> None:
        """Read to the end of the mail; what was sent behind it stays in *reader*.

        Raises:
            ConnectionResetError: The client has gone.
        """
        looked_at = 0
        while (end := self._text.find(_END, looked_at)) < 0:
            if len(self._text) > IN_MEMORY_MAX:
                await self._make_room()
            looked_at = max(len(self._text) - len(_END) + 1, 0)
            sent = await reader.read(_EVERYTHING)
            if not sent:
                raise ConnectionResetError
            self._text += sent
        # Nothing was left in it, so that this is what comes next.
        reader.feed_data(bytes(self._text[end + len(_END) :]))
        del self._text[end + len(_LINE_BREAK) :]
        self._check_size()

    async def content(self) -> bytes:
        """The mail, as it was before dots were added to its lines (RFC 5321, 4.5.2).

        Raises:
            MailRejected: It is too large, or one of its lines is.
            OSError: There was no room for it.
        """
        if self._problem is not None:
            raise self._problem
        return await to_thread.run_sync(self._content)

    def _content(self) -> bytes:
        text = bytes(self._text)
        if self._file is not None:
            self._file.seek(0)
            text = self._file.read() + text
        text = text.replace(b"\r\n.", _LINE_BREAK)[len(_LINE_BREAK) :]
        _check_lines(text)
        return text

    async def _make_room(self) -> None:
        """Put away all but what may be the beginning of the end."""
        kept = len(_END) - 1
        away, self._text = self._text[:-kept], self._text[-kept:]
        self._put_away += len(away)
        self._check_size()
        if self._problem is None:
            try:
                await to_thread.run_sync(self._write, away)
            except OSError as error:
                self._fail(error)

    def _write(self, text: bytearray) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the mail is over
        self._file.write(text)

    def _check_size(self) -> None:
        if self._put_away + len(self._text) - len(_LINE_BREAK) > self._size_max:
            reason = f"the mail is larger than {self._size_max} bytes; please send less"
            self._fail(MailRejected(reason, code=552, status="5.3.4"))

    def _fail(self, problem: MailRejected | OSError) -> None:
        self._problem = self._problem or problem


def _check_lines(text: bytes) -> None:
    """Refuse lines without end: what reads them later would take as long.

    Raises:
        MailRejected: One line is too long.
    """
    at = 0
    while at < len(text):
        end = text.rfind(_LINE_BREAK, at, at + LINE_LENGTH_MAX + len(_LINE_BREAK))
        if end < 0:
            reason = f"a line of the mail has more than {LINE_LENGTH_MAX} characters"
            raise MailRejected(f"{reason}; let your mail program encode it", status="5.6.0")
        at = end + len(_LINE_BREAK)
