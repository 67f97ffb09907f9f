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


# What somebody may do about a job, a desk or a worker after a submission.
SECOND_THOUGHTS = (None, None, None, Deed.CANCEL, Deed.RETRY, Deed.RELEASE, Deed.DRAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What an attempt will be like; it travels as the instruction of its job.

    It takes ``steps`` of ``seconds`` in all, over as many attempts as it needs; its first
    ``failures`` attempts come to nothing. One that is ``deaf`` heeds no interrupt.
    """

    steps: int
    seconds: int
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
    """One thing that somebody does at ``at``.

    ``number`` picks the job or worker it is about; an odd submission comes by mail.
    """

    at: timedelta
    deed: Deed
    desk: Desk
    number: int = 0
    thread: str = ""
    interrupt: InterruptPolicy = InterruptPolicy.DESK
    work: Work | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """How much there is to do: about ``jobs`` within ``span``, by at most ``desks_max`` desks.

    A step of work takes ``step``; most jobs take a few, one in ``long_one_in`` takes
    up to ``steps_max``.
    """

    span: timedelta
    jobs: int
    desks_max: int
    step: timedelta
    steps_max: int
    long_one_in: int

    def acts(self, lots: random.Random) -> list[Act]:
        """What people do, in order."""
        desks = [
            Desk(f"site{number}", "amelia") for number in range(lots.randint(1, self.desks_max))
        ]
        found: list[Act] = []
        while sum(act.deed is Deed.SUBMIT for act in found) < self.jobs:
            desk = lots.choice(desks)
            found += self._burst(lots, desk, self.span * lots.random())
            if lots.random() < 0.2:  # noqa: PLR2004 - one burst in five is followed by a pause
                at = self.span * lots.random()
                found.append(Act(at=at, deed=Deed.PAUSE, desk=desk))
                until = at + self.span * lots.random()
                found.append(Act(at=until, deed=Deed.RESUME, desk=desk))
        # Whatever was paused is resumed in the end.
        found += [Act(at=1.3 * self.span, deed=Deed.RESUME, desk=desk) for desk in desks]
        return sorted(found, key=lambda act: act.at)

    def _burst(self, lots: random.Random, desk: Desk, at: timedelta) -> Iterator[Act]:
        """A few jobs for one desk within minutes, and what their sender thinks of next."""
        for _ in range(lots.randint(1, 4)):
            yield Act(
                at=at,
                deed=Deed.SUBMIT,
                desk=desk,
                number=lots.randrange(2),
                thread=lots.choice(["header", "footer", "sidebar"]),
                interrupt=lots.choice(list(InterruptPolicy)),
                work=self._work(lots),
            )
            at += self.step * lots.choice([0, 0.1, 1, 5, 20]) * lots.random()
            deed = lots.choice(SECOND_THOUGHTS)
            if deed is not None:
                later = at + self.span * lots.random() ** 2
                yield Act(at=later, deed=deed, desk=desk, number=lots.randrange(1000))

    def _work(self, lots: random.Random) -> Work:
        steps = max(1, round(lots.lognormvariate(1, 1)))
        if lots.randrange(self.long_one_in) == 0:
            steps = lots.randint(1, self.steps_max)
        return Work(
            steps=min(steps, self.steps_max),
            seconds=round(self.step.total_seconds()),
            failures=lots.choice([0, 0, 0, 0, 1, 2, 3]),
            is_deaf=lots.random() < 0.1,  # noqa: PLR2004 - one in ten
        )
