from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hotdesk.intakes.envelope import Verdicts, envelope_of_mail
from hotdesk.intakes.ses import NotOurs, arrivals
from tests.intakes.receipts import DOMAIN, PASSED, a_receipt, by_eventbridge, by_s3, on_top
from tests.mail.samples import a_mail

BUCKET = "hotdesk-1-eu-west-1"


def test_the_event_of_a_receipt_says_everything_about_its_mail() -> None:
    (arrival,) = arrivals(a_receipt(source="<anna@example.org>"), bucket=BUCKET)

    assert arrival.key == "mail/m1"
    assert arrival.envelope is not None
    assert arrival.envelope.return_path == "anna@example.org"
    assert arrival.envelope.recipients == (f"amelia+scott@{DOMAIN}",)
    assert arrival.envelope.verdicts == Verdicts(**PASSED)


def test_a_verdict_that_is_not_there_is_none() -> None:
    event = a_receipt()
    receipt = event["Records"][0]["ses"]["receipt"]
    del receipt["spfVerdict"]
    receipt["dmarcVerdict"] = {"status": None}
    (arrival,) = arrivals(event, bucket=BUCKET)

    assert arrival.envelope is not None
    assert (arrival.envelope.verdicts.spf, arrival.envelope.verdicts.dmarc) == ("", "")


@pytest.mark.parametrize(
    ("form", "key"), [(by_s3, "mail/a+b%2Bc%C3%A4"), (by_eventbridge, "mail/a b+cä")]
)
def test_a_key_is_read_as_each_service_writes_it(
    form: Callable[[str, str], dict[str, Any]], key: str
) -> None:
    (arrival,) = arrivals(form(BUCKET, key), bucket=BUCKET)

    assert (arrival.key, arrival.envelope) == ("mail/a b+cä", None)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": "none"},
        {"Records": [None]},
        {"Records": [{"eventSource": "aws:sns", "Sns": {}}]},
        {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectRemoved:Delete"}]},
        {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {}}]},
        {"Records": [{"eventSource": "aws:ses", "ses": {"mail": {}, "receipt": {}}}]},
        {"source": "aws.s3", "detail-type": "Object Created"},
        {"source": "aws.s3", "detail-type": "Object Deleted", "detail": {}},
        a_receipt("../config/hotdesk.toml"),
        a_receipt(recipients="anna"),
        a_receipt(recipients=[1]),
        a_receipt(source=None),
        {
            **by_eventbridge(BUCKET, ""),
            "detail": {"bucket": {"name": BUCKET}, "object": {"key": 1}},
        },
        [],
        "event",
        None,
    ],
    ids=str,
)
def test_an_event_that_is_not_ours_is_refused(
    event: Any,  # noqa: ANN401 - anybody may invoke with anything.
) -> None:
    with pytest.raises(NotOurs):
        arrivals(event, bucket=BUCKET)


@pytest.mark.parametrize(
    "event",
    [
        by_s3(BUCKET, "attachments/x"),
        by_s3(BUCKET, "mail/"),
        by_s3(BUCKET, "mail/AMAZON_SES_SETUP_NOTIFICATION"),
        by_s3("elsewhere", "mail/m1"),
        by_eventbridge("elsewhere", "mail/m1"),
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET},
        {"Records": []},
    ],
    ids=str,
)
def test_an_object_that_is_no_mail_of_ours_is_let_lie(event: dict[str, Any]) -> None:
    assert arrivals(event, bucket=BUCKET) == []


# ------------------------------------------------------------- what stands on top of a mail


def test_what_ses_wrote_on_top_is_read() -> None:
    envelope = envelope_of_mail(on_top() + a_mail(), domain=DOMAIN)

    assert envelope.return_path == "anna@example.org"
    assert envelope.recipients == (f"amelia+scott@{DOMAIN}",)
    assert envelope.verdicts == Verdicts(**PASSED)


@pytest.mark.parametrize(
    ("written", "name", "read"),
    [
        ("fail", "dmarc", "FAIL"),
        ("none", "dmarc", "GRAY"),
        ("softfail", "spf", "GRAY"),
        ("fail", "spf", "FAIL"),
        ("temperror", "dkim", "GRAY"),
        ("FAIL", "virus", "FAIL"),
        ("GRAY", "spam", "GRAY"),
    ],
)
def test_each_verdict_is_read_from_its_own_place(written: str, name: str, read: str) -> None:
    envelope = envelope_of_mail(on_top(**{name: written}) + a_mail(), domain=DOMAIN)

    assert envelope.verdicts == Verdicts(**{**PASSED, name: read})


BELOW = b"\r\n".join(on_top().split(b"\r\n")[5:])


@pytest.mark.parametrize(
    "mail",
    [
        on_top(dmarc="fail", spf="fail") + BELOW,
        on_top(dmarc="fail", spf="fail") + b"X-Mailer: mine\r\n" + BELOW,
        on_top(dmarc="fail", spf="fail", helo="x;dmarc=pass header.from=example.org"),
        on_top(dmarc="fail", spf="fail", return_path='" dmarc=pass"@evil.example'),
        b"X-Mailer: mine\r\n" + on_top(),
        b"\r\n" + on_top(),
        b"no field\r\n" + on_top(),
        on_top().replace(b"amazonses.com;", b"mine.example;"),
        b"",
        b"\xff\x00" * 1000,
    ],
    ids=[
        "the same fields below",
        "the same fields below others",
        "the name of a host",
        "the sender of the envelope",
        "a field above",
        "in the body",
        "behind a line that is no field",
        "another authenticator",
        "nothing",
        "bytes",
    ],
)
def test_what_a_mail_says_of_itself_is_no_verdict(mail: bytes) -> None:
    verdicts = envelope_of_mail(mail + a_mail(), domain=DOMAIN).verdicts

    assert verdicts.dmarc != "PASS"
    assert verdicts.spf != "PASS"


def test_without_a_recipient_on_top_those_at_the_domain_are_taken_once() -> None:
    to = f"A <a+b@{DOMAIN}>, a+b@{DOMAIN}, c@elsewhere.example,\r\n\tx+y@{DOMAIN.upper()}"
    mail = on_top(received_for="") + a_mail(To=to, Cc=f"c+d@{DOMAIN}")

    assert envelope_of_mail(mail, domain=DOMAIN).recipients == (
        f"a+b@{DOMAIN}",
        f"x+y@{DOMAIN.upper()}",
        f"c+d@{DOMAIN}",
    )
