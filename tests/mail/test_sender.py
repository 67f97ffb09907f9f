from __future__ import annotations

import pytest

from hotdesk.errors import Rejected
from hotdesk.mail.mailbox import parse_address
from hotdesk.mail.sender import AllowedSenders

RULES = AllowedSenders.parse(
    {
        "Scott@Example.org": ["scott"],
        "boss@example.org": ["*"],
        "*@team.example": ["scott", "tim"],
        "bücher.example": ["tim"],
        "intern@team.example": ["intern"],
        "banned@team.example": [],
    }
)


@pytest.mark.parametrize(
    ("sender", "user", "is_allowed"),
    [
        ("scott@example.org", "scott", True),
        ("SCOTT@EXAMPLE.ORG", "scott", True),
        ("scott@example.org", "tim", False),
        ("boss@example.org", "anyone", True),
        ("eve@example.org", "scott", False),
        ("eve@team.example", "scott", True),
        ("eve@team.example", "boss", False),
        ("eve@sub.team.example", "scott", False),
        ("eve@xteam.example", "scott", False),
        ("eve@team.example.evil.example", "scott", False),
        ("x@xn--bcher-kva.example", "tim", True),
        ("x@BÜCHER.example", "tim", True),
        ("intern@team.example", "intern", True),
        ("intern@team.example", "scott", False),
        ("banned@team.example", "scott", False),
        ("scott+x@example.org", "scott", False),
    ],
)
def test_a_sender_may_write_for_the_users_that_its_rule_names(
    sender: str,
    user: str,
    is_allowed: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    mailbox = parse_address(sender)

    assert mailbox is not None
    assert RULES.allow(mailbox, user=user) == is_allowed


def test_a_user_is_known_when_a_rule_names_it_or_names_all() -> None:
    rules = AllowedSenders.parse({"example.org": ["scott"]})

    assert rules.know("scott")
    assert not rules.know("tim")
    assert RULES.know("anyone")


@pytest.mark.parametrize(
    "who", ["", "*", "*@*", "a b@example.org", "@example.org", "*.example", "a@b@c"]
)
def test_a_rule_that_is_no_address_and_no_domain_is_refused(who: str) -> None:
    with pytest.raises(Rejected, match="neither"):
        AllowedSenders.parse({who: ["scott"]})


def test_a_rule_for_a_user_that_cannot_exist_is_refused() -> None:
    with pytest.raises(Rejected, match="not a name"):
        AllowedSenders.parse({"example.org": ["Scott!"]})
