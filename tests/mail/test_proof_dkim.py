"""DKIM against mails that others signed, and signatures that must not count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import process_time  # noqa: TID251 - how long it takes is the point

import pytest

from hotdesk.mail.proof.dkim import Signers, signers_of
from hotdesk.mail.proof.names import LookUps
from hotdesk.mail.proof.signature import Invalid, read_signature, tags_of
from hotdesk.mail.proof.signed import SignedMail
from tests.mail.samples import a_mail
from tests.mail.signed_samples import (
    KEYS,
    MAIL,
    RFC_8463,
    RFC_8463_KEYS,
    RFC_8463_MAIL,
    SIGNATURES,
)
from tests.mail.signing import NOW, SIGNED, Zone, key_record, rsa_key, signed

LATER = datetime(2026, 11, 25, tzinfo=UTC)  # Than the samples of dkimpy.
GOOD = "v=1; a=rsa-sha256; d=example.org; s=s1; h=from:to; bh=YQ==; b=YQ=="


async def found(raw: bytes, keys: dict[str, str], now: datetime = LATER) -> Signers:
    zone = Zone()
    for name, record in keys.items():
        zone.publish(name, record)
    return await signers_of(raw, LookUps(zone), is_asked=lambda _: True, now=now)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", SIGNATURES)
async def test_what_another_program_signed_holds_until_it_is_changed(kind: str) -> None:
    raw = SIGNATURES[kind] + MAIL

    assert (await found(raw, KEYS)).holds is not None
    assert (await found(raw.replace(b"please", b"pleaze"), KEYS)).holds is None
    assert (await found(raw.replace(b"Tim", b"Tom"), KEYS)).holds is None
    assert (await found(raw.replace(b"Mailer: none", b"Mailer: some"), KEYS)).holds is not None


@pytest.mark.anyio
@pytest.mark.parametrize("number", [0, 1], ids=["ed25519", "rsa"])
async def test_the_sample_of_the_rfc_holds(number: int) -> None:
    raw = RFC_8463[number] + RFC_8463_MAIL

    signers = await found(raw, RFC_8463_KEYS, datetime(2018, 6, 11, tzinfo=UTC))

    assert signers.holds is not None
    assert signers.holds.domain == "football.example.com"
    assert signers.written_to == frozenset({"suzie@shopping.example.net"})


@pytest.mark.anyio
async def test_white_space_counts_in_the_simple_form_only() -> None:
    for form, holds in (("simple/simple", False), ("relaxed/relaxed", True)):
        raw = signed(a_mail(), canonical=form).replace(b"the header", b"the \t header")
        raw = raw.replace(b"Subject: H", b"Subject:  H")

        signers = await found(raw, {"s1._domainkey.example.org": key_record(rsa_key())}, NOW)

        assert (signers.holds is not None) == holds


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("v=1", "v=2"), "another version"),
        (("v=1; ", ""), "no tag v"),
        (("a=rsa-sha256", "a=rsa-sha1"), "algorithm"),
        (("h=from:to", "h=to"), "From field open"),
        (("d=example.org", "d=exa mple.org"), "cannot be read"),
        (("s=s1", "s=../x"), "cannot be read"),
        (("b=YQ==", "b=YQ==; b=YQ=="), "cannot be read"),
        (("b=YQ==", "b=%%"), "cannot be read"),
        (("bh=YQ==", "bh="), "cannot be read"),
        (("d=example.org", "d=example.org; l=10"), "l="),
        (("d=example.org", "d=example.org; i=@evil.example"), "i="),
        (("d=example.org", "d=example.org; i=@notexample.org"), "i="),
        (("d=example.org", "d=example.org; q=http"), "not in DNS"),
        (("d=example.org", "d=example.org; c=odd/simple"), "cannot be read"),
        (("d=example.org", "d=example.org; t=soon"), "t="),
        (("d=example.org", "d=example.org; t=99999999999"), "t="),
        (("d=example.org", "d=example.org; t=5; x=5"), "x="),
        (("d=example.org", "d=example.org; x=999999999999999"), "x="),
    ],
)
def test_a_signature_that_breaks_a_rule_is_invalid(change: tuple[str, str], reason: str) -> None:
    assert read_signature(GOOD, now=NOW).domain == "example.org"

    with pytest.raises(Invalid, match=reason):
        read_signature(GOOD.replace(*change), now=NOW)


def test_a_tag_that_comes_twice_makes_a_list_unreadable() -> None:
    assert tags_of(" a = 1 ; b=2;") == {"a": "1", "b": "2"}
    for text in ("a=1; a=2", "a", "=1", "a=1;;b=2"):
        with pytest.raises(Invalid):
            tags_of(text)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("more", "fields", "age", "holds"),
    [
        ("", SIGNED, timedelta(days=6), True),
        ("", SIGNED, timedelta(days=8), False),
        # A Date that is yet to come would let it hold for as long.
        ("", SIGNED, timedelta(days=-2), False),
        (f"t={int(NOW.timestamp())};", SIGNED, timedelta(days=6), True),
        (f"t={int(NOW.timestamp())};", SIGNED, timedelta(days=8), False),
        # Anybody can write a Date that is not signed.
        ("", ("from", "subject"), timedelta(0), False),
    ],
)
async def test_a_signature_proves_something_for_a_week(
    more: str,
    fields: tuple[str, ...],
    age: timedelta,
    holds: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    raw = signed(a_mail(), more=more, fields=fields)

    signers = await found(raw, {"s1._domainkey.example.org": key_record(rsa_key())}, NOW + age)

    assert (signers.holds is not None) == holds


@pytest.mark.anyio
@pytest.mark.parametrize(
    "to",
    [
        '"amelia+scott@desk.example" <eve@evil.example>',
        "amelia+scott@desk.example <eve@evil.example>",
        "eve@evil.example (amelia+scott@desk.example)",
        '"x, amelia+scott@desk.example, y" <eve@evil.example>',
        "=?utf-8?q?x,amelia+scott@desk.example,?= <eve@evil.example>",
        '(") "x, amelia+scott@desk.example, y" <eve@evil.example>',
        "<eve@evil.example> <amelia+scott@desk.example>",
    ],
)
async def test_a_name_that_shows_an_address_is_nobody_to_whom_a_mail_was_written(to: str) -> None:
    raw = signed(a_mail(To=to))

    signers = await found(raw, {"s1._domainkey.example.org": key_record(rsa_key())}, NOW)

    assert signers.holds is not None
    assert "amelia+scott@desk.example" not in (signers.written_to or ())


@pytest.mark.anyio
@pytest.mark.parametrize(
    "to",
    [
        "Amelia+Scott@Desk.example",
        '"Muster, Anna" <anna@example.org>,\r\n\t"The \\" desk" <amelia+scott@desk.example>',
        "amelia+scott@desk.example (the desk), tim@example.org",
        "us: anna@example.org, amelia+scott@desk.example;",
        "=?utf-8?q?J=C3=BCrgen?= <j@example.org>, <amelia+scott@desk.example>",
    ],
)
async def test_everybody_to_whom_a_mail_was_written_is_found(to: str) -> None:
    raw = signed(a_mail(To=to))

    signers = await found(raw, {"s1._domainkey.example.org": key_record(rsa_key())}, NOW)

    assert "amelia+scott@desk.example" in (signers.written_to or ())


PARTS = (
    b"--outer\r\nContent-Type: text/plain\r\n\r\nYes, see below.\r\n"
    b"--inner\r\n\r\nDelete it.\r\n--inner--\r\n--outer--\r\n"
)
QUOTE = b"Yes, see below.\r\n> Delete it.\r\n"
MIXED = 'multipart/mixed; boundary="outer"'


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "kind", "shown"),
    [
        (PARTS, MIXED, "Content-Type: multipart/mixed; boundary=inner"),
        (PARTS, MIXED, "Content-Type: text/plain"),
        (PARTS, MIXED, ""),
        (b"Yes.\r\n" + PARTS, None, f"Content-Type: {MIXED}"),
        (QUOTE, None, "Content-Type: text/html"),
        (QUOTE, "text/plain", "Content-Type: text/html"),
        (QUOTE, None, "Content-Type: text/plain; name=x"),
        (QUOTE, None, "Content-Disposition: attachment"),
        (QUOTE, None, "Content-Transfer-Encoding: base64"),
    ],
)
async def test_an_open_form_of_the_text_cannot_be_changed(
    body: bytes, kind: str | None, shown: str
) -> None:
    keys = {"s1._domainkey.example.org": key_record(rsa_key())}
    raw = signed(a_mail(body, Content_Type=kind))
    old = f"Content-Type: {kind}\r\n".encode()
    changed = raw.replace(old, b"", 1) if kind else raw
    changed = (f"{shown}\r\n".encode() if shown else b"") + changed

    assert (await found(raw, keys, NOW)).holds is not None
    signers = await found(changed, keys, NOW)

    assert signers.holds is None
    assert "write plain text, or let the domain sign Content-Type" in signers.reasons[0]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "form"),
    [
        (PARTS, {"Content_Type": MIXED}),
        (b"This is a multi-part message in MIME format.\r\n" + PARTS, {"Content_Type": MIXED}),
        (QUOTE, {"Content_Type": 'Text/Plain; charset="utf-8"; format=flowed'}),
        (QUOTE, {"Content_Transfer_Encoding": "8bit"}),
        (b"WWVzLg==\r\n", {"Content_Transfer_Encoding": "base64"}),
    ],
)
async def test_an_open_form_that_the_text_itself_shows_is_no_doubt(
    body: bytes, form: dict[str, str]
) -> None:
    raw = signed(a_mail(body, **form))

    signers = await found(raw, {"s1._domainkey.example.org": key_record(rsa_key())}, NOW)

    assert signers.holds is not None


@pytest.mark.anyio
async def test_a_signed_form_of_the_text_is_taken_as_it_is() -> None:
    raw = signed(
        a_mail(b"<p>Yes.</p>\r\n", Content_Type="text/html"), fields=(*SIGNED, "content-type")
    )

    signers = await found(raw, {"s1._domainkey.example.org": key_record(rsa_key())}, NOW)

    assert signers.holds is not None


def test_hashing_takes_time_that_grows_with_the_mail_only() -> None:
    body = (b" " * 900 + b"x\r\n") * 5000
    mail = SignedMail(a_mail(body))

    start = process_time()
    mail.body_hash(is_relaxed=True)

    # A pattern for white space at the ends of lines takes 3.4 s for it on the same machine.
    assert process_time() - start < 1
