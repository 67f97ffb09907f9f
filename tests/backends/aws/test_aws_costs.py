"""What a job costs in calls and in state transitions; the table in docs/aws.md says the same."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls
from hotdesk.desks import Claim, Delivery, InterruptPolicy, InterruptReason, NewJob, Outcome
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import PATIENCE, Scene, a_job
from tests.backends.aws.stacks import Stacks

pytestmark = pytest.mark.anyio

# Each look is a call of some milliseconds.
LOOKS_MAX = 2000
PAGE = Path(__file__).parents[3] / "docs" / "aws.md"


class Counting(Calls):
    """Clients that count what they are asked for; waiting for messages is not a job's cost."""

    made: Counter[str]
    is_waiting: anyio.Event

    async def poll(self, url: str, *, is_ours: bool, **arguments: object) -> list[dict[str, Any]]:
        """Say that somebody waits, and wait."""
        self.is_waiting.set()
        return await super().poll(url, is_ours=is_ours, **arguments)

    async def call(
        self, service: str, operation: str, arguments: Mapping[str, object]
    ) -> dict[str, Any]:
        """Count, and call."""
        self.made[service] += 1
        return await super().call(service, operation, arguments)


class Stage:
    """One worker and one desk of a stack; the count begins anew with each job."""

    def __init__(self, scene: Scene, calls: Counting, stacks: Stacks, stack: str) -> None:
        """Play on *stack*."""
        self.scene = scene
        self.calls = calls
        self._states = stacks.client("stepfunctions")
        self._stacks = stacks
        self._names = stacks.names(stack)

    async def ask_for(self, job: NewJob) -> tuple[Claim, Delivery]:
        """Submit a job to the free desk; the worker that waits is asked for, and is handed it."""
        self.calls.is_waiting = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(self.scene.claim, "w1", wait=timedelta(seconds=PATIENCE)))
            await self.calls.is_waiting.wait()
            await self.submit(job)
        claim = await self.scene.claimed("w1")
        return claim, await self.scene.handed(claim, job.id)

    async def submit(self, job: NewJob) -> None:
        """Submit a job and see it sent: what is counted must not depend on who is faster."""
        self.calls.made.clear()
        await self.scene.submit(job)
        self.see("Send", job.id)

    def see(self, state: str, job_id: str) -> None:
        """See the workflow of a job enter a state."""
        for _ in range(LOOKS_MAX):
            if state in self.entered(job_id):
                return
        raise AssertionError(f"the workflow of {job_id} never came to {state}")

    def entered(self, job_id: str) -> list[str]:
        """The states that the workflow of a job has entered."""
        return [name for _, name in self._entered(job_id)]

    def steps(self, job_id: str) -> tuple[int, int]:
        """The calls of a job's workflow, and its state transitions.

        As AWS counts them: each state that is entered.
        """
        entered = self._entered(job_id)
        return sum(kind == "TaskStateEntered" for kind, _ in entered), len(entered)

    def _entered(self, job_id: str) -> list[tuple[str, str]]:
        arn = self._names.execution_arn(self._stacks.execution(self._names.stack, job_id))
        events = self._states.get_execution_history(executionArn=arn)["events"]
        return [
            (each["type"], each["stateEnteredEventDetails"]["name"])
            for each in events
            if each["type"].endswith("StateEntered")
        ]


@pytest.fixture
def stage(connect_calls: Callable[..., Calls], stacks: Stacks, stack: str) -> Iterator[Stage]:
    """A stack through clients that count, at the present: the workflow has its own clock."""
    calls = connect_calls(Counting)
    assert isinstance(calls, Counting)
    calls.made, calls.is_waiting = Counter(), anyio.Event()
    clock = FakeClock()
    clock.jump(datetime.now(UTC).replace(microsecond=0) - clock.now())  # noqa: TID251 - see above
    with closing(calls):
        yield Stage(Scene(AwsBackend(calls, stack, clock), clock), calls, stacks, stack)


async def at_an_idle_desk(stage: Stage) -> None:
    """A worker comes for the job and leaves again."""
    claim, delivery = await stage.ask_for(a_job("job"))
    await stage.scene.seal(delivery)
    await stage.scene.settle(delivery, and_next=True)
    assert await stage.scene.release(claim)


async def at_a_served_desk(stage: Stage) -> None:
    """The owner runs another job; this one waits for its turn."""
    _, before = await stage.ask_for(a_job("before"))
    await stage.submit(a_job("job"))
    delivery = await stage.scene.settle(before, and_next=True)
    assert delivery is not None
    await stage.scene.seal(delivery)
    await stage.scene.settle(delivery)


async def with_a_correction(stage: Stage) -> None:
    """The owner runs an older job of the thread, which is interrupted and folded in."""
    _, before = await stage.ask_for(a_job("before"))
    await stage.submit(a_job("job", interrupt=InterruptPolicy.DESK))
    await stage.scene.interrupted("w1")
    await stage.scene.save(before, commit="abc")
    delivery = await stage.scene.settle(
        before, Outcome.interrupted(InterruptReason.PREEMPT), and_next=True
    )
    assert delivery is not None
    await stage.scene.seal(delivery)
    await stage.scene.settle(delivery)


STORIES: dict[str, Callable[[Stage], Awaitable[None]]] = {
    "to a known desk that nobody serves": at_an_idle_desk,
    "behind another one, to a desk that is served": at_a_served_desk,
    "as a correction that interrupts": with_a_correction,
}


@pytest.mark.parametrize("name", STORIES)
async def test_a_job_costs_what_the_page_says(stage: Stage, name: str) -> None:
    claim, delivery = await stage.ask_for(a_job("first"))
    await stage.scene.settle(delivery)
    assert await stage.scene.release(claim)

    await STORIES[name](stage)

    stage.see("Over", "job")
    counted = (stage.calls.made.total(), *stage.steps("job"))
    assert counted == the_page_says(name), f"{dict(stage.calls.made)} {stage.entered('job')}"


def the_page_says(name: str) -> tuple[int, int, int]:
    """Our calls, the workflow's and its transitions, from the row of the page."""
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 5 and cells[1] == name:
            return int(cells[2]), int(cells[3]), int(cells[4])
    raise AssertionError(f"{PAGE.name} has no row {name!r}")
