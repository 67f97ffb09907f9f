"""Any bytes at all: a mail is read, or refused with the one error that has a reply."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hotdesk.mail.letter import Letter
from hotdesk.mail.parse import parse_mail
from hotdesk.mail.rejection import MailRejected
from tests.mail.samples import REAL

PIECES = [
    *(bytes([byte]) for byte in b'\r\n\0 \t;"=<>'),
    *(b"\r\n\r\n", b"--b\r\n", b"--b--", b"\xff\xfe\xd8", b"<p><blockquote>", b"&#999999999999;"),
    *(b"=?utf-16?b?2D0=?=", b"=?a?q?=?=", b"> old\n", b"On 1/1/2025 x wrote:\n", b"-- \n"),
    b"From: a@b\r\n",
    b"From : a@b\r\n",
    b"Message-ID: <[abc]@x>\r\n",
    b"In-Reply-To: <a@b>\r\n",
    b"References: <",
    b"Auto-Submitted: ",
    b"Date: 9999999999\r\n",
    b"Subject: =?hz?q?~{=41?=\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: multipart/alternative; boundary*=b; boundary*0=c\r\n",
    b"Content-Type: text/html; charset=unknown\r\n",
    b"Content-Type: text/plain; charset*=a'b'c%00\r\n",
    b"Content-Type: text/plain; charset*999*=" + b"9" * 5000 + b"\r\n",
    b"Content-Type: text/plain; charset=idna\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Content-Disposition: attachment; filename=../x\r\n",
]


def letter_or_refusal(raw: bytes) -> None:
    result = parsed(raw)
    if isinstance(result, Letter):
        assert_storable(result)
    else:
        assert result.reply.isascii()
        assert result.reply.isprintable()


def parsed(raw: bytes) -> Letter | MailRejected:
    try:
        return parse_mail(raw)
    except MailRejected as refusal:
        return refusal


def assert_storable(letter: Letter) -> None:
    texts = [letter.message_id, letter.subject, letter.text, letter.new_text, letter.sender.name]
    for text in (*texts, *letter.references, *(a.name for a in letter.attachments)):
        text.encode("utf-8")
        assert "\0" not in text
        assert "\r" not in text
    assert letter.message_id
    assert bool(letter.new_text.strip()) == bool(letter.text.strip())
    for attachment in letter.attachments:
        assert attachment.name not in ("", ".", "..")
        assert "/" not in attachment.name
        assert len(attachment.name.encode()) < 255


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    letter_or_refusal(raw)
    letter_or_refusal(b"From: a@b\r\nContent-Type: " + raw)


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=30))
@settings(max_examples=500)
def test_any_pieces_of_mails_are_read_or_refused(pieces: list[bytes]) -> None:
    letter_or_refusal(b"".join(pieces))
    letter_or_refusal(b"From: a@b\r\n" + b"".join(pieces))


@given(st.sampled_from(REAL), st.data())
@settings(max_examples=500)
def test_a_real_mail_that_was_damaged_is_read_or_refused(raw: bytes, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw)))
        upto = data.draw(st.integers(at, min(at + 20, len(raw))))
        raw = raw[:at] + data.draw(st.sampled_from(PIECES) | st.binary(max_size=6)) + raw[upto:]

    letter_or_refusal(raw)
