"""A mail that says in any of the known ways that a machine wrote it starts nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotdesk.mail.parse import parse_mail
from tests.mail.samples import a_mail

SIGNS = [
    *("Auto-Submitted: auto-replied", "Auto-Submitted: auto-generated; x=y", "Precedence: bulk"),
    *("Auto-Submitted: (c) auto-notified", "Precedence: auto_reply", "X-Autoreply: yes"),
    *("List-Id: <x>", "List-Unsubscribe: <mailto:x@y>", "X-Hotdesk-Job: j1", "Return-Path: <>"),
    *("X-Auto-Response-Suppress: DR, AutoReply", "X-Auto-Response-Suppress: All"),
    *("Content-Type: multipart/report; boundary=b", "From: MAILER-DAEMON@example.org"),
    *("From: no-reply+x@example.org", "From: A <x-bounces@example.org>"),
]

blanks = st.sampled_from(["", " ", "\t", "\r\n ", "\r\n\t "])
fields = st.sampled_from(["X-A: b", "Subject: x", "Received: from a by b", "To: x@y"])


@pytest.mark.parametrize("sign", SIGNS)
@given(data=st.data())
@settings(max_examples=15)
def test_a_sign_of_a_machine_counts_however_it_is_written(sign: str, data: st.DataObject) -> None:
    name, _, value = sign.partition(": ")
    name = data.draw(st.sampled_from([name, name.upper(), name.lower()]))
    words = [word + data.draw(blanks) for word in value.split(" ")]
    line = f"{name}:{data.draw(blanks)}{' '.join(words)}\r\n"
    others = "".join(f"{each}\r\n" for each in data.draw(st.lists(fields, max_size=3)))
    sender = None if name.lower() == "from" else "anna@example.org"

    letter = parse_mail((others + line).encode() + a_mail(From=sender))

    assert letter.is_automatic


@pytest.mark.parametrize("size", [0, 1, 400])
def test_a_null_return_path_is_a_machines_whatever_else_the_mail_says(size: int) -> None:
    assert parse_mail(b"X-A: b\r\n" * size + a_mail(), return_path="").is_automatic
