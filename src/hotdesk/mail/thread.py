"""Which thread of a desk a mail belongs to.

In-Reply-To first, then References from right to left, then the signed address; else the
conversation that it is part of gets a thread of its own. Only threads of the mail's own
desk count: an id that belongs to another desk is an id that nobody knows.
"""

import base64
import hashlib
from collections.abc import Awaitable, Callable

from hotdesk.desks import Desk
from hotdesk.mail.address import Recipient, thread_of_token
from hotdesk.mail.letter import Letter

THREAD_LENGTH = 12  # Characters of base32: 60 bits are plenty within one desk.

ThreadOfMail = Callable[[str, Desk], Awaitable[str | None]]
"""Finds the thread that a mail belongs to at a desk, sent or received, by its message id."""


async def thread_of_letter(
    letter: Letter, recipient: Recipient, *, thread_of_mail: ThreadOfMail, key: bytes
) -> str:
    """Return the thread of *recipient*'s desk that *letter* continues or starts.

    The name of a new one comes from the first mail of the conversation, so that the same
    mail, delivered twice, and two replies to it, give the same thread.

    Raises:
        Unavailable: *thread_of_mail* did not answer.
    """
    desk = recipient.desk
    for message_id in (*letter.in_reply_to, *reversed(letter.references)):
        if thread := await thread_of_mail(message_id, desk):
            return thread
    if signed := thread_of_token(desk, recipient.token, key=key):
        return signed
    root = next(iter((*letter.references, *letter.in_reply_to, letter.message_id)))
    digest = hashlib.sha256(f"{desk.key}\0{root}".encode()).digest()
    return base64.b32encode(digest)[:THREAD_LENGTH].decode("ascii").lower()
