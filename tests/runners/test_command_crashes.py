"""Workers that are lost at any step: nothing is told twice, and nothing is lost."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from hotdesk.attempt import AttemptContext, Stop
from hotdesk.backends.folder import FolderArchive
from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.desks import (
    Claim,
    Delivery,
    Desk,
    Interrupt,
    InterruptReason,
    Json,
    NewJob,
    Outcome,
    Result,
)
from hotdesk.lifecycle import LEASE
from hotdesk.ports import WorkerCard
from hotdesk.runners.command import CommandRunner
from hotdesk.runners.step import StepPlan
from hotdesk.testing.clock import FakeClock
from hotdesk.testing.scene import NOW, TAKEOVER
from tests.runners.scripted import scripted
from tests.runners.stage import MakeRunner
from tests.workspaces.origins import BareOrigin, git

pytestmark = pytest.mark.anyio
DESK = Desk("amelia", "scott")
WORKS = """
asked "leave it" || echo line >> page; echo said
if asked slow && ! asked correction; then trap 'exit 0' INT; while :; do sleep 0.02; done; fi
remembered | sed 's/^/answer /'
"""
PLAN = StepPlan(publish=("echo published",))


class Died(BaseException):
    """A worker is killed: whatever it would have done on its way out fails as well."""


@dataclass
class Fate:
    """Where a worker dies; from then on nothing that it does reaches anybody."""

    at: str
    is_dead: bool = False

    def meet(self, step: str) -> None:
        """Die here, if it is here or was before."""
        self.is_dead = self.is_dead or step == self.at
        if self.is_dead:
            raise Died(step)


class MortalArchive(FolderArchive):
    """Keeps what a worker packs while that lives."""

    def __init__(self, folder: Path, fate: Fate) -> None:
        super().__init__(folder)
        self._fate = fate

    async def put(self, key: str, content: bytes) -> None:
        """Die before or after it is kept."""
        self._fate.meet("before the session is kept")
        if self._fate.at == "interrupted, before the session is kept":
            self._fate.meet(self._fate.at)
        await super().put(key, content)
        self._fate.meet("after the session is kept")


class MortalContext(AttemptContext):
    """What a worker that dies does with its job."""

    fate: Fate

    async def save_partial(self, partial: Json = None, *, commit: str = "") -> None:
        """Die before or after it is saved."""
        self.fate.meet("before the answer is saved")
        await super().save_partial(partial, commit=commit)
        self.fate.meet("after the answer is saved")

    async def log(self, text: str) -> None:
        """Die while the agent works, or is interrupted."""
        if "said" in text:
            self.fate.meet("while the agent works")
            if self.fate.at.startswith("interrupted"):
                send_id = self._delivery.job.send_id
                self.interrupted.ask(Interrupt(reason=InterruptReason.PREEMPT, send_id=send_id))
        if "published\n" in text:
            self.fate.meet("while it is published")
        await super().log(text)


class Owners:
    """The workers of one desk, one after the other, each on a lease that the next one outlasts."""

    def __init__(self, make_runner: MakeRunner, folder: Path) -> None:
        self._clock = FakeClock()
        self._folder = folder
        self._make_runner = make_runner
        self.backend = SqliteBackend(folder / "hotdesk.db", self._clock)

    async def submit(self, job_id: str, instruction: str) -> None:
        """Put a job into the queue."""
        job = NewJob(id=job_id, desk=DESK, thread="t1", instruction=instruction)
        await self.backend.submit([job], now=self._clock.now())

    async def next(self, at: str = "") -> Result | None:
        """Let the next owner serve the desk's next job; it dies *at* a step."""
        self._clock.jump(TAKEOVER)
        now = self._clock.now()
        fate = Fate(at)
        agent = scripted(WORKS, steps=PLAN)
        runner = self._make_runner(
            agent, self.backend, MortalArchive(self._folder / "archive", fate)
        )
        card = WorkerCard(id=f"w{now.timestamp():.0f}", pid=1)
        await self.backend.register(card, now=now)
        claim = await self.backend.claim(card.id, wait=NOW, lease=LEASE, now=now)
        assert claim is not None
        for thread in claim.unfenced:
            await runner.take_over(claim, thread)
            await self.backend.fenced(claim, thread, now=now)
        delivery = await self.backend.next_job(claim, wait=NOW, now=now)
        assert isinstance(delivery, Delivery), delivery
        try:
            return await self._serve(runner, delivery, fate)
        except (Died, BaseExceptionGroup):
            # What reads the output of a program wraps what stops it.
            assert fate.is_dead
            return None

    async def _serve(self, runner: CommandRunner, delivery: Delivery, fate: Fate) -> Result | None:
        with anyio.CancelScope() as scope:
            context = MortalContext(
                delivery,
                Stop(scope, timedelta(seconds=10)),
                self.backend,
                self._clock,
                on_log=lambda: None,
                confirm=self._confirm(fate),
            )
            context.fate = fate
            result = await runner.run(delivery, context)
            if result is None:
                fate.meet("interrupted, before it is kept")
                await runner.keep(delivery, context)
                fate.meet("interrupted, after it is kept")
                outcome = Outcome.interrupted(InterruptReason.PREEMPT)
            else:
                await self.backend.seal(delivery, lease=LEASE, now=self._clock.now())
                result = await runner.publish(delivery, result, context)
                fate.meet("before it is settled")
                outcome = Outcome.succeeded(result)
        await context.flush()
        now = self._clock.now()
        await self.backend.settle(delivery, outcome, and_next=False, now=now)
        await runner.leave(delivery.claim)
        await self._release(delivery.claim)
        return result

    def _confirm(self, fate: Fate) -> Callable[[], Awaitable[None]]:
        calls = iter(["before the push", "after the push"])

        async def confirm() -> None:
            fate.meet(next(calls, "later"))

        return confirm

    async def _release(self, claim: Claim) -> None:
        if not await self.backend.release(claim, now=self._clock.now()):
            await self.backend.give_way(claim, now=self._clock.now())


@pytest.fixture
async def owners(make_runner: MakeRunner, folder: Path) -> AsyncIterator[Owners]:
    made = Owners(make_runner, folder)
    yield made
    await made.backend.close()


@pytest.mark.parametrize(
    "step",
    [
        "while the agent works",
        "before the session is kept",
        "after the session is kept",
        "before the answer is saved",
        "after the answer is saved",
        "before the push",
        "after the push",
        "while it is published",
        "before it is settled",
    ],
)
async def test_a_job_whose_worker_was_lost_is_told_once_done_once_and_answered(
    owners: Owners, origin: BareOrigin, step: str
) -> None:
    await owners.submit("j0", "frame it")
    await owners.next()
    await owners.submit("j1", "paint it")

    assert await owners.next(step) is None
    result = await owners.next()

    assert result is not None
    assert (result.text.count("paint it"), result.text.count("frame it")) == (1, 1)
    assert git("show", "hotdesk/scott/t1:page", at=origin.path) == "line\nline"
    assert git("show", f"{result.commit}:page", at=origin.path) == "line\nline"
    assert result.changes == ("page +1 -0",)


@pytest.mark.parametrize(
    "step",
    [
        "while the agent works",
        "interrupted, before the session is kept",
        "interrupted, before it is kept",
        "interrupted, after it is kept",
    ],
)
async def test_an_interrupted_job_whose_worker_was_lost_is_told_once_to_the_next_one(
    owners: Owners, origin: BareOrigin, step: str
) -> None:
    await owners.submit("j1", "slow painting")
    assert await owners.next(step) is None
    await owners.submit("j2", "correction: in green")

    result = await owners.next()

    assert result is not None
    assert (result.text.count("slow painting"), result.text.count("in green")) == (1, 1)
    is_kept = step == "interrupted, after it is kept"
    assert ("in commit" in result.text) == is_kept
    lines = git("show", "hotdesk/scott/t1:page", at=origin.path)
    assert lines == ("line\nline" if is_kept else "line")


@pytest.mark.parametrize(
    "step", ["after the answer is saved", "while it is published", "before it is settled"]
)
async def test_a_job_that_adds_nothing_is_not_run_again_once_its_answer_is_saved(
    owners: Owners, step: str
) -> None:
    await owners.submit("j1", "slow painting")
    await owners.next("interrupted")
    await owners.submit("j2", "correction: leave it")

    assert await owners.next(step) is None
    result = await owners.next()

    assert result is not None
    assert "leave it" in result.text
    log = "".join(chunk.text for chunk in await owners.backend.log("j2"))
    assert "[published before; not run again]" in log
    assert log.endswith("published\n")


async def test_what_was_published_before_is_answered_with_the_words_of_the_agent(
    owners: Owners,
) -> None:
    await owners.submit("j1", "paint it")
    await owners.next("before it is settled")

    result = await owners.next()

    assert result is not None
    assert "The user asks now:\n~~~\npaint it\n~~~" in result.text
    log = "".join(chunk.text for chunk in await owners.backend.log("j1"))
    assert "[published before; not run again]" in log
