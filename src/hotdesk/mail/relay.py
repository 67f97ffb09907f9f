"""The mail server that takes the answers, spoken to by SMTP."""

import ssl
from dataclasses import dataclass, field
from typing import Literal

import aiosmtplib

from hotdesk.errors import Rejected
from hotdesk.ports import NotDelivered

PERMANENT = 500
# "Authentication" or "STARTTLS required": an operator mends that, and this mail can go out.
_ABOUT_US = 530


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """``ports.Courier``: where answers go out.

    ``tls`` is ``"implicit"`` (port 465), ``"starttls"`` (which then must succeed) or
    ``"none"``, for a relay on this machine. ``context`` checks its certificate; left
    out, the machine's authorities do.
    """

    host: str
    port: int
    tls: Literal["implicit", "starttls", "none"]
    username: str = ""
    password: str = field(default="", repr=False)
    timeout_seconds: float = 60.0
    context: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.username and self.tls == "none" and self.host not in ("127.0.0.1", "localhost"):
            raise Rejected("a password is not sent over the network without TLS: set tls")

    async def deliver(
        self, mail: bytes, *, message_id: str, sender: str, recipient: str, hostname: str
    ) -> str:
        """Give one mail to the relay, which keeps its Message-ID.

        Raises:
            NotDelivered: It did not take the mail, its reply was lost, or it cannot be reached.
        """
        try:
            await aiosmtplib.send(
                mail,
                sender=sender,
                recipients=[recipient],
                hostname=self.host,
                port=self.port,
                use_tls=self.tls == "implicit",
                start_tls=self.tls == "starttls",
                tls_context=self.context,
                username=self.username or None,
                password=self.password or None,
                local_hostname=hostname,
                timeout=self.timeout_seconds,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refused(error.recipients[0]) from error
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
            raise _refused(error) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            # The relay cannot be reached, or wants something else of us: no word on this mail.
            raise NotDelivered(str(error) or type(error).__name__, is_final=False) from error
        return message_id


def _refused(reply: aiosmtplib.SMTPResponseException) -> NotDelivered:
    is_final = reply.code >= PERMANENT and reply.code != _ABOUT_US
    return NotDelivered(f"{reply.code} {reply.message}", is_final=is_final)
