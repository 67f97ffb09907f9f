"""How the simulation carries out an attempt, and the origin that it publishes to."""

from datetime import timedelta

import anyio

from hotdesk.desks import Claim, Delivery, Result
from hotdesk.errors import AttemptFailed, ClaimLost
from hotdesk.ports import Context
from hotdesk.simulation.process import SimulatedProcess
from hotdesk.simulation.referee import Referee
from hotdesk.simulation.traffic import Work

SAVE_EVERY = 5
# How long a push takes: whoever cancels meanwhile comes too late.
PUSH = timedelta(seconds=5)
# What an attempt finds that was cut short behind its push: nothing is left to do.
PUBLISHED = Result(text="published before")


class Origin:
    """What a git server guarantees: a fenced branch takes no push of a former owner."""

    def __init__(self) -> None:
        """Nothing is fenced or published."""
        self._fences: dict[tuple[str, str], int] = {}
        self._published: set[tuple[str, int]] = set()

    def fence(self, claim: Claim, thread: str) -> None:
        """Shut former generations out of *thread*."""
        branch = claim.desk.key, thread
        self._check(branch, claim)
        self._fences[branch] = claim.generation

    def publish(self, delivery: Delivery) -> None:
        """Publish the outcome of a job, once."""
        job = delivery.job
        self._check((job.desk.key, job.thread), delivery.claim)
        assert not self.has_published(delivery), f"{job.id} was published twice"
        self._published.add((job.id, job.outcomes))

    def has_published(self, delivery: Delivery) -> bool:
        """Whether this job's outcome is there already, from an attempt that was cut short."""
        return (delivery.job.id, delivery.job.outcomes) in self._published

    def _check(self, branch: tuple[str, str], claim: Claim) -> None:
        if self._fences.get(branch, 0) > claim.generation:
            raise ClaimLost(claim.desk.key, claim.generation)


class SimulatedRunner:
    """``ports.Runner``: passes the time that the instruction asks for, and publishes."""

    publishes = True

    def __init__(self, process: SimulatedProcess, origin: Origin, referee: Referee) -> None:
        """Work in *process*."""
        self._process = process
        self._origin = origin
        self._referee = referee

    async def take_over(self, claim: Claim, thread: str) -> None:
        """Fence the branch."""
        await self._process.gate()
        self._origin.fence(claim, thread)

    async def run(self, delivery: Delivery, context: Context) -> Result | None:
        """Work until it is done, or until the interrupt."""
        job = delivery.job
        if self._origin.has_published(delivery):
            return PUBLISHED
        work = Work.read(job.instruction)
        done = int(context.partial) if isinstance(context.partial, int) else 0
        with self._referee.watching(delivery, self._process):
            while done < work.steps:
                with anyio.move_on_after(work.seconds):
                    if work.is_deaf:
                        await anyio.sleep_forever()
                    await context.interrupted.wait()
                await self._process.gate()
                if context.interrupted.is_set() and not work.is_deaf:
                    await self._stop(delivery, context, done)
                    return None
                done += 1
                if done % SAVE_EVERY == 0:
                    await self._save(delivery, context, done)
            if job.attempt <= work.failures:
                raise AttemptFailed(f"attempt {job.attempt} of {work.failures} to fail")
        return Result(text=f"{work.steps} steps of work")

    async def _stop(self, delivery: Delivery, context: Context, done: int) -> None:
        interrupt = context.interrupted.reason
        assert interrupt is not None
        self._referee.note_stop(delivery, interrupt, self._process)
        await self._save(delivery, context, done)

    async def _save(self, delivery: Delivery, context: Context, done: int) -> None:
        await context.save_partial(done)
        self._referee.note_saved(delivery, done)

    async def keep(self, delivery: Delivery, context: Context) -> None:
        """Nothing: progress was saved on the way."""

    async def publish(self, delivery: Delivery, result: Result, context: Context) -> Result:
        """Push."""
        del context
        await self._process.sleep(PUSH)
        if result is not PUBLISHED:
            self._origin.publish(delivery)
            self._referee.note_published(delivery)
        return result

    async def leave(self, claim: Claim) -> None:
        """Nothing is held."""
