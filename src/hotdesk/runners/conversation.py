"""One agent's conversation of a thread: whether it goes on, and what it remembers.

Where it is lost, was another agent's, or lacks what has been said meanwhile, the thread's own
records say it instead. The conversation is the agent's and may be damaged or made up: it
decides only what is repeated to the agent, never what is done.
"""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread

from hotdesk.agents.dialect import Dialect
from hotdesk.agents.prompt import Request, Task, mark_of
from hotdesk.desks import Delivery, Job, JobState

EARLIER_MAX = 200
"""How many jobs of a thread are looked at, the newest ones."""
EARLIER_CHARACTERS_MAX = 20_000
TEXT_CHARACTERS_MAX = 2_000
LOOK_SECONDS_MAX = 30
"""How long a conversation is looked into; what was not found by then is told again."""

Earlier = Callable[[Job], AsyncGenerator[Job, None]]
"""Gives the jobs of a job's thread one by one, newest first, EARLIER_MAX at most."""

# It becomes an argument of a program, and perhaps part of a path.
_SESSION_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


class Conversation:
    """The conversation that *note* tells of, in the folder *session*."""

    def __init__(self, dialect: Dialect, session: Path) -> None:
        """Begin a new one."""
        self._dialect = dialect
        self._session = session
        self._is_slow = False
        self.session_id = ""

    async def resume(self, note: bytes) -> None:
        """Go on with the one that *note* names, if it is this agent's and is there."""
        session_id = _session_id(note, self._dialect.name)
        if session_id and await self._remembers(session_id, ""):
            self.session_id = session_id

    def go_on(self, session_id: str) -> None:
        """Take over what the agent says is its conversation now."""
        if _SESSION_ID.fullmatch(session_id):
            self.session_id = session_id

    def forget(self) -> None:
        """Begin anew: the agent cannot go on with it."""
        self.session_id = ""

    @property
    def note(self) -> bytes:
        """What the next attempt needs to go on with it; nothing if there is none."""
        if not self.session_id:
            return b""
        return json.dumps({"agent": self._dialect.name, "session_id": self.session_id}).encode()

    async def knows(self, job_id: str) -> bool:
        """Whether the instruction of that job is in it."""
        return bool(self.session_id) and await self._remembers(self.session_id, mark_of(job_id))

    async def _remembers(self, session_id: str, mark: str) -> bool:
        if self._is_slow:
            # It is not asked once more: there may be hundreds of questions.
            return False
        look = partial(self._dialect.remembers, self._session, session_id, mark)
        with anyio.move_on_after(LOOK_SECONDS_MAX):
            # Left alone by whoever cannot wait: it only reads, and ends by itself.
            return await to_thread.run_sync(look, abandon_on_cancel=True)
        self._is_slow = True
        return False


async def task_of(
    delivery: Delivery,
    conversation: Conversation,
    earlier: Earlier,
    attachments: Sequence[str],
    *,
    is_again: bool = False,
) -> Task:
    """Put together what the agent is asked, so that each instruction is told exactly once.

    *is_again* says that this very attempt has begun with it before.
    """
    job = delivery.job
    interrupted = [
        Request(
            job_id=each.job_id,
            text=each.instruction,
            is_known=await conversation.knows(each.job_id),
            commit=each.partial_commit,
        )
        for each in delivery.folded
    ]
    async with aclosing(earlier(job)) as jobs:
        said, withdrawn = await _said_before(delivery, conversation, jobs)
    return Task(
        request=Request(
            job_id=job.id,
            text=job.instruction,
            is_known=await conversation.knows(job.id),
            commit=job.partial_commit,
        ),
        interrupted=interrupted,
        earlier=said,
        withdrawn=withdrawn,
        attachments=attachments,
        is_again=is_again or job.deliveries > 1,
    )


@dataclass(slots=True)
class _Room:
    """How much of what was said before has room in a prompt."""

    left: int = EARLIER_CHARACTERS_MAX

    def take(self, text: str) -> str:
        cut = text if len(text) <= TEXT_CHARACTERS_MAX else f"{text[:TEXT_CHARACTERS_MAX]} […]"
        self.left -= len(cut)
        return cut


async def _said_before(
    delivery: Delivery, conversation: Conversation, jobs: AsyncIterator[Job]
) -> tuple[list[Request], list[Request]]:
    """What was said in the thread and the agent does not know, and what it must not go on with."""
    job = delivery.job
    folded = {each.job_id for each in delivery.folded}
    said: list[Request] = []
    withdrawn: list[Request] = []
    room = _Room()
    async for each in jobs:
        if each.order >= job.order or each.id in folded or not each.state.is_ended:
            continue
        is_known = await conversation.knows(each.id)
        if each.state is JobState.CANCELLED:
            if is_known:
                withdrawn.append(Request(job_id=each.id, text="", is_known=True))
            continue
        if is_known or room.left <= 0:
            # What is older was said before it.
            break
        text, answer = room.take(each.instruction), room.take(each.text)
        said.append(Request(job_id=each.id, text=text, answer=answer))
    return said[::-1], withdrawn[::-1]


def _session_id(note: bytes, agent: str) -> str:
    """The conversation that a note names, if it is one of *agent*."""
    try:
        read = json.loads(note)
    except (ValueError, RecursionError):
        return ""
    match read:
        case {"agent": str(name), "session_id": str(found)} if name == agent:
            return found if _SESSION_ID.fullmatch(found) else ""
    return ""
