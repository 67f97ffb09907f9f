"""The people and programs of a run: they write, correct, cancel and send again, from a seed.

They are as stubborn as a mail server: what was not accepted is offered again, under the
same id, until it is.
"""

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from functools import partial
from random import Random
from typing import TypeVar

import aiosmtplib
import anyio
from anyio.abc import TaskGroup

from chaos.ledger import Ledger, Submission
from chaos.progress import Progress
from chaos.relay import MoodyRelay
from chaos.system import PEOPLE, PROJECTS, System
from hotdesk.client import Client
from hotdesk.demo.deployment import DOMAIN
from hotdesk.demo.mails import Person, send
from hotdesk.desks import Desk, JobState
from hotdesk.errors import NotAllowed, NotFound, Unavailable

T = TypeVar("T")

OPEN_JOBS_MAX = 10
ANSWER_SECONDS_MAX = 15
OFFER_SECONDS_MAX = 240
PERMANENT = 500
# How agents behave, and how often.
MANNERS = {"plain": 70, "fails": 8, "cannot": 3, "hopeless": 1, "deaf": 6, "child": 6}
CHAINS = ("chain-one", "chain-two")
CHAIN_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """What everybody in the run shares."""

    seed: int
    system: System
    client: Client
    relay: MoodyRelay
    ledger: Ledger
    progress: Progress
    closing: anyio.Event
    numbers: Iterator[int]

    def dice(self, name: str) -> Random:
        """Return the dice of one person."""
        return Random(f"{self.seed}/{name}")


def populate(town: Town, tasks: TaskGroup) -> None:
    """Start everybody; they stop by themselves once the town is ``closing``."""
    for project in PROJECTS:
        for user, person in PEOPLE.items():
            tasks.start_soon(_write, town, project, user, person)
    for chain in CHAINS:
        tasks.start_soon(_chain, town, chain)
    tasks.start_soon(_program, town)
    tasks.start_soon(_command_line, town)
    tasks.start_soon(_cancel, town)
    tasks.start_soon(_retry, town)


def instruction(town: Town, dice: Random, *, work_seconds_max: float = 3.0) -> str:
    """Return what an agent is to do; short more often than long."""
    how = dice.choices(list(MANNERS), list(MANNERS.values()))[0]
    seconds = 0.2 + (work_seconds_max - 0.2) * dice.random() ** 2
    return f"chaos n={next(town.numbers)} work={seconds:.1f} how={how}"


# ------------------------------------------------------------------------ by mail


async def _write(town: Town, project: str, user: str, person: Person) -> None:
    dice = town.dice(f"{project}/{user}")
    to = f"{project}+{user}@{DOMAIN}"
    while await _is_open(town, dice, pause=2.0):
        mail = person.writes(to, instruction(town, dice), subject=f"Work for {project}")
        await _post(town, mail, project, user)
        if dice.random() < 0.2:
            # A mail server that did not hear our 250 sends the same mail again.
            await _post(town, mail, project, user)
        if dice.random() < 0.4:
            await anyio.sleep(dice.uniform(0.1, 2.5))
            text = instruction(town, dice)
            mail = person.writes(to, text, subject="Re: Work", answers=mail)
            await _post(town, mail, project, user)
        elif dice.random() < 0.4:
            await _go_on(town, dice, person, mail, f"{project}/{user}")


async def _go_on(town: Town, dice: Random, person: Person, mail: EmailMessage, desk: str) -> None:
    """Reply to the answer, if it comes soon."""
    project, _, user = desk.partition("/")
    answer = None
    with anyio.move_on_after(ANSWER_SECONDS_MAX):
        answer = await town.relay.until(lambda each: each["In-Reply-To"] == mail["Message-ID"])
    if answer is not None:
        to, subject = str(answer["Reply-To"]), str(answer["Subject"])
        reply = person.writes(to, instruction(town, dice), subject=subject, answers=answer)
        await _post(town, reply, project, user)


async def _post(town: Town, mail: EmailMessage, project: str, user: str) -> None:
    """Offer a mail until it is taken."""
    key = str(mail["Message-ID"])
    with anyio.move_on_after(OFFER_SECONDS_MAX):
        while True:
            with suppress(aiosmtplib.SMTPException, OSError):
                reply = await send(mail, town.system.ports.mail)
                if reply.is_taken:
                    town.ledger.accept(Submission(key=key, desk=f"{project}/{user}", is_mail=True))
                    return
                if reply.code >= PERMANENT:
                    break
            await anyio.sleep(0.5)
        town.ledger.refuse(key, f"{reply.code} {reply.text}")
        return
    town.ledger.refuse(key, f"not taken within {OFFER_SECONDS_MAX} s")


# -------------------------------------------------------------------- by programs


async def _chain(town: Town, chain: str) -> None:
    """Submit jobs that interrupt nothing; they come one after the other."""
    dice = town.dice(chain)
    desk = Desk("cedar", chain)
    while await _is_open(town, dice, pause=1.5):
        for _ in range(dice.randint(1, CHAIN_MAX) - town.progress.waiting_at(desk)):
            text = instruction(town, dice, work_seconds_max=2.0)
            await _submit(town, str(desk), text, "never", dice, chain=chain)


async def _program(town: Town) -> None:
    """Submit with every policy to desks that people write to as well."""
    dice = town.dice("program")
    while await _is_open(town, dice, pause=2.5):
        desk = f"{dice.choice(list(PROJECTS))}/{dice.choice(list(PEOPLE))}"
        policy = dice.choice(["desk", "thread", "never"])
        await _submit(town, desk, instruction(town, dice), policy, dice)


async def _submit(
    town: Town, desk: str, text: str, policy: str, dice: Random, *, chain: str = ""
) -> None:
    job_id = f"own-{next(town.numbers)}"
    thread = f"t{dice.randint(1, 3)}"

    async def offer() -> None:
        await town.client.submit(desk, text, thread=thread, id=job_id, interrupt=policy)

    if await _insist(offer):
        town.ledger.accept(Submission(key=job_id, desk=desk, is_mail=False, chain=chain))
    else:
        town.ledger.refuse(job_id, f"not taken within {OFFER_SECONDS_MAX} s")


async def _command_line(town: Town) -> None:
    """Submit with ``hotdesk send``."""
    dice = town.dice("command line")
    while await _is_open(town, dice, pause=12.0):
        job_id = f"cli-{next(town.numbers)}"
        desk = f"{dice.choice(list(PROJECTS))}/{dice.choice(list(PEOPLE))}"
        words = ["send", "--desk", desk, "--id", job_id, "-m", instruction(town, dice)]
        words += ["--json", "--timeout", "30"]
        with anyio.move_on_after(OFFER_SECONDS_MAX) as bound:
            while not await _hotdesk(town, words):
                await anyio.sleep(0.5)
        if bound.cancelled_caught:
            town.ledger.refuse(job_id, "hotdesk send did not succeed")
        else:
            town.ledger.accept(Submission(key=job_id, desk=desk, is_mail=False))


async def _hotdesk(town: Town, words: list[str]) -> bool:
    """Run a command to its end; return whether it said which job it has submitted."""
    config = town.system.folder / "hotdesk.toml"
    command = [sys.executable, "-m", "hotdesk", "--config", str(config), *words]
    # To its end, also when the run is stopped: it takes a second.
    with anyio.CancelScope(shield=True):
        done = await anyio.run_process(command, check=False, stderr=subprocess.DEVNULL)
    return done.returncode == 0 and bool(json.loads(done.stdout)["job"])


# ----------------------------------------------------------------- second thoughts


async def _cancel(town: Town) -> None:
    dice = town.dice("cancel")
    while await _is_open(town, dice, pause=20.0, is_idle_too=True):
        if jobs := list(town.progress.open_jobs):
            job_id = dice.choice(jobs)
            with suppress(NotFound, NotAllowed):
                if await _insist(partial(town.client.cancel, job_id)):
                    town.ledger.cancel(job_id)


async def _retry(town: Town) -> None:
    """Send jobs again that came to nothing; those of chains stay in their order."""
    dice = town.dice("retry")
    states = [JobState.DEAD, JobState.FAILED, JobState.CANCELLED, JobState.PREEMPTED]
    while await _is_open(town, dice, pause=6.0):
        with suppress(Unavailable):
            jobs = await town.client.jobs(state=dice.choice(states), limit=20)
            own = [job.id for job in jobs if job.desk.user not in CHAINS]
            if own:
                await _send_again(town, dice.choice(own))


async def _send_again(town: Town, job_id: str) -> None:
    try:
        await town.client.retry(job_id)
    except (NotFound, NotAllowed):
        return
    except Unavailable as error:
        if error.committed is not False:
            town.ledger.retry(job_id, is_answered=False)
    else:
        town.ledger.retry(job_id, is_answered=True)


# ----------------------------------------------------------------------- manners


async def _is_open(town: Town, dice: Random, *, pause: float, is_idle_too: bool = False) -> bool:
    """Wait a little, and until there is something left to do; say whether the town is open."""
    with anyio.move_on_after(dice.uniform(0.1, pause)):
        await town.closing.wait()
    while len(town.progress.open_jobs) >= OPEN_JOBS_MAX and not is_idle_too:
        if town.closing.is_set():
            break
        with anyio.move_on_after(1):
            await town.progress.until_open(OPEN_JOBS_MAX - 1)
    return not town.closing.is_set()


async def _insist(call: Callable[[], Awaitable[object]]) -> bool:
    """Repeat *call* until the store answers; return whether it did in time."""
    with anyio.move_on_after(OFFER_SECONDS_MAX):
        while True:
            with suppress(Unavailable):
                await call()
                return True
            await anyio.sleep(0.5)
    return False
