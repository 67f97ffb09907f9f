"""The relay that answers go to: a sink of mail with moods."""

import asyncio
from dataclasses import dataclass
from email.message import EmailMessage
from enum import StrEnum

from aiosmtpd.smtp import SMTP, Envelope, Session

from hotdesk.demo.mails import Sink
from hotdesk.mail.robots import OWN_HEADER


class Mood(StrEnum):
    """What the relay does with a mail."""

    WELL = "takes mail"
    BUSY = "answers 451"
    RUDE = "takes mail and hangs up before it says so"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """An answer as it arrived: what it is called, what it answers, which job it is about."""

    message_id: str
    answers: str
    job: str


class MoodyRelay(Sink):
    """Keeps every mail that it took, whether it could say so or not."""

    mood = Mood.WELL
    refused = 0
    hung_up = 0

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd looks for
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take a mail, or not."""
        if self.mood is Mood.BUSY:
            self.refused += 1
            return "451 4.3.2 not now"
        reply = await super().handle_DATA(server, session, envelope)
        if self.mood is Mood.RUDE:
            self.hung_up += 1
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return reply

    @property
    def letters(self) -> list[Letter]:
        """The answers that came so far, oldest first, repetitions as well."""
        return [_letter(mail) for mail in self.mails]


def _letter(mail: EmailMessage) -> Letter:
    return Letter(
        message_id=str(mail["Message-ID"]).strip(),
        answers=str(mail["In-Reply-To"]).strip(),
        job=str(mail[OWN_HEADER]).strip(),
    )
