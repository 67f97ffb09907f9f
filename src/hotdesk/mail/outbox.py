"""Sends the answers that are due through a relay, until the relay has taken them.

An answer is committed with the outcome of its job; here it is sent afterwards, at least
once: if Hotdesk dies between the relay's ``250`` and the note of it, the answer goes out
again as the same mail, with the same Message-ID. One process of a deployment runs this.
"""

import base64
import hmac
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, Protocol

import aiosmtplib
import anyio

from hotdesk.desks import Job
from hotdesk.errors import Rejected, Unavailable
from hotdesk.mail.address import desk_address, thread_address
from hotdesk.mail.characters import label
from hotdesk.mail.reply import build_answer
from hotdesk.ports import Answer, Clock, Records

AT_ONCE_MAX = 4
RETRY_FIRST = timedelta(minutes=1)
RETRY_MAX = timedelta(hours=4)
GIVE_UP_AFTER = timedelta(days=5)  # RFC 5321, 4.5.4.1: at least 4 to 5 days.
LOOK_AT_LEAST = timedelta(seconds=15)
LOOK_AT_MOST = timedelta(milliseconds=200)
REASON_LENGTH_MAX = 300

PERMANENT = 500
# "Authentication" or "STARTTLS required": an operator mends that, and this mail can go out.
_ABOUT_US = 530


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """Where answers go out.

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

    async def deliver(self, mail: bytes, *, sender: str, recipient: str, hostname: str) -> None:
        """Give one mail to the relay, which is told that *hostname* calls.

        Raises:
            aiosmtplib.SMTPException: It did not take the mail, or its reply was lost.
            OSError: It cannot be reached.
        """
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


class Courier(Protocol):
    """What takes mails and answers for them from then on; see ``Relay.deliver``."""

    async def deliver(self, mail: bytes, *, sender: str, recipient: str, hostname: str) -> None:
        """Give one mail away."""
        ...


class Outbox:
    """Sends due answers until it is cancelled."""

    def __init__(
        self,
        records: Records,
        clock: Clock,
        relay: Courier,
        *,
        domain: str,
        key: bytes,
        preview_of: Callable[[Job], str] = lambda _: "",
        look_every: timedelta = LOOK_AT_LEAST,
    ) -> None:
        """``domain`` and ``key`` make the addresses of desks and threads; see ``address.py``.

        ``preview_of`` gives the link to see a job's result, or nothing. The outbox looks
        when something was written, and ``look_every`` in any case.
        """
        self._records = records
        self._clock = clock
        self._relay = relay
        self._domain = domain
        self._key = key
        self._preview_of = preview_of
        self._look_every = look_every
        self._taken: set[str] = set()

    async def run(self) -> None:
        """Send what is due, and wait for more, until cancelled."""
        mark: int | None = None
        while True:
            try:
                mark = await self._records.changed(mark, wait=self._look_every)
                while await self.send_due():
                    continue
            except Unavailable:
                # What is due stays due; the store may be back at the next look.
                await self._clock.sleep(LOOK_AT_LEAST)
            await self._clock.sleep(LOOK_AT_MOST)

    async def send_due(self) -> int:
        """Try to send the oldest answers that are due, a few at once; return how many.

        Raises:
            Unavailable: The store did not answer. An answer may be sent again.
        """
        answers = await self._records.due_answers(limit=AT_ONCE_MAX, now=self._clock.now())
        unnoted: list[Unavailable] = []
        async with anyio.create_task_group() as tasks:
            for answer in answers:
                tasks.start_soon(self._send, answer, unnoted)
        if unnoted:
            raise unnoted[0]
        return len(answers)

    def message_id(self, answer: Answer) -> str:
        """Return the id that this answer has at each try; nobody else can foretell it."""
        text = f"answer\0{answer.job.id}\0{answer.number}"
        digest = hmac.digest(self._key, text.encode(), "sha256")
        return f"<answer.{base64.b32encode(digest)[:32].decode('ascii').lower()}@{self._domain}>"

    async def _send(self, answer: Answer, unnoted: list[Unavailable]) -> None:
        message_id = self.message_id(answer)
        try:
            if message_id in self._taken or await self._is_taken(answer, message_id):
                # Remembered until it is noted, so that a store that cannot be written to
                # does not make us send the same mail again and again.
                self._taken.add(message_id)
                await self._records.answer_sent(answer, message_id, now=self._clock.now())
                self._taken.discard(message_id)
        except Unavailable as error:
            # Raised by the caller: here it would cancel what others are just sending.
            unnoted.append(error)

    async def _is_taken(self, answer: Answer, message_id: str) -> bool:
        """Give the answer to the relay; note it if the relay does not take it."""
        try:
            sender = desk_address(answer.job.desk, domain=self._domain)
            mail = build_answer(
                answer,
                address=sender,
                reply_to=thread_address(
                    answer.job.desk, answer.job.thread, domain=self._domain, key=self._key
                ),
                message_id=message_id,
                preview=self._preview_of(answer.job),
            )
            # Bounces come back to the desk, where they are noted and start nothing.
            await self._relay.deliver(
                mail,
                sender=sender,
                recipient=answer.job.origin.sender,
                hostname=self._domain,
            )
        except Rejected as error:
            await self._failed(answer, str(error), is_final=True)
        except aiosmtplib.SMTPRecipientsRefused as error:
            await self._refused(answer, error.recipients[0])
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
            await self._refused(answer, error)
        except (aiosmtplib.SMTPException, OSError) as error:
            # The relay cannot be reached, or wants something else of us: no word on this mail.
            await self._failed(answer, str(error) or type(error).__name__, is_final=False)
        else:
            return True
        return False

    async def _refused(self, answer: Answer, reply: aiosmtplib.SMTPResponseException) -> None:
        is_final = reply.code >= PERMANENT and reply.code != _ABOUT_US
        await self._failed(answer, f"{reply.code} {reply.message}", is_final=is_final)

    async def _failed(self, answer: Answer, reason: str, *, is_final: bool) -> None:
        now = self._clock.now()
        # Two to the 8th is more than four hours; the age bounds the number of tries.
        retry_at = now + min(RETRY_FIRST * 2 ** min(answer.tries, 8), RETRY_MAX)
        is_over = is_final or retry_at > answer.created_at + GIVE_UP_AFTER
        await self._records.answer_failed(
            answer,
            label(reason, length_max=REASON_LENGTH_MAX),
            retry_at=None if is_over else retry_at,
            now=now,
        )
