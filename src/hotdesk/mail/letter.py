"""A mail as values: who wrote it, to what it replies, its text and its files."""

from dataclasses import dataclass
from datetime import datetime

DERIVED_ID_END = "@derived.invalid>"
"""How the id ends that a mail without a usable one of its own gets; nobody else knows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """One address, in lower case and with an ASCII domain, and the name shown beside it.

    The name is decoration: whoever wrote the mail chose it freely.
    """

    address: str
    name: str = ""

    @property
    def local_part(self) -> str:
        """What stands before the ``@``."""
        return self.address.partition("@")[0]

    @property
    def domain(self) -> str:
        """What stands behind the ``@``."""
        return self.address.partition("@")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that came with the mail. ``name`` is safe as the last part of a path."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a mail says. All of it was chosen by its writer; nothing is proved.

    ``message_id``, ``in_reply_to`` and ``references`` hold ids with their angle
    brackets, in the order of the mail (the newest reference last). ``text`` is the
    whole plain text; ``new_text`` is what its writer added in this mail, and is empty
    only when ``text`` is. ``automatic`` says why it came from a machine, or is empty.
    """

    message_id: str
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    sender: Mailbox
    subject: str = ""
    date: datetime | None = None
    text: str = ""
    new_text: str = ""
    attachments: tuple[Attachment, ...] = ()
    automatic: str = ""

    @property
    def is_automatic(self) -> bool:
        """Whether a machine sent it: it starts nothing and is never answered (RFC 3834)."""
        return bool(self.automatic)

    @property
    def is_reply(self) -> bool:
        """Whether it says that it answers another mail."""
        return bool(self.in_reply_to or self.references)
