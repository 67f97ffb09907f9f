"""The answer to a mail: what became of the instruction, and how to go on.

It is built from jobs alone, so that building it again gives the same mail. Its
header fields are made of checked addresses, checked ids and text in one line; nothing
that a user or an agent wrote can add a field. They are written here: the standard library
decodes what looks like an encoded word in any field, and writes the line breaks that it
finds in it as they are (CVE-2024-6923).
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from hotdesk.desks import Job
from hotdesk.errors import Rejected
from hotdesk.mail.answer import Facts, Presentation, facts_of
from hotdesk.mail.characters import label, storable
from hotdesk.mail.headers import ENCODED_WORD_START, message_ids
from hotdesk.mail.letter import DERIVED_ID_END, Letter
from hotdesk.mail.mailbox import parse_address
from hotdesk.mail.robots import OWN_HEADER
from hotdesk.ports import Answer

# Some mail programs show no more of a page than 102 kB.
ANSWER_BYTES_MAX = 100_000
# How much the agent may say: less if its Markdown, or the letters that it writes in, become
# too much HTML. Without its words everything is in its bounds.
WORDS_BYTES_MAX = (12_000, 4_000, 1_000, 0)
SUBJECT_LENGTH_MAX = 200
REFERENCES_MAX = 20

_WORD_CHARACTERS_MAX = 10  # 40 bytes at most, and 56 of base64: RFC 2047 allows 75 in all.
_FOLD = "\r\n "
# Neither base64 nor quoted-printable, the two encodings of what it separates, can hold it.
_BOUNDARY = "=_answer"
_REPLY_MARKS = re.compile(r"(?:(?:re|aw|antw|sv|rif|odp)(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)
_PLAIN = Presentation()


def build_answer(
    answer: Answer,
    *,
    address: str,
    reply_to: str,
    message_id: str,
    presentation: Presentation = _PLAIN,
    successor: Job | None = None,
) -> bytes:
    """Build the mail that tells the sender of a job how it ended.

    It goes from *address* to the sender that the job's mail named, with *reply_to*
    leading back to the thread. *successor* is the job that took a preempted one over, if it
    is known.

    Raises:
        Rejected: The job has no sender that a mail can be sent to.
    """
    origin = answer.job.origin
    recipient = parse_address(origin.sender)
    if recipient is None:
        raise Rejected(f"job {answer.job.id} names no sender to answer")
    fields = {
        "From": f"Hotdesk <{address}>",
        "To": recipient.address,
        "Reply-To": reply_to,
        "Subject": _subject(origin.subject),
        "Date": format_datetime(answer.created_at),
        "Message-ID": message_id,
    }
    answered = _ids(origin.message_id)
    if answered:
        fields["In-Reply-To"] = answered[-1]
    if references := (*_ids(*origin.references), *answered):
        # The first one names the conversation, the last ones the place in it.
        behind = references[1:][1 - REFERENCES_MAX :]
        fields["References"] = _FOLD.join((references[0], *behind))
    fields |= {OWN_HEADER: answer.job.id}
    for words_bytes_max in WORDS_BYTES_MAX:
        facts = facts_of(answer, presentation, successor=successor, words_bytes_max=words_bytes_max)
        mail = _written(fields, _alternatives(facts))
        if len(mail) <= ANSWER_BYTES_MAX:
            return mail
    raise AssertionError(f"the answer to job {answer.job.id} knows no bounds")


def build_notice(
    letter: Letter,
    headline: str,
    reasons: Mapping[str, str],
    *,
    domain: str,
    to: str,
    message_id: str,
    now: datetime,
) -> bytes:
    """Build the mail that says what became of *letter* before it was a job, where nothing else can.

    *reasons* has one for each address that it was sent to. It comes from an address that is a
    machine's, and is dated *now*.
    """
    fields = {
        "From": f"Hotdesk <mailer-daemon@{domain}>",
        "To": to,
        "Subject": _subject(letter.subject),
        "Date": format_datetime(now),
        "Message-ID": message_id,
        "In-Reply-To": "".join(_ids(letter.message_id)),
        OWN_HEADER: "none",
    }
    lines = [
        f"{label(address, length_max=SUBJECT_LENGTH_MAX)}: {reason}"
        for address, reason in reasons.items()
    ]
    text = "\n\n".join([headline, *lines])
    body = _part(storable(f"{text}\n"), "plain")
    return _written({name: value for name, value in fields.items() if value}, body)


def _alternatives(facts: Facts) -> EmailMessage:
    # Templates and Markdown take longer to import than all the rest of what sends mail.
    from hotdesk.mail.answer_page import page_of  # noqa: PLC0415 - see above

    page = page_of(facts)
    body = EmailMessage(policy=SMTP)
    body.make_alternative(boundary=_BOUNDARY)
    body.attach(_part(page.text, "plain"))
    body.attach(_part(page.html, "html"))  # The last one is the best one (RFC 2046, 5.1.4).
    return body


def _part(text: str, subtype: str) -> EmailMessage:
    """Return *text* in the encoding that makes less of it."""
    parts = [EmailMessage(policy=SMTP), EmailMessage(policy=SMTP)]
    for part, encoding in zip(parts, ("quoted-printable", "base64"), strict=True):
        part.set_content(text, subtype=subtype, cte=encoding)
        del part["MIME-Version"]
    return min(parts, key=lambda part: len(bytes(part)))


def _written(fields: Mapping[str, str], body: EmailMessage) -> bytes:
    automatic = {"Auto-Submitted": "auto-replied", "X-Auto-Response-Suppress": "All"}
    body["MIME-Version"] = "1.0"
    written = (_field(name, value) for name, value in {**fields, **automatic}.items())
    return b"".join(written) + bytes(body)


def _field(name: str, value: str) -> bytes:
    line = value.replace(_FOLD, " ")
    assert line.isascii(), f"{name} is not in ASCII"
    assert line.isprintable(), f"{name} holds a control character"
    return f"{name}: {value}\r\n".encode("ascii")


def _encoded(text: str) -> str:
    """Return *text* for a header: as it is, or if it is not plain, in encoded words (RFC 2047)."""
    if text.isascii() and text.isprintable() and ENCODED_WORD_START not in text:
        return text
    pieces = (
        text[at : at + _WORD_CHARACTERS_MAX] for at in range(0, len(text), _WORD_CHARACTERS_MAX)
    )
    return _FOLD.join(f"=?utf-8?b?{b64encode(piece.encode()).decode()}?=" for piece in pieces)


def _ids(*texts: str) -> tuple[str, ...]:
    """Return the message ids in *texts* that a mail program has seen.

    No honest one holds an encoded word, which programs on the way could decode.
    """
    found = message_ids(" ".join(texts).encode("ascii", "replace"))
    return tuple(i for i in found if not i.endswith(DERIVED_ID_END) and ENCODED_WORD_START not in i)


def _subject(subject: str) -> str:
    shown = label(storable(subject), length_max=SUBJECT_LENGTH_MAX)
    return _encoded(f"Re: {_REPLY_MARKS.sub('', shown, count=1) or 'your instruction'}")
