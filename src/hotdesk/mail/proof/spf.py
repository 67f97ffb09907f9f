"""SPF: whether a domain lets a host send its mail (RFC 7208), for the address of MAIL FROM.

The null return path is not looked at: what comes with it is a machine's and starts nothing.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from hotdesk.errors import Rejected
from hotdesk.mail.proof.hosts import Address
from hotdesk.mail.proof.names import Kind, LookUps, TooMuch
from hotdesk.mail.proof.spf_record import (
    Misspelt,
    Record,
    Term,
    expand,
    is_record,
    read_record,
)
from hotdesk.mail.proof.verdict import Peer

TERMS_WITH_LOOK_UP_MAX = 10  # RFC 7208, 4.6.4; the next two as well.
VOID_LOOK_UPS_MAX = 2
HOSTS_MAX = 10


class SpfResult(StrEnum):
    """What a domain says of a host (RFC 7208, 2.6); only ``PASS`` proves anything."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 - a result, no secret
    FAIL = "fail"
    SOFTFAIL = "softfail"
    PERMERROR = "permerror"


class Broken(Rejected):
    """The records of the domain contradict the rules."""


_QUALIFIERS = {
    "+": SpfResult.PASS,
    "-": SpfResult.FAIL,
    "~": SpfResult.SOFTFAIL,
    "?": SpfResult.NEUTRAL,
}


async def check_host(peer: Peer, address: Address, domain: str, look_up: LookUps) -> SpfResult:
    """Say whether *domain* lets the host *address* send mail from *peer*'s return path.

    Raises:
        Unavailable: DNS did not answer where it matters.
    """
    trial = _Trial(peer=peer, address=address, look_up=look_up)
    try:
        return await trial.result_of(domain)
    except (Broken, Misspelt, TooMuch):
        return SpfResult.PERMERROR


@dataclass(slots=True, kw_only=True)
class _Trial:
    """One question, with what is left of its bounds."""

    peer: Peer
    address: Address
    look_up: LookUps
    terms: int = 0
    void: int = 0

    async def result_of(self, domain: str) -> SpfResult:
        records = [text for text in await self.look_up(domain, "TXT") if is_record(text)]
        if len(records) > 1:
            raise Broken("there are several records")
        if not records:
            return SpfResult.NONE
        record = read_record(records[0])
        for term in record.terms:
            if await self._matches(term, domain):
                return _QUALIFIERS[term.qualifier]
        return await self._redirected(record, domain)

    async def _redirected(self, record: Record, domain: str) -> SpfResult:
        if not record.redirect:
            return SpfResult.NEUTRAL
        self._count_term()
        result = await self.result_of(self._expanded(record.redirect, domain))
        if result is SpfResult.NONE:
            raise Broken("it sends to a domain without a record")
        return result

    async def _matches(self, term: Term, domain: str) -> bool:
        match term.name:
            case "all":
                return True
            case "ip4" | "ip6":
                network = term.network
                return (
                    network is not None
                    and network.version == self.address.version
                    and self.address in network
                )
        self._count_term()
        target = self._expanded(term.domain, domain) if term.domain else domain
        match term.name:
            case "include":
                result = await self.result_of(target)
                if result is SpfResult.NONE:
                    raise Broken("it includes a domain without a record")
                return result is SpfResult.PASS
            case "exists":
                return bool(await self._found(target, "A"))
            case "a":
                return self._is_among(await self._addresses(target), term)
            case "mx":
                return await self._is_mail_server(target, term)
        return await self._is_named(target)

    async def _is_mail_server(self, domain: str, term: Term) -> bool:
        hosts = await self._found(domain, "MX")
        if len(hosts) > HOSTS_MAX:
            raise Broken("there are too many mail servers")
        for host in hosts:
            if self._is_among(await self._addresses(host, is_counted=False), term):
                return True
        return False

    async def _is_named(self, domain: str) -> bool:
        """Whether the host has a name at or below *domain* that leads back to it."""
        hosts = await self._found(self.address.reverse_pointer, "PTR")
        for host in hosts[:HOSTS_MAX]:
            if host == domain or host.endswith(f".{domain}"):
                found = await self._addresses(host, is_counted=False)
                if any(ipaddress.ip_address(each) == self.address for each in found):
                    return True
        return False

    async def _addresses(self, name: str, *, is_counted: bool = True) -> tuple[str, ...]:
        kind: Kind = "A" if isinstance(self.address, ipaddress.IPv4Address) else "AAAA"
        return await (self._found(name, kind) if is_counted else self.look_up(name, kind))

    def _is_among(self, addresses: Iterable[str], term: Term) -> bool:
        bits = term.bits4 if isinstance(self.address, ipaddress.IPv4Address) else term.bits6
        networks = (ipaddress.ip_network(f"{each}/{bits}", strict=False) for each in addresses)
        return any(self.address in network for network in networks)

    async def _found(self, name: str, kind: Kind) -> tuple[str, ...]:
        found = await self.look_up(name, kind)
        if not found:
            self.void += 1
            if self.void > VOID_LOOK_UPS_MAX:
                raise Broken("it names too many hosts that do not exist")
        return found

    def _count_term(self) -> None:
        self.terms += 1
        if self.terms > TERMS_WITH_LOOK_UP_MAX:
            raise Broken("it asks for too many look-ups")

    def _expanded(self, text: str, domain: str) -> str:
        return expand(text, peer=self.peer, address=self.address, domain=domain)
