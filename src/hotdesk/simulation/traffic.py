"""What people do in a simulation, drawn from the seed: bursts, corrections, second thoughts."""

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum

from hotdesk.desks import Desk, InterruptPolicy


class Deed(StrEnum):
    """What a person does."""

    SUBMIT = "submit"
    CANCEL = "cancel"
    RETRY = "retry"
    PAUSE = "pause"
    RESUME = "resume"
    RELEASE = "release"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What an attempt will be like; it travels as the instruction of its job.

    It takes ``minutes`` in all, over as many attempts as it needs; its first
    ``failures`` attempts come to nothing. One that is ``deaf`` heeds no interrupt.
    """

    minutes: int
    failures: int = 0
    is_deaf: bool = False

    def text(self) -> str:
        """The instruction that says so."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, instruction: str) -> "Work":
        """The inverse of ``text``."""
        return cls(**json.loads(instruction))


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that somebody does at ``at``; ``number`` picks the job or worker it is about."""

    at: timedelta
    deed: Deed
    desk: Desk
    number: int = 0
    thread: str = ""
    interrupt: InterruptPolicy = InterruptPolicy.DESK
    work: Work | None = None


def acts(lots: random.Random, *, span: timedelta, jobs: int) -> list[Act]:
    """About *jobs* submissions within *span*, and what else people do to them, in order."""
    desks = [Desk(f"site{number}", "amelia") for number in range(lots.randint(1, 4))]
    found: list[Act] = []
    while sum(act.deed is Deed.SUBMIT for act in found) < jobs:
        desk = lots.choice(desks)
        found += _burst(lots, desk, span * lots.random())
        if lots.random() < 0.2:  # noqa: PLR2004 - one burst in five is followed by a pause
            at = span * lots.random()
            found.append(Act(at=at, deed=Deed.PAUSE, desk=desk))
            found.append(Act(at=at + timedelta(hours=lots.random()), deed=Deed.RESUME, desk=desk))
    # Whatever was paused is resumed in the end.
    found += [Act(at=1.5 * span, deed=Deed.RESUME, desk=desk) for desk in desks]
    return sorted(found, key=lambda act: act.at)


def _burst(lots: random.Random, desk: Desk, at: timedelta) -> Iterator[Act]:
    """A few jobs for one desk within minutes, and what their sender thinks of next."""
    for _ in range(lots.randint(1, 4)):
        yield Act(
            at=at,
            deed=Deed.SUBMIT,
            desk=desk,
            thread=lots.choice(["header", "footer", "sidebar"]),
            interrupt=lots.choice(list(InterruptPolicy)),
            work=_work(lots),
        )
        at += timedelta(seconds=lots.choice([0, 1, 30, 300, 1800]) * lots.random())
        deed = lots.choice([None, None, None, *list(Deed)[1:]])
        if deed not in (None, Deed.PAUSE, Deed.RESUME):
            later = at + timedelta(minutes=60) * lots.random() ** 2
            yield Act(at=later, deed=deed, desk=desk, number=lots.randrange(1000))


def _work(lots: random.Random) -> Work:
    return Work(
        # Most take minutes, some hours.
        minutes=max(1, round(lots.lognormvariate(2, 1.2))),
        failures=lots.choice([0, 0, 0, 0, 1, 2, 3]),
        is_deaf=lots.random() < 0.1,  # noqa: PLR2004 - one in ten
    )
