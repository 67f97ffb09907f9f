from __future__ import annotations

import pytest

from hotdesk.desks import Desk, checked_name
from hotdesk.mail.address import Recipient, thread_token
from hotdesk.mail.parse import parse_mail
from hotdesk.mail.thread import thread_of_letter
from tests.mail.samples import a_mail

pytestmark = pytest.mark.anyio

KEY = b"a key of 32 bytes, kept in a file"
SCOTT = Desk("amelia", "scott")
KNOWN = {
    "<one@x>": (SCOTT, "t1"),
    "<two@x>": (SCOTT, "t2"),
    "<user@x>": (Desk("amelia", "tim"), "t3"),
    "<project@x>": (Desk("berta", "scott"), "t4"),
}


async def thread_of_mail(message_id: str, desk: Desk) -> str | None:
    known_at, thread = KNOWN.get(message_id, (None, None))
    return thread if known_at == desk else None


async def thread_of(token: str = "", desk: Desk = SCOTT, **fields: str) -> str:
    letter = parse_mail(a_mail(**fields))
    recipient = Recipient(desk=desk, token=token)
    return await thread_of_letter(letter, recipient, thread_of_mail=thread_of_mail, key=KEY)


async def test_what_a_mail_replies_to_comes_before_its_references() -> None:
    assert await thread_of(In_Reply_To="<one@x>", References="<two@x>") == "t1"


async def test_of_the_references_the_newest_known_one_counts() -> None:
    assert await thread_of(References="<one@x> <two@x> <nobody@x>") == "t2"


async def test_references_come_before_the_token_of_the_address() -> None:
    token = thread_token(SCOTT, "t9", key=KEY)

    assert await thread_of(token, References="<one@x>") == "t1"
    assert await thread_of(token, References="<nobody@x>") == "t9"


@pytest.mark.parametrize("message_id", ["<user@x>", "<project@x>"])
async def test_a_thread_of_another_desk_is_never_joined(message_id: str) -> None:
    foreign = thread_token(Desk("berta", "scott"), "t4", key=KEY)

    thread = await thread_of(foreign, In_Reply_To=message_id, References=message_id)

    assert thread not in {"t3", "t4"}


async def test_a_new_conversation_gets_a_thread_that_its_copies_and_replies_share() -> None:
    first = await thread_of(Message_ID="<root@x>")

    assert await thread_of(Message_ID="<root@x>") == first
    assert await thread_of(Message_ID="<b@x>", References="<root@x> <a@x>") == first
    assert await thread_of(Message_ID="<other@x>") != first
    assert await thread_of(desk=Desk("amelia", "tim"), Message_ID="<root@x>") != first
    assert checked_name("thread", first) == first
