"""The answer to a mail: what became of the instruction, and how to go on.

It is built from the job alone, so that building it again gives the same mail. Its
header fields are made of checked addresses, checked ids and text in one line; nothing
that a user or an agent wrote can add a field. They are written here: the standard library
decodes what looks like an encoded word in any field, and writes the line breaks that it
finds in it as they are (CVE-2024-6923).
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from hotdesk.desks import Job, JobState
from hotdesk.errors import Rejected
from hotdesk.mail.characters import label, plain_text, storable
from hotdesk.mail.headers import ENCODED_WORD_START, message_ids
from hotdesk.mail.letter import DERIVED_ID_END, Letter
from hotdesk.mail.mailbox import parse_address
from hotdesk.mail.robots import OWN_HEADER
from hotdesk.ports import Answer

TEXT_LENGTH_MAX = 50_000
ERROR_LENGTH_MAX = 2_000
CHANGES_MAX = 50
QUOTE_LINES_MAX = 5
QUOTE_LINE_LENGTH_MAX = 100
SUBJECT_LENGTH_MAX = 200
REFERENCES_MAX = 20

_WORD_CHARACTERS_MAX = 10  # 40 bytes at most, and 56 of base64: RFC 2047 allows 75 in all.
_FOLD = "\r\n "
_REPLY_MARKS = re.compile(r"(?:(?:re|aw|antw|sv|rif|odp)(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)

_HOW_TO_GO_ON = {
    JobState.SUCCEEDED: "Reply to this mail to go on.",
    JobState.FAILED: "Reply to this mail with a changed instruction to try again.",
    JobState.DEAD: "It is kept. Reply to this mail to give a new instruction, or have an "
    "operator retry job {job}.",
    JobState.CANCELLED: "What was done until then is kept. Reply to this mail to go on.",
    JobState.PREEMPTED: "It continues from what was done here, and you get its answer.",
}


def build_answer(
    answer: Answer, *, address: str, reply_to: str, message_id: str, preview: str = ""
) -> bytes:
    """Build the mail that tells the sender of a job how it ended.

    It goes from *address* to the sender that the job's mail named, with *reply_to*
    leading back to the thread. *preview* is a link to see the result.

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
    return _written(fields | {OWN_HEADER: answer.job.id}, _text(answer, preview))


def build_refusal(
    letter: Letter, refused: Mapping[str, str], *, domain: str, to: str, message_id: str
) -> bytes:
    """Build the mail that says why some recipients did not get *letter*, where nobody else can.

    *refused* has the reason for each address. It goes *to* the return path, as a bounce
    would, from an address that is a machine's.
    """
    fields = {
        "From": f"Hotdesk <mailer-daemon@{domain}>",
        "To": to,
        "Subject": _subject(letter.subject),
        "Date": format_datetime(letter.date) if letter.date else "",
        "Message-ID": message_id,
        "In-Reply-To": "".join(_ids(letter.message_id)),
        OWN_HEADER: "none",
    }
    lines = [
        f"{label(address, length_max=SUBJECT_LENGTH_MAX)}: {reason}"
        for address, reason in refused.items()
    ]
    text = "\n\n".join(["Your mail was not taken.", *lines])
    return _written({name: value for name, value in fields.items() if value}, storable(f"{text}\n"))


def _written(fields: Mapping[str, str], text: str) -> bytes:
    body = EmailMessage(policy=SMTP)
    body.set_content(text, cte="quoted-printable")
    automatic = {"Auto-Submitted": "auto-replied", "X-Auto-Response-Suppress": "All"}
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


def _text(answer: Answer, preview: str) -> str:
    paragraphs = [_what_happened(answer), *_what_changed(answer.job, answer.state)]
    if preview and answer.state is JobState.SUCCEEDED:
        paragraphs.append(f"Preview: {label(preview, length_max=TEXT_LENGTH_MAX)}")
    paragraphs.append(_HOW_TO_GO_ON[answer.state].format(job=answer.job.id))
    paragraphs.append(_quote(answer.job.instruction))
    return storable("\n\n".join(filter(None, paragraphs)) + "\n")


def _what_happened(answer: Answer) -> str:
    job = answer.job
    error = _cut(job.error, ERROR_LENGTH_MAX) or "no reason was given"
    match answer.state:
        case JobState.SUCCEEDED:
            return _cut(job.result.text if job.result else "", TEXT_LENGTH_MAX) or "Done."
        case JobState.FAILED:
            return f"This did not work:\n\n{error}"
        case JobState.DEAD:
            return f"This was tried {job.attempt} times and did not work:\n\n{error}"
        case JobState.CANCELLED:
            return "This instruction was cancelled."
        case JobState.PREEMPTED:
            return "Your newer instruction took over; nothing is lost."
    raise AssertionError(f"job {job.id} has not ended")


def _what_changed(job: Job, state: JobState) -> list[str]:
    if state is not JobState.SUCCEEDED or job.result is None:
        return []
    changes = [label(change, length_max=200) for change in job.result.changes]
    more = len(changes) - CHANGES_MAX
    lines = [f"  {change}" for change in changes[:CHANGES_MAX]]
    if more > 0:
        lines.append(f"  and {more} more")
    listed = ["\n".join(["Changed:", *lines])] if lines else []
    commit = [f"Commit: {label(job.result.commit, length_max=100)}"] if job.result.commit else []
    return listed + commit


def _quote(instruction: str) -> str:
    lines = [line for line in plain_text(instruction).split("\n") if line.strip()]
    shown = [f"> {label(line, length_max=QUOTE_LINE_LENGTH_MAX)}" for line in lines]
    return "\n".join(shown[:QUOTE_LINES_MAX] + ["> ..."] * (len(shown) > QUOTE_LINES_MAX))


def _cut(text: str, length_max: int) -> str:
    text = plain_text(text).strip()
    return text if len(text) <= length_max else f"{text[:length_max].rstrip()}\n[...]"
