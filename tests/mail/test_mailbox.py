from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdesk.mail.letter import Mailbox
from hotdesk.mail.mailbox import canonical_domain, parse_address, sender_of
from hotdesk.mail.mime import split
from hotdesk.mail.rejection import MailRejected
from tests.mail.samples import a_mail


@pytest.mark.parametrize(
    ("field", "address", "name"),
    [
        ("anna@example.org", "anna@example.org", ""),
        ("<Anna@EXAMPLE.org>", "anna@example.org", ""),
        ("Anna Muster <anna@example.org>", "anna@example.org", "Anna Muster"),
        ('"Muster, Anna \\"A\\"" <anna@example.org>', "anna@example.org", 'Muster, Anna "A"'),
        ("Anna (Muster GmbH) <anna@example.org>", "anna@example.org", "Anna (Muster GmbH)"),
        ("anna@example.org (Anna)", "anna@example.org", "Anna"),
        ("=?utf-8?q?J=C3=BCrgen_=3Cx=3E?= <j@example.org>", "j@example.org", "Jürgen <x>"),
        ('"anna@example.org" <anna@example.org>', "anna@example.org", "anna@example.org"),
        ("j@b\u00fccher.example", "j@xn--bcher-kva.example", ""),
        ("J\u202eanna\u200b <j@example.org>", "j@example.org", "Janna"),
        ("o'neil+tag=x@example.org", "o'neil+tag=x@example.org", ""),
    ],
)
def test_one_plain_address_is_read_with_its_name(field: str, address: str, name: str) -> None:
    assert sender_of(split(a_mail(From=field)).headers) == Mailbox(address=address, name=name)


@pytest.mark.parametrize(
    "field",
    [
        "",
        "<>",
        "Anna",
        '"a@b"@example.org',
        '"anna@example.org" <eve@evil.example>',
        "=?utf-8?q?anna=40example.org?= <eve@evil.example>",
        "anna\uff20example.org <eve@evil.example>",
        "anna@example.org <eve@evil.example>",
        "anna@example.org, eve@evil.example",
        "<anna@example.org> <eve@evil.example>",
        "Anna <anna@example.org>, Eve <eve@evil.example>",
        "friends: anna@example.org, eve@evil.example;",
        "anna@example.org (<eve@evil.example>)",
        "(anna@example.org) eve@evil.example",
        "anna(comment)@example.org",
        "anna@example.org(comment).evil.example",
        "anna@(comment)example.org",
        "anna @example.org",
        "anna@example.org\u200b.evil.example@x",
        "<@relay.example:anna@example.org>",
        "anna@[127.0.0.1]",
        "anna@example..org",
        "anna@-example.org",
        ".anna@example.org",
        "anna.@example.org",
        "änna@example.org",
        "anna@example.org." + "a" * 300,
        "a" * 65 + "@example.org",
        "Anna " * 200 + "<anna@example.org>",
    ],
)
def test_anything_that_programs_could_read_differently_is_refused(field: str) -> None:
    with pytest.raises(MailRejected):
        sender_of(split(a_mail(From=field)).headers)


def test_a_mail_with_two_from_fields_or_none_is_refused() -> None:
    for raw in (a_mail(From=None), b"FROM : eve@evil.example\r\n" + a_mail()):
        with pytest.raises(MailRejected, match="exactly one"):
            sender_of(split(raw).headers)


def test_a_domain_is_compared_by_the_newer_rules_for_international_names() -> None:
    assert canonical_domain("fuß.example") == "xn--fu-hia.example"
    assert canonical_domain("FUSS.example") == "fuss.example"
    assert canonical_domain("\u0430pple.example") != "apple.example"
    assert canonical_domain("xn--" + "\u00fc" * 300) == ""


@given(st.text())
def test_an_address_is_plain_ascii_or_none(text: str) -> None:
    mailbox = parse_address(text)

    assert mailbox is None or (mailbox.address.isascii() and mailbox.address.count("@") == 1)
