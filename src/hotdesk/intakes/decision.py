"""What becomes of a mail at one desk: taken, held for a person's word, or refused. Rules only."""

from dataclasses import dataclass, field
from datetime import timedelta

from hotdesk.mail.address import Recipient, parse_recipient
from hotdesk.mail.mailbox import parse_address
from hotdesk.mail.proof.verdict import Proof
from hotdesk.mail.rejection import MailRejected
from hotdesk.mail.sender import AllowedSenders, Role
from hotdesk.ports.accounts import jobs_account, usd_account

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

_SPANS = {HOUR: "an hour; please send it again in an hour", DAY: "a day; please send it tomorrow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most *amount* within *span*, of what is counted under *name*; see ``ports.tallies``."""

    name: str
    amount: int
    span: timedelta
    reason: str

    @property
    def is_of_jobs(self) -> bool:
        """Whether the jobs of a mail count towards it; costs are known when they arise."""
        return self.name.startswith("jobs/")

    def refusal(self, counted: int, adding: int) -> MailRejected | None:
        """Refuse *adding* jobs where so much was *counted*, if that is too much."""
        is_over = counted + adding > self.amount if self.is_of_jobs else counted >= self.amount
        # The sender hears at once; a code for "later" would make the relay try for days.
        return MailRejected(self.reason, code=550, status="5.7.28") if is_over else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailLimits:
    """How much mail may ask for: jobs, and micro-dollars; ``None`` is no limit."""

    jobs_per_hour: int | None = None
    sender_jobs_per_hour: int | None = None
    micro_usd_per_day: int | None = None
    sender_micro_usd_per_day: int | None = None

    def for_mail(self, project: str, sender: str, *, is_doubted: bool = False) -> list[Limit]:
        """The limits that are set, as they apply to mail from *sender*."""
        jobs = jobs_account(project, is_doubted=is_doubted)
        own_jobs = jobs_account(project, sender, is_doubted=is_doubted)
        usd, own_usd = usd_account(project), usd_account(project, sender)
        limits = (
            (jobs, self.jobs_per_hour, HOUR, "this project has been given too many instructions"),
            (own_jobs, self.sender_jobs_per_hour, HOUR, "you gave too many instructions"),
            (usd, self.micro_usd_per_day, DAY, "this project has used up what it may cost"),
            (own_usd, self.sender_micro_usd_per_day, DAY, "you have used up your budget"),
        )
        return [
            Limit(name=name, amount=amount, span=span, reason=f"{what} within {_SPANS[span]}")
            for name, amount, span, what in limits
            if amount is not None
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRules:
    """What one project says of its mail."""

    senders: AllowedSenders
    is_unproven_held: bool = False
    limits: MailLimits = field(default_factory=MailLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a mail at one desk: refused, held because of something, or else taken.

    ``is_doubted`` says that it may be somebody else's than its From field says, and
    ``may_be_told`` that the one who would be told it waits is the one who wrote it.
    """

    role: Role | None = None
    held_because: str = ""
    is_doubted: bool = False
    may_be_told: bool = False
    refusal: MailRejected | None = None


def decide(
    rules: MailRules, sender: str, recipient: Recipient, proof: Proof, *, domain: str
) -> Decision:
    """Say what becomes of a mail from *sender*, of whom this is the *proof*, at a desk.

    A token of a thread in the address of *recipient* changes nothing: it finds a thread.
    """
    role = role_of(rules, sender, recipient)
    if role is None:
        return Decision(refusal=stranger())
    doubt = proof.reason
    if proof.is_proved:
        doubt = _why_for_another(proof, recipient, domain)
    if doubt and not rules.is_unproven_held:
        return Decision(role=role, refusal=_unproven(proof, doubt))
    if doubt:
        held_because = f"nothing proves its sender: {doubt}"
        return Decision(role=role, held_because=held_because, is_doubted=True)
    if role is Role.GUEST:
        return Decision(role=role, held_because="its sender is a guest", may_be_told=True)
    return Decision(role=role)


def role_of(rules: MailRules, sender: str, recipient: Recipient) -> Role | None:
    """As what the address *sender* may write to a desk, if at all."""
    mailbox = parse_address(sender)
    return None if mailbox is None else rules.senders.role(mailbox, user=recipient.desk.user)


def stranger() -> MailRejected:
    """The refusal of somebody whom no rule names."""
    return MailRejected(
        "this sender may not write here; ask the owner of the project to allow it",
        code=550,
        status="5.7.1",
    )


def _unproven(proof: Proof, doubt: str) -> MailRejected:
    return MailRejected(
        f"nothing proves that this mail comes from {proof.domain}: {doubt}",
        code=550,
        status="5.7.26",  # RFC 7372: several ways of proof were tried, and none held.
    )


def _why_for_another(proof: Proof, recipient: Recipient, domain: str) -> str:
    """Say that a signed mail was written to others, if it was: its signature can be sent on."""
    if proof.written_to is None:
        return ""
    for address in proof.written_to:
        try:
            if parse_recipient(address, domain=domain).desk == recipient.desk:
                return ""
        except MailRejected:
            continue
    return "its signature is for mail to others; name this address in To or Cc"
