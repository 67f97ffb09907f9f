"""Which mails were sent by a machine, and so must start nothing and get no answer.

The rules are those of RFC 3834, and some signs of programs that do not know it. A mail
that Hotdesk sent itself is one of them: two automatic answers never meet.
"""

import re

from hotdesk.mail.headers import Headers
from hotdesk.mail.mime import Part

OWN_HEADER = "X-Hotdesk-Job"

_ROBOT = re.compile(
    r"mailer-daemon|postmaster|(?:no|do-?not)[-_.]?reply(?:[-_.+].*)?|bounces?(?:[-_.+].*)?"
    r"|.*[-_.+]bounces?|owner-.*|.*-request|auto-?reply|autoresponder"
)
_REPORTS = frozenset(
    ("multipart/report", "message/delivery-status", "message/disposition-notification")
)
_LIST_HEADERS = frozenset(
    f"list-{what}"
    for what in ("id", "help", "subscribe", "unsubscribe", "post", "owner", "archive")
)
_ANSWER_HEADERS = frozenset(("x-autoreply", "x-autorespond", "x-autoresponse"))


def automatic_reason(part: Part, *, local_part: str, return_path: str | None) -> str:
    """Say why the mail is a machine's, or nothing if a person may have written it.

    ``local_part`` is that of the From field. ``return_path`` is the address of the
    envelope, without angle brackets, empty for the null one, or ``None`` if not known.
    """
    headers = part.headers
    if return_path == "" or headers.first("return-path") == b"<>":
        return "null return path"
    if headers.first(OWN_HEADER.lower()):
        return "sent by Hotdesk"
    # What it says of itself, not what it is: the report itself may be cut off.
    if headers.keyword("content-type") in _REPORTS:
        return "report"
    # What stands before the keyword may be a comment: anything but a plain "no" says yes.
    if headers.first("auto-submitted") and headers.keyword("auto-submitted") != "no":
        return "Auto-Submitted"
    if headers.keyword("precedence") in ("bulk", "junk", "list", "auto_reply"):
        return "Precedence"
    return _sign_of_a_robot(headers, local_part)


def _sign_of_a_robot(headers: Headers, local_part: str) -> str:
    names = {name for name, _ in headers.fields}
    if names & _LIST_HEADERS:
        return "mailing list"
    suppressed = headers.text("x-auto-response-suppress").lower()
    if names & _ANSWER_HEADERS or re.search(r"\b(?:all|autoreply)\b", suppressed):
        return "automatic answer"
    if _ROBOT.fullmatch(local_part):
        return "address of a robot"
    return ""
