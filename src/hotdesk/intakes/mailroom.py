"""What happens to a mail, whichever way it arrived: check, store, submit one job for each desk.

A mail is durable, in its store and as jobs, or it is refused with a reason, or the sender is
asked to try again and nothing is kept. The same mail delivered twice is one job.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from anyio import to_thread

from hotdesk.client import Client
from hotdesk.desks import NewJob, Origin
from hotdesk.errors import Rejected, Unavailable
from hotdesk.events import Event, MailIgnored, MailRefused
from hotdesk.mail.address import Recipient, parse_recipient
from hotdesk.mail.letter import Attachment, Letter
from hotdesk.mail.mailbox import parse_address
from hotdesk.mail.parse import parse_mail
from hotdesk.mail.rejection import MailRejected
from hotdesk.mail.sender import AllowedSenders
from hotdesk.mail.thread import thread_of_letter
from hotdesk.ports import Clock, Records


@dataclass(slots=True, kw_only=True)
class Kept:
    """Where a mail and its attachments are, for as long as jobs may refer to them.

    Until ``is_needed`` is set nobody refers to them, and they may go again.
    """

    raw: str
    attachments: tuple[str, ...]
    is_needed: bool = False


class MailStore(Protocol):
    """Keeps mails and attachments, named by their content: a folder, or a bucket."""

    def keep(
        self, raw: bytes, attachments: Sequence[Attachment], *, now: datetime
    ) -> AbstractAsyncContextManager[Kept]:
        """Make a mail durable; what is not needed at the end is as if it had never come.

        Raises:
            Unavailable: It cannot be stored now. Nothing is kept.
            OSError: It cannot be stored now. Nothing is kept.
        """
        ...


class Mailroom:
    """Takes mail for the desks of one domain."""

    def __init__(
        self,
        client: Client,
        records: Records,
        clock: Clock,
        store: MailStore,
        *,
        domain: str,
        key: bytes,
        senders: Mapping[str, AllowedSenders],
    ) -> None:
        """``senders`` has the rules of each project; ``key`` signs the addresses of threads."""
        self._client = client
        self._records = records
        self._clock = clock
        self._store = store
        self._domain = domain
        self._key = key
        self._senders = senders

    def recipient(self, address: str, *, return_path: str) -> Recipient:
        """Return the desk that *address* names, if mail from *return_path* may go there.

        The null return path is let through: what comes with it is never run.

        Raises:
            MailRejected: There is no such desk, or this sender may not write to it.
        """
        recipient = parse_recipient(address, domain=self._domain)
        desk = recipient.desk
        rules = self._senders.get(desk.project)
        if rules is None:
            raise MailRejected("there is no such project", code=550, status="5.1.1")
        if not rules.know(desk.user):
            raise MailRejected("there is no such user in this project", code=550, status="5.1.1")
        if return_path:
            self._check_sender(return_path, recipient)
        return recipient

    async def take(
        self, raw: bytes, recipients: Sequence[Recipient], *, return_path: str, is_whole: bool
    ) -> list[MailRejected | None]:
        """Make the mail durable, with a job for each desk; return what each recipient answers.

        With ``is_whole`` one refusal refuses the mail. A mail from a machine is taken and
        noted, and starts nothing.

        Raises:
            MailRejected: Nobody takes this mail. Nothing was kept.
            Unavailable: It can be delivered again later.
            OSError: It cannot be stored now. Nothing was kept.
        """
        letter = await to_thread.run_sync(partial(parse_mail, raw, return_path=return_path))
        return await self.take_letter(letter, raw, recipients, is_whole=is_whole)

    async def take_letter(
        self, letter: Letter, raw: bytes, recipients: Sequence[Recipient], *, is_whole: bool
    ) -> list[MailRejected | None]:
        """Do the same with a mail that was read already: *letter* is what *raw* says."""
        if letter.is_automatic:
            await self._records.record(
                [_ignored(letter, recipient) for recipient in recipients], now=self._clock.now()
            )
            return [None] * len(recipients)
        refusals = [self._refusal(letter, recipient) for recipient in recipients]
        refused = [refusal for refusal in refusals if refusal is not None]
        if refused and (is_whole or len(refused) == len(recipients)):
            raise refused[0]
        taking = [r for r, refusal in zip(recipients, refusals, strict=True) if refusal is None]
        await self._submit(raw, letter, taking)
        return refusals

    async def note_refusal(self, refusal: MailRejected, *, sender: str, recipient: str) -> None:
        """Record that a mail was refused; without a store the refusal stands all the same."""
        event = MailRefused(sender=sender, recipient=recipient, reason=refusal.reason)
        await self._note([event])

    async def _note(self, events: Sequence[Event]) -> None:
        try:
            await self._records.record(events, now=self._clock.now())
        except Unavailable:
            return

    async def _submit(self, raw: bytes, letter: Letter, recipients: Sequence[Recipient]) -> None:
        now = self._clock.now()
        async with self._store.keep(raw, letter.attachments, now=now) as kept:
            jobs = [await self._job(letter, each, kept) for each in recipients]
            try:
                # Two addresses of one desk give one id, and so one job.
                await self._client.submit_many(jobs)
            except Unavailable as error:
                # If only the answer was lost, a job refers to it already.
                kept.is_needed = error.committed is not False
                raise
            except Rejected as error:
                raise MailRejected(str(error)) from error
            kept.is_needed = True

    async def _job(self, letter: Letter, recipient: Recipient, kept: Kept) -> NewJob:
        desk = recipient.desk
        thread = await thread_of_letter(
            letter, recipient, thread_of_mail=self._records.thread_of_mail, key=self._key
        )
        return self._client.new_job(
            desk,
            _instruction(letter),
            thread=thread,
            id=_job_id(letter, recipient),
            origin=Origin(
                source="mail",
                sender=letter.sender.address,
                recipient=f"{desk.project}+{desk.user}@{self._domain}",
                subject=letter.subject,
                message_id=letter.message_id,
                references=letter.references,
                attachments=kept.attachments,
                raw=kept.raw,
            ),
        )

    def _refusal(self, letter: Letter, recipient: Recipient) -> MailRejected | None:
        try:
            self._check_sender(letter.sender.address, recipient)
            _instruction(letter)
        except MailRejected as refusal:
            return refusal
        return None

    def _check_sender(self, address: str, recipient: Recipient) -> None:
        sender = parse_address(address)
        rules = self._senders[recipient.desk.project]
        if sender is None or not rules.allow(sender, user=recipient.desk.user):
            raise MailRejected(
                "this sender may not write here; ask the owner of the project to allow it",
                code=550,
                status="5.7.1",
            )


def _instruction(letter: Letter) -> str:
    """Return what to do: in a first mail the subject is part of it, in a reply it is old."""
    text = letter.new_text.strip("\n")
    lines = [text] if letter.is_reply and text.strip() else [letter.subject, text]
    if instruction := "\n\n".join(line for line in lines if line.strip()):
        return instruction
    if letter.attachments:
        return "See the attached files."
    raise MailRejected("the mail is empty; please say what should be done", code=550)


def _job_id(letter: Letter, recipient: Recipient) -> str:
    """The same for each delivery of a mail; who sends under another's id gets another one."""
    parts = (recipient.desk.key, letter.message_id, letter.sender.address)
    return f"mail-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}"


def _ignored(letter: Letter, recipient: Recipient) -> MailIgnored:
    return MailIgnored(
        desk=recipient.desk.key,
        sender=letter.sender.address,
        recipient=str(recipient.desk),
        reason=letter.automatic,
    )
