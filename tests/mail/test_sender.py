from __future__ import annotations

import pytest

from hotdesk.errors import Rejected
from hotdesk.mail.mailbox import parse_address
from hotdesk.mail.sender import AllowedSenders, Role

RULES = AllowedSenders.parse(
    {
        "scott": ["Scott@Example.org", "*@team.example"],
        "tim": ["*@team.example", "bücher.example"],
        "intern": ["intern@team.example"],
        "empty": [],
    },
    maintainers=["boss@example.org", "both@example.org", "ops.example"],
    guests=["guest@team.example", "both@example.org", "*@client.example"],
)


@pytest.mark.parametrize(
    ("sender", "user", "role"),
    [
        ("scott@example.org", "scott", Role.USER),
        ("SCOTT@EXAMPLE.ORG", "scott", Role.USER),
        ("scott@example.org", "tim", None),
        ("scott+x@example.org", "scott", None),
        ("eve@example.org", "scott", None),
        # A domain.
        ("eve@team.example", "scott", Role.USER),
        ("eve@team.example", "intern", None),
        ("eve@sub.team.example", "scott", None),
        ("eve@xteam.example", "scott", None),
        ("eve@team.example.evil.example", "scott", None),
        ("x@xn--bcher-kva.example", "tim", Role.USER),
        ("x@BÜCHER.example", "tim", Role.USER),
        # An address of that domain.
        ("intern@team.example", "intern", Role.USER),
        ("intern@team.example", "scott", None),
        ("guest@team.example", "scott", Role.GUEST),
        # Roles for every user that there is.
        ("boss@example.org", "tim", Role.MAINTAINER),
        ("boss@example.org", "empty", Role.MAINTAINER),
        ("boss@example.org", "nobody", None),
        ("x@ops.example", "scott", Role.MAINTAINER),
        ("x@client.example", "scott", Role.GUEST),
        ("x@client.example", "nobody", None),
        ("both@example.org", "scott", Role.MAINTAINER),
    ],
)
def test_a_sender_writes_as_what_its_most_special_rule_says(
    sender: str, user: str, role: Role | None
) -> None:
    mailbox = parse_address(sender)

    assert mailbox is not None
    assert RULES.role(mailbox, user=user) is role


def test_a_user_is_known_when_it_is_named_or_all_are() -> None:
    everybody = AllowedSenders.parse({"*": ["example.org"]}, guests=["x@client.example"])

    assert RULES.know("empty")
    assert not RULES.know("nobody")
    assert everybody.know("anyone")


@pytest.mark.parametrize("kind", ["users", "maintainers", "guests"])
@pytest.mark.parametrize(
    "who", ["", "*", "*@*", "a b@example.org", "@example.org", "*.example", "a@b@c"]
)
def test_a_rule_that_is_no_address_and_no_domain_is_refused(who: str, kind: str) -> None:
    others = {} if kind == "users" else {kind: [who]}

    with pytest.raises(Rejected, match="neither"):
        AllowedSenders.parse({"scott": [who] if kind == "users" else []}, **others)


def test_a_rule_for_a_user_that_cannot_exist_is_refused() -> None:
    with pytest.raises(Rejected, match="not a name"):
        AllowedSenders.parse({"Scott!": ["example.org"]})
