"""What a relay wrote on top of a mail, and what a forger wrote there."""

from __future__ import annotations

import pytest

from hotdesk.mail.letter import Mailbox
from hotdesk.mail.proof.results import findings_of, relay_proof
from tests.mail.samples import a_mail

ANNA = Mailbox(address="anna@example.org")
RELAY = "mx.desk.example"
RECEIVED = "Received: from evil.example by mx.desk.example (Postfix) with ESMTP id 1; Mon, 5 Jan"
PASS = f"{RELAY}; dmarc=pass (p=reject dis=none) header.from=example.org"


def proved(*lines: str) -> bool:
    raw = "".join(f"{line}\r\n" for line in lines).encode() + a_mail()
    return relay_proof(ANNA, raw, name=RELAY).is_proved


@pytest.mark.parametrize(
    "results",
    [
        PASS,
        PASS.upper().replace("DMARC=PASS", "dmarc=pass"),
        f"{RELAY} 1;\r\n\tspf=fail smtp.mailfrom=b.org;\r\n\tdmarc=pass header.from=example.org",
        f"{RELAY}; dmarc=none header.from=example.org; dkim=pass (2048 bit) header.d=example.org",
        f"{RELAY}; dkim=fail header.d=example.org; dkim=pass header.d=example.org header.s=s1",
        f"{RELAY}; spf=pass smtp.mailfrom=anna@example.org",
        f"{RELAY}; spf=pass smtp.mailfrom=example.org; dkim=none",
        f"{RELAY}; dmarc = pass header.from = example.org",
    ],
)
def test_what_the_relay_found_is_believed(results: str) -> None:
    assert proved(f"Authentication-Results: {results}", RECEIVED)


@pytest.mark.parametrize(
    "results",
    [
        f"{RELAY}; none",
        f"{RELAY}; dmarc=fail header.from=example.org",
        f"{RELAY}; dmarc=fail header.from=example.org; dkim=pass header.d=example.org",
        f"{RELAY}; dmarc=temperror header.from=example.org",
        f"{RELAY}; dmarc=pass header.from=evil.example",
        f"{RELAY}; dmarc=pass",
        f"{RELAY}; dkim=pass header.d=evil.example",
        f"{RELAY}; dkim=pass header.d=mail.example.org",
        f"{RELAY}; dkim=pass header.i=@example.org",
        f"{RELAY}; spf=pass smtp.mailfrom=evil.example",
        f"{RELAY}; spf=pass smtp.helo=example.org",
        # Another server's, or nobody's.
        PASS.replace(RELAY, "mx.evil.example"),
        PASS.replace(RELAY, f"{RELAY}.evil.example"),
        PASS.replace(f"{RELAY};", ""),
        # What a sender chose is quoted, or in a comment.
        f'{RELAY}; spf=fail smtp.mailfrom="; dmarc=pass header.from=example.org"@evil.example',
        f"{RELAY}; spf=fail (; dmarc=pass header.from=example.org)",
        f'{RELAY}; dmarc=fail reason="x; dmarc=pass header.from=example.org" header.from=a.example',
        f'{RELAY}; dkim=pass reason="x header.d=example.org" header.d=evil.example',
        f"{RELAY}; dkim=pass header.d=example.org header.d=evil.example",
        # Two that differ, and what cannot be read.
        f"{RELAY}; dmarc=fail header.from=example.org; dmarc=pass header.from=example.org",
        f'{PASS} x="',
        f"{PASS} (",
    ],
)
def test_what_proves_nothing_is_no_proof(results: str) -> None:
    assert not proved(f"Authentication-Results: {results}", RECEIVED)


def test_a_mail_does_not_bring_its_own_findings() -> None:
    forged = f"Authentication-Results: {PASS}"

    assert proved(forged, RECEIVED)
    assert not proved(RECEIVED, forged)
    # A forger can write what looks like another hop of the relay.
    assert not proved(RECEIVED, RECEIVED, forged, RECEIVED)
    # The relay did not write that it took the mail: nothing shows where its part ends.
    assert not proved(forged)
    assert not proved(f"Authentication-Results: {RELAY}; dmarc=fail", RECEIVED, forged)


def test_a_finding_has_its_properties() -> None:
    (finding,) = findings_of(f'{RELAY}; dkim=pass header.d="example.org" header.s=s1', name=RELAY)

    assert (finding.method, finding.result) == ("dkim", "pass")
    assert finding.domain("header.d") == "example.org"
    assert finding.about["header.s"] == "s1"
