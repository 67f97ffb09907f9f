"""The worlds that are explored: small ones in every test run, large ones on demand.

With one fault too many a world has too many states. So each looks at one matter, with as
many jobs, workers and faults as that needs.
"""

import re
from dataclasses import dataclass

from hotdesk.model import mutants as wrong
from hotdesk.model.protocol import Protocol
from hotdesk.model.setup import Setup


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A setup, and what it is there to show; ``protocol`` is a mutant's, or the right one."""

    name: str
    shows: str
    setup: Setup
    protocol: type[Protocol] = Protocol


def _small(name: str, shows: str, setup: Setup) -> World:
    return World(name=name, shows=shows, setup=setup)


def _mutant(protocol: type[Protocol], setup: Setup) -> World:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", protocol.__name__).lower()
    shows = (protocol.__doc__ or "").strip()
    return World(name=name, shows=shows, setup=setup, protocol=protocol)


SMALL = (
    _small(
        "takeover",
        "a worker dies and another one freezes, at any step",
        Setup.of("2", crashes=1, freezes=1),
    ),
    _small(
        "fast path",
        "the same without the sweep: claim requests alone bring a desk back",
        Setup.of("2", crashes=1, freezes=1, has_sweep=False),
    ),
    _small("two deaths", "three workers, two of which die", Setup.of("2", workers=3, crashes=2)),
    _small("two freezes", "two workers wake up too late", Setup.of("1", workers=3, freezes=2)),
    _small("duplicates", "claim requests come twice", Setup.of("2", freezes=1, duplicates=1)),
    _small("copies", "messages come twice", Setup.of("2", freezes=1, copies=1)),
    _small("watchdog", "a job is sent again", Setup.of("2", crashes=1, stalls=1)),
    _small(
        "watchdog and takeover",
        "a job is sent again while its worker dies or freezes",
        Setup.of("1", crashes=1, freezes=1, stalls=1),
    ),
    _small("stop", "a workflow is stopped by hand", Setup.of("2", crashes=1, stops=1)),
    _small("give way", "a worker leaves or is drained", Setup.of("2", crashes=1, give_ways=1)),
    _small("pause", "a desk is paused and resumed", Setup.of("2", crashes=1, pauses=1)),
    _small(
        "attempts",
        "attempts fail, are given back, or kill their worker",
        Setup.of("1", workers=3, crashes=2, failures=1, give_ways=1, attempts=2),
    ),
    _small("cancel", "a job is cancelled", Setup.of("2", crashes=1, cancels=1)),
    _small(
        "cancel and pause",
        "a job is cancelled on a desk that may be paused",
        Setup.of("a a", workers=1, cancels=1, pauses=1),
    ),
    _small("put back", "another thread preempts; a worker dies", Setup.of("a b", crashes=1)),
    _small(
        "put back and freeze",
        "another thread preempts; a worker freezes",
        Setup.of("a b", freezes=1, preemptions=1),
    ),
    _small(
        "put back, sent again",
        "another thread preempts, and is sent again itself",
        Setup.of("a b", workers=1, stalls=1),
    ),
    _small(
        "put back, one attempt",
        "a preemption costs no attempt, though there is only one",
        Setup.of("a b", workers=1, attempts=1, give_ways=1),
    ),
    _small("three threads", "three threads preempt each other", Setup.of("a b c", workers=1)),
    _small(
        "interrupts",
        "interrupt messages come late, twice, for what runs no more",
        Setup.of("a b", interrupts=2, give_ways=1),
    ),
    _small("fold in", "a newer job of the thread; a worker dies", Setup.of("a a", crashes=1)),
    _small("fold in and freeze", "the same; a worker freezes", Setup.of("a a", freezes=1)),
    _small(
        "fold in, cancelled",
        "who takes the others in may be cancelled, or fail",
        Setup.of("a a a", workers=1, cancels=1, failures=1),
    ),
    _small(
        "fold in, sent again",
        "who takes the others in may be sent again",
        Setup.of("a a a", workers=1, stalls=1),
    ),
    _small(
        "fold in and put back",
        "a thread is interrupted by another one and goes on",
        Setup.of("a b a", workers=1),
    ),
    _small(
        "policies",
        "jobs that interrupt their desk, their thread, or nothing",
        Setup.of("a b:thread b a:never", workers=1, preemptions=1),
    ),
)
"""In every test run; each holds."""

LARGE = (
    _small("three jobs", "takeover with three jobs", Setup.of("3", crashes=1, freezes=1)),
    _small(
        "three workers",
        "two deaths and a freeze among three workers",
        Setup.of("2", workers=3, crashes=2, freezes=1),
    ),
    _small("two freezes, two jobs", "two workers wake up too late", Setup.of("2", freezes=2)),
    _small(
        "all that is doubled",
        "claim requests and messages come twice",
        Setup.of("2", freezes=1, duplicates=1, copies=1),
    ),
    _small(
        "watchdog, freeze",
        "two jobs, one is sent again; a worker freezes",
        Setup.of("2", freezes=1, stalls=1),
    ),
    _small(
        "stop and freeze", "a workflow is stopped", Setup.of("2", crashes=1, freezes=1, stops=1)
    ),
    _small("pause and freeze", "a desk is paused", Setup.of("2", crashes=1, freezes=1, pauses=1)),
    _small(
        "put back, takeover",
        "another thread preempts; a worker dies, one freezes",
        Setup.of("a b", crashes=1, freezes=1, preemptions=1),
    ),
    _small(
        "put back, cancelled",
        "another thread preempts; cancel, freeze and late interrupts",
        Setup.of("a b", freezes=1, cancels=1, interrupts=1),
    ),
    _small("three threads, death", "three threads; a worker dies", Setup.of("a b c", crashes=1)),
    _small(
        "fold in, takeover",
        "a newer job of the thread; a worker dies, one freezes",
        Setup.of("a a", crashes=1, freezes=1, cancels=1),
    ),
    _small(
        "fold in, watchdog and freeze",
        "a newer job of the thread; sent again, freeze",
        Setup.of("a a", freezes=1, stalls=1),
    ),
    _small(
        "four jobs of two threads",
        "a thread goes on after it was put back",
        Setup.of("a b a a", preemptions=1),
    ),
    _small(
        "four jobs, all policies",
        "with a death",
        Setup.of("a b:thread a:never b", crashes=1, preemptions=1),
    ),
)
"""For ``make model``: minutes, and gigabytes."""

MUTANTS = (
    _mutant(wrong.CheckThenSend, Setup.of("1")),
    _mutant(wrong.PendingByJob, Setup.of("1", stalls=1)),
    _mutant(wrong.NoSweep, Setup.of("2", stops=1)),
    _mutant(wrong.FoldAtSubmit, Setup.of("a a", cancels=1)),
    _mutant(wrong.OwnerTrusted, Setup.of("1", crashes=1)),
    _mutant(wrong.LeaseIgnored, Setup.of("2")),
    _mutant(wrong.GenerationKept, Setup.of("1", freezes=1)),
    _mutant(wrong.RequestDeletedEarly, Setup.of("1", crashes=1, has_sweep=False)),
    _mutant(wrong.ReleaseUncompared, Setup.of("2", has_sweep=False)),
    _mutant(wrong.FreshRequest, Setup.of("2", give_ways=1, has_sweep=False)),
    _mutant(wrong.RecoveryUnprobed, Setup.of("1", crashes=1)),
    _mutant(wrong.ResumeUnasked, Setup.of("1", pauses=1, has_sweep=False)),
    _mutant(wrong.OldestJobFirst, Setup.of("2")),
    _mutant(wrong.ProbeFirst, Setup.of("1", freezes=1)),
    _mutant(wrong.Unprobed, Setup.of("1", crashes=1)),
    _mutant(wrong.RegisterUnfenced, Setup.of("2", freezes=1)),
    _mutant(wrong.CountedLate, Setup.of("1", crashes=1)),
    _mutant(wrong.DeadSendCounted, Setup.of("1", stalls=1, attempts=1)),
    _mutant(wrong.PreemptionCounted, Setup.of("a b", attempts=1)),
    _mutant(wrong.SealUnchecked, Setup.of("1", cancels=1)),
    _mutant(wrong.CancelAfterSeal, Setup.of("1", cancels=1)),
    _mutant(wrong.RefusedCallbackRecorded, Setup.of("1", freezes=1)),
    _mutant(wrong.DeleteFirst, Setup.of("1", crashes=1)),
    _mutant(wrong.SettleFirst, Setup.of("1", crashes=1)),
    _mutant(wrong.SettleUndeleted, Setup.of("1", freezes=1)),
    _mutant(wrong.SettleUnfenced, Setup.of("2", freezes=1)),
    _mutant(wrong.StaleInterruptObeyed, Setup.of("a b", workers=1, interrupts=1)),
    _mutant(wrong.EverySendPreempts, Setup.of("a b", workers=1, stalls=1)),
    _mutant(wrong.PreemptionsUnbounded, Setup.of("a b", workers=1)),
    _mutant(wrong.HandedOnce, Setup.of("a a", workers=1)),
    _mutant(wrong.CarriedOutOwedAgain, Setup.of("a a a", workers=1, stalls=1)),
)
"""In every test run; in each a promise is broken."""
