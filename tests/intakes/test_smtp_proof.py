"""Proof of a sender where a mail comes over a real connection."""

from __future__ import annotations

from datetime import datetime

import pytest

from hotdesk.clock import SystemClock
from hotdesk.mail.letter import Mailbox
from hotdesk.mail.proof.dmarc import DmarcProver
from hotdesk.mail.proof.verdict import Peer, Proof, believe
from tests.intakes.conftest import Listen, deliver
from tests.mail.samples import a_mail
from tests.mail.signing import Zone, key_record, rsa_key, signed

pytestmark = pytest.mark.anyio

SCOTT = "amelia+scott@desk.example"


@pytest.mark.parametrize("is_lmtp", [False, True])
async def test_who_writes_a_page_whose_form_is_not_signed_hears_what_to_do(
    listen: Listen, *, is_lmtp: bool
) -> None:
    zone = Zone()
    zone.publish("s1._domainkey.example.org", key_record(rsa_key()))
    now = f"t={int(SystemClock().now().timestamp())};"
    page = signed(a_mail(b"<p>Blue.</p>\r\n", Content_Type="text/html"), more=now)

    async with listen(prove=DmarcProver(zone), is_lmtp=is_lmtp) as port:
        code, said = await deliver(port, page, SCOTT, is_lmtp=is_lmtp)

    assert (code, said[:6]) == (550, b"5.7.26")
    assert said.endswith(b"write plain text, or let the domain sign Content-Type")


@pytest.mark.parametrize(("is_lmtp", "address"), [(False, "127.0.0.1"), (True, "")])
async def test_who_hands_a_mail_over_is_known_by_smtp_and_not_by_lmtp(
    listen: Listen,
    is_lmtp: bool,  # noqa: FBT001 - pytest passes it by name
    address: str,
) -> None:
    peers: list[Peer] = []

    async def prove(sender: Mailbox, raw: bytes, peer: Peer, now: datetime) -> Proof:
        peers.append(peer)
        return await believe(sender, raw, peer, now)

    async with listen(prove=prove, is_lmtp=is_lmtp) as port:
        await deliver(port, a_mail(), SCOTT, is_lmtp=is_lmtp)

    (peer,) = peers
    assert (peer.address, peer.return_path) == (address, "anna@example.org")
    assert peer.hello
