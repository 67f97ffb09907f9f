"""Why a mail is not taken, in the words that an SMTP server can pass on.

The reason is read by the person who wrote the mail, as part of a bounce: it says what
to do next and never repeats what the mail contained.
"""

from typing import Self

from hotdesk.errors import Rejected

REASON_LENGTH_MAX = 400  # A reply line is at most 512 octets (RFC 5321, 4.5.3.1.5).


class MailRejected(Rejected):
    """This mail, or this recipient, is refused for good.

    ``code`` is the SMTP reply code (5xx) and ``status`` the enhanced status code of
    RFC 3463 that belongs to it. ``sender`` is the address in From that it is about, and stays
    empty where that was not read.
    """

    def __init__(self, reason: str, *, code: int = 554, status: str = "5.6.0") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.status = status
        self.sender = ""

    def about(self, sender: str) -> Self:
        """Note whom it is about; return itself."""
        self.sender = sender
        return self

    @property
    def reply(self) -> str:
        """The whole reply line, in ASCII and without a line break."""
        reason = self.reason.encode("ascii", "replace").decode()
        printable = "".join(c if c.isprintable() else " " for c in reason)
        return f"{self.code} {self.status} {printable[:REASON_LENGTH_MAX]}"
