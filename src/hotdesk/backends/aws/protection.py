"""ECS task protection: while a job runs, scaling in takes another task.

The agent of ECS beside the task is asked over HTTP. What it says changes nothing for a
job: a task that is stopped all the same drains, and its job is handed over again.
"""

import http.client
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from functools import partial
from typing import Self
from urllib.parse import urlsplit

import anyio
from anyio import to_thread

from hotdesk.ports import Clock

AGENT_VARIABLE = "ECS_AGENT_URI"
"""Where ECS tells each container how to reach its agent."""

# A task that was lost without a word is protected for no longer than this. ECS takes 1 to
# 2,880 minutes.
EXPIRES = timedelta(minutes=30)
REFRESH = timedelta(minutes=10)
RETRY = timedelta(seconds=30)
# The next job of the desk often follows at once; it finds the task protected.
LET_GO = timedelta(seconds=5)
ANSWER_SECONDS_MAX = 3
ANSWER_BYTES_MAX = 65_536
FAREWELL_SECONDS = 5


class TaskProtection:
    """Protects the task of this process; see ``ports.Protection``."""

    def __init__(self, agent: str, clock: Clock, *, tell: Callable[[str], None]) -> None:
        """Ask the agent at the URL *agent*; ``tell`` is told when it does not do it."""
        self._agent = agent
        self._clock = clock
        self._tell = tell
        self._is_wanted = False
        self._may_be_held = False
        self._is_in_trouble = False
        self._changed = anyio.Event()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[Self]:
        """Ask for what is wanted as long as the block lasts; let go of it at the end."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._keep)
                yield self
                tasks.cancel_scope.cancel()
        finally:
            if self._may_be_held:
                with anyio.move_on_after(FAREWELL_SECONDS, shield=True):
                    await self._ask(is_enabled=False)

    @contextmanager
    def during_job(self) -> Iterator[None]:
        """Ask for as long as the block lasts."""
        self._want(is_wanted=True)
        try:
            yield
        finally:
            self._want(is_wanted=False)

    def _want(self, *, is_wanted: bool) -> None:
        self._is_wanted = is_wanted
        self._changed.set()

    async def _keep(self) -> None:
        ask_at = self._clock.monotonic()
        while True:
            self._changed = anyio.Event()
            if self._is_wanted:
                if self._clock.monotonic() >= ask_at:
                    is_done = await self._ask(is_enabled=True)
                    ask_at = (
                        self._clock.monotonic() + (REFRESH if is_done else RETRY).total_seconds()
                    )
                await self._changes_within(timedelta(seconds=ask_at - self._clock.monotonic()))
            elif self._may_be_held and not await self._is_wanted_within(LET_GO):
                # What could not be let go of expires by itself.
                await self._ask(is_enabled=False)
                ask_at = self._clock.monotonic()
            else:
                await self._changed.wait()

    async def _is_wanted_within(self, span: timedelta) -> bool:
        await self._changes_within(span)
        return self._is_wanted

    async def _changes_within(self, span: timedelta) -> None:
        """Return when what is wanted changes, or after *span*."""
        async with anyio.create_task_group() as tasks:

            async def sleep() -> None:
                await self._clock.sleep(span)
                tasks.cancel_scope.cancel()

            tasks.start_soon(sleep)
            await self._changed.wait()
            tasks.cancel_scope.cancel()

    async def _ask(self, *, is_enabled: bool) -> bool:
        """Ask the agent; return whether it did it."""
        self._may_be_held = is_enabled
        problem = await to_thread.run_sync(
            partial(_put, self._agent, is_enabled=is_enabled), abandon_on_cancel=True
        )
        if problem and not self._is_in_trouble:
            self._tell(f"ECS does not protect this task while jobs run: {problem}")
        self._is_in_trouble = bool(problem)
        return not problem


def _put(agent: str, *, is_enabled: bool) -> str:
    """Set the protection; return what went wrong, "" for nothing."""
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html
    wanted: dict[str, object] = {"ProtectionEnabled": is_enabled}
    if is_enabled:
        wanted["ExpiresInMinutes"] = round(EXPIRES / timedelta(minutes=1))
    parts = urlsplit(agent)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port, timeout=ANSWER_SECONDS_MAX
    )
    try:
        connection.request(
            "PUT",
            f"{parts.path.rstrip('/')}/task-protection/v1/state",
            json.dumps(wanted),
            {"Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        told = json.loads(answer.read(ANSWER_BYTES_MAX))
        if answer.status == http.HTTPStatus.OK and "protection" in told:
            return ""
        return f"{answer.status} {_reason(told)}"
    except (OSError, http.client.HTTPException, ValueError, TypeError) as error:
        return type(error).__name__
    finally:
        connection.close()


def _reason(told: object) -> str:
    """The reason in an answer, which may be anything."""
    found = told if isinstance(told, dict) else {}
    inner = found.get("error") or found.get("failure") or {}
    return str(inner.get("Code") or inner.get("Reason") or "") if isinstance(inner, dict) else ""
