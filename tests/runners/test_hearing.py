"""When an agent that has said its last word is overdue."""

import json

import anyio
import pytest
from anyio.lowlevel import checkpoint

from hotdesk.agents.claude_output import ClaudeReader
from hotdesk.agents.dialect import Sign
from hotdesk.runners import hearing
from hotdesk.runners.hearing import Ear
from hotdesk.runners.redaction import Redaction

pytestmark = pytest.mark.anyio

RESULT = b'{"type":"result","subtype":"success","is_error":false,"result":"done"}\n'
WORDS = {"type": "assistant", "message": {"content": [{"type": "text", "text": "more"}]}}
WORK = json.dumps(WORDS).encode() + b"\n"


@pytest.mark.parametrize(
    ("said", "is_overdue"),
    [
        ((), False),
        ((WORK,), False),
        ((RESULT,), True),
        ((RESULT[:20], RESULT[20:]), True),
        ((RESULT, b"words of no event\n"), True),
        ((RESULT, WORK), False),
        ((RESULT, WORK, RESULT), True),
    ],
)
async def test_an_agent_is_overdue_if_its_last_word_was_its_last(
    monkeypatch: pytest.MonkeyPatch, said: tuple[bytes, ...], *, is_overdue: bool
) -> None:
    async def tell(_: Sign) -> None:
        await checkpoint()

    monkeypatch.setattr(hearing, "END_SECONDS_MAX", 0.5)
    ear = Ear(ClaudeReader(lambda _: 0.0), Redaction(()), tell)
    seen: list[bool] = []

    async def wait() -> None:
        with anyio.move_on_after(10 if is_overdue else 0.8):
            await ear.until_overdue()
            seen.append(True)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        for chunk in said:
            # It waits already for what comes next.
            await anyio.wait_all_tasks_blocked()
            await ear.hear(chunk)

    assert seen == [True] * is_overdue
