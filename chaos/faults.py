"""The faults: each strikes, holds, is over, and says what went on again afterwards.

A fault that nothing recovers from within ``RECOVERY_SECONDS_MAX`` is a violation of its own.
Whatever happens, what a fault has broken is whole again when ``strike`` has returned or was
cancelled.
"""

import signal
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

import anyio

from chaos import processes
from chaos.disk import Disk
from chaos.origins import Origins
from chaos.processes import Found
from chaos.relay import Mood
from chaos.system import LEASE_SECONDS, PROJECTS
from chaos.trace import Trace
from chaos.traffic import Town
from hotdesk.errors import Unavailable
from hotdesk.lifecycle import CLOCK_SKEW

RECOVERY_SECONDS_MAX = 180
LOOK_EVERY_SECONDS = 0.2
TAKEOVER_SECONDS = LEASE_SECONDS + CLOCK_SKEW.total_seconds()
MARGIN_SECONDS = 10.0


class NothingToStrike(Exception):
    """There is nothing here and now that this fault could break."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What faults may lay hands on. ``frozen`` are the processes that are stopped now."""

    town: Town
    trace: Trace
    disk: Disk
    origins: Origins
    frozen: set[int] = field(default_factory=set)
    delivered: Counter[str] = field(default_factory=Counter)


class Fault(ABC):
    """One kind of trouble. ``name`` is what the report calls it."""

    name: ClassVar[str]

    def __init__(self, scene: Scene) -> None:
        """Trouble for *scene*."""
        self._scene = scene
        self._town = scene.town

    @abstractmethod
    async def strike(self, dice: Random) -> str:
        """Break something, hold it, mend it; return what was broken and what went on.

        Raises:
            NothingToStrike: There was nothing to break.
            TimeoutError: Nothing went on afterwards.
        """

    async def _until_it_goes_on(self) -> str:
        begin = anyio.current_time()
        with anyio.fail_after(RECOVERY_SECONDS_MAX):
            await self._town.progress.until_one_more_ends()
        return f"a job ended {anyio.current_time() - begin:.1f} s later"


# ---------------------------------------------------------------------- of workers


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
        # The children are looked for when their parent can make no more of them.
        found.signal(signal.SIGSTOP)
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
        went_on = await self._until_moved_on(job_id, generation)
        how = f"with {len(stopped) - 1} processes" if is_whole else "alone"
        return f"{found.worker_id} {how} for {seconds:.0f} s: {went_on}"


# ------------------------------------------------------------------ of the system


class KillSystem(Fault):
    """kill -9 of ``hotdesk up``; sometimes of all its workers in the same moment."""

    name = "kill -9 of hotdesk up"

    async def strike(self, dice: Random) -> str:
        """Kill; it is started again by whoever keeps it running."""
        is_all = dice.random() < 0.5
        workers = processes.workers(self._town.system.folder) if is_all else []
        for each in self._town.system.supervisors if is_all else [self._town.system.up]:
            each.tell(signal.SIGKILL)
        for worker in workers:
            worker.kill()
        what = f"with {len(workers)} workers" if is_all else "alone"
        return f"{what}: {await self._until_it_goes_on()}"


class RestartSystem(Fault):
    """SIGTERM to ``hotdesk up``, which drains, and a new start."""

    name = "restart of hotdesk up"

    async def strike(self, dice: Random) -> str:
        """Ask it to end; sometimes twice, which stops the workers at once."""
        up = self._town.system.up
        up.tell(signal.SIGTERM)
        is_twice = dice.random() < 0.3
        if is_twice:
            await anyio.sleep(dice.uniform(0.1, 1))
            up.tell(signal.SIGTERM)
        asked = "asked twice" if is_twice else "drained"
        return f"{asked}: {await self._until_it_goes_on()}"


class FreezeSystem(Fault):
    """SIGSTOP of ``hotdesk up`` alone: mail is not answered, workers work on."""

    name = "SIGSTOP of hotdesk up"

    async def strike(self, dice: Random) -> str:
        """Stop it for some seconds."""
        up = self._town.system.up
        pid = up.pid
        if pid is None:
            raise NothingToStrike
        seconds = dice.uniform(2, 10)
        processes.send(pid, signal.SIGSTOP)
        try:
            await anyio.sleep(seconds)
        finally:
            processes.send(pid, signal.SIGCONT)
        return f"for {seconds:.0f} s: {await self._until_it_goes_on()}"


# --------------------------------------------------------------- of the surroundings


class FillDisk(Fault):
    """Not a byte is left where the database and the workspaces are."""

    name = "full disk"

    async def strike(self, dice: Random) -> str:
        """Fill it, again and again, and free it."""
        disk = self._scene.disk
        if disk.cannot_be_filled:
            raise NothingToStrike
        seconds = dice.uniform(2, 8)
        try:
            with anyio.move_on_after(seconds):
                while True:
                    # What others delete meanwhile is taken too.
                    disk.fill()
                    await anyio.sleep(LOOK_EVERY_SECONDS)
        finally:
            disk.free()
        return f"for {seconds:.0f} s: {await self._until_it_goes_on()}"


class HideOrigin(Fault):
    """The git server of a project is away."""

    name = "git origin away"

    async def strike(self, dice: Random) -> str:
        """Hide a repository, and show it again."""
        project = dice.choice(list(PROJECTS))
        seconds = dice.uniform(2, 10)
        self._scene.origins.hide(project)
        try:
            await anyio.sleep(seconds)
        finally:
            self._scene.origins.show(project)
        return f"{project} for {seconds:.0f} s: {await self._until_it_goes_on()}"


class _RelayFault(Fault):
    mood: ClassVar[Mood]

    async def strike(self, dice: Random) -> str:
        """Let the relay be in a mood until it has hit a mail, or nobody wrote."""
        relay = self._town.relay
        before = relay.refused + relay.hung_up
        seconds = dice.uniform(2, 6)
        relay.mood = self.mood
        try:
            await anyio.sleep(seconds)
        finally:
            relay.mood = Mood.WELL
        hit = relay.refused + relay.hung_up - before
        return f"for {seconds:.0f} s, {hit} answers hit"


class RefuseMail(_RelayFault):
    """The relay answers 451."""

    name = "relay answers 451"
    mood = Mood.BUSY


class LoseReply(_RelayFault):
    """The relay takes a mail and hangs up before its reply: the mail comes once more."""

    name = "relay hangs up after DATA"
    mood = Mood.RUDE


# ------------------------------------------------------------------------ of clocks


class _ClockFault(Fault):
    seconds_min: ClassVar[float]
    seconds_max: ClassVar[float]

    async def strike(self, dice: Random) -> str:
        """Set a clock wrong, and right again."""
        clocks = self._town.system.clocks
        if not clocks:
            raise NothingToStrike
        clock = dice.choice(clocks)
        offset = dice.uniform(self.seconds_min, self.seconds_max) * dice.choice([-1, 1])
        seconds = dice.uniform(5, 20)
        clock.set(offset)
        try:
            await anyio.sleep(seconds)
        finally:
            clock.set(0)
        return f"{clock.file.stem} by {offset:+.0f} s for {seconds:.0f} s"


class SkewClock(_ClockFault):
    """A wall clock is wrong by less than the margin of leases."""

    name = "clock wrong within the margin"
    seconds_min = 1.0
    seconds_max = MARGIN_SECONDS


class JumpClock(_ClockFault):
    """A wall clock is wrong by minutes."""

    name = "clock wrong by minutes"
    seconds_min = 60.0
    seconds_max = 600.0


LANES: tuple[tuple[float, tuple[type[Fault], ...]], ...] = (
    (5.0, (KillWorker,)),
    (8.0, (KillWorker,)),
    (3.0, (FreezeWorker,)),
    (15.0, (KillSystem, RestartSystem, FreezeSystem)),
    (5.0, (FillDisk, HideOrigin, RefuseMail, LoseReply)),
    (5.0, (SkewClock, JumpClock)),
)
"""What happens at the same time as the others; with the mean pause before each, in seconds."""
