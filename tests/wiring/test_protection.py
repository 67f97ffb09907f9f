"""Task protection: when the agent of ECS is asked, and what its answers change."""

from collections.abc import Iterator
from datetime import timedelta

import anyio
import pytest

from hotdesk.backends.aws import protection
from hotdesk.backends.aws.protection import EXPIRES, LET_GO, REFRESH, RETRY, TaskProtection
from hotdesk.testing import FakeClock
from tests.ecs import SECONDS_MAX, Agent, ecs_agent

pytestmark = pytest.mark.anyio


@pytest.fixture
def agent() -> Iterator[Agent]:
    with ecs_agent() as agent:
        yield agent


class Watched(FakeClock):
    """A clock that tells when somebody sleeps."""

    def __init__(self) -> None:
        super().__init__()
        self.sleeps = 0
        self.slept = anyio.Event()

    async def sleep(self, span: timedelta) -> None:
        self.sleeps += 1
        self.slept.set()
        self.slept = anyio.Event()
        await super().sleep(span)

    async def pass_on(self, span: timedelta, *, sleeps: int) -> None:
        """Let *span* pass once somebody has gone to sleep for the so many-th time."""
        with anyio.fail_after(SECONDS_MAX):
            while self.sleeps < sleeps:
                await self.slept.wait()
        self.jump(span)


@pytest.fixture
def clock() -> Watched:
    return Watched()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def task(agent: Agent, clock: Watched, told: list[str]) -> TaskProtection:
    return TaskProtection(agent.url, clock, tell=told.append)


async def test_a_task_is_protected_while_a_job_runs_and_a_little_longer(
    task: TaskProtection, agent: Agent, clock: Watched
) -> None:
    async with task.kept():
        with task.during_job():
            begun = await agent.next()
            await clock.pass_on(timedelta(0), sleeps=1)
        await clock.pass_on(LET_GO / 2, sleeps=2)
        early = agent.asked.qsize()
        clock.jump(LET_GO / 2)
        ended = await agent.next()

    assert begun == {"ProtectionEnabled": True, "ExpiresInMinutes": EXPIRES.total_seconds() / 60}
    assert early == 0
    assert ended == {"ProtectionEnabled": False}


async def test_a_job_that_follows_at_once_asks_for_nothing(
    task: TaskProtection, agent: Agent, clock: Watched
) -> None:
    async with task.kept():
        with task.during_job():
            await agent.next()
            await clock.pass_on(timedelta(0), sleeps=1)
        await clock.pass_on(LET_GO / 2, sleeps=2)
        with task.during_job():
            await clock.pass_on(LET_GO, sleeps=3)
            asked = agent.asked.qsize()

    assert asked == 0
    assert await agent.next() == {"ProtectionEnabled": False}


async def test_protection_is_renewed_long_before_it_expires(
    task: TaskProtection, agent: Agent, clock: Watched
) -> None:
    async with task.kept():
        with task.during_job():
            await agent.next()
            await clock.pass_on(REFRESH, sleeps=1)
            again = await agent.next()

    assert again["ProtectionEnabled"]
    assert REFRESH * 2 < EXPIRES


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (400, b'{"error": {"Code": "ThrottlingException", "Message": "x"}}', "ThrottlingException"),
        (200, b'{"failure": {"Reason": "TASK_NOT_VALID", "Arn": "x"}}', "TASK_NOT_VALID"),
        (200, b"not JSON", "JSONDecodeError"),
        (200, b"[]", "200"),
        (200, b"3", "TypeError"),
    ],
)
async def test_an_agent_that_refuses_is_asked_again_and_reported_once(
    task: TaskProtection,
    agent: Agent,
    clock: Watched,
    told: list[str],
    *,
    status: int,
    answer: bytes,
    reason: str,
) -> None:
    agent.status, agent.answer = status, answer

    async with task.kept():
        with task.during_job():
            await agent.next()
            await clock.pass_on(RETRY, sleeps=1)
            await agent.next()

    assert len(told) == 1
    assert reason in told[0]


async def test_an_agent_that_does_not_answer_holds_nothing_up(
    agent: Agent, clock: Watched, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protection, "ANSWER_SECONDS_MAX", 0.05)
    # A listener that nobody serves: it takes connections and says nothing.
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as silent:
        port = silent.extra(anyio.abc.SocketAttribute.local_port)
        task = TaskProtection(f"http://127.0.0.1:{port}", clock, tell=told.append)

        with anyio.fail_after(SECONDS_MAX):
            async with task.kept():
                with task.during_job():
                    pass

    assert agent.asked.empty()


async def test_a_worker_that_ends_in_the_middle_lets_go(task: TaskProtection, agent: Agent) -> None:
    async with task.kept():
        with task.during_job():
            await agent.next()

    assert await agent.next() == {"ProtectionEnabled": False}
