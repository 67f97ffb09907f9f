"""What SES says of a mail: its events, and what it writes on top of a mail that it stores."""

from __future__ import annotations

from typing import Any

DOMAIN = "desk.example"
PASSED = dict.fromkeys(("spam", "virus", "spf", "dkim", "dmarc"), "PASS")


def a_receipt(name: str = "m1", **changes: object) -> dict[str, Any]:
    """The event that SES sends for the mail that it stored as *name*."""
    given: dict[str, Any] = {
        "source": "anna@example.org",
        "recipients": [f"amelia+scott@{DOMAIN}"],
        "verdicts": {},
        **changes,
    }
    verdicts = {**PASSED, **given["verdicts"]}
    mail = {
        "timestamp": "2026-01-05T09:00:00.000Z",
        "source": given["source"],
        "messageId": name,
        "destination": given["recipients"],
        "headersTruncated": False,
        "headers": [],
        "commonHeaders": {},
    }
    receipt = {
        "timestamp": "2026-01-05T09:00:00.000Z",
        "processingTimeMillis": 300,
        "recipients": given["recipients"],
        **{f"{what}Verdict": {"status": status} for what, status in verdicts.items()},
        "action": {"type": "Lambda", "functionArn": "arn:x", "invocationType": "Event"},
    }
    record = {"eventSource": "aws:ses", "eventVersion": "1.0"}
    return {"Records": [{**record, "ses": {"mail": mail, "receipt": receipt}}]}


def on_top(**changes: str) -> bytes:
    """What SES writes on top of a mail that it stores."""
    said = {
        "return_path": "anna@example.org",
        "received_for": f" for amelia+scott@{DOMAIN};",
        "spam": "PASS",
        "virus": "PASS",
        "spf": "pass",
        "dkim": "pass",
        "dmarc": "pass",
        "helo": "mail.example.org",
        **changes,
    }
    return "\r\n".join(
        [
            f"Return-Path: <{said['return_path']}>",
            "Received: from mail.example.org (mail.example.org [192.0.2.1])",
            " by inbound-smtp.eu-west-1.amazonaws.com with SMTP id m1",
            f"{said['received_for'] or ' for multiple recipients;'}",
            " Mon, 05 Jan 2026 09:00:00 +0000 (UTC)",
            f"X-SES-Spam-Verdict: {said['spam']}",
            f"X-SES-Virus-Verdict: {said['virus']}",
            f"Received-SPF: {said['spf']} (spfCheck: domain of example.org) client-ip=192.0.2.1;",
            "Authentication-Results: amazonses.com;",
            f" spf={said['spf']} (spfCheck: permits it) client-ip=192.0.2.1; helo={said['helo']};",
            f" dkim={said['dkim']} header.i=@example.org;",
            f" dmarc={said['dmarc']} header.from=example.org;",
            "X-SES-RECEIPT: AEFBQUFBQUFBQUFB",
            "X-SES-DKIM-SIGNATURE: a=rsa-sha256; q=dns/txt; b=abc",
            "",
        ]
    ).encode()


def by_s3(bucket: str, *keys: str) -> dict[str, Any]:
    """The event that S3 sends for new objects."""
    return {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 1}},
            }
            for key in keys
        ]
    }


def by_eventbridge(bucket: str, key: str) -> dict[str, Any]:
    """The event that EventBridge passes on for a new object."""
    return {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {
            "bucket": {"name": bucket},
            "object": {"key": key, "size": 1},
            "reason": "PutObject",
        },
    }


def by_queue(*bodies: str) -> dict[str, Any]:
    """The event of a queue with some messages, numbered from 0."""
    return {
        "Records": [
            {"eventSource": "aws:sqs", "messageId": str(number), "body": body}
            for number, body in enumerate(bodies)
        ]
    }
