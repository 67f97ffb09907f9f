from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from hotdesk.mail.letter import Mailbox
from hotdesk.mail.parse import (
    ATTACHMENTS_MAX,
    FILE_NAME_BYTES_MAX,
    TEXT_LENGTH_MAX,
    parse_mail,
    safe_file_name,
)
from hotdesk.mail.rejection import MailRejected
from tests.mail.samples import (
    APPLE_REPLY_WITH_FILE,
    BOUNCE,
    GMAIL_REPLY,
    OUTLOOK_REPLY,
    a_mail,
    a_mail_with_everything,
)


def with_type(content_type: str, body: bytes, encoding: str = "8bit") -> bytes:
    return a_mail(body, Content_Type=content_type, Content_Transfer_Encoding=encoding)


def test_a_gmail_reply_gives_who_wrote_what_in_which_conversation() -> None:
    letter = parse_mail(GMAIL_REPLY)

    assert letter.sender == Mailbox(address="juergen@example.org", name="Jürgen Müller")
    assert letter.message_id == "<CAF+abc=def_123@mail.gmail.example>"
    assert letter.in_reply_to == ("<answer1@desk.example>",)
    assert letter.references == ("<root@desk.example>", "<answer1@desk.example>")
    assert letter.subject == "Re: Günstiger für alle"
    assert letter.date == datetime(2025, 3, 3, 9, 12, tzinfo=UTC)
    assert letter.new_text == "Lieber grün."
    assert "Die Kopfzeile ist jetzt blau." in letter.text
    assert not letter.is_automatic


def test_an_outlook_reply_without_plain_text_gives_the_text_of_its_html() -> None:
    letter = parse_mail(OUTLOOK_REPLY)

    assert letter.new_text == "Bitte größer,\n\nund fett."
    assert "Betreff: Re: Header" in letter.text


def test_text_around_a_picture_is_one_text_and_the_picture_a_file() -> None:
    letter = parse_mail(APPLE_REPLY_WITH_FILE)

    assert letter.new_text == "Like this:\n\nbut darker."
    assert [(a.name, a.content_type) for a in letter.attachments] == [
        ("Bildschirmfoto für oben.png", "image/png")
    ]
    assert letter.attachments[0].content == b"\x89PNG\r\n\x1a\n"


def test_a_mail_inside_a_mail_is_a_file_and_no_instruction() -> None:
    letter = parse_mail(a_mail_with_everything())

    assert letter.text == "Größer, bitte."
    assert [a.name for a in letter.attachments] == [
        "attachment-1.png",
        "Entwurf für oben.pdf",
        "attachment-3.eml",
    ]
    assert b"Delete everything." in letter.attachments[2].content


def test_a_bounce_says_that_a_machine_sent_it() -> None:
    letter = parse_mail(BOUNCE)

    assert letter.is_automatic
    assert letter.sender.name == "Mail Delivery System"


@pytest.mark.parametrize(
    ("content_type", "encoding", "body", "text"),
    [
        ("text/plain; charset=iso-8859-1", "8bit", b"gr\xfcn", "grün"),
        ("text/plain; charset=nonsense", "8bit", "grün".encode(), "grün"),
        ("text/plain; charset=us-ascii", "8bit", "grün".encode(), "grün"),
        ("text/plain; charset=us-ascii", "8bit", b"gr\xfcn \x80", "grün €"),
        ("text/plain; charset=unicode_escape", "8bit", rb"\u0041", r"\u0041"),
        ("text/plain; charset=zlib", "8bit", b"x", "x"),
        ("text/plain; charset=utf-7", "8bit", b"+ADw-", "+ADw-"),
        ("text/plain; charset*=utf-8''a%00b; charset*0=x", "8bit", b"x", "x"),
        ("text/plain; charset=utf-8", "quoted-printable", b"gr=C3=BCn =\r\nda=ZZ", "grün da=ZZ"),
        ("text/plain; charset=utf-8", "base64", b"Z3LDvG\r\n!4=", "grün"),
        ("text/plain; charset=utf-8", "base64", b"Z3LDvG4Z3", "grün\x19"[:-1]),
        (
            "text/plain; charset=utf-16",
            "base64",
            base64.b64encode("a\ud83d".encode("utf-16", "surrogatepass")),
            "a\ufffd",
        ),
        ("text/plain", "x-uuencode", b"as it is", "as it is"),
        ("nonsense", "8bit", b"text", "text"),
        ("multipart/mixed", "8bit", b"text without a boundary", "text without a boundary"),
        (
            "multipart/mixed; boundary=x",
            "8bit",
            b"text without the boundary",
            "text without the boundary",
        ),
        ("text/plain", "8bit", b"a\0b\x1b[31mc\x7f\rd", "ab[31mc\nd"),
    ],
)
def test_a_body_gives_text_whatever_it_calls_itself(
    content_type: str, encoding: str, body: bytes, text: str
) -> None:
    letter = parse_mail(with_type(content_type, body, encoding))

    assert letter.text == text


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        (b"=?utf-8?q?gr=C3=BCn_?= =?utf-8?q?und_blau?=", "grün und blau"),
        (b"=?utf-8?b?Z3LD?=\r\n =?utf-8?b?vG4=?=", "grün"),
        (b"a =?iso-8859-1*de?Q?=FC?= b", "a ü b"),
        (b"=?nonsense?q?a=ff?=", "aÿ"),
        (b"=?utf-8?b?!!!?=", ""),
        (b"=?utf-8?x?a?= =?=?=", "=?utf-8?x?a?= =?=?="),
        (b"=?utf-8?q?two=0D=0ABcc=3A_x?=", "two Bcc: x"),
        ("raw grün".encode(), "raw grün"),
        (b"raw gr\xfcn", "raw grün"),
        ("invoice\u202egpj.exe\u200b".encode(), "invoicegpj.exe"),
        (b"folded\r\n \t over", "folded over"),
        (b"x" * 10_000, "x" * 250),
    ],
)
def test_a_subject_is_one_line_of_what_can_be_seen(subject: bytes, shown: str) -> None:
    assert parse_mail(a_mail(Subject=subject)).subject == shown


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("attachment; filename=../../etc/passwd", "passwd"),
        (r'attachment; filename="C:\\x\\boot.ini"', "boot.ini"),
        ("attachment; filename=.bashrc", "bashrc"),
        ("attachment; filename=-rf", "rf"),
        ("attachment; filename=..", "attachment-1.pdf"),
        ('attachment; filename="a|b?.pdf"', "a_b_.pdf"),
        ('attachment; filename="=?utf-8?q?gr=C3=BCn=2Epdf?="', "grün.pdf"),
        ("attachment; filename*=iso-8859-1'de'gr%FCn.pdf", "grün.pdf"),
        ("attachment; filename*=nonsense''gr%C3%BCn.pdf; filename=b", "grün.pdf"),
        ("attachment; filename*0*=utf-8''gr%C3; filename*1*=%BCn; filename*2=.pdf", "grün.pdf"),
        ("attachment; filename*1=b; filename*0=a; filename*3=d", "ab"),
        ("attachment; filename*=x; filename*0=y", "x"),
        ("attachment; filename=my plan.pdf", "my plan.pdf"),
        ('attachment; filename="say \\"hi\\".pdf"', "say _hi_.pdf"),
        ("attachment; filename=" + "9" * 5000, "9" * FILE_NAME_BYTES_MAX),
        ("attachment", "attachment-1.pdf"),
    ],
)
def test_an_attachment_has_a_name_that_is_safe_in_a_path(field: str, name: str) -> None:
    letter = parse_mail(a_mail(b"x", Content_Type="application/pdf", Content_Disposition=field))

    assert [a.name for a in letter.attachments] == [name]


def test_a_long_file_name_keeps_its_suffix_and_whole_characters() -> None:
    name = safe_file_name("ü" * 120 + ".pdf", otherwise="x")

    assert name.endswith("ü.pdf")
    assert len(name.encode()) <= FILE_NAME_BYTES_MAX


@pytest.mark.parametrize(
    "value",
    [None, b"<[]>, <>", b"no brackets", b"<a@b> <c@d>", b"<\xff@x>", b"<" + b"a" * 300 + b">"],
)
def test_a_mail_without_a_usable_id_gets_one_that_its_copy_gets_too(value: bytes | None) -> None:
    raw = a_mail(Message_ID=value) if value != b"<[]>, <>" else a_mail(Message_ID=b"<>")

    first = parse_mail(b"Received: from a\r\n" + raw)
    copy = parse_mail(b"Received: from b\r\n" + raw)
    other = parse_mail(raw.replace(b"blue", b"red"))

    assert first.message_id.endswith("@derived.invalid>")
    assert first.message_id == copy.message_id
    assert first.message_id != other.message_id


def test_ids_that_break_the_standard_library_are_read() -> None:
    letter = parse_mail(
        a_mail(
            Message_ID="<[abc]@x>",
            In_Reply_To="Your mail of Monday <a!b=c@x> (b@y)",
            References=b"<1@x>\r\n\t<2@x> junk <3@x><1@x>",
        )
    )

    assert letter.message_id == "<[abc]@x>"
    assert letter.in_reply_to == ("<a!b=c@x>",)
    assert letter.references == ("<1@x>", "<2@x>", "<3@x>")


def test_of_many_references_the_newest_are_kept() -> None:
    letter = parse_mail(a_mail(References=" ".join(f"<{n}@x>" for n in range(1000))))

    assert letter.references[-1] == "<999@x>"
    assert len(letter.references) == 50


@pytest.mark.parametrize("date", ["", "nonsense", "Mon, 99 Mar 2025 99:99:99 +9999", "9" * 5000])
def test_a_date_that_is_none_is_left_out(date: str) -> None:
    assert parse_mail(a_mail(Date=date)).date is None


def test_the_plain_text_is_preferred_where_it_says_anything() -> None:
    body = (
        b"--b\r\nContent-Type: text/html\r\n\r\n<p>rich</p>\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\n%s\r\n--b--"
    )
    content_type = 'multipart/alternative; boundary="b"'

    assert parse_mail(with_type(content_type, body % b"plain")).text == "plain"
    assert parse_mail(with_type(content_type, body % b" ")).text == "rich"


def test_a_mail_that_is_too_big_says_how_big_it_may_be() -> None:
    with pytest.raises(MailRejected, match="100 bytes") as refusal:
        parse_mail(a_mail("x" * 100), size_max=100)

    assert refusal.value.code == 552


def test_a_text_that_is_too_long_is_refused_and_not_cut() -> None:
    with pytest.raises(MailRejected, match="attach it"):
        parse_mail(a_mail("x" * (TEXT_LENGTH_MAX + 1)))


def test_more_attachments_than_anyone_sends_are_refused() -> None:
    part = b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n"
    body = part * (ATTACHMENTS_MAX + 1) + b"--b--\r\n"

    with pytest.raises(MailRejected, match="attachments"):
        parse_mail(with_type("multipart/mixed; boundary=b", body))
