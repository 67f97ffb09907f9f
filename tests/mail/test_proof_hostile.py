"""Whatever stands in a mail or in DNS: the readers of proofs answer, or raise the one error."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotdesk.mail.letter import Mailbox
from hotdesk.mail.proof.dmarc import DmarcProver
from hotdesk.mail.proof.hosts import address_of
from hotdesk.mail.proof.results import findings_of, relay_proof
from hotdesk.mail.proof.signature import Invalid, read_signature
from hotdesk.mail.proof.spf_record import Misspelt, expand, is_record, read_record
from hotdesk.mail.proof.verdict import Peer
from hotdesk.mail.rejection import MailRejected
from tests.mail.signing import NOW, PEER, Zone

ANNA = Mailbox(address="anna@example.org")


def pieces(*words: str) -> st.SearchStrategy[str]:
    """Texts of such words, and of anything else."""
    return st.lists(st.sampled_from(words) | st.text(max_size=5), max_size=15).map("".join)


SPF = pieces(
    *"a mx ptr all include: exists: ip4: ip6: redirect= exp= %{ } %{ir} %{d2} / // /24 192.0.2.1 "
    "::1 %eth0 - ~ ? + : = . example.org 0 1 999".split(),
    " ",
)
TAGS = pieces(
    *"v=1 a=rsa-sha256 a=ed25519-sha256 d=example.org s=s1 h=from:subject bh=YQ== b=YQ== t=1 x=9 "
    "i=@example.org c=relaxed/simple q=dns/txt k=rsa p=YQ== v=DKIM1 v=DMARC1 adkim=s : =".split(),
    ";",
    "; ",
    "\r\n ",
)
RESULTS = pieces(
    *'mx.example ; dmarc=pass header.from=example.org dkim=fail spf=pass ( ) " \\ = /1'.split(),
    " ",
    "\r\n\t",
)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["From", "Subject", "DKIM-Signature", "Received", "To", " x", ""]),
        TAGS | RESULTS,
    ),
    max_size=8,
)


def a_mail_of(lines: list[tuple[str, str]], body: bytes) -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return head.encode("utf-8", "replace") + b"\r\n" + body


@given(text=SPF)
def test_a_record_of_spf_is_read_or_void(text: str) -> None:
    record = f"v=spf1 {text}"
    if not is_record(record):
        return
    with suppress(Misspelt):
        read = read_record(record)
        address = address_of("192.0.2.1")
        assert address is not None
        for term in read.terms:
            expand(term.domain, peer=PEER, address=address, domain="example.org")


@given(text=TAGS)
def test_a_signature_is_read_or_invalid(text: str) -> None:
    with suppress(Invalid):
        read_signature(text, now=NOW)


@given(text=RESULTS, lines=LINES, body=st.binary(max_size=50))
def test_what_a_relay_wrote_is_read_or_nothing(
    text: str, lines: list[tuple[str, str]], body: bytes
) -> None:
    findings_of(text, name="mx.example")
    with suppress(MailRejected):
        relay_proof(ANNA, a_mail_of(lines, body), name="mx.example")


@pytest.mark.anyio
@given(
    lines=LINES,
    body=st.binary(max_size=200),
    records=st.lists(TAGS | SPF.map("v=spf1 {}".format), max_size=2),
)
@settings(deadline=None, max_examples=50)
async def test_no_mail_and_no_record_makes_the_prover_fail(
    lines: list[tuple[str, str]], body: bytes, records: list[str]
) -> None:
    zone = Zone()
    for name in ("example.org", "_dmarc.example.org", "s1._domainkey.example.org"):
        zone.publish(name, *records)
    zone.publish("example.org", "192.0.2.1", kind="A")
    peer = Peer(address="192.0.2.1", hello="x", return_path="anna@example.org")

    with suppress(MailRejected):
        await DmarcProver(zone)(ANNA, a_mail_of(lines, body), peer, NOW)
