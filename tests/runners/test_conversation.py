"""What decides whether a conversation goes on: a note of ours, and what the agent has kept."""

import json
from pathlib import Path

import pytest

from hotdesk.runners.conversation import Conversation
from tests.runners.scripted import Scripted

pytestmark = pytest.mark.anyio


@pytest.fixture
def session(tmp_path: Path) -> Path:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "c1").write_text("[hotdesk job j1]\n\nmake it blue")
    return tmp_path


def noted(agent: object = "scripted", session_id: object = "c1") -> bytes:
    return json.dumps({"agent": agent, "session_id": session_id}).encode()


async def test_a_conversation_goes_on_where_its_note_and_its_memory_say_so(session: Path) -> None:
    conversation = Conversation(Scripted(script=""), session)
    await conversation.resume(noted())

    assert conversation.session_id == "c1"
    assert conversation.note == noted()
    assert await conversation.knows("j1")
    assert not await conversation.knows("j2")


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b"[]",
        noted(agent="other"),
        noted(session_id=1),
        noted(session_id=""),
        noted(session_id="c2"),
        noted(session_id="../memory/c1"),
        noted(session_id="--resume"),
        noted(session_id="c1\n"),
        noted(session_id="c" * 300),
    ],
)
async def test_anything_else_begins_a_conversation_anew(session: Path, note: bytes) -> None:
    conversation = Conversation(Scripted(script=""), session)
    await conversation.resume(note)

    assert (conversation.session_id, conversation.note) == ("", b"")
    assert not await conversation.knows("j1")


@pytest.mark.parametrize("session_id", ["", "-x", "../c1", "c 1", "c\0", "c" * 300])
async def test_an_agent_cannot_name_its_conversation_as_it_likes(
    session: Path, session_id: str
) -> None:
    conversation = Conversation(Scripted(script=""), session)
    conversation.go_on("c1")
    conversation.go_on(session_id)

    assert conversation.session_id == "c1"
