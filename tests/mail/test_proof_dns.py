"""The resolver that asks real name servers, here one of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import anyio
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest

from hotdesk.errors import Unavailable
from hotdesk.mail.letter import Mailbox
from hotdesk.mail.proof import dmarc
from hotdesk.mail.proof import dns as adapter
from hotdesk.mail.proof.dmarc import DmarcProver
from hotdesk.mail.proof.dns import DnsResolver
from hotdesk.mail.proof.names import Kind
from hotdesk.mail.proof.organization import is_aligned, organization_of
from tests.mail.samples import a_mail
from tests.mail.signing import NOW, PEER

pytestmark = pytest.mark.anyio

Answers: TypeAlias = dict[tuple[str, str], list[str]]

ZONE: Answers = {
    ("example.org.", "TXT"): ['"v=spf1 " "-all"'],
    ("example.org.", "A"): ["192.0.2.1"],
    ("example.org.", "MX"): ["20 b.example.org.", "10 A.example.org."],
    ("1.2.0.192.in-addr.arpa.", "PTR"): ["mx.example.org."],
}


@asynccontextmanager
async def served() -> AsyncIterator[DnsResolver]:
    """A resolver that asks a name server of ours, which is silent about silent.example."""
    async with (
        await anyio.create_udp_socket(local_host="127.0.0.1") as socket,
        anyio.create_task_group() as tasks,
    ):
        port = socket.extra(anyio.abc.SocketAttribute.local_port)

        async def serve() -> None:
            async for packet, (host, sender) in socket:
                query = dns.message.from_wire(packet)
                name, kind = query.question[0].name, query.question[0].rdtype
                if "silent" in str(name):
                    continue
                answer = dns.message.make_response(query)
                answer.flags |= dns.flags.RA
                if "broken" in str(name):
                    answer.set_rcode(dns.rcode.SERVFAIL)
                elif "missing" in str(name):
                    answer.set_rcode(dns.rcode.NXDOMAIN)
                elif found := ZONE.get((str(name), dns.rdatatype.to_text(kind))):
                    answer.answer.append(dns.rrset.from_text_list(name, 60, "IN", kind, found))
                await socket.sendto(answer.to_wire(), host, sender)

        tasks.start_soon(serve)
        yield DnsResolver(nameservers=(("127.0.0.1", port),))
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        ("example.org", "TXT", ("v=spf1 -all",)),
        ("example.org", "A", ("192.0.2.1",)),
        ("example.org", "AAAA", ()),
        ("example.org", "MX", ("a.example.org", "b.example.org")),
        ("1.2.0.192.in-addr.arpa", "PTR", ("mx.example.org",)),
        ("missing.example.org", "TXT", ()),
    ],
)
async def test_what_dns_holds_is_found(name: str, kind: Kind, found: tuple[str, ...]) -> None:
    async with served() as resolver:
        assert await resolver.look_up(name, kind) == found


@pytest.mark.parametrize("name", ["broken.example.org", "silent.example.org"])
async def test_a_server_that_cannot_answer_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(adapter, "LOOK_UP_SECONDS_MAX", 0.2)
    async with served() as resolver:
        with pytest.raises(Unavailable, match="DNS does not answer"):
            await resolver.look_up(name, "TXT")


async def test_dns_has_so_much_time_for_a_mail_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dmarc, "PROOF_SECONDS_MAX", 0.2)
    async with served() as resolver:
        prove = DmarcProver(resolver)

        with pytest.raises(Unavailable, match="longer than"):
            await prove(Mailbox(address="x@silent.example"), a_mail(), PEER, NOW)


@pytest.mark.parametrize(
    ("domain", "organization"),
    [
        ("example.org", "example.org"),
        ("a.b.example.org", "example.org"),
        ("shop.example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"),
        ("me.github.io", "me.github.io"),
        ("desk.example", "desk.example"),
        ("localhost", "localhost"),
    ],
)
async def test_an_organization_is_what_somebody_registered(domain: str, organization: str) -> None:
    assert organization_of(domain) == organization


async def test_neighbours_below_a_public_suffix_are_strangers() -> None:
    assert is_aligned("a.example.org", "b.example.org", is_strict=False)
    assert not is_aligned("a.example.org", "example.org", is_strict=True)
    assert not is_aligned("me.github.io", "you.github.io", is_strict=False)
    assert not is_aligned("example.co.uk", "co.uk", is_strict=False)
    assert not is_aligned("notexample.org", "example.org", is_strict=False)
