"""One run: a Hotdesk is started, a town lives on it, faults strike, and it is judged."""

import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from random import Random

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup

from chaos import processes
from chaos.clocks import library
from chaos.disk import Disk, small_disk
from chaos.faults import LANES, Fault, NothingToStrike, Scene
from chaos.gathering import gather
from chaos.ledger import Ledger
from chaos.leftovers import temporary
from chaos.origins import Origins
from chaos.progress import Progress
from chaos.relay import MoodyRelay
from chaos.report import Report
from chaos.supervisor import Supervisor
from chaos.system import FREE_WORKERS, POOL_WORKERS, PROJECTS, Ports, System, compose, url_of
from chaos.trace import Trace
from chaos.traffic import Town, populate
from hotdesk.clock import SystemClock
from hotdesk.demo.deployment import reserved_port
from hotdesk.demo.mails import HOST
from hotdesk.ports import Backend
from hotdesk.wiring.connection import client_of, open_backend

START_SECONDS_MAX = 120
SETTLE_SECONDS_MAX = 300
# The relay is tried again after a minute, two, four: with clocks that can be set ahead
# nobody waits for that.
ANSWERS_SECONDS_MAX = 900
NIGHT_SECONDS = 6 * 3600
LOOK_EVERY_SECONDS = 0.2
EVER = timedelta(days=30)

Tell = Callable[[str, str], None]
"""Says what happens: a word for the kind, and a sentence."""


@dataclass(slots=True, kw_only=True)
class Storm:
    """One run in a folder of its own."""

    seed: int
    seconds: float
    folder: Path
    tell: Tell
    faults: Counter[str] = field(default_factory=Counter)
    stuck: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _ends: float = 0.0

    async def rage(self) -> Report:
        """Do all of it. Every process has ended, and the disk is gone, when this returns.

        Raises:
            ConfigError: There is no Python that agents could run with.
            GitFailed: There is no git that works.
        """
        began = anyio.current_time()
        with small_disk(self.folder / "disk") as disk, reserved_port() as mail_port:
            self._note_limits(disk)
            origins = Origins(self.folder / "origins")
            for project in PROJECTS:
                await origins.make(project)
            backend = open_backend(url_of(disk.folder))
            try:
                async with anyio.create_task_group() as tasks:
                    relay, trace = MoodyRelay(), Trace(self.folder / "agents.log")
                    ports = Ports(
                        mail=mail_port,
                        relay=await tasks.start(relay.run),
                        trace=await tasks.start(trace.run),
                    )
                    system = compose(self.folder, disk.folder, origins, ports)
                    town = Town(
                        seed=self.seed,
                        system=system,
                        client=client_of(backend),
                        relay=relay,
                        ledger=Ledger(self.folder / "ledger.log"),
                        progress=Progress(),
                        closing=anyio.Event(),
                        numbers=count(1),
                    )
                    scene = Scene(town=town, trace=trace, disk=disk, origins=origins)
                    tasks.start_soon(town.progress.follow, town.client)
                    with _nothing_left(self.folder):
                        await self._live(scene, backend)
                        report = await self._judge(scene, backend, began)
                    tasks.cancel_scope.cancel()
            finally:
                await backend.close()
        return report

    def _note_limits(self, disk: Disk) -> None:
        if disk.cannot_be_filled:
            self._note(f"no full disk: {disk.cannot_be_filled}")
        if library() is None:
            self._note("no wrong clocks: libfaketime is not installed")

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self.tell("note", text)

    async def _live(self, scene: Scene, backend: Backend) -> None:
        system = scene.town.system
        async with _running(system) as keeping:
            await self._expect("hotdesk up takes mail", START_SECONDS_MAX, _until_listening(system))
            async with anyio.create_task_group() as people:
                populate(scene.town, people)
                await self._break_things(scene)
                self.tell("calm", "no more faults; people come to an end")
                scene.town.closing.set()
            await self._expect(
                "every job has ended", SETTLE_SECONDS_MAX, scene.town.progress.until_open(0)
            )
            if system.clocks:
                await self._stop(system)
                self.tell("calm", "the night passes: answers are tried again, and it is swept")
                for clock in system.clocks:
                    clock.set(NIGHT_SECONDS)
                for each in system.supervisors:
                    keeping.start_soon(each.run)
                # Asked to end before it can listen, a process would end by the signal.
                await self._expect(
                    "all workers are there again", START_SECONDS_MAX, _until_manned(scene.town)
                )
            await self._expect(
                "every answer was sent", ANSWERS_SECONDS_MAX, _until_answered(backend)
            )
            if system.clocks:
                await self._expect(
                    "what was killed half-way is swept up", SETTLE_SECONDS_MAX, _until_swept(system)
                )
            await self._stop(system)

    async def _expect(self, what: str, seconds_max: float, happens: Awaitable[object]) -> None:
        with anyio.move_on_after(seconds_max) as bound:
            await happens
        if bound.cancelled_caught:
            self.stuck.append(f"within {seconds_max:.0f} s it has not happened that {what}")
        self.tell("calm", f"{'NOT: ' if bound.cancelled_caught else ''}{what}")

    async def _stop(self, system: System) -> None:
        async with anyio.create_task_group() as tasks:
            for each in system.supervisors:
                tasks.start_soon(self._stop_one, each)

    async def _stop_one(self, one: Supervisor) -> None:
        status = await one.stop()
        if status:
            self.stuck.append(f"{one.name} ended with status {status} when it was asked to")
        elif status is None:
            self.stuck.append(f"{one.name} did not end when it was asked to")

    # ------------------------------------------------------------------------- faults

    async def _break_things(self, scene: Scene) -> None:
        self._ends = anyio.current_time() + self.seconds
        async with anyio.create_task_group() as tasks:
            for number, (pause, kinds) in enumerate(LANES):
                lane = [kind(scene) for kind in kinds]
                tasks.start_soon(self._lane, lane, pause, Random(f"{self.seed}/lane {number}"))

    async def _lane(self, lane: list[Fault], pause: float, dice: Random) -> None:
        """Let one fault after the other strike; each kind before one comes again."""
        bag: list[Fault] = []
        while True:
            await anyio.sleep(pause * dice.uniform(0.5, 1.5))
            if anyio.current_time() >= self._ends:
                return
            if not bag:
                bag = dice.sample(lane, len(lane))
            fault = bag.pop()
            try:
                what = await fault.strike(dice)
            except NothingToStrike:
                continue
            except TimeoutError:
                what = "NOTHING WENT ON AFTERWARDS"
                self.stuck.append(f"nothing went on after: {fault.name}")
            self.faults[fault.name] += 1
            self.tell(fault.name, what)

    # ---------------------------------------------------------------------- judgement

    async def _judge(self, scene: Scene, backend: Backend, began: float) -> Report:
        town = scene.town
        evidence = await gather(scene, backend, self.stuck)
        violations = evidence.violations()
        if violations:
            # What is on the small disk goes with it.
            await to_thread.run_sync(_keep, town.system.store, self.folder / "store")
        return Report(
            seed=self.seed,
            seconds=anyio.current_time() - began,
            jobs=len(evidence.jobs),
            mails=sum(each.is_mail for each in town.ledger.submissions),
            duplicate_deliveries=town.ledger.deliveries.total() - len(town.ledger.deliveries),
            retries=town.ledger.retries.total(),
            cancels=town.ledger.cancels.total(),
            outcomes=_counts(str(job.state) for job in evidence.jobs),
            faults=_counts(self.faults.elements()),
            agents=sum(not run.is_child for run in evidence.runs),
            takeovers=town.progress.takeovers,
            stale_overlaps=evidence.stale_overlaps,
            answers=len(evidence.letters) - evidence.repeated_answers,
            repeated_answers=evidence.repeated_answers,
            fell_over=_counts(
                f"{each.name} with status {status}"
                for each in town.system.supervisors
                for status in each.fell_over
            ),
            notes=self.notes,
            violations=violations,
            command=f"make chaos SEED={self.seed} TIME={self.seconds:g}s",
            folder=str(self.folder),
        )


@asynccontextmanager
async def _running(system: System) -> AsyncIterator[TaskGroup]:
    """Keep everything running that was started; it has ended when the block has."""
    async with anyio.create_task_group() as keeping:
        for each in system.supervisors:
            keeping.start_soon(each.run)
        yield keeping
        keeping.cancel_scope.cancel()


def _counts(things: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(things).items()))


def _keep(store: Path, where: Path) -> None:
    shutil.copytree(
        store, where, symlinks=True, ignore=shutil.ignore_patterns("*-bell", "mirror.git")
    )


@contextmanager
def _nothing_left(folder: Path) -> Iterator[None]:
    """End every process of the run when the block ends by an error or is cancelled."""
    try:
        yield
    finally:
        for each in processes.of_run(folder):
            each.kill()


async def _until_listening(system: System) -> None:
    while True:
        with suppress(OSError):
            async with await anyio.connect_tcp(HOST, system.ports.mail):
                return
        await anyio.sleep(LOOK_EVERY_SECONDS)


async def _until_manned(town: Town) -> None:
    while len(await town.client.workers()) < POOL_WORKERS + FREE_WORKERS:
        await anyio.sleep(LOOK_EVERY_SECONDS)


async def _owed(backend: Backend) -> bool:
    """Whether an answer is still to be sent, now or later."""
    return bool(await backend.due_answers(limit=1, now=SystemClock().now() + EVER))


async def _until_answered(backend: Backend) -> None:
    while await _owed(backend):
        await anyio.sleep(LOOK_EVERY_SECONDS)


async def _until_swept(system: System) -> None:
    while temporary(system):
        await anyio.sleep(LOOK_EVERY_SECONDS)
