from __future__ import annotations

import pytest

from hotdesk.mail.parse import parse_mail
from tests.mail.samples import a_mail


@pytest.mark.parametrize(
    "fields",
    [
        {"Auto-Submitted": "auto-generated"},
        {"Auto-Submitted": "auto-replied; owner-email=x"},
        {"AUTO-SUBMITTED": "Auto-Notified (why)"},
        {"Precedence": "bulk"},
        {"Precedence": "Junk"},
        {"Precedence": "list"},
        {"List-Id": "<dev.example.org>"},
        {"List-Unsubscribe": "<mailto:x@example.org>"},
        {"X-Auto-Response-Suppress": "DR, AutoReply"},
        {"X-Auto-Response-Suppress": "All"},
        {"X-Autoreply": "yes"},
        {"X-Hotdesk-Job": "j1"},
        {"Return-Path": "<>"},
        {"Content-Type": "multipart/report; boundary=b"},
        {"Content-Type": "message/disposition-notification"},
        {"From": "MAILER-DAEMON@example.org (Mail Delivery System)"},
        {"From": "No-Reply <no-reply@example.org>"},
        {"From": "noreply+abc@example.org"},
        {"From": "donotreply@example.org"},
        {"From": "x-bounces@example.org"},
        {"From": "dev-request@example.org"},
    ],
    ids=str,
)
def test_a_mail_of_a_machine_is_known_by_its_signs(fields: dict[str, str]) -> None:
    letter = parse_mail(a_mail("--b\r\n\r\nx\r\n--b--", **fields), return_path="anna@example.org")

    assert letter.is_automatic


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Auto-Submitted": "no"},
        {"Auto-Submitted": "No (a person)"},
        {"Precedence": "first-class"},
        {"X-Auto-Response-Suppress": "DR, OOF"},
        {"Return-Path": "<anna@example.org>"},
        {"From": "reply@example.org"},
        {"From": "anna.noreply-fan@example.org"},
    ],
    ids=str,
)
def test_a_mail_of_a_person_is_not_taken_for_one_of_a_machine(fields: dict[str, str]) -> None:
    assert parse_mail(a_mail(**fields), return_path="anna@example.org").automatic == ""


def test_the_null_return_path_of_the_envelope_is_a_sign_of_a_machine() -> None:
    assert parse_mail(a_mail(), return_path="").is_automatic
    assert not parse_mail(a_mail(), return_path=None).is_automatic
