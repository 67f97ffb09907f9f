"""A worker for each desk, in fast motion: always on, or from zero to one with its work."""

import math
import random
from collections import Counter, deque
from itertools import accumulate

from hotdesk.planner.outcome import Outcome, Timing
from hotdesk.planner.traffic import Arrival
from hotdesk.planner.waits import Waits, WaitsByHour

MINUTE = 60.0


class _Line:
    """One desk: what waits at it, what runs, and how long its worker has been there."""

    __slots__ = ("ends", "gaps", "queue", "ready", "since")

    def __init__(self) -> None:
        self.queue: deque[Arrival] = deque()
        self.ready = -math.inf  # When its worker is there, or was done with its last job.
        self.since = math.inf  # When its worker was started.
        self.ends = math.inf
        # When crashes left what runs without a worker, from and until.
        self.gaps: list[tuple[float, float]] = []


class OwnRun:
    """One traffic, with a worker for each desk: ``begin``, ``arrive`` for each job, ``finish``.

    Desks do not touch each other, so each is followed only when something arrives for it.
    """

    def __init__(
        self,
        timing: Timing,
        *,
        idle: float | None,
        promise: float = math.inf,
        seed: int = 0,
    ) -> None:
        """With *idle*, a worker ends after so many seconds without work; ``None`` is never."""
        self._timing = timing
        self._idle = idle
        self._lines: dict[str, _Line] = {}
        self._first = 0.0
        # How many workers more, or fewer, there are from each minute on.
        self._changes: Counter[int] = Counter()
        self._last = 0.0
        self._lots = random.Random(seed)  # noqa: S311 - a simulation repeats its numbers
        self.outcome = Outcome(waits=Waits(), delays=WaitsByHour(promise=promise))

    def begin(self, at: float) -> None:
        """Have those that are always on there from that time on."""
        self._first = self._last = at

    def arrive(self, job: Arrival) -> None:
        """Take a job that arrives no sooner than those before it."""
        self._last = job.at
        line = self._lines.get(job.desk)
        if line is None:
            line = self._lines[job.desk] = _Line()
        self._follow(line, job.at)
        if job.is_correction:
            self._correct(line, job.at)
        line.queue.append(job)
        self._follow(line, job.at)

    def finish(self, until: float = 0.0) -> Outcome:
        """Let all work end; workers that are always on are there *until* that time at least."""
        end = max(self._last, until)
        for line in self._lines.values():
            self._follow(line, math.inf)
            end = max(end, line.ready)
        first = self._first
        if self._idle is None:
            # Those of desks that were quiet at first were there all the same.
            self.outcome.worker_seconds = len(self._lines) * (end - first)
            self.outcome.workers_most = len(self._lines)
        else:
            for line in self._lines.values():
                self._retire(line, end)
            there = accumulate(change for _, change in sorted(self._changes.items()))
            self.outcome.workers_most = max(there, default=0)
        self.outcome.span = end - first
        return self.outcome

    def _correct(self, line: _Line, at: float) -> None:
        """Fold the job before a correction, or have it stop."""
        ends = at + self._timing.stop
        if line.queue:
            line.queue.pop()
            self.outcome.folded += 1
        elif ends < line.ends < math.inf:
            self.outcome.interrupted += 1
            self._stop(line, ends)

    def _stop(self, line: _Line, at: float) -> None:
        """Have what runs end, and what would have been of it not happen."""
        for begins, ends in line.gaps:
            if begins <= at < ends:
                # Nobody is there to stop; the desk is free once another worker may have it.
                at = ends
        unspent = line.ends - at
        for begins, ends in line.gaps:
            if begins >= at:
                unspent -= ends - begins
                self.outcome.crashes -= 1
        self.outcome.busy_seconds -= unspent
        line.ends = at

    def _follow(self, line: _Line, until: float) -> None:
        """Let *line* go on to that time."""
        while True:
            if line.ends < math.inf:
                if line.ends > until:
                    return
                line.ready, line.ends = line.ends, math.inf
            if not line.queue:
                return
            self._run(line, line.queue.popleft())

    def _run(self, line: _Line, job: Arrival) -> None:
        timing, free = self._timing, line.ready
        if self._idle is not None and job.at > line.ready + self._idle:
            self._retire(line)
            line.since = job.at
            line.ready = job.at + timing.cold_start
            self.outcome.cold_starts += 1
            prepare = timing.prepare
        else:
            prepare = 0.0
        start = max(job.at, line.ready)
        begins = start + prepare
        self.outcome.waits.add(begins - job.at)
        self.outcome.delays.add(job.at, begins - max(job.at, free))
        line.gaps.clear()
        # Another worker is started while the lease of the one that crashed runs out.
        gone = max(timing.takeover, timing.cold_start)
        while (crash := timing.crash_in(job.seconds, self._lots)) is not None:
            self.outcome.crashes += 1
            self.outcome.busy_seconds += prepare + crash
            line.gaps.append((begins + crash, begins + crash + gone))
            prepare = timing.prepare
            begins += crash + gone + prepare
        self.outcome.busy_seconds += prepare + job.seconds
        line.ends = begins + job.seconds

    def _retire(self, line: _Line, end: float = math.inf) -> None:
        if self._idle is not None and line.since < math.inf:
            # What is idle at the *end* of all is not followed further, as in a pool.
            ends = min(line.ready + self._idle, end)
            self.outcome.worker_seconds += ends - line.since
            self._changes[int(line.since // MINUTE)] += 1
            self._changes[int(ends // MINUTE) + 1] -= 1
