"""Faults of workers: killed, frozen, frozen in the middle of a push."""

import signal
from random import Random

import anyio

from chaos import processes
from chaos.faults.fault import LOOK_EVERY_SECONDS, RECOVERY_SECONDS_MAX, Fault, NothingToStrike
from chaos.processes import Found
from chaos.system import LEASE_SECONDS
from hotdesk.errors import Unavailable
from hotdesk.lifecycle import CLOCK_SKEW

TAKEOVER_SECONDS = LEASE_SECONDS + CLOCK_SKEW.total_seconds()
PUSH_SECONDS_MAX = 15
PUSH_LOOK_SECONDS = 0.05


class _WorkerFault(Fault):
    async def _victim(self, dice: Random) -> tuple[Found, str, int]:
        """Return a worker that is not frozen, its job and its generation; a busy one if any."""
        jobs: dict[str, str] = {}
        try:
            jobs = {each.id: each.job_id for each in await self._town.client.workers()}
        except Unavailable as error:
            raise NothingToStrike from error
        there = [
            each
            for each in processes.workers(self._town.system.folder)
            if each.pid not in self._scene.frozen and each.worker_id in jobs
        ]
        busy = [each for each in there if jobs[each.worker_id]]
        if not there:
            raise NothingToStrike
        found = dice.choice(busy or there)
        job_id = jobs[found.worker_id]
        generation = 0
        if job_id:
            generation = (await self._town.client.job(job_id)).generation
        return found, job_id, generation

    async def _freeze(self, found: Found, seconds: float, *, is_whole: bool) -> None:
        """Stop a worker for so long, and what descends from it if *is_whole*."""
        found.signal(signal.SIGSTOP)
        # Looked for only now: a parent that is stopped makes no more children.
        stopped = processes.tree(found.pid) if is_whole else [found.pid]
        for pid in stopped[1:]:
            processes.send(pid, signal.SIGSTOP)
        self._scene.frozen.add(found.pid)
        try:
            await anyio.sleep(seconds)
        finally:
            for pid in stopped:
                processes.send(pid, signal.SIGCONT)
            self._scene.frozen.discard(found.pid)

    async def _until_moved_on(self, job_id: str, generation: int) -> str:
        """Wait until somebody else goes on with a job, or it has ended."""
        if not job_id:
            return "it was idle"
        begin = anyio.current_time()
        how = ""
        with anyio.fail_after(RECOVERY_SECONDS_MAX):
            while not how:
                await anyio.sleep(LOOK_EVERY_SECONDS)
                if self._scene.trace.has_moved_on(job_id, generation):
                    how = "was taken over"
                elif job_id not in self._town.progress.open_jobs:
                    how = "ended"
        return f"its job {how} {anyio.current_time() - begin:.1f} s later"


class KillWorker(_WorkerFault):
    """kill -9 of a worker, a busy one if there is any."""

    name = "kill -9 of a worker"

    async def strike(self, dice: Random) -> str:
        """Kill, and wait until its job goes on."""
        found, job_id, generation = await self._victim(dice)
        for each in self._town.system.free:
            if each.pid == found.pid:
                each.tell(signal.SIGKILL)
        found.kill()
        return f"{found.worker_id}: {await self._until_moved_on(job_id, generation)}"


class FreezeWorker(_WorkerFault):
    """SIGSTOP of a worker, sometimes within its lease, mostly past it; then SIGCONT.

    Alone, so that its agent and its git go on, or with all its processes, as a container
    that is paused.
    """

    name = "SIGSTOP of a worker"

    async def strike(self, dice: Random) -> str:
        """Stop it, wait, wake it up."""
        found, job_id, generation = await self._victim(dice)
        seconds = dice.choices(
            [dice.uniform(1, LEASE_SECONDS), TAKEOVER_SECONDS + dice.uniform(0.5, 5)], [1, 3]
        )[0]
        is_whole = dice.random() < 0.5
        await self._freeze(found, seconds, is_whole=is_whole)
        went_on = await self._until_moved_on(job_id, generation)
        how = "with all its processes" if is_whole else "alone"
        return f"{found.worker_id} {how} for {seconds:.0f} s: {went_on}"


class FreezePush(_WorkerFault):
    """SIGSTOP of a worker and its git, which is just about to move a branch, past its lease."""

    name = "SIGSTOP in the middle of a push"

    async def strike(self, dice: Random) -> str:
        """Wait for a push, stop everything, and let it go on when it is stale."""
        with anyio.move_on_after(PUSH_SECONDS_MAX) as search:
            found, job_id, generation = await self._victim(dice)
            while not (job_id and processes.has_in_tree(found.pid, "pre-receive")):
                await anyio.sleep(PUSH_LOOK_SECONDS)
                found, job_id, generation = await self._victim(dice)
        if search.cancelled_caught:
            raise NothingToStrike
        # A little after the takeover, when the new owner is at work and has not pushed yet.
        seconds = TAKEOVER_SECONDS + dice.uniform(0.2, 3)
        await self._freeze(found, seconds, is_whole=True)
        went_on = await self._until_moved_on(job_id, generation)
        return f"{found.worker_id} for {seconds:.0f} s: {went_on}"
