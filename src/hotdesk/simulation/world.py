"""The whole system in virtual time: people, a pool of workers, a sweep, one file, and faults.

Everything is drawn from a seed, so a run can be repeated to its last event. The
client, pool, workers, sweep and store are the real ones.
"""

import random
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from hotdesk.errors import HotdeskError
from hotdesk.mail.outbox import AT_ONCE_MAX
from hotdesk.simulation.accounts import Violation, demand
from hotdesk.simulation.fates import Fates, Happening
from hotdesk.simulation.faults import NO_FAULTS
from hotdesk.simulation.loop import Stuck, VirtualLoop
from hotdesk.simulation.machine import Machine
from hotdesk.simulation.people import People
from hotdesk.simulation.plan import Calamity, Plan
from hotdesk.simulation.post import Reply, SimulatedRelay
from hotdesk.simulation.system import Up

LOOK_EVERY = timedelta(minutes=1)
MEMORY = Path("/dev/shm")  # noqa: S108 - only as the parent of a folder of our own
# What SQLite leaves beside its file while it is open.
OURS = {"hotdesk.db", "hotdesk.db-wal", "hotdesk.db-shm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run was like.

    ``events`` counts what the store noted; ``hits`` what went wrong, by step of the
    protocol and kind of fault; ``trace`` names each in its turn. ``digest`` tells runs apart.
    """

    seed: int
    jobs: int
    workers: int
    lasted: timedelta
    events: Mapping[str, int]
    hits: Mapping[tuple[str, str], int]
    trace: tuple[Happening, ...]
    digest: str

    @property
    def faults(self) -> Counter[str]:
        """What went wrong, by kind; what people did is no fault."""
        found: Counter[str] = Counter()
        for (step, kind), number in self.hits.items():
            if step != "people":
                found[kind] += number
        return found


class Failed(Exception):
    """A run in which an invariant did not hold, or something broke; ``trace`` led to it."""

    def __init__(
        self, seed: int, reason: BaseException, trace: tuple[Happening, ...], *, focus: str = ""
    ) -> None:
        """Tell of the run of *seed*, which had its *focus* if one was asked for."""
        super().__init__(f"seed {seed}: {type(reason).__name__}: {reason}")
        self.seed = seed
        self.focus = focus
        self.reason = reason
        self.trace = trace

    @property
    def repeat(self) -> str:
        """The command that repeats the run."""
        return f"hotdesk simulate --seed {self.seed}" + (
            f" --focus {self.focus}" * bool(self.focus)
        )


def simulate_in_memory(seed: int, *, focus: str = "", only: frozenset[str] | None = None) -> Report:
    """``simulate``, with its store in a folder of its own that is gone afterwards.

    A run is nearly all writing; where there is a file system in memory, it takes half the time.
    """
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        return simulate(seed, Path(folder), focus=focus, only=only)


def simulate(
    seed: int, folder: Path, *, focus: str = "", only: frozenset[str] | None = None
) -> Report:
    """Run the system of *seed*, with its store in *folder*, an empty one.

    With a *focus*, much goes wrong at this step of the protocol. Of everything that goes
    wrong or is done, only what *only* names happens.

    Raises:
        Failed: An invariant does not hold; a note says how to repeat the run.
    """
    fates = Fates(seed, anyio.current_time, only=only)
    try:
        return anyio.run(
            _play, seed, folder, focus, fates, backend_options={"loop_factory": VirtualLoop}
        )
    except (AssertionError, ExceptionGroup, HotdeskError, Stuck) as error:
        failed = Failed(seed, _worst(error), tuple(fates.trace), focus=focus)
        failed.add_note(f"to repeat it: {failed.repeat}")
        raise failed from error


class _World:
    """One run: who is there, and how it ends."""

    def __init__(self, plan: Plan, machine: Machine, fates: Fates) -> None:
        self.plan = plan
        self.machine = machine
        self.fates = fates
        self.relay = SimulatedRelay(fates)
        self.up = Up(machine, plan.pool, self.relay)

    def break_out(self) -> None:
        """Let things go wrong from now on."""
        self.machine.workers_faults = self.plan.workers_faults
        self.machine.others_faults = self.plan.others_faults
        self.machine.exchange.chances = self.plan.rings
        self.relay.chances = self.plan.replies

    def calm_down(self) -> None:
        """Let nothing go wrong from now on, so that everything can end."""
        self.machine.workers_faults = self.machine.others_faults = NO_FAULTS
        self.machine.exchange.chances = {}
        self.relay.chances = {}

    async def strike(self) -> None:
        """Let the calamities of the plan come, each at its time."""
        for number, blow in enumerate(self.plan.blows):
            await anyio.sleep(max(0.0, blow.at.total_seconds() - anyio.current_time()))
            name = f"blow {number}: {blow.calamity}"
            if not self.fates.happens(name, step="machine", kind=blow.calamity):
                continue
            match blow.calamity:
                case Calamity.DISK_FULL:
                    self.machine.fill_disk(is_full=True)
                    await anyio.sleep(blow.span.total_seconds())
                    self.machine.fill_disk(is_full=False)
                case Calamity.POWER_CUT:
                    self.up.kill(with_workers=True)
                case Calamity.UP_KILLED:
                    self.up.kill(with_workers=False)

    async def watch(self) -> None:
        """Look now and then at what no call would show."""
        while True:
            await anyio.sleep(LOOK_EVERY.total_seconds())
            self.machine.referee.check_the_dead()

    async def until(self, is_so: Callable[[], Awaitable[bool]], otherwise: str) -> None:
        """Let time pass until *is_so*, within bounds."""
        ends = anyio.current_time() + self.plan.patience.total_seconds()
        while not await is_so():
            if anyio.current_time() > ends:
                raise Violation(f"after {self.plan.patience}: {otherwise}")
            await anyio.sleep(LOOK_EVERY.total_seconds())

    async def all_ended(self) -> bool:
        """Whether every job has its outcome."""
        return all(job.state.is_ended for job in self.machine.referee.jobs.values())

    async def all_answered(self) -> bool:
        """Whether every outcome that is owed an answer has it."""
        jobs = self.machine.referee.jobs.values()
        return all(len(job.answers) >= job.outcomes for job in jobs if job.is_by_mail)

    def repeats_max(self) -> int:
        """How many answers may have gone out again: each time that one was not noted at once."""
        counts = self.fates.counts
        unnoted = sum(n for (step, _), n in counts.items() if step in ("answer_sent", "machine"))
        return counts["relay", Reply.LOST] + AT_ONCE_MAX * unnoted

    async def all_free(self) -> bool:
        """Whether every desk was left by its owner."""
        return all(not desk.holder for desk in self.machine.referee.desks.values())


async def _play(seed: int, folder: Path, focus: str, fates: Fates) -> Report:
    lots = random.Random(seed)
    plan = Plan.of(lots, focus=focus)
    async with anyio.create_task_group() as tasks:
        machine = Machine(
            folder / "hotdesk.db",
            tasks,
            fates,
            skew_max=plan.skew_max,
            has_kept_clocks=plan.has_kept_clocks,
            limits=plan.worker,
        )
        world, referee = _World(plan, machine, fates), machine.referee
        people = People(machine, fates, lots.randbytes)
        await _together(tasks, world, people)
        world.calm_down()
        await world.until(world.all_ended, "jobs are without outcome")
        await world.until(world.all_answered, "outcomes are not answered")
        await world.until(world.all_free, "desks are held without jobs")
        world.up.stop()
        await world.until(referee.is_quiet, "workers are still registered")
        await referee.conclude()
        referee.check_answers(world.relay.taken, repeats_max=world.repeats_max())
        demand(len(referee.jobs) == people.submitted, f"{people.submitted} jobs were accepted")
        _demand_tidy(folder)
        tasks.cancel_scope.cancel()
    return Report(
        seed=seed,
        jobs=people.submitted,
        workers=machine.started,
        lasted=timedelta(seconds=anyio.current_time()),
        events=referee.seen,
        hits=fates.counts,
        trace=tuple(fates.trace),
        digest=referee.digest,
    )


async def _together(tasks: TaskGroup, world: _World, people: People) -> None:
    """Everything at once, until the people are done and the last calamity is over."""
    tasks.start_soon(world.watch)
    tasks.start_soon(world.up.run)
    world.break_out()
    async with anyio.create_task_group() as busy:
        busy.start_soon(world.strike)
        busy.start_soon(people.do, world.plan.acts)


def _demand_tidy(folder: Path) -> None:
    left = {path.name for path in folder.iterdir()} - OURS
    demand(not left, f"files are left: {left}")


def _worst(error: BaseException) -> BaseException:
    """What an error is about: a broken promise, before what fell over because of it."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    found = [_worst(each) for each in error.exceptions]
    return next((each for each in found if isinstance(each, AssertionError)), found[0])
