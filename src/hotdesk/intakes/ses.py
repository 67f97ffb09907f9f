"""Mail that SES has stored in the bucket: which one an event means, and what becomes of it.

There is nobody to refuse a mail to: SES has said yes already. So whom a relay would have told
gets a mail that says the same, unless nothing proves that the address is theirs. What was
done for a mail is done once, however often its event comes; see ``docs/aws-mail.md``.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import unquote_plus

from anyio import to_thread

from hotdesk.backends.aws.bucket import Bucket
from hotdesk.errors import HotdeskError, Rejected, Unavailable
from hotdesk.intakes.bucket import BucketMail
from hotdesk.intakes.envelope import FAIL, PASS, Envelope, envelope_of_mail, envelope_of_receipt
from hotdesk.intakes.mailroom import Mailroom, MailStore
from hotdesk.mail.address import Recipient
from hotdesk.mail.headers import FIELDS_BYTES_MAX, read_headers
from hotdesk.mail.letter import Letter
from hotdesk.mail.parse import parse_mail
from hotdesk.mail.rejection import MailRejected
from hotdesk.mail.reply import build_notice
from hotdesk.ports import Clock, Courier, NotDelivered

MAILS = "mail/"
REFUSED = "refused/"
# Of one mail: each is a write, and guessing names is cheap.
REFUSALS_NOTED_MAX = 20

# SES says that it may write here, once, when a rule is made.
_SET_UP = "AMAZON_SES_SETUP_NOTIFICATION"
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")  # SES's own id, the last part of the key.


class NotOurs(Rejected):
    """An event of another kind, or not of the form that AWS gives it."""


class MailMissing(HotdeskError):
    """The mail that an event means is not in the bucket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A mail in the bucket. Without *envelope* what SES wrote on top of the mail counts."""

    key: str
    envelope: Envelope | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """What became of a mail, in counts, and why if it came to nothing."""

    taken: int = 0
    refused: int = 0
    reason: str = ""
    is_told: bool = False


def arrivals(event: Mapping[str, Any], *, bucket: str) -> list[Arrival]:
    """The mails that an event of SES, of S3, or of S3 by EventBridge means, in *bucket*.

    Objects elsewhere, and what AWS sends to try a set-up, are none.

    Raises:
        NotOurs: It is none of these events.
    """
    try:
        found = list(_arrivals(event))
    except (KeyError, TypeError, AttributeError) as error:
        raise NotOurs(f"the event is not of the form that AWS gives it: {error!r}") from error
    return [
        arrival
        for where, arrival in found
        if where in ("", bucket)
        and arrival.key.startswith(MAILS)
        and arrival.key.removeprefix(MAILS) not in ("", _SET_UP)
    ]


def _arrivals(event: Mapping[str, Any]) -> Iterator[tuple[str, Arrival]]:
    if event.get("Event") == "s3:TestEvent":
        return
    if event.get("source") == "aws.s3" and event.get("detail-type") == "Object Created":
        detail = event["detail"]
        yield detail["bucket"]["name"], Arrival(key=_text(detail["object"]["key"]))
        return
    records = event.get("Records")
    if not isinstance(records, list):
        raise NotOurs("the event is neither of SES nor of S3")
    for record in records:
        source = record.get("eventSource")
        if source == "aws:ses":
            yield "", _of_receipt(record["ses"]["mail"], record["ses"]["receipt"])
        elif source == "aws:s3" and record["eventName"].startswith("ObjectCreated:"):
            # Only here the key is written as in a URL.
            key = unquote_plus(_text(record["s3"]["object"]["key"]))
            yield record["s3"]["bucket"]["name"], Arrival(key=key)
        else:
            raise NotOurs("a record of the event is neither of SES nor of a new object in S3")


def _of_receipt(mail: Mapping[str, Any], receipt: Mapping[str, Any]) -> Arrival:
    envelope = envelope_of_receipt(mail, receipt)
    if envelope is None or not _MESSAGE_ID.fullmatch(_text(mail["messageId"])):
        raise NotOurs("the event of SES is not of the form that AWS gives it")
    return Arrival(key=f"{MAILS}{mail['messageId']}", envelope=envelope)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


class SesIntake:
    """Takes the mails of one bucket."""

    def __init__(
        self,
        bucket: Bucket,
        mailroom_of: Callable[[MailStore], Mailroom],
        courier: Courier,
        clock: Clock,
        *,
        domain: str,
        size_max: int,
    ) -> None:
        """``courier`` takes the mails that say what a relay would have told."""
        self._bucket = bucket
        self._mailroom_of = mailroom_of
        self._courier = courier
        self._clock = clock
        self._domain = domain
        self._size_max = size_max

    async def take(self, arrival: Arrival) -> Reception:
        """Submit the jobs of a mail, and tell who is refused; doing it again changes nothing.

        Raises:
            MailMissing: It is not in the bucket.
            Unavailable: It may be done again later.
        """
        size = await self._bucket.size(arrival.key)
        if size is None:
            raise MailMissing(f"there is no {arrival.key} in the bucket")
        is_whole = size <= self._size_max
        wanted = size if is_whole else FIELDS_BYTES_MAX
        raw = await self._bucket.head(arrival.key, wanted) if size else b""
        envelope = arrival.envelope or envelope_of_mail(raw, domain=self._domain)
        mailroom = self._mailroom_of(BucketMail(self._bucket, arrival.key))
        letter: Letter | None = None
        try:
            letter = await _letter(raw, envelope)
            _check(envelope)
        except MailRejected as refusal:
            if letter is not None:
                refusal.about(letter.sender.address)
            refused = dict.fromkeys(envelope.recipients or ("",), refusal)
            told = None if letter is not None else await _letter_of_head(raw, envelope)
            return await self._refuse(arrival.key, mailroom, envelope, refused, told)
        taken, refused = await self._take(mailroom, letter, raw, envelope, is_whole=is_whole)
        if not refused:
            return Reception(taken=taken, reason=letter.automatic)
        # Who is not proved is not told: the address may be somebody else's.
        told = letter if envelope.proof(letter.sender).is_proved else None
        reception = await self._refuse(arrival.key, mailroom, envelope, refused, told)
        return replace(reception, taken=taken)

    async def _take(
        self,
        mailroom: Mailroom,
        letter: Letter,
        raw: bytes,
        envelope: Envelope,
        *,
        is_whole: bool,
    ) -> tuple[int, dict[str, MailRejected]]:
        recipients: dict[str, Recipient] = {}
        refused: dict[str, MailRejected] = {}
        for address in envelope.recipients:
            try:
                recipients[address] = mailroom.recipient(address, return_path=envelope.return_path)
            except MailRejected as refusal:
                refused[address] = refusal
        if not is_whole and not letter.is_automatic:
            too_large = MailRejected(
                f"the mail is larger than {self._size_max} bytes; please send less",
                code=552,
                status="5.3.4",
            )
            refused |= dict.fromkeys(recipients, too_large)
        elif recipients:
            proof = envelope.proof(letter.sender)
            try:
                answers: Sequence[MailRejected | None] = await mailroom.take_letter(
                    letter, raw, list(recipients.values()), proof=proof, is_whole=False
                )
            except MailRejected as refusal:
                answers = [refusal] * len(recipients)
            for address, answer in zip(recipients, answers, strict=True):
                if answer is not None:
                    refused[address] = answer
        elif not refused:
            refused[""] = MailRejected("the mail is to no desk", code=550, status="5.1.1")
        return len(recipients.keys() - refused.keys()), refused

    async def _refuse(
        self,
        key: str,
        mailroom: Mailroom,
        envelope: Envelope,
        refused: Mapping[str, MailRejected],
        letter: Letter | None,
    ) -> Reception:
        """Note who is refused, and tell the writer of *letter*, once; without it nobody.

        Raises:
            Unavailable: It may be done again later.
        """
        reasons = {address: refusal.reason for address, refusal in refused.items()}
        reason = next(iter(reasons.values()))
        mark = REFUSED + key.removeprefix(MAILS)
        if await self._bucket.size(mark) is not None:
            return Reception(refused=len(refused), reason=reason)
        for address, refusal in list(refused.items())[:REFUSALS_NOTED_MAX]:
            await mailroom.note_refusal(
                refusal, return_path=envelope.return_path, recipient=address
            )
        is_told = False
        if letter is not None and _may_be_told(letter, envelope):
            is_told = await self._tell(key, letter, envelope.return_path, reasons)
        content = {"refused": reasons, "is_told": is_told}
        await self._bucket.put(mark, json.dumps(content).encode())
        return Reception(refused=len(refused), reason=reason, is_told=is_told)

    async def _tell(
        self, key: str, letter: Letter, return_path: str, reasons: Mapping[str, str]
    ) -> bool:
        message_id = f"<refusal.{key.removeprefix(MAILS)}@{self._domain}>"
        mail = build_notice(
            letter,
            "Your mail was not taken.",
            reasons,
            domain=self._domain,
            to=return_path,
            message_id=message_id,
            now=self._clock.now(),
        )
        try:
            await self._courier.deliver(
                mail,
                message_id=message_id,
                sender=f"mailer-daemon@{self._domain}",
                recipient=return_path,
                hostname=self._domain,
            )
        except NotDelivered as error:
            if isinstance(error.__cause__, Unavailable):
                # Nothing was heard of SES; the event comes again.
                raise error.__cause__ from None
            # As with a bounce: nobody hears that it did not arrive. It is in the records.
            return False
        return True


async def _letter(raw: bytes, envelope: Envelope) -> Letter:
    return await to_thread.run_sync(partial(parse_mail, raw, return_path=envelope.return_path))


async def _letter_of_head(raw: bytes, envelope: Envelope) -> Letter | None:
    """Read a mail that cannot be read without its body; ``None`` if its head is at fault.

    Also if nothing proves who sent it: then nobody is to be told.
    """
    try:
        _, start_of_body = read_headers(raw, 0, len(raw))
        letter = await _letter(raw[:start_of_body], envelope)
        _check(envelope)
    except MailRejected:
        return None
    return letter if envelope.proof(letter.sender).is_proved else None


def _check(envelope: Envelope) -> None:
    """Refuse what a relay would not have let through.

    Raises:
        MailRejected: Nobody is told: the address may be somebody else's.
    """
    if envelope.verdicts.virus == FAIL:
        raise MailRejected("the mail holds a virus", code=554, status="5.7.1")
    if envelope.verdicts.spam == FAIL:
        raise MailRejected("the mail looks like spam", code=554, status="5.7.1")


def _may_be_told(letter: Letter, envelope: Envelope) -> bool:
    # A machine is never told (RFC 3834), and the address must be proved to be the sender's.
    return not letter.is_automatic and bool(envelope.return_path) and envelope.verdicts.spf == PASS
