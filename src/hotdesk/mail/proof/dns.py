"""The resolver that asks the name servers of this machine; nothing else here knows DNS."""

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

from hotdesk.errors import Unavailable
from hotdesk.mail.proof.names import Kind

LOOK_UP_SECONDS_MAX = 5.0
ANSWERS_MAX = 50
CACHED_MAX = 1000


class DnsResolver:
    """``Resolver`` with dnspython. Answers are kept as long as DNS says that they hold."""

    def __init__(self, *, nameservers: tuple[tuple[str, int], ...] = ()) -> None:
        """Read ``/etc/resolv.conf``, unless *nameservers* are given as addresses and ports.

        Raises:
            Unavailable: It cannot be read.
        """
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        except dns.exception.DNSException as error:
            raise Unavailable(f"the settings of DNS cannot be read: {error}") from error
        self._resolver.cache = dns.resolver.LRUCache(CACHED_MAX)
        if nameservers:
            self._resolver.nameservers = [address for address, _ in nameservers]
            self._resolver.nameserver_ports = dict(nameservers)

    async def look_up(self, name: str, kind: Kind) -> tuple[str, ...]:
        """What DNS holds of this kind; see ``Resolver``.

        Raises:
            Unavailable: DNS did not answer, or says that it cannot.
        """
        try:
            # With its dot: no search list of this machine may be added to it.
            answer = await self._resolver.resolve(
                f"{name}.", kind, lifetime=LOOK_UP_SECONDS_MAX, raise_on_no_answer=False
            )
        except (dns.resolver.NXDOMAIN, dns.name.LabelTooLong, dns.name.NameTooLong):
            return ()
        except (dns.exception.DNSException, OSError) as error:
            raise Unavailable(f"DNS does not answer for {name}") from error
        records = list(answer.rrset or ())[:ANSWERS_MAX]
        if kind == "TXT":
            return tuple(_text(record.strings) for record in records)
        if kind == "MX":
            by_preference = sorted(records, key=lambda record: int(record.preference))
            return tuple(_host(record.exchange) for record in by_preference)
        if kind == "PTR":
            return tuple(_host(record.target) for record in records)
        return tuple(record.address for record in records)


def _text(strings: tuple[bytes, ...]) -> str:
    return b"".join(strings).decode("ascii", "replace")


def _host(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
