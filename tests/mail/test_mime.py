from __future__ import annotations

import email
from email.message import EmailMessage, Message
from email.policy import SMTP
from time import process_time  # noqa: TID251 - what is measured is the splitting itself

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdesk.mail.headers import FIELDS_BYTES_MAX, FIELDS_MAX
from hotdesk.mail.mime import DEPTH_MAX, PARTS_MAX, Part, split
from hotdesk.mail.rejection import MailRejected
from tests.mail.samples import REAL, a_mail

SECONDS_MAX = 3


def nested(depth: int, body: bytes = b"") -> bytes:
    start = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(depth)
    )
    return b"From: a@b\r\n" + start + b"\r\n" + body


@st.composite
def mails(draw: st.DrawFn, depth: int = 2) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail.set_content(draw(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]))))
    if draw(st.booleans()):
        mail.add_alternative("<p>x</p>", subtype="html")
    for _ in range(draw(st.integers(0, 2))):
        mail.add_attachment(
            draw(st.binary()), "image", "png", filename=draw(st.text('aü. "', max_size=5))
        )
    if depth and draw(st.booleans()):
        if mail.get_content_type() != "multipart/mixed":
            mail.make_mixed()
        mail.attach(draw(mails(depth=depth - 1)))
    return mail


def leaves_by_the_standard_library(message: Message) -> list[tuple[str, object]]:
    return [
        (part.get_content_type(), part.get_payload(decode=True))
        for part in message.walk()
        if not part.is_multipart()
    ]


def leaves(part: Part) -> list[tuple[str, object]]:
    return [(leaf.content_type, leaf.content()) for leaf in part.leaves()]


@given(mails())
def test_a_well_formed_mail_splits_as_in_the_standard_library(mail: EmailMessage) -> None:
    raw = bytes(mail)

    assert leaves(split(raw)) == leaves_by_the_standard_library(email.message_from_bytes(raw))


@pytest.mark.parametrize("raw", REAL[:3])
def test_a_real_mail_splits_as_in_the_standard_library(raw: bytes) -> None:
    assert leaves(split(raw)) == leaves_by_the_standard_library(email.message_from_bytes(raw))


@pytest.mark.parametrize(
    ("body", "contents"),
    [
        (b"--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\nepilogue", [b"one", b"two"]),
        (b"preamble\r\n--b \t\r\n\r\none\r\n--b--", [b"one"]),
        (b"--b\n\none\n--b\n\ntwo\n--b--\n", [b"one", b"two"]),
        (b"--b\r\n\r\nnever closed\r\n", [b"never closed\r\n"]),
        (b"--b\r\n\r\nx--b\r\n--bb\r\n--b--", [b"x--b\r\n--bb"]),
        (b"--b\r\n--b\r\n\r\ntwo\r\n--b--", [b"", b"two"]),
        (b"--b\r\nno header\r\n--b--", [b"no header"]),
    ],
)
def test_delimiters_count_at_the_start_of_a_line_only(body: bytes, contents: list[bytes]) -> None:
    part = split(a_mail(body, Content_Type="multipart/mixed; boundary=b"))

    assert [leaf.content() for leaf in part.leaves()] == contents


def test_an_inner_part_that_is_never_closed_ends_with_its_container() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=inner\r\n\r\n--inner\r\n\r\nx\r\n"
    body = b"--outer\r\n" + inner + b"--outer\r\n\r\ny\r\n--outer--\r\n"

    part = split(a_mail(body, Content_Type="multipart/mixed; boundary=outer"))

    assert [leaf.content() for leaf in part.leaves()] == [b"x", b"y"]


def test_parts_are_bounded_in_depth_and_in_number() -> None:
    split(nested(DEPTH_MAX))
    with pytest.raises(MailRejected):
        split(nested(DEPTH_MAX + 1))
    with pytest.raises(MailRejected):
        split(a_mail(b"--b\r\n\r\n" * PARTS_MAX, Content_Type="multipart/mixed; boundary=b"))


@pytest.mark.parametrize(
    "raw",
    [
        b"A: b\r\n" * (FIELDS_MAX + 1),
        b"A: " + b"b" * FIELDS_BYTES_MAX + b"\r\n\r\n",
        b"A: b\r\n" + b" c\r\n" * FIELDS_BYTES_MAX,
        b"From: a@b\r\nSubject: x\rFrom: c@d\r\n\r\n",
        b"From: a@b\0\r\n\r\n",
    ],
)
def test_headers_that_are_endless_or_ambiguous_are_refused(raw: bytes) -> None:
    with pytest.raises(MailRejected):
        split(raw)


def test_a_field_with_a_space_before_its_colon_is_that_field() -> None:
    part = split(b"From: a@b\r\nFROM : c@d\r\nSubject: s\r\n\r\n")

    assert part.headers.all("from") == [b"a@b", b"c@d"]


def test_a_line_that_is_no_field_begins_the_body() -> None:
    part = split(b"From x Mon Mar 3\nFrom: a@b\nnot a field\nSubject: s\n\n")

    assert part.headers.all("subject") == []
    assert part.body == b"not a field\nSubject: s\n\n"


@pytest.mark.parametrize(
    "raw",
    [
        nested(DEPTH_MAX, b"a\r\n" * 1_000_000),
        a_mail(b"--b" * 1_000_000, Content_Type="multipart/mixed; boundary=b"),
        a_mail(b"\r\n--b-\r\n" * 500_000, Content_Type="multipart/mixed; boundary=b"),
        a_mail(b"--b\r\n" + b"A\r\n" * 1_000_000, Content_Type="multipart/mixed; boundary=b"),
        a_mail(b"--b" * 15_000_000, Content_Type="multipart/mixed; boundary=b"),
        a_mail(Content_Type=b"multipart/mixed" + b';a="' * 50_000),
        a_mail(Content_Type=b"multipart/mixed" + b"; " * 100_000),
        a_mail(Content_Type=b"multipart/mixed" + b";a*1=b" * 30_000),
    ],
    ids="nested;half delimiters;almost ends;no headers;dashes;quotes;spaces;pieces".split(";"),
)
def test_splitting_takes_linear_time_whatever_the_bytes(raw: bytes) -> None:
    started = process_time()
    split(raw)

    assert process_time() - started < SECONDS_MAX
