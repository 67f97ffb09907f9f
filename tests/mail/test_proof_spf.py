"""SPF: records, macros and bounds. The outcome for a mail is in ``tests/intakes``."""

from __future__ import annotations

import pytest

from hotdesk.errors import Unavailable
from hotdesk.mail.proof.hosts import address_of
from hotdesk.mail.proof.names import LOOK_UPS_MAX, LookUps, TooMuch
from hotdesk.mail.proof.spf import SpfResult, check_host
from hotdesk.mail.proof.spf_record import Misspelt, expand, is_record, read_record
from hotdesk.mail.proof.verdict import Peer
from tests.mail.signing import Zone

pytestmark = pytest.mark.anyio

HOST = "192.0.2.3"
HOST6 = "2001:db8::cb01"


async def result(record: str, *, host: str = HOST, zone: Zone | None = None) -> SpfResult:
    zone = zone or Zone()
    zone.publish("example.org", record)
    address = address_of(host)
    assert address is not None
    peer = Peer(address=host, hello="mx.example.org", return_path="strong-bad@example.org")
    return await check_host(peer, address, "example.org", LookUps(zone))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=spf1 ip4:192.0.2.3 -all", SpfResult.PASS),
        ("v=spf1 ip4:192.0.2.0/24 -all", SpfResult.PASS),
        ("v=spf1 ip4:192.0.2.0/31 -all", SpfResult.FAIL),
        ("V=SPF1 IP4:192.0.2.3 -ALL", SpfResult.PASS),
        ("v=spf1 -ip4:192.0.2.3 +all", SpfResult.FAIL),
        ("v=spf1 ip6:2001:db8::/32 -all", SpfResult.FAIL),
        ("v=spf1 a -all", SpfResult.PASS),
        ("v=spf1 a:other.example -all", SpfResult.FAIL),
        ("v=spf1 a:other.example/24 -all", SpfResult.PASS),
        ("v=spf1 mx -all", SpfResult.PASS),
        ("v=spf1 mx:other.example -all", SpfResult.FAIL),
        ("v=spf1 ptr -all", SpfResult.PASS),
        ("v=spf1 ptr:forged.example -all", SpfResult.FAIL),
        ("v=spf1 exists:%{ir}.%{v}.list.example -all", SpfResult.PASS),
        ("v=spf1 exists:%{l1r-}.nobody.example -all", SpfResult.FAIL),
        ("v=spf1 include:passes.example -all", SpfResult.PASS),
        ("v=spf1 include:fails.example ~all", SpfResult.SOFTFAIL),
        ("v=spf1 include:nothing.example ~all", SpfResult.PERMERROR),
        ("v=spf1 redirect=passes.example", SpfResult.PASS),
        ("v=spf1 redirect=nothing.example", SpfResult.PERMERROR),
        ("v=spf1 redirect=example.org", SpfResult.PERMERROR),
        ("v=spf1", SpfResult.NEUTRAL),
        ("v=spf10 +all", SpfResult.NONE),
        ("v=spf1 +all odd:term", SpfResult.PERMERROR),
    ],
)
async def test_a_record_says_who_may_send(record: str, expected: SpfResult) -> None:
    zone = Zone()
    zone.publish("example.org", HOST, kind="A")
    zone.publish("other.example", "192.0.2.99", kind="A")
    zone.publish("other.example", "other.example", kind="MX")
    zone.publish("example.org", "nobody.example", "example.org", kind="MX")
    # The second name is a lie: it does not lead back.
    zone.publish("3.2.0.192.in-addr.arpa", "forged.example", "example.org", kind="PTR")
    zone.publish("3.2.0.192.in-addr.list.example", "127.0.0.2", kind="A")
    zone.publish("passes.example", f"v=spf1 ip4:{HOST} -all")
    zone.publish("fails.example", "v=spf1 -all")

    assert await result(record, zone=zone) is expected


async def test_an_address_of_version_4_is_one_however_it_is_written() -> None:
    assert await result("v=spf1 ip4:192.0.2.3 -all", host="::ffff:192.0.2.3") is SpfResult.PASS
    assert await result("v=spf1 ip6:2001:db8::/32 -all", host=f"{HOST6}%eth0") is SpfResult.PASS
    assert address_of("mx.example.org") is None


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l-}", "strong.bad"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{S}", "strong-bad%40email.example.com"),
        ("a%%b%_c%-d.example", "a%b c%20d.example"),
        (f"{'x' * 200}.{'y' * 60}.example", f"{'y' * 60}.example"),
    ],
)
def test_macros_stand_for_what_the_rfc_says(text: str, expanded: str) -> None:
    peer = Peer(return_path="strong-bad@email.example.com")
    address = address_of(HOST)
    assert address is not None

    found = expand(text, peer=peer, address=address, domain="email.example.com")

    assert found == expanded


@pytest.mark.parametrize(
    "term",
    [
        "ip4:192.0.2.3/33",
        "ip4:192.0.2.3/024",
        "ip4:192.0.2",
        "ip4:",
        "ip6:2001:db8::/129",
        "ip6:fe80::1%eth0",
        "a:example.org/33",
        "a:",
        "mx://129",
        "include",
        "include:",
        "exists:%{x}.example",
        "exists:%(d).example",
        "exists:%{d0}.example",
        "all:x",
        "redirect=a.example redirect=b.example",
        "redirect=localhost",
        "a..b",
        "=x",
    ],
)
def test_one_mistake_makes_a_record_void(term: str) -> None:
    assert is_record(f"v=spf1 {term} +all")

    with pytest.raises(Misspelt):
        read_record(f"v=spf1 {term} +all")


async def test_a_mail_may_ask_for_so_many_look_ups_and_no_more() -> None:
    zone = Zone()
    look_up = LookUps(zone)
    for _ in range(LOOK_UPS_MAX):
        await look_up("example.org", "A")

    with pytest.raises(TooMuch):
        await look_up("example.org", "A")
    assert len(zone.asked) == LOOK_UPS_MAX


@pytest.mark.parametrize("name", ["", "a..b", f"{'x' * 64}.example", "a.b" * 100, "a b", "a\\.b"])
async def test_a_name_that_cannot_be_in_dns_is_not_asked_for(name: str) -> None:
    zone = Zone()

    assert await LookUps(zone)(name, "TXT") == ()
    assert zone.asked == []


async def test_mail_servers_are_bounded() -> None:
    zone = Zone()
    zone.publish("example.org", *[f"mx{n}.example.org" for n in range(11)], kind="MX")
    zone.publish("mx0.example.org", HOST, kind="A")

    assert await result("v=spf1 mx -all", zone=zone) is SpfResult.PERMERROR
    assert len(zone.asked) == 2


async def test_silence_is_no_result() -> None:
    zone = Zone(silent={"other.example"})

    with pytest.raises(Unavailable):
        await result("v=spf1 include:other.example -all", zone=zone)
