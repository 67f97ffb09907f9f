"""What ``mail.proof`` becomes, and who is warned of an open door."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hotdesk.config import Config, MailConfig
from hotdesk.mail.letter import Mailbox
from hotdesk.mail.proof.dmarc import DmarcProver
from hotdesk.mail.proof.verdict import Peer
from hotdesk.mail.sender import Role
from hotdesk.wiring.finding import Level
from hotdesk.wiring.mail import prover_of
from hotdesk.wiring.mail_checks import mail_checks, open_door
from hotdesk.wiring.mail_rules import rules_of

pytestmark = pytest.mark.anyio

ANNA = Mailbox(address="anna@example.org")
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def mail(**settings: str) -> MailConfig:
    return MailConfig.model_validate(
        {"domain": "desk.example.org", "key": "env:MAIL_KEY", **settings}
    )


async def test_without_a_word_dmarc_is_looked_up() -> None:
    assert isinstance(prover_of(mail()), DmarcProver)


async def test_a_relay_is_believed_by_its_name_only() -> None:
    prove = prover_of(mail(proof="relay", relay_name="mx.example.org"))
    results = (
        "Authentication-Results: {}; dmarc=pass header.from=example.org\r\nReceived: x\r\n\r\n"
    )

    own = await prove(ANNA, results.format("mx.example.org").encode(), Peer(), NOW)
    other = await prove(ANNA, results.format("mx.evil.example").encode(), Peer(), NOW)

    assert (own.is_proved, other.is_proved) == (True, False)


async def test_nothing_is_asked_where_the_settings_say_so() -> None:
    proof = await prover_of(mail(proof="none"))(ANNA, b"", Peer(), NOW)

    assert (proof.is_proved, proof.how) == (True, "none")


@pytest.mark.parametrize(
    ("listen", "is_open"),
    [
        ("127.0.0.1:25", False),
        ("[::1]:25", False),
        ("localhost:25", False),
        ("0.0.0.0:25", True),
        ("[::]:25", True),
        ("192.0.2.1:25", True),
        ("mail.example.org:25", True),
    ],
)
async def test_who_believes_all_comers_is_warned(listen: str, is_open: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    for settings in ({"proof": "none"}, {"proof": "relay", "relay_name": "mx.example.org"}):
        door = mail(listen=listen, **settings)
        (check,) = mail_checks(door)

        assert bool(open_door(door)) == is_open
        assert (await check()).level is (Level.WARN if is_open else Level.OK)
    assert open_door(mail(listen=listen)) == ""


async def test_the_settings_of_a_project_are_the_rules_of_its_mail() -> None:
    config = Config.model_validate(
        {
            "projects": {
                "amelia": {
                    "repo": "a.git",
                    "command": ["a"],
                    "users": {"scott": ["anna@example.org"]},
                    "guests": ["example.net"],
                    "unproven": "hold",
                    "limits": {"jobs_per_hour": 3, "sender_usd_per_day": 0.5},
                },
                "berta": {"repo": "b.git", "command": ["b"]},
            }
        }
    )

    rules = rules_of(config)

    amelia, berta = rules["amelia"], rules["berta"]
    assert amelia.senders.role(ANNA, user="scott") is Role.USER
    assert amelia.senders.role(Mailbox(address="x@example.net"), user="scott") is Role.GUEST
    assert (amelia.is_unproven_held, berta.is_unproven_held) == (True, False)
    assert amelia.limits.jobs_per_hour == 3
    assert amelia.limits.sender_micro_usd_per_day == 500_000
    assert berta.limits.for_mail("berta", "anna@example.org") == []
