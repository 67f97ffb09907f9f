"""The worlds that are explored: small ones in every test run, large ones on demand.

With one fault too many a world has too many states. So each looks at one matter, with as
many jobs, workers and faults as that needs.
"""

import re
from dataclasses import dataclass

from hotdesk.model.mutants import interrupting, leaving, running, submitting
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
    _small(
        "stop and fold in",
        "the workflow of the job that was to take another one in is stopped",
        Setup.of("a a", crashes=1, stops=1),
    ),
    _small("give way", "a worker leaves or is drained", Setup.of("2", crashes=1, give_ways=1)),
    _small("pause", "a desk is paused and resumed", Setup.of("2", crashes=1, pauses=1)),
    _small(
        "attempts",
        "attempts fail, are given back, or kill their worker",
        Setup.of("1", workers=3, crashes=2, failures=1, give_ways=1, attempts=2),
    ),
    _small(
        "attempts and lost answers",
        "the same with a freeze and a lost answer: a hand-over counts once",
        Setup.of("1", workers=3, crashes=1, freezes=1, replies=1, attempts=2),
    ),
    _small("cancel", "a job is cancelled", Setup.of("2", crashes=1, cancels=1)),
    _small(
        "cancel and pause",
        "a job is cancelled on a desk that may be paused",
        Setup.of("a a", workers=1, cancels=1, pauses=1),
    ),
    _small(
        "lost answers",
        "a call is done and its answer lost",
        Setup.of("2", crashes=1, replies=1),
    ),
    _small(
        "lost answers and put back",
        "the same while another thread preempts",
        Setup.of("a b", workers=1, replies=1, preemptions=1),
    ),
    _small(
        "lost answers and pause",
        "a person who resumes a desk does not come to ask for it",
        Setup.of("2", pauses=1, replies=1),
    ),
    _small(
        "clocks",
        "a clock is ahead, and a desk is taken early",
        Setup.of("2", crashes=1, clocks=1),
    ),
    _small(
        "clocks and copies",
        "a desk is taken early while messages come twice",
        Setup.of("1", clocks=2, copies=1),
    ),
    _small(
        "long runs",
        "a run is so long that its message is received anew; a worker dies, one freezes",
        Setup.of("1", crashes=1, freezes=1, long_runs=1),
    ),
    _small(
        "long runs, interrupted",
        "the same with a job that another one preempts, and is drained",
        Setup.of("a b", workers=1, give_ways=1, long_runs=1, preemptions=1),
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
    _small(
        "fast path, three jobs",
        "without the sweep, a lease that is renewed late keeps nobody from being asked",
        Setup.of("3", freezes=1, has_sweep=False),
    ),
    _small(
        "lost answers, freeze",
        "two jobs, a death, a freeze and a lost answer",
        Setup.of("2", crashes=1, freezes=1, replies=1),
    ),
    _small("clocks, freeze", "two jobs", Setup.of("2", freezes=1, clocks=1, duplicates=1)),
    _small(
        "long runs, two jobs",
        "messages come twice, and are received anew",
        Setup.of("2", freezes=1, copies=1, long_runs=1),
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
        "another thread preempts; cancel and freeze",
        Setup.of("a b", freezes=1, cancels=1, preemptions=1),
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
    _mutant(submitting.CheckThenSend, Setup.of("1")),
    _mutant(submitting.LookFirst, Setup.of("2", has_sweep=False)),
    _mutant(submitting.PendingByJob, Setup.of("1", stalls=1)),
    _mutant(submitting.NoSweep, Setup.of("2", stops=1)),
    _mutant(submitting.AskedKept, Setup.of("2", has_sweep=False)),
    _mutant(submitting.AskedLeft, Setup.of("3", clocks=1, has_sweep=False)),
    _mutant(submitting.FoldAtSubmit, Setup.of("a a", cancels=1)),
    _mutant(leaving.TtlTrusted, Setup.of("1", crashes=1)),
    _mutant(leaving.LeaseIgnored, Setup.of("2")),
    _mutant(leaving.NoMargin, Setup.of("1", clocks=1)),
    _mutant(leaving.GenerationKept, Setup.of("1", freezes=1)),
    _mutant(leaving.RequestDeletedEarly, Setup.of("1", crashes=1, has_sweep=False)),
    _mutant(leaving.ReleaseUncompared, Setup.of("2", has_sweep=False)),
    _mutant(leaving.ReleaseByQueue, Setup.of("1", has_sweep=False)),
    _mutant(leaving.LeaveUnfenced, Setup.of("1", freezes=1)),
    _mutant(leaving.FreshRequest, Setup.of("2", give_ways=1, has_sweep=False)),
    _mutant(leaving.RecoveryUnprobed, Setup.of("1", crashes=1)),
    _mutant(leaving.ClearUnfenced, Setup.of("1", workers=3, crashes=1, freezes=1)),
    _mutant(leaving.ClearedFirst, Setup.of("1", workers=3, crashes=2)),
    _mutant(leaving.ResumeUnasked, Setup.of("1", pauses=1, has_sweep=False)),
    _mutant(running.OldestJobFirst, Setup.of("2")),
    _mutant(running.ProbeFirst, Setup.of("1", freezes=1)),
    _mutant(running.Unprobed, Setup.of("1", crashes=1)),
    _mutant(running.RaiseFirst, Setup.of("1", crashes=1)),
    _mutant(running.ReceiptKept, Setup.of("1", crashes=1, long_runs=1)),
    _mutant(running.RegisterUnfenced, Setup.of("2", freezes=1)),
    _mutant(running.CountedLate, Setup.of("1", crashes=1)),
    _mutant(running.CountedTwice, Setup.of("1", replies=1, attempts=1)),
    _mutant(running.DeadSendCounted, Setup.of("1", stalls=1, attempts=1)),
    _mutant(running.PreemptionCounted, Setup.of("a b", attempts=1)),
    _mutant(running.GivenBackFirst, Setup.of("1", crashes=1, give_ways=1)),
    _mutant(running.SealUnchecked, Setup.of("1", cancels=1)),
    _mutant(running.CancelAfterSeal, Setup.of("1", cancels=1)),
    _mutant(running.RefusedCallbackRecorded, Setup.of("1", freezes=1)),
    _mutant(running.DeleteFirst, Setup.of("1", crashes=1)),
    _mutant(running.SettleFirst, Setup.of("1", crashes=1)),
    _mutant(running.SettleUndeleted, Setup.of("1", freezes=1)),
    _mutant(running.SettleUnfenced, Setup.of("2", freezes=1)),
    _mutant(interrupting.StaleInterruptObeyed, Setup.of("a b", workers=1, interrupts=1)),
    _mutant(interrupting.OverStillPreempts, Setup.of("a b", crashes=1)),
    _mutant(interrupting.OverStillFolds, Setup.of("a a", workers=1, stops=1)),
    _mutant(interrupting.EverySendPreempts, Setup.of("a b", workers=1, stalls=1, interrupts=1)),
    _mutant(interrupting.PreemptionsUnbounded, Setup.of("a b", workers=1)),
    _mutant(interrupting.HandedOnce, Setup.of("a a", workers=1)),
    _mutant(interrupting.CarriedOutOwedAgain, Setup.of("a a a", workers=1, stalls=1)),
)
"""In every test run; in each a promise is broken."""
