"""What decides whether a conversation goes on: a note of ours, and what the agent has kept."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from hotdesk.desks import Claim, Delivery, Desk, InterruptPolicy, Job, JobState
from hotdesk.runners import conversation as looking
from hotdesk.runners.conversation import Conversation, task_of
from tests.runners.scripted import Scripted

pytestmark = pytest.mark.anyio


@pytest.fixture
def session(tmp_path: Path) -> Path:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "c1").write_text("[hotdesk job j1]\n\nmake it blue")
    return tmp_path


def a_job(job_id: str, *, order: int) -> Job:
    return Job(
        id=job_id,
        desk=Desk("amelia", "scott"),
        thread="t1",
        instruction=f"do {job_id}",
        interrupt=InterruptPolicy.DESK,
        state=JobState.SUCCEEDED,
        order=order,
        place=order,
        send=1,
        attempt=1,
        preemptions=0,
        given_back=0,
        submitted_at=datetime(2026, 1, 5, tzinfo=UTC),
    )


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


async def test_what_is_older_than_a_request_that_is_known_is_not_told_again(
    session: Path,
) -> None:
    # The conversation was made shorter, or more was said before than has room in a prompt.
    before = [a_job("j2", order=2), a_job("j1", order=1), a_job("j0", order=0)]

    async def earlier(_: Job) -> AsyncGenerator[Job, None]:
        for each in before:
            yield each

    conversation = Conversation(Scripted(script=""), session)
    conversation.go_on("c1")
    job = a_job("j3", order=3)
    delivery = Delivery(claim=Claim(desk=job.desk, generation=1, worker_id="w1"), job=job)
    task = await task_of(delivery, conversation, earlier, ())

    assert [each.job_id for each in task.earlier] == ["j2"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow(Scripted):
    """Looks into a conversation that lies on a disk that does not answer."""

    answers: Event = field(default_factory=Event)
    asked: list[str] = field(default_factory=list)

    def remembers(self, session: Path, session_id: str, mark: str) -> bool:
        """Find it, but late."""
        self.asked.append(mark)
        return not self.answers.wait(5)


async def test_a_conversation_that_cannot_be_looked_into_in_time_knows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "LOOK_SECONDS_MAX", 0.05)
    slow = Slow(script="")
    conversation = Conversation(slow, tmp_path)
    conversation.go_on("c1")

    assert not await conversation.knows("j1")
    assert not await conversation.knows("j2")
    slow.answers.set()
    assert len(slow.asked) == 1
