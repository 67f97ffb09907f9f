"""What is explored: the jobs of the desk, its workers, and how many faults of each kind."""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Self

from hotdesk.desks import InterruptPolicy
from hotdesk.errors import Rejected
from hotdesk.lifecycle import Limits


class Fault(IntEnum):
    """What may go wrong, or be done by people, as often as the setup says."""

    CRASHES = 0
    FREEZES = 1
    DUPLICATES = 2
    COPIES = 3
    STALLS = 4
    STOPS = 5
    GIVE_WAYS = 6
    CANCELS = 7
    INTERRUPTS = 8
    FAILURES = 9
    PAUSES = 10
    REPLIES = 11
    CLOCKS = 12
    LONG_RUNS = 13

    @property
    def option(self) -> str:
        """Its name on the command line: ``give-ways``."""
        return self.name.lower().replace("_", "-")


MEANINGS = {
    Fault.CRASHES: "a worker dies, at any step",
    Fault.FREEZES: "a worker freezes past its lease, or past a receipt, and wakes up",
    Fault.DUPLICATES: "a claim request is there twice",
    Fault.COPIES: "a job's message is in its desk's queue twice",
    Fault.STALLS: "the watchdog fires and the workflow sends the job again",
    Fault.STOPS: "a workflow is stopped by hand",
    Fault.GIVE_WAYS: "a worker leaves although jobs are pending, or is drained while it runs one",
    Fault.CANCELS: "a person cancels a job",
    Fault.INTERRUPTS: "an interrupt message arrives, at any later time, or once more; all others "
    "are lost, and the record alone says who is to stop",
    Fault.FAILURES: "an attempt fails, for good or to be tried again, or has to be given back",
    Fault.PAUSES: "a person pauses the desk, and resumes it some time later",
    Fault.REPLIES: "the answer to a call is lost after it was done, and the call is made again",
    Fault.CLOCKS: "a clock is ahead, by the margin for skew or by minutes",
    Fault.LONG_RUNS: "a run takes so long that its message has to be received anew",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a job is: its thread, and what it may interrupt."""

    thread: str
    policy: InterruptPolicy = InterruptPolicy.NEVER

    def __str__(self) -> str:
        is_usual = self.policy is InterruptPolicy.DESK
        return self.thread if is_usual else f"{self.thread}:{self.policy.value}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``thread:policy``; the policy is ``desk`` if nothing is said.

        Raises:
            Rejected: There is no such policy.
        """
        thread, _, policy = text.partition(":")
        try:
            return cls(thread=thread, policy=InterruptPolicy(policy or "desk"))
        except ValueError:
            policies = ", ".join(InterruptPolicy)
            raise Rejected(f"{policy!r} is not a policy; there are {policies}") from None


# Smaller than in production: what a bound does shows when it is reached.
USUAL = Limits(attempts_max=3, preemptions_max=2, given_back_max=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One bounded world. The first job is the oldest."""

    jobs: tuple[Kind, ...]
    workers: int = 2
    faults: tuple[int, ...] = (0,) * len(Fault)
    has_sweep: bool = True
    limits: Limits = USUAL

    @classmethod
    def of(
        cls,
        jobs: str,
        *,
        workers: int = 2,
        has_sweep: bool = True,
        attempts: int = USUAL.attempts_max,
        preemptions: int = USUAL.preemptions_max,
        **faults: int,
    ) -> Self:
        """Make one from *jobs*, such as ``a:desk b:never a``, and faults, such as ``crashes=1``.

        A number of jobs is as many that have nothing to do with each other.

        Raises:
            Rejected: *jobs* cannot be read.
        """
        kinds = (
            tuple(Kind(thread=f"t{number}") for number in range(int(jobs)))
            if jobs.isdecimal()
            else tuple(Kind.parse(word) for word in jobs.split())
        )
        if not kinds or workers < 1:
            raise Rejected("there is nothing to explore without a job and a worker")
        counts = [0] * len(Fault)
        for name, count in faults.items():
            counts[Fault[name.upper()]] = count
        limits = replace(USUAL, attempts_max=attempts, preemptions_max=preemptions)
        return cls(
            jobs=kinds, workers=workers, faults=tuple(counts), has_sweep=has_sweep, limits=limits
        )

    def __str__(self) -> str:
        """The options of the command line that describe it."""
        alone = tuple(Kind(thread=f"t{number}") for number in range(len(self.jobs)))
        jobs = len(alone) if self.jobs == alone else f"'{' '.join(map(str, self.jobs))}'"
        options = [f"--jobs {jobs}"]
        options += [
            f"--{name} {number}"
            for name, number, usual in (
                ("workers", self.workers, Setup(jobs=self.jobs).workers),
                ("attempts", self.limits.attempts_max, USUAL.attempts_max),
                ("preemptions", self.limits.preemptions_max, USUAL.preemptions_max),
                *((fault.option, self.faults[fault], 0) for fault in Fault),
            )
            if number != usual
        ]
        if not self.has_sweep:
            options.append("--no-sweep")
        return " ".join(options)
