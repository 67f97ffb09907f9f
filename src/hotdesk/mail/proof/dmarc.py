"""DMARC (RFC 7489): SPF or DKIM, for the domain that a From field names.

What the domain asks to be done with other mail (``p=``) is nothing to us: a sender who is
not proved is not proved. A domain without a record gets the same, without the domains
beside and below it.
"""

from dataclasses import dataclass, replace
from datetime import datetime

import anyio

from hotdesk.errors import Unavailable
from hotdesk.mail.letter import Mailbox
from hotdesk.mail.mailbox import parse_address
from hotdesk.mail.proof.dkim import Signers, signers_of
from hotdesk.mail.proof.hosts import address_of, is_inside
from hotdesk.mail.proof.names import LookUps, Resolver, TooMuch
from hotdesk.mail.proof.organization import is_aligned, organization_of
from hotdesk.mail.proof.signature import Invalid, tags_of
from hotdesk.mail.proof.spf import SpfResult, check_host
from hotdesk.mail.proof.verdict import How, Peer, Proof, unproven

PROOF_SECONDS_MAX = 18.0
REASONS_MAX = 3

_VERSION = "DMARC1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How much a domain lets others of its owner speak for it."""

    is_dkim_strict: bool = True
    is_spf_strict: bool = True
    is_published: bool = False


class DmarcProver:
    """``Prover`` that looks in DNS itself."""

    def __init__(self, resolver: Resolver) -> None:
        """*resolver* is asked within bounds, which hold for each mail."""
        self._resolver = resolver

    async def __call__(self, sender: Mailbox, raw: bytes, peer: Peer, now: datetime) -> Proof:
        """Find out whether *raw*, from *peer*, comes from the domain of *sender*.

        Raises:
            MailRejected: The header fields cannot be read.
            Unavailable: DNS did not answer where it matters.
        """
        trial = _Trial(sender=sender, look_up=LookUps(self._resolver))
        with anyio.move_on_after(PROOF_SECONDS_MAX):
            return await trial.proof(raw, peer, now)
        raise Unavailable(f"DNS took longer than {PROOF_SECONDS_MAX} s for one mail")


@dataclass(slots=True, kw_only=True)
class _Trial:
    sender: Mailbox
    look_up: LookUps

    async def proof(self, raw: bytes, peer: Peer, now: datetime) -> Proof:
        unanswered: Unavailable | None = None
        policy = Policy()
        try:
            policy = await policy_of(self.sender.domain, self.look_up)
        except Unavailable as error:
            # What holds for the very domain holds whatever its record says.
            unanswered = error
        why = ""
        try:
            if not (why := await self._why_not_by_spf(peer, policy)):
                return self._proved(How.SPF, policy)
        except Unavailable as error:
            unanswered = error
        signers = await self._signers(raw, policy, now)
        if signers.holds is not None:
            proof = self._proved(How.DKIM, policy)
            return replace(proof, written_to=signers.written_to, known_by=signers.known_by)
        if found := unanswered or signers.unanswered:
            raise found
        reasons = list(dict.fromkeys([why, *signers.reasons]))[:REASONS_MAX]
        return unproven(
            How.DMARC if policy.is_published else How.NONE, self.sender, "; ".join(reasons)
        )

    def _proved(self, how: How, policy: Policy) -> Proof:
        return Proof(how=How.DMARC if policy.is_published else how, domain=self.sender.domain)

    async def _why_not_by_spf(self, peer: Peer, policy: Policy) -> str:
        """Say why SPF proves nothing; nothing, if it does."""
        address, path = address_of(peer.address), parse_address(peer.return_path)
        if address is None or is_inside(address):
            # SPF speaks of the host that handed the mail to the relay.
            return "SPF: the mail comes through a relay"
        if path is None or not is_aligned(
            path.domain, self.sender.domain, is_strict=policy.is_spf_strict
        ):
            return "SPF: the envelope names another domain"
        result = await check_host(peer, address, path.domain, self.look_up)
        return "" if result is SpfResult.PASS else f"SPF of {path.domain}: {result}"

    async def _signers(self, raw: bytes, policy: Policy, now: datetime) -> Signers:
        def is_asked(domain: str) -> bool:
            return is_aligned(domain, self.sender.domain, is_strict=policy.is_dkim_strict)

        try:
            found = await signers_of(raw, self.look_up, is_asked=is_asked, now=now)
        except TooMuch as error:
            return Signers(reasons=[str(error)])
        if not found.reasons:
            found.reasons.append(f"DKIM: no signature of {self.sender.domain}")
        return found


async def policy_of(domain: str, look_up: LookUps) -> Policy:
    """Return what the domain, or else its owner, publishes (RFC 7489, 6.6.3).

    Raises:
        Unavailable: DNS did not answer.
        TooMuch: There were too many look-ups for this mail.
    """
    for name in dict.fromkeys([domain, organization_of(domain)]):
        records = [text for text in await look_up(f"_dmarc.{name}", "TXT") if _is_record(text)]
        if len(records) > 1:
            return Policy()
        if records:
            return _policy(records[0])
    return Policy()


def _is_record(text: str) -> bool:
    name, equals, value = text.partition(";")[0].partition("=")
    return bool(equals) and name.strip() == "v" and value.strip() == _VERSION


def _policy(text: str) -> Policy:
    try:
        tags = tags_of(text)
    except Invalid:
        # Nobody can say what it means: it widens nothing.
        return Policy(is_published=True)
    return Policy(
        is_dkim_strict=tags.get("adkim", "r").lower() == "s",
        is_spf_strict=tags.get("aspf", "r").lower() == "s",
        is_published=True,
    )
