"""What happens to a mail, whichever way it arrived: check, store, submit one job for each desk.

A mail is durable, in its store and as jobs, or it is refused with a reason, or the sender is
asked to try again and nothing is kept. The same mail delivered twice is one job. Every
decision is an event; what is decided, and why, is in ``decision``.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

import anyio
from anyio import to_thread

from hotdesk.client import Client
from hotdesk.desks import NewJob, Origin
from hotdesk.errors import NotFound, Rejected, Unavailable
from hotdesk.events import Event, MailHeld, MailIgnored, MailRefused, MailTaken
from hotdesk.intakes.decision import Decision, MailRules, decide, role_of, stranger
from hotdesk.mail.address import Recipient, parse_recipient
from hotdesk.mail.letter import Attachment, Letter
from hotdesk.mail.parse import parse_mail
from hotdesk.mail.proof.verdict import Peer, Proof, Prover
from hotdesk.mail.rejection import MailRejected
from hotdesk.mail.reply import build_notice
from hotdesk.mail.sender import Role
from hotdesk.mail.thread import thread_of_letter
from hotdesk.ports import Backend, Clock, Courier, NotDelivered
from hotdesk.ports.accounts import jobs_account

NOTICE_SECONDS_MAX = 10.0  # The sender's own server waits for its answer meanwhile.


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
        backend: Backend,
        clock: Clock,
        store: MailStore,
        *,
        domain: str,
        key: bytes,
        rules: Mapping[str, MailRules],
        courier: Courier | None = None,
    ) -> None:
        """``rules`` has those of each project; ``key`` signs the addresses of threads.

        ``courier`` takes the word to a guest that the mail waits; without one nobody tells.
        """
        self._client = client
        self._backend = backend
        self._clock = clock
        self._store = store
        self._domain = domain
        self._key = key
        self._rules = rules
        self._courier = courier

    def recipient(self, address: str, *, return_path: str) -> Recipient:
        """Return the desk that *address* names, if mail from *return_path* may go there.

        The null return path is let through: what comes with it is never run.

        Raises:
            MailRejected: There is no such desk, or this sender may not write to it.
        """
        recipient = parse_recipient(address, domain=self._domain)
        desk = recipient.desk
        rules = self._rules.get(desk.project)
        if rules is None:
            raise MailRejected("there is no such project", code=550, status="5.1.1")
        if not rules.senders.know(desk.user):
            raise MailRejected("there is no such user in this project", code=550, status="5.1.1")
        if return_path and role_of(rules, return_path, recipient) is None:
            raise stranger()
        return recipient

    async def take(
        self,
        raw: bytes,
        recipients: Sequence[Recipient],
        *,
        peer: Peer,
        prove: Prover,
        is_whole: bool,
    ) -> list[MailRejected | None]:
        """Make the mail durable, with a job for each desk; return what each recipient answers.

        *prove* finds out who sent it. With ``is_whole`` one refusal refuses the mail. A mail
        from a machine is taken and noted, and starts nothing.

        Raises:
            MailRejected: Nobody takes this mail. Nothing was kept.
            Unavailable: It can be delivered again later.
            OSError: It cannot be stored now. Nothing was kept.
        """
        read = partial(parse_mail, raw, return_path=peer.return_path)
        letter = await to_thread.run_sync(read)
        if letter.is_automatic:
            return await self._ignore(letter, recipients)
        # Strangers cost no look-up in DNS.
        if not any(self._role(letter, recipient) for recipient in recipients):
            raise stranger().about(letter.sender.address)
        proof = await prove(letter.sender, raw, peer, self._clock.now())
        return await self.take_letter(letter, raw, recipients, proof=proof, is_whole=is_whole)

    async def take_letter(
        self,
        letter: Letter,
        raw: bytes,
        recipients: Sequence[Recipient],
        *,
        proof: Proof,
        is_whole: bool,
    ) -> list[MailRejected | None]:
        """Do the same with a mail that was read already: *letter* is what *raw* says."""
        if letter.is_automatic:
            return await self._ignore(letter, recipients)
        requests = [self._request(letter, recipient, proof) for recipient in recipients]
        _check_whole(requests, is_whole=is_whole)
        new = await self._unknown(requests)
        for counted in {request.counted for request in new.values()}:
            together = [each for each in requests if each.counted == counted]
            adding = len({each.job_id for each in together} & new.keys())
            if refusal := await self._over_limit(letter, together[0], adding):
                for each in together:
                    # What is here already is not refused because it comes again.
                    each.refusal = each.refusal or (refusal if each.job_id in new else None)
        _check_whole(requests, is_whole=is_whole)
        if taken := [request for request in new.values() if request.refusal is None]:
            await self._keep(raw, letter, proof, taken)
        return [request.refusal for request in requests]

    async def note_refusal(
        self, refusal: MailRejected, *, return_path: str, recipient: str
    ) -> None:
        """Record that a mail was refused; without a store the refusal stands all the same."""
        sender = refusal.sender or return_path
        event = MailRefused(
            sender=sender,
            recipient=recipient,
            reason=refusal.reason,
            envelope="" if return_path.lower() == sender.lower() else return_path,
        )
        await self._note([event])

    async def _note(self, events: Sequence[Event]) -> None:
        with suppress(Unavailable):
            await self._backend.record(events, now=self._clock.now())

    async def _ignore(
        self, letter: Letter, recipients: Sequence[Recipient]
    ) -> list[MailRejected | None]:
        # Nobody is proved here, and one desk has many addresses: each event is a write.
        events = {recipient.desk: _ignored(letter, recipient) for recipient in recipients}
        await self._backend.record([*events.values()], now=self._clock.now())
        return [None] * len(recipients)

    def _request(self, letter: Letter, recipient: Recipient, proof: Proof) -> "_Request":
        rules = self._rules[recipient.desk.project]
        decision = decide(rules, letter.sender.address, recipient, proof, domain=self._domain)
        refusal = decision.refusal
        if refusal is None:
            try:
                _instruction(letter)
            except MailRejected as error:
                refusal = error
        return _Request(
            recipient=recipient,
            job_id=_job_id(letter, recipient, proof, is_doubted=decision.is_doubted),
            decision=decision,
            refusal=refusal and refusal.about(letter.sender.address),
        )

    async def _unknown(self, requests: Sequence["_Request"]) -> "dict[str, _Request]":
        """Return those that are to be kept and are not yet; two addresses of a desk are one."""
        wanted = {each.job_id: each for each in requests if each.refusal is None}
        return {name: each for name, each in wanted.items() if not await self._is_known(name)}

    async def _is_known(self, job_id: str) -> bool:
        """Whether this mail became a job, or waits for approval, when it came before."""
        with suppress(NotFound):
            await self._backend.job(job_id)
            return True
        with suppress(NotFound):
            await self._backend.held_job(job_id)
            return True
        return False

    async def _over_limit(
        self, letter: Letter, request: "_Request", adding: int
    ) -> MailRejected | None:
        now = self._clock.now()
        project, is_doubted = request.counted
        limits = self._rules[project].limits
        for limit in limits.for_mail(project, letter.sender.address, is_doubted=is_doubted):
            counted = await self._backend.counted(limit.name, since=now - limit.span)
            if refusal := limit.refusal(counted, adding):
                return refusal.about(letter.sender.address)
        return None

    async def _keep(
        self, raw: bytes, letter: Letter, proof: Proof, requests: Sequence["_Request"]
    ) -> None:
        now = self._clock.now()
        async with self._store.keep(raw, letter.attachments, now=now) as kept:
            jobs = [(await self._job(letter, each, kept), each.decision) for each in requests]
            try:
                # All at once, so that a mail to several desks is taken as one.
                if taken := [job for job, decision in jobs if not decision.held_because]:
                    await self._client.submit_many(taken)
                    kept.is_needed = True
                for job, decision in jobs:
                    if decision.held_because:
                        await self._backend.hold(job, decision.held_because, now=now)
                        kept.is_needed = True
            except Unavailable as error:
                # If only the answer was lost, a job refers to it already.
                kept.is_needed = kept.is_needed or error.committed is not False
                raise
            except Rejected as error:
                raise MailRejected(str(error)).about(letter.sender.address) from error
        # From here on the mail is taken; what is missing below makes it no less so.
        await self._note([_event(job, decision, proof) for job, decision in jobs])
        if told := [job for job, decision in jobs if decision.may_be_told]:
            await self._tell(letter, told)
        with suppress(Unavailable):
            for job, decision in jobs:
                for sender in ("", letter.sender.address):
                    name = jobs_account(job.desk.project, sender, is_doubted=decision.is_doubted)
                    await self._backend.count(name, 1, now=now)

    async def _tell(self, letter: Letter, waiting: Sequence[NewJob]) -> None:
        """Tell the sender that the mail waits, once; whether it arrives, nobody knows."""
        if self._courier is None:
            return
        message_id = f"<held.{waiting[0].id}@{self._domain}>"
        mail = build_notice(
            letter,
            "Your mail has arrived. An operator has to approve it first; the answer comes when the "
            "work is done.",
            {job.origin.recipient: "waits for approval" for job in waiting},
            domain=self._domain,
            to=letter.sender.address,
            message_id=message_id,
            now=self._clock.now(),
        )
        with anyio.move_on_after(NOTICE_SECONDS_MAX), suppress(NotDelivered):
            await self._courier.deliver(
                mail,
                message_id=message_id,
                sender=f"mailer-daemon@{self._domain}",
                recipient=letter.sender.address,
                hostname=self._domain,
            )

    async def _job(self, letter: Letter, request: "_Request", kept: Kept) -> NewJob:
        desk = request.recipient.desk
        thread = await thread_of_letter(
            letter, request.recipient, thread_of_mail=self._backend.thread_of_mail, key=self._key
        )
        return self._client.new_job(
            desk,
            _instruction(letter),
            thread=thread,
            id=request.job_id,
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

    def _role(self, letter: Letter, recipient: Recipient) -> Role | None:
        return role_of(self._rules[recipient.desk.project], letter.sender.address, recipient)


@dataclass(slots=True, kw_only=True)
class _Request:
    """One recipient of a mail, and what becomes of it there."""

    recipient: Recipient
    job_id: str
    decision: Decision
    refusal: MailRejected | None

    @property
    def counted(self) -> tuple[str, bool]:
        """What it counts towards together with others: its project, and if it is doubted."""
        return self.recipient.desk.project, self.decision.is_doubted


def _check_whole(requests: Sequence[_Request], *, is_whole: bool) -> None:
    refused = [each.refusal for each in requests if each.refusal is not None]
    if refused and (is_whole or len(refused) == len(requests)):
        raise refused[0]


def _instruction(letter: Letter) -> str:
    """Return what to do: in a first mail the subject is part of it, in a reply it is old."""
    text = letter.new_text.strip("\n")
    lines = [text] if letter.is_reply and text.strip() else [letter.subject, text]
    if instruction := "\n\n".join(line for line in lines if line.strip()):
        return instruction
    if letter.attachments:
        return "See the attached files."
    raise MailRejected("the mail is empty; please say what should be done", code=550)


def _job_id(letter: Letter, recipient: Recipient, proof: Proof, *, is_doubted: bool) -> str:
    """The same for each delivery of a mail; who sends under another's id gets another one.

    So does who only says that they are the other: the real mail would count as known.
    """
    message_id = proof.known_by or letter.message_id
    parts = [recipient.desk.key, message_id, letter.sender.address]
    parts += ["unproven"] * is_doubted
    return f"mail-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}"


def _event(job: NewJob, decision: Decision, proof: Proof) -> Event:
    origin = job.origin
    if decision.held_because:
        return MailHeld(
            desk=job.desk.key,
            job_id=job.id,
            sender=origin.sender,
            recipient=origin.recipient,
            reason=decision.held_because,
        )
    return MailTaken(
        desk=job.desk.key,
        job_id=job.id,
        sender=origin.sender,
        recipient=origin.recipient,
        proof=str(proof.how),
        role=str(decision.role),
    )


def _ignored(letter: Letter, recipient: Recipient) -> MailIgnored:
    return MailIgnored(
        desk=recipient.desk.key,
        sender=letter.sender.address,
        recipient=str(recipient.desk),
        reason=letter.automatic,
    )
