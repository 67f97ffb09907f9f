"""Bytes to a ``Letter``, whatever the bytes are.

The one error that leaves this module is ``MailRejected``; text that cannot be decoded,
fields that cannot be read and encodings that nobody knows never fail. Nothing here
says who really wrote the mail.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from mimetypes import MimeTypes
from pathlib import PurePosixPath

from hotdesk.mail.characters import decoded, label, plain_text
from hotdesk.mail.headers import Headers, read_headers, words
from hotdesk.mail.hypertext import html_to_text
from hotdesk.mail.letter import DERIVED_ID_END, Attachment, Letter
from hotdesk.mail.mailbox import sender_of
from hotdesk.mail.mime import Part, split
from hotdesk.mail.quoted import new_text
from hotdesk.mail.rejection import MailRejected
from hotdesk.mail.robots import automatic_reason

SIZE_MAX = 50 * 1024 * 1024
TEXT_LENGTH_MAX = 500_000
ATTACHMENTS_MAX = 100
REFERENCES_MAX = 50
SUBJECT_LENGTH_MAX = 250
FILE_NAME_BYTES_MAX = 150  # File systems take 255; the rest is room for a prefix.

# The table of the standard library, not the one of the machine.
_SUFFIXES = MimeTypes()
_NOT_IN_FILE_NAMES = re.compile(r'[<>:"|?*\x00-\x1f]')


def parse_mail(raw: bytes, *, return_path: str | None = None, size_max: int = SIZE_MAX) -> Letter:
    """Read a mail; ``return_path`` is the address of its envelope, if known, without brackets.

    It takes about 0.1 s for 10 MB, so a caller on an event loop calls it in a thread.

    Raises:
        MailRejected: It is too big, has too many parts, or has no single plain sender.
    """
    if len(raw) > size_max:
        raise MailRejected(
            f"the mail is larger than {size_max} bytes; please send less", code=552, status="5.3.4"
        )
    root = split(raw)
    headers = root.headers
    sender = sender_of(headers)
    in_reply_to = headers.ids("in-reply-to")[:REFERENCES_MAX]
    references = headers.ids("references")[-REFERENCES_MAX:]
    text = plain_text(_text(root)).strip("\n")
    if len(text) > TEXT_LENGTH_MAX:
        raise MailRejected(
            f"the text is longer than {TEXT_LENGTH_MAX} characters; please attach it as a file",
            code=552,
            status="5.3.4",
        )
    return Letter(
        message_id=_message_id(headers, raw),
        in_reply_to=in_reply_to,
        references=references,
        sender=sender,
        subject=label(headers.text("subject"), length_max=SUBJECT_LENGTH_MAX),
        date=_date(headers),
        text=text,
        new_text=new_text(text, is_reply=bool(in_reply_to or references)),
        attachments=tuple(_attachments(root)),
        automatic=automatic_reason(root, local_part=sender.local_part, return_path=return_path),
    )


def _message_id(headers: Headers, raw: bytes) -> str:
    ids = headers.ids("message-id")
    if len(ids) == 1:
        return ids[0]
    # From what a relay does not change when it delivers the same mail again.
    digest = hashlib.sha256()
    for name in ("from", "to", "date", "subject"):
        digest.update(headers.first(name) + b"\n")
    _, body_start = read_headers(raw, 0, len(raw))
    digest.update(memoryview(raw)[body_start:])
    return f"<{digest.hexdigest()[:32]}{DERIVED_ID_END}"


def _date(headers: Headers) -> datetime | None:
    try:
        date = parsedate_to_datetime(headers.text("date")[:SUBJECT_LENGTH_MAX])
        return date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _text(part: Part) -> str:
    """Return the text of a part: of alternatives the plain one, of a list of parts all."""
    if not part.parts:
        return _leaf_text(part)
    if part.content_type == "multipart/alternative":
        # The plainest one that says anything; a calendar or a picture has no text.
        texts = map(_text, sorted(part.parts, key=_is_hypertext))
        return next(filter(str.strip, texts), "")
    return "\n\n".join(text.strip("\n") for text in map(_text, part.parts) if text.strip())


def _leaf_text(part: Part) -> str:
    if _is_file(part):
        return ""
    content = part.content()
    if len(content) > 8 * TEXT_LENGTH_MAX:
        raise MailRejected(
            "the text is too long; please attach it as a file", code=552, status="5.3.4"
        )
    text = decoded(content, part.parameters.get("charset", ""))
    return html_to_text(text) if part.content_type == "text/html" else text


def _is_hypertext(part: Part) -> bool:
    return any(leaf.content_type == "text/html" for leaf in part.leaves())


def _is_file(part: Part) -> bool:
    return (
        part.content_type not in ("text/plain", "text/html")
        or part.headers.keyword("content-disposition") == "attachment"
        or bool(_given_name(part))
    )


def _given_name(part: Part) -> str:
    disposition = part.headers.parameters("content-disposition")
    return disposition.get("filename") or part.parameters.get("name", "")


def _attachments(root: Part) -> Iterator[Attachment]:
    files = [leaf for leaf in root.leaves() if _is_file(leaf)]
    if len(files) > ATTACHMENTS_MAX:
        raise MailRejected(
            f"there are more than {ATTACHMENTS_MAX} attachments; please send fewer", status="5.3.4"
        )
    for number, leaf in enumerate(files, start=1):
        suffix = _SUFFIXES.guess_extension(leaf.content_type) or ""
        name = safe_file_name(
            words(_given_name(leaf).encode()), otherwise=f"attachment-{number}{suffix}"
        )
        yield Attachment(name=name, content_type=leaf.content_type, content=leaf.content())


def safe_file_name(name: str, *, otherwise: str) -> str:
    """Return a name that is safe as the last part of a path, close to *name*.

    Folders, what cannot be seen, leading dots and dashes are dropped; a long name keeps
    its suffix.
    """
    last = re.split(r"[/\\]", name.strip())[-1]
    visible = label(unicodedata.normalize("NFC", last), length_max=2 * FILE_NAME_BYTES_MAX)
    safe = _NOT_IN_FILE_NAMES.sub("_", visible).lstrip(".-~ ").rstrip(". ")
    suffix = PurePosixPath(safe).suffix.encode()
    if len(safe.encode()) > FILE_NAME_BYTES_MAX:
        suffix = suffix if len(suffix) <= len(b".markdown") else b""
        stem = safe.encode()[: FILE_NAME_BYTES_MAX - len(suffix)]
        safe = stem.decode("utf-8", "ignore").rstrip(". ") + suffix.decode()
    return safe or otherwise
