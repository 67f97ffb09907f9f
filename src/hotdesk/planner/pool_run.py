"""A warm pool in fast motion: generic workers that claim desks, linger, and come and go.

Who is started and who may go is decided by the pool's own rules (``placement.py``). What
the engine does between two decisions is abstracted here, and a test holds it against the
engine itself. Only crashes are drawn here; what else is random is in the traffic.
"""

import math
import random
from collections import deque
from heapq import heappop, heappush

from hotdesk.placement import PoolLimits, missing, spare
from hotdesk.planner.outcome import Outcome, Timing
from hotdesk.planner.traffic import Arrival
from hotdesk.planner.waits import Waits, WaitsByHour

WAITING, RUNNING, LINGERING = range(3)


class _Desk:
    """A desk with work or an owner. Its ``version`` tells what it was told last from before."""

    __slots__ = (
        *("name", "queue", "state", "version", "session_ends", "running_since"),
        *("running", "crashes", "ends", "is_over"),
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.queue: deque[Arrival] = deque()
        self.state = WAITING
        self.version = 0
        self.session_ends = 0.0
        self.running_since = 0.0
        self.running: Arrival | None = None
        self.crashes = False
        self.ends = 0.0
        self.is_over = False


class PoolRun:
    """One traffic through one pool: ``begin``, ``arrive`` for each job in its order, ``finish``."""

    def __init__(
        self,
        limits: PoolLimits,
        timing: Timing,
        *,
        linger: float,
        session_max: float,
        promise: float = math.inf,
        seed: int = 0,
    ) -> None:
        """Nothing happens before ``begin``. Spans are in seconds; *seed* is that of crashes."""
        assert limits.workers_max > 0, "without a worker, work never ends"
        self._limits = limits
        self._timing = timing
        self._linger = linger
        self._session_max = session_max
        self._idle = limits.idle.total_seconds()
        self._desks: dict[str, _Desk] = {}
        self._waiting: deque[_Desk] = deque()
        # What comes next is the least of the five heads. All but the first are in order
        # by themselves, because each span is the same for all.
        self._ends: list[tuple[float, int, _Desk, int]] = []
        self._lingering: deque[tuple[float, _Desk, int]] = deque()
        self._starting: deque[float] = deque()
        self._orphans: deque[tuple[float, _Desk]] = deque()
        self._free: deque[float] = deque()
        self._lingerers = 0
        self._workers = 0
        self._count = 0
        self._next = math.inf
        self._now = self._since = 0.0
        self._first = 0.0
        self._lots = random.Random(seed)  # noqa: S311 - a simulation repeats its numbers
        self.outcome = Outcome(waits=Waits(), delays=WaitsByHour(promise=promise))

    def begin(self, at: float) -> None:
        """Have the least workers there, warm, from that time on."""
        self._first = self._since = self._now = at
        self._set_workers(self._limits.workers_min, at)
        self._free.extend([at] * self._workers)
        self._look_ahead()

    def arrive(self, job: Arrival) -> None:
        """Take a job that arrives no sooner than those before it."""
        at = job.at
        if at >= self._next:
            self._advance(at)
        desk = self._desks.get(job.desk)
        if desk is None:
            desk = self._desks[job.desk] = _Desk(job.desk)
            desk.queue.append(job)
            self._waiting.append(desk)
            self._seat(at)
        elif desk.state == LINGERING:
            self._lingerers -= 1
            self._run(desk, job, at)
        else:
            if job.is_correction:
                self._correct(desk, at)
            desk.queue.append(job)
        self._now = at
        self._look_ahead()

    def finish(self, until: float = 0.0) -> Outcome:
        """Let all work end; the pool is there *until* that time at least."""
        while self._ends or self._waiting or self._orphans:
            self._advance(self._next)
        end = max(self._now, until)
        self._advance(end)
        self._account(end)
        self.outcome.span = end - self._first
        return self.outcome

    # ------------------------------------------------------------------ what happens

    def _advance(self, until: float) -> None:
        while (at := self._next) <= until and at < math.inf:
            self._now = at
            if self._ends and self._ends[0][0] == at:
                _, _, desk, version = heappop(self._ends)
                if desk.version == version and desk.state == RUNNING:
                    self._end(desk, at)
            elif self._lingering and self._lingering[0][0] == at:
                _, desk, version = self._lingering.popleft()
                if desk.version == version:
                    self._lingerers -= 1
                    self._leave(desk, at)
            elif self._starting and self._starting[0] == at:
                self._starting.popleft()
                self._free.append(at)
                self._seat(at)
            elif self._orphans and self._orphans[0][0] == at:
                self._wait(self._orphans.popleft()[1], at)
            else:
                self._retire(at)
            self._look_ahead()

    def _look_ahead(self) -> None:
        at = self._ends[0][0] if self._ends else math.inf
        if self._lingering and self._lingering[0][0] < at:
            at = self._lingering[0][0]
        if self._starting and self._starting[0] < at:
            at = self._starting[0]
        if self._orphans and self._orphans[0][0] < at:
            at = self._orphans[0][0]
        if self._free and self._workers > self._limits.workers_min:
            at = min(at, self._free[0] + self._idle)
        self._next = at

    def _end(self, desk: _Desk, at: float) -> None:
        self.outcome.busy_seconds += at - desk.running_since
        if desk.crashes:
            self._crash(desk, at)
        elif desk.queue and not (desk.is_over and self._waiting):
            if desk.is_over:
                desk.session_ends = at + self._session_max
            self._run(desk, desk.queue.popleft(), at)
        elif desk.queue:
            # It gives way: others have waited for a whole session of this desk.
            self._free.append(at)
            self._wait(desk, at)
        elif self._waiting or not self._linger:
            self._leave(desk, at)
        else:
            desk.state = LINGERING
            desk.version += 1
            self._lingerers += 1
            self._lingering.append((at + self._linger, desk, desk.version))

    def _wait(self, desk: _Desk, at: float) -> None:
        desk.state = WAITING
        desk.version += 1
        self._waiting.append(desk)
        self._seat(at)

    def _crash(self, desk: _Desk, at: float) -> None:
        """Its worker is gone; the desk is free again when the lease is known to have ended."""
        assert desk.running is not None, "it ran"
        self.outcome.crashes += 1
        self._set_workers(self._workers - 1, at)
        desk.queue.appendleft(desk.running)
        desk.state = WAITING
        desk.version += 1
        self._orphans.append((at + self._timing.takeover, desk))
        self._seat(at)

    def _leave(self, desk: _Desk, at: float) -> None:
        del self._desks[desk.name]
        desk.version += 1
        self._free.append(at)
        self._seat(at)

    def _seat(self, at: float) -> None:
        """Give desks that wait to who is free, then to who only lingers; start who is missing."""
        while self._waiting:
            if self._free:
                self._free.pop()
                self._claim(self._waiting.popleft(), at)
            elif self._lingerers:
                self._leave_longest(at)
            else:
                break
        count = missing(
            self._limits,
            waiting=len(self._waiting),
            coming=len(self._starting) + len(self._free),
            staying=self._workers,
            all=self._workers,
        )
        if count:
            self._set_workers(self._workers + count, at)
            self.outcome.cold_starts += count
            self._starting.extend([at + self._timing.cold_start] * count)

    def _leave_longest(self, at: float) -> None:
        while True:
            _, desk, version = self._lingering.popleft()
            if desk.version == version:
                break
        self._lingerers -= 1
        del self._desks[desk.name]
        desk.version += 1
        self._free.append(at)

    def _retire(self, at: float) -> None:
        limits = self._limits
        if spare(limits, waiting=len(self._waiting), staying=self._workers):
            self._free.popleft()
            self._set_workers(self._workers - 1, at)

    # ------------------------------------------------------------------ one job

    def _claim(self, desk: _Desk, at: float) -> None:
        self.outcome.claims += 1
        desk.session_ends = at + self._session_max
        self._run(desk, desk.queue.popleft(), at, self._timing.prepare)

    def _run(self, desk: _Desk, job: Arrival, at: float, prepare: float = 0.0) -> None:
        desk.state = RUNNING
        desk.version += 1
        desk.running_since = at
        begins = at + prepare
        if desk.running is not job:
            # A job that a crash repeats was answered to once.
            self.outcome.waits.add(begins - job.at)
            self.outcome.delays.add(job.at, begins - max(job.at, desk.ends))
        desk.running = job
        # As a worker does, which looks at its session before a job and acts on it after.
        desk.is_over = at >= desk.session_ends
        seconds = self._timing.crash_in(job.seconds, self._lots)
        desk.crashes = seconds is not None
        self._end_at(desk, begins + (job.seconds if seconds is None else seconds))

    def _correct(self, desk: _Desk, at: float) -> None:
        """Fold the job before a correction, or have it stop."""
        if desk.queue:
            desk.queue.pop()
            self.outcome.folded += 1
        elif desk.state == RUNNING and at + self._timing.stop < desk.ends:
            self.outcome.interrupted += 1
            desk.crashes = False
            desk.version += 1
            self._end_at(desk, at + self._timing.stop)

    def _end_at(self, desk: _Desk, at: float) -> None:
        desk.ends = at
        self._count += 1
        heappush(self._ends, (at, self._count, desk, desk.version))

    # ------------------------------------------------------------------ workers

    def _set_workers(self, count: int, at: float) -> None:
        self._account(at)
        self._workers = count
        self.outcome.workers_most = max(self.outcome.workers_most, count)

    def _account(self, at: float) -> None:
        self.outcome.worker_seconds += self._workers * (at - self._since)
        self._since = at
