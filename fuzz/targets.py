"""The targets by name, each with inputs to begin with and the words of its language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fuzz import endurance, letters, papers

MAIL = b"""From: Anna <anna@example.org>\r
Subject: =?utf-8?q?H=C3=BC?=\r
Message-ID: <m1@example.org>\r
References: <a@b> <c@d>\r
Date: Mon, 3 Mar 2025 10:11:12 +0100\r
Content-Type: multipart/mixed; boundary="b"\r
\r
--b\r
Content-Type: multipart/alternative; boundary=c\r
\r
--c\r
Content-Type: text/html; charset=iso-8859-1\r
Content-Transfer-Encoding: quoted-printable\r
\r
<p>Gr=FCn<br>bitte</p>\r
--c--\r
--b\r
Content-Type: image/png; name*0=a; name*1=b\r
Content-Disposition: attachment; filename*=utf-8''%C3%BC.png\r
Content-Transfer-Encoding: base64\r
\r
aGk=\r
--b--\r
"""
REPLY = b"""yGreener.

On Mon, Mar 3, 2025 at 10:11 AM Hotdesk <a@desk.example> wrote:
> It is blue.

--\x20
Anna
"""
HTML = b"""<!DOCTYPE html><style>p{}</style><p title="a > b">x &amp; <a href='https://a.example'>y</a>
<blockquote>old</blockquote><pre> z</pre><ul><li>1</ul><img alt="i"><!-- c -->"""
TOML = b"""backend = "sqlite:///hotdesk.db"
[pool]
min_workers = 2
pinned = [{ desk = "amelia/scott", always_on = true }]
[limits]
backoff_seconds = 2.5
[mail]
domain = "desk.example.org"
key = "env:MAIL_KEY"
[mail.relay]
host = "smtp.example.org"
username = "hotdesk"
password = "file:/run/key"
[projects.amelia]
repo = "https://git.example.org/amelia.git"
command = ["agent"]
env = { API_KEY = "env:API_KEY", A = "1" }
users = { scott = ["scott@example.org", "*@example.com"] }
preview = "https://{branch}.example.org"
author = "A <a@b>"
"""
COMMIT = b"""deadbeef\nHotdesk-Job: j1\nHotdesk-Desk: amelia#scott\nHotdesk-Generation: 7\0cafe\n"""
ANSWER = letters.SEPARATOR.join(
    b"s,anna@example.org,AW: x,<m1@example.org>,done,M a.css,blue,https://a.example".split(b",")
)

HEADER_WORDS = [
    *b"=?utf-8?q? =?iso-2022-jp?b? ?= =0d=0a =?utf-16?b? ; ;a*0*= ;a*1= %0a ''".split(),
    *b'"\\" <a@b> (c) @ <[a]@b> =?hz?q?~{ utf-7 idna cp037 Bcc: \xe2\x80\xae'.split(),
]
MAIL_WORDS = [
    *(b"From: ", b"Message-ID: ", b"References: ", b"In-Reply-To: ", b"Auto-Submitted: (x) "),
    *(
        b"\r",
        b"\r\n",
        b"\r\n\r\n",
        b"\x0c",
        b"\rFrom: c@d",
        b"--b\r\n",
        b"--b--",
        b"Content-Type: ",
        b"Date: ",
        b"Return-Path: ",
    ),
    *b"multipart/mixed;boundary=b text/html message/rfc822 multipart/report ;charset=".split(),
    *b"Content-Transfer-Encoding:base64 quoted-printable ;filename=../ ;filename*=".split(),
]
HTML_WORDS = [
    *b"<a <p> </p> <br> <pre> <blockquote> </blockquote> <script> <title> <!-- --> <!".split(),
    *b"href='http:// alt=' &#9; &#x110000; &amp <td> <li> <img > \" '".split(),
]
REPLY_WORDS = [
    *(b"> ", b"\n", b"On 1/1/2025 x wrote:\n", b"-- \n", b"Sent from my x", b"____"),
    *(b"From: a@b\nSent: 1:11\nTo: x\nSubject: y\n", b"-----Original Message-----"),
    *(b"Am 1.1.2025 schrieb x:", "Le 1/1/2025 \u00e0 x a \u00e9crit :".encode()),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One function to try: what it is given to begin with, and what inputs are made of."""

    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()
    length_max: int = 4000


TARGETS = {
    "mail": Target(
        check=letters.mail,
        # The second has two writers for whoever takes a carriage return for the end of a line.
        seeds=(MAIL, MAIL.replace(b"Subject: ", b"Subject: \rFrom: c@d")),
        words=(*MAIL_WORDS, *HEADER_WORDS, *HTML_WORDS),
    ),
    "answer": Target(
        check=letters.answer,
        seeds=(ANSWER,),
        words=(letters.SEPARATOR, b"\x1b[2J", b"\x07", *HEADER_WORDS),
    ),
    "reply": Target(check=letters.reply, seeds=(REPLY,), words=tuple(REPLY_WORDS)),
    "hypertext": Target(
        check=letters.hypertext,
        seeds=(
            HTML,
            b"&#" + b"9" * 5000 + b";",
            b"<blockquote>" * 60 + b"<pre>" + b"\n" * 2000 + b"x",
        ),
        words=tuple(HTML_WORDS),
    ),
    "fields": Target(
        check=letters.fields,
        seeds=(b'"A" <a@b>', b"text/plain; charset*0*=utf-8''a%20; charset*1=b", b"=?a?q?b?="),
        words=(b".x", b"-x", b"~", b'"', b"<a@b>", *HEADER_WORDS),
        length_max=500,
    ),
    "address": Target(
        check=letters.address,
        seeds=(b"amelia+scott@desk.example", b"a+b+thread-t1-aaaaaaaaaaaaaaaa@desk.example"),
        words=(
            b"@desk.example",
            b"+",
            b"xn--",
            "ß.\u3002".encode(),
            b"thread-",
            b"=?utf-8?q?",
            b"a" * 33,
        ),
        length_max=300,
    ),
    "settings": Target(
        check=papers.settings,
        seeds=(TOML,),
        words=tuple(b"[[ ]] = {} [projects. env: file: '''  1979-01-01 inf 0x".split()),
    ),
    "trailers": Target(
        check=papers.trailers,
        seeds=(COMMIT,),
        words=(
            *b"Hotdesk-Job: Hotdesk-Desk: Hotdesk-Generation: amelia#scott --- #".split(),
            b"\n\n",
            b"-" * 24 + b" >8 " + b"-" * 24,
            b"Hotdesk-Takeover: true\n",
            b"999999999999999",
        ),
    ),
    "result": Target(check=papers.result, seeds=(b"It is blue.", b"x" * 100_001)),
    "endurance": Target(
        check=endurance.endurance,
        seeds=(b"On a x wrote:\0\n\0x", b"\0<a href='\0>", b"\0sent from\n\0", b';a=\0"\\\0'),
        words=(*HEADER_WORDS, *HTML_WORDS, *REPLY_WORDS, *MAIL_WORDS, b"\0"),
        length_max=200,
    ),
}
