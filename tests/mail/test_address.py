from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hotdesk.desks import Desk
from hotdesk.errors import Rejected
from hotdesk.mail.address import (
    Recipient,
    desk_address,
    parse_recipient,
    thread_address,
    thread_of_token,
    thread_token,
)
from hotdesk.mail.rejection import MailRejected

DOMAIN = "desk.example"
KEY = b"a key of 32 bytes, kept in a file"
SCOTT = Desk("amelia", "scott")

names = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,10}[a-z0-9_-])?", fullmatch=True).filter(
    lambda name: ".." not in name and not name.endswith(".lock")
)
desks = st.builds(Desk, names, names)


@pytest.mark.parametrize(
    ("address", "recipient"),
    [
        ("amelia+scott@desk.example", Recipient(desk=SCOTT)),
        ("Amelia+SCOTT@Desk.Example", Recipient(desk=SCOTT)),
        ("amelia+scott+thread-x-y@desk.example", Recipient(desk=SCOTT, token="thread-x-y")),
        ("amelia+scott+a+b@desk.example", Recipient(desk=SCOTT, token="a+b")),
    ],
)
def test_an_address_names_a_desk_in_any_case(address: str, recipient: Recipient) -> None:
    assert parse_recipient(address, domain=DOMAIN) == recipient


@pytest.mark.parametrize(
    ("address", "code", "status"),
    [
        ("amelia+scott@evil.example", 550, "5.1.2"),
        ("amelia+scott@sub.desk.example", 550, "5.1.2"),
        ("amelia+scott", 550, "5.1.3"),
        ('"amelia+scott@desk.example"@evil.example', 550, "5.1.3"),
        ("amelia+scott%evil.example@desk.example", 550, "5.1.1"),
        ("amelia@desk.example", 550, "5.1.1"),
        ("+scott@desk.example", 550, "5.1.1"),
        ("amelia+@desk.example", 550, "5.1.1"),
        ("amelia/x+scott@desk.example", 550, "5.1.1"),
        ("amelia#x+scott@desk.example", 550, "5.1.1"),
        ("amelia+.scott@desk.example", 550, "5.1.1"),
        ("postmaster@desk.example", 550, "5.1.1"),
    ],
)
def test_an_address_of_nobody_is_refused_in_the_words_of_smtp(
    address: str, code: int, status: str
) -> None:
    with pytest.raises(MailRejected) as refusal:
        parse_recipient(address, domain=DOMAIN)

    assert (refusal.value.code, refusal.value.status) == (code, status)
    assert "evil" not in refusal.value.reply


@given(desks, names)
def test_a_thread_is_found_again_through_its_address(desk: Desk, thread: str) -> None:
    address = thread_address(desk, thread, domain=DOMAIN, key=KEY)

    recipient = parse_recipient(address.upper(), domain=DOMAIN)

    assert recipient.desk == desk
    assert len(address.partition("@")[0]) <= 64
    if recipient.token:
        assert thread_of_token(desk, recipient.token, key=KEY) == thread


def test_a_name_of_usual_length_leaves_room_for_the_thread() -> None:
    desk = Desk("amelia-website", "scott-muster")

    address = thread_address(desk, "a" * 12, domain=DOMAIN, key=KEY)

    assert "+thread-" in address


def test_a_desk_with_names_too_long_for_a_token_is_answered_at_its_own_address() -> None:
    desk = Desk("a" * 40, "b" * 20)

    assert thread_address(desk, "t1", domain=DOMAIN, key=KEY) == desk_address(desk, domain=DOMAIN)


def test_a_desk_with_names_too_long_for_an_address_has_none() -> None:
    with pytest.raises(Rejected, match="too long"):
        desk_address(Desk("a" * 40, "b" * 40), domain=DOMAIN)


@given(desks, names, desks, names)
def test_a_token_is_worth_nothing_for_another_desk_or_thread(
    desk: Desk, thread: str, other_desk: Desk, other_thread: str
) -> None:
    assume((desk, thread) != (other_desk, other_thread))
    token = thread_token(desk, thread, key=KEY)

    moved = f"thread-{other_thread}-{token[-16:]}"

    assert thread_of_token(other_desk, moved, key=KEY) is None
    assert other_desk == desk or thread_of_token(other_desk, token, key=KEY) is None


@given(names, st.text() | st.from_regex(r"thread-[a-z0-9]{1,12}-[a-z2-7]{16}", fullmatch=True))
def test_a_forged_token_is_worth_nothing(thread: str, forged: str) -> None:
    token = thread_token(SCOTT, thread, key=KEY)

    assert thread_of_token(SCOTT, token[:-1], key=KEY) is None
    assert thread_of_token(SCOTT, token, key=KEY + b"!") is None
    assert thread_of_token(SCOTT, forged, key=KEY) is None


def test_a_key_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(Rejected, match="16 bytes"):
        thread_token(SCOTT, "t1", key=b"short")
