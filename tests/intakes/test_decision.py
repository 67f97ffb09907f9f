"""What becomes of a mail at a desk, by rules alone."""

from __future__ import annotations

import pytest

from hotdesk.desks import Desk
from hotdesk.intakes.decision import MailLimits, MailRules, decide
from hotdesk.mail.address import Recipient, thread_token
from hotdesk.mail.proof.verdict import How, Proof
from hotdesk.mail.sender import AllowedSenders
from tests.intakes.conftest import DOMAIN, KEY

PROVED = Proof(how=How.DMARC, domain="example.org")
DOUBTFUL = Proof(how=How.DMARC, domain="example.org", is_proved=False, reason="SPF: fail")
SENDERS = AllowedSenders.parse(
    {"scott": ["scott@example.org"], "tim": ["tim@example.org"]},
    maintainers=["anna@example.org"],
    guests=["guest@example.org"],
)
STRICT = MailRules(senders=SENDERS)
PATIENT = MailRules(senders=SENDERS, is_unproven_held=True)
SCOTT = Recipient(desk=Desk("amelia", "scott"))


@pytest.mark.parametrize(
    ("sender", "rules", "proof", "outcome"),
    [
        ("scott@example.org", STRICT, PROVED, "taken as user"),
        ("anna@example.org", STRICT, PROVED, "taken as maintainer"),
        ("guest@example.org", STRICT, PROVED, "held: its sender is a guest"),
        ("tim@example.org", STRICT, PROVED, "550 5.7.1"),
        ("eve@example.org", STRICT, PROVED, "550 5.7.1"),
        ("eve@example.org", PATIENT, DOUBTFUL, "550 5.7.1"),
        ("scott@example.org", STRICT, DOUBTFUL, "550 5.7.26"),
        ("anna@example.org", STRICT, DOUBTFUL, "550 5.7.26"),
        ("guest@example.org", STRICT, DOUBTFUL, "550 5.7.26"),
        ("scott@example.org", PATIENT, DOUBTFUL, "held: nothing proves its sender: SPF: fail"),
        ("guest@example.org", PATIENT, DOUBTFUL, "held: nothing proves its sender: SPF: fail"),
    ],
)
def test_a_mail_is_taken_held_or_refused(
    sender: str, rules: MailRules, proof: Proof, outcome: str
) -> None:
    decision = decide(rules, sender, SCOTT, proof, domain=DOMAIN)

    if decision.refusal is not None:
        assert f"{decision.refusal.code} {decision.refusal.status}" == outcome
    elif decision.held_because:
        assert f"held: {decision.held_because}" == outcome
    else:
        assert f"taken as {decision.role}" == outcome


def test_a_token_of_a_thread_gives_no_right_to_anybody() -> None:
    token = thread_token(SCOTT.desk, "t1", key=KEY)
    answered = Recipient(desk=SCOTT.desk, token=token)

    for sender in ("tim@example.org", "eve@evil.example"):
        refused = decide(STRICT, sender, answered, PROVED, domain=DOMAIN).refusal
        assert refused is not None
        assert refused.status == "5.7.1"
    assert decide(STRICT, "scott@example.org", answered, DOUBTFUL, domain=DOMAIN).refusal


@pytest.mark.parametrize(
    ("written_to", "is_taken"),
    [
        (None, True),
        ({"amelia+scott@desk.example"}, True),
        ({"eve@evil.example", "amelia+scott+thread-x@desk.example"}, True),
        (set(), False),
        ({"amelia+tim@desk.example"}, False),
        ({"amelia+scott@evil.example"}, False),
    ],
)
def test_a_signature_counts_for_the_desks_that_the_mail_was_written_to(
    written_to: set[str] | None,
    is_taken: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    proof = Proof(
        how=How.DKIM,
        domain="example.org",
        written_to=None if written_to is None else frozenset(written_to),
    )

    decision = decide(STRICT, "scott@example.org", SCOTT, proof, domain=DOMAIN)

    assert (decision.refusal is None) == is_taken
    held = decide(PATIENT, "scott@example.org", SCOTT, proof, domain=DOMAIN)
    assert bool(held.held_because) != is_taken


def test_a_limit_of_jobs_counts_the_mail_at_hand_and_a_limit_of_costs_what_was_spent() -> None:
    limits = MailLimits(
        jobs_per_hour=3,
        sender_jobs_per_hour=2,
        micro_usd_per_day=5_000_000,
        sender_micro_usd_per_day=1_000_000,
    ).for_mail("amelia", "scott@example.org")

    jobs, own_jobs, usd, own_usd = limits
    assert [limit.name for limit in limits] == [
        "jobs/amelia",
        "jobs/amelia/scott@example.org",
        "usd/amelia",
        "usd/amelia/scott@example.org",
    ]
    assert jobs.refusal(2, 1) is None
    assert jobs.refusal(2, 2) is not None
    assert own_jobs.refusal(2, 1) is not None
    assert usd.refusal(4_999_999, 1) is None
    assert usd.refusal(5_000_000, 1) is not None
    assert own_usd.refusal(1_000_000, 0) is not None


def test_without_limits_nothing_is_asked() -> None:
    assert MailLimits().for_mail("amelia", "scott@example.org") == []
