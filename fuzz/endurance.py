"""What holds for the time that reading takes: it grows with the input, and no faster.

The input is a short text: a piece for the beginning, one for the rest, and an end. Counting
Python's own steps would not do: what was slow was so inside one step, a pattern or a copy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import process_time

from hotdesk.mail.headers import Headers, words
from hotdesk.mail.hypertext import html_to_text
from hotdesk.mail.mailbox import sender_of
from hotdesk.mail.markdown import html_of
from hotdesk.mail.mime import split
from hotdesk.mail.parse import parse_mail
from hotdesk.mail.quoted import new_text
from hotdesk.mail.rejection import MailRejected
from hotdesk.mail.reply import WORDS_BYTES_MAX

SEPARATOR = b"\0"
BYTES = 100_000
FIELD_BYTES = 16_000
BEGINNING_SHARE = 8
SECONDS_MAX = 1.0  # Of processor time; reading takes a fiftieth of it.


def endurance(data: bytes) -> None:
    """Nothing that reads a mail, or writes one, is busy for longer than its input explains."""
    beginning, piece, end = (*data.split(SEPARATOR, 2), b"", b"")[:3]
    raw = repeated(beginning, piece, end, size=BYTES)
    field = repeated(beginning, piece, end, size=FIELD_BYTES).replace(b"\n", b" ")
    text = raw.decode("utf-8", "replace")
    headers = Headers((("from", field[:1000]), ("content-type", field)))
    readers: list[Callable[[], object]] = [
        partial(new_text, text, is_reply=True),
        partial(html_to_text, text),
        partial(html_of, text[: max(WORDS_BYTES_MAX)]),
        partial(split, raw),
        partial(
            parse_mail, b"From: a@b\nContent-Type: multipart/alternative; boundary=b\n\n" + raw
        ),
        partial(parse_mail, b"From: a@b\n" + raw),
        partial(words, field),
        partial(headers.parameters, "content-type"),
        partial(sender_of, headers),
    ]
    for reader in readers:
        started = process_time()
        try:
            reader()
        except MailRejected:
            continue
        finally:
            assert process_time() - started < SECONDS_MAX, reader


def repeated(beginning: bytes, piece: bytes, end: bytes, *, size: int) -> bytes:
    """Put them together: an eighth of the first, the second as often as fits, the third once."""
    beginning *= max(1, size // BEGINNING_SHARE // max(1, len(beginning)))
    room = max(0, size - len(beginning) - len(end))
    return beginning + piece * (room // max(1, len(piece))) + end
