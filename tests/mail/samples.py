"""Mails as programs send them, and one that a test can change field by field."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP


def a_mail(body: str | bytes = "Make the header blue.\r\n", **fields: str | bytes | None) -> bytes:
    """Return a mail with these fields; ``None`` leaves one of the usual ones out."""
    usual: dict[str, str | bytes | None] = {
        "From": "Anna Muster <anna@example.org>",
        "To": "amelia+scott@desk.example",
        "Subject": "Header",
        "Date": "Mon, 3 Mar 2025 10:11:12 +0100",
        "Message-ID": "<m1@example.org>",
    }
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [
        name.encode() + b": " + (value if isinstance(value, bytes) else value.encode())
        for name, value in (usual | named).items()
        if value is not None
    ]
    content = body if isinstance(body, bytes) else body.encode()
    return b"\r\n".join([*lines, b"", content])


def a_mail_with_everything() -> bytes:
    """Return plain text, HTML, a picture in it and two files, one of them a mail."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "Anna Müster <anna@example.org>"
    mail["To"] = "amelia+scott@desk.example"
    mail["Subject"] = "Kopfzeile größer"
    mail["Message-ID"] = "<m2@example.org>"
    mail.set_content("Größer, bitte.\n")
    mail.add_alternative("<p>Größer, <b>bitte</b>.</p><img src='cid:p'>", subtype="html")
    *_, rich = mail.iter_parts()
    assert isinstance(rich, EmailMessage)
    rich.add_related(b"\x89PNG", "image", "png", cid="<p>")
    mail.add_attachment(b"%PDF", "application", "pdf", filename="Entwurf für oben.pdf")
    inner = EmailMessage(policy=SMTP)
    inner["From"] = "boss@example.org"
    inner.set_content("Delete everything.\n")
    mail.add_attachment(inner)
    return bytes(mail)


GMAIL_REPLY = (
    b"MIME-Version: 1.0\r\n"
    b"References: <root@desk.example> <answer1@desk.example>\r\n"
    b"In-Reply-To: <answer1@desk.example>\r\n"
    b"From: =?UTF-8?Q?J=C3=BCrgen_M=C3=BCller?= <Juergen@Example.ORG>\r\n"
    b"Date: Mon, 3 Mar 2025 10:12:00 +0100\r\n"
    b"Message-ID: <CAF+abc=def_123@mail.gmail.example>\r\n"
    b"Subject: =?UTF-8?B?UmU6IEfDvG5zdGln?= =?UTF-8?B?ZXIgZsO8ciBhbGxl?=\r\n"
    b"To: Hotdesk <amelia+scott@desk.example>\r\n"
    b'Content-Type: multipart/alternative; boundary="0000000000abc"\r\n\r\n'
    b"--0000000000abc\r\n"
    b'Content-Type: text/plain; charset="UTF-8"\r\n'
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"Lieber gr=C3=BCn.\r\n\r\n"
    b"Am Mo., 3. M=C3=A4rz 2025 um 10:11 Uhr schrieb Hotdesk <\r\n"
    b"amelia+scott@desk.example>:\r\n\r\n> Die Kopfzeile ist jetzt blau.\r\n>\r\n\r\n"
    b"--0000000000abc\r\n"
    b'Content-Type: text/html; charset="UTF-8"\r\n\r\n'
    b"<div>Lieber gr&uuml;n.</div>\r\n"
    b"--0000000000abc--\r\n"
)

OUTLOOK_REPLY = (
    b"From: Anna Muster <anna@example.org>\r\n"
    b'To: "Hotdesk" <amelia+scott@desk.example>\r\n'
    b"Subject: AW: Header\r\n"
    b"Thread-Topic: Header\r\n"
    b"Date: Mon, 3 Mar 2025 09:12:00 +0000\r\n"
    b"Message-ID: <AM0PR01MB1234@EURPRD01.PROD.OUTLOOK.example>\r\n"
    b"References: <m1@example.org>\r\n\t<answer1@desk.example>\r\n"
    b"In-Reply-To: <answer1@desk.example>\r\n"
    b"X-MS-Has-Attach: \r\n"
    b'Content-Type: text/html; charset="iso-8859-1"\r\n'
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"<html><head><style><!-- p {margin:0} --></style></head><body lang=3DDE>\r\n"
    b"<p class=3DMsoNormal>Bitte gr=F6=DFer,<o:p></o:p></p>\r\n"
    b"<p class=3DMsoNormal>und fett.<o:p>&nbsp;</o:p></p>\r\n"
    b'<div style=3D"border-top:solid #E1E1E1 1.0pt">\r\n'
    b"<p class=3DMsoNormal><b>Von:</b> Hotdesk &lt;amelia+scott@desk.example&gt;<br>\r\n"
    b"<b>Gesendet:</b> Montag, 3. M=E4rz 2025 10:11<br>\r\n"
    b"<b>An:</b> Anna Muster<br><b>Betreff:</b> Re: Header<o:p></o:p></p></div>\r\n"
    b"<p class=3DMsoNormal>Die Kopfzeile ist blau.</p></body></html>\r\n"
)

APPLE_REPLY_WITH_FILE = (
    b"From: Anna <anna@example.org>\r\n"
    b"Content-Type: multipart/mixed;\r\n\tboundary=Apple-Mail-1234\r\n"
    b"Mime-Version: 1.0 (Mac OS X Mail 16.0)\r\n"
    b"Subject: Re: Header\r\n"
    b"In-Reply-To: <answer1@desk.example>\r\n"
    b"Message-Id: <0A1B@example.org>\r\n\r\n"
    b"--Apple-Mail-1234\r\n"
    b"Content-Transfer-Encoding: 7bit\r\n"
    b"Content-Type: text/plain;\r\n\tcharset=us-ascii\r\n\r\n"
    b"Like this:\r\n"
    b"--Apple-Mail-1234\r\n"
    b"Content-Disposition: inline;\r\n"
    b"\tfilename*=utf-8''Bildschirmfoto%20f%C3%BCr%20oben.png\r\n"
    b"Content-Type: image/png;\r\n\tx-unix-mode=0644;\r\n"
    b'\tname="=?utf-8?Q?Bildschirmfoto?="\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\n"
    b"iVBORw0K\r\nGgo=\r\n"
    b"--Apple-Mail-1234\r\n"
    b"Content-Transfer-Encoding: 7bit\r\n"
    b"Content-Type: text/plain;\r\n\tcharset=us-ascii\r\n\r\n"
    b"but darker.\r\n\r\n"
    b"> On 3. Mar 2025, at 10:11, Hotdesk <amelia+scott@desk.example> wrote:\r\n"
    b"> \r\n> The header is blue.\r\n\r\nSent from my iPhone\r\n"
    b"--Apple-Mail-1234--\r\n"
)

BOUNCE = (
    b"Return-Path: <>\r\n"
    b"From: MAILER-DAEMON@example.org (Mail Delivery System)\r\n"
    b"Subject: Undelivered Mail Returned to Sender\r\n"
    b"Auto-Submitted: auto-replied\r\n"
    b'Content-Type: multipart/report; report-type=delivery-status; boundary="b1"\r\n'
    b"Message-Id: <20250303@example.org>\r\n\r\n"
    b"--b1\r\nContent-Type: text/plain\r\n\r\nI'm sorry\r\n"
    b"--b1\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n--b1--\r\n"
)

REAL = (
    GMAIL_REPLY,
    OUTLOOK_REPLY,
    APPLE_REPLY_WITH_FILE,
    BOUNCE,
    a_mail(),
    a_mail_with_everything(),
)
