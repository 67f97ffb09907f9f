"""Traffic as it was: out of the events of a deployment, on whatever backend."""

from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hotdesk.desks import Desk
from hotdesk.events import StoredEvent
from hotdesk.planner.traffic import Arrival
from hotdesk.ports import Backend

AT_ONCE = 1000
EVENTS_A_JOB = 10
"""How many events are read for each job that is asked for, at most."""
# Clocks of several machines differ, and a change on AWS takes its cursors before it is made.
MARGIN = timedelta(minutes=5)
SECOND = timedelta(seconds=1)
BEGINS = frozenset({"JobSubmitted", "JobRetried"})
RUN_ENDS = frozenset({"JobEnded", "JobPutBack", "AttemptGivenBack", "AttemptFailed"})


@dataclass(slots=True, kw_only=True)
class _Job:
    id: str
    at: datetime
    desk: str
    thread: str
    running_since: datetime | None = None
    worked: timedelta = timedelta(0)
    ended_at: datetime | None = None


@dataclass(slots=True)
class Recording:
    """Puts jobs together out of their events, in the order of both.

    A job worked from each start to the end of that run, preparing included; what a crash
    cut off has no end, and does not count. One that never ran is left out, and so is one
    that has not ended. One that is retried is another job. A correction is a job whose
    thread is that of the job before it at its desk, which had not ended.

    ``begins`` is ``since``, or the first event of a shorter history. With ``ends``, what
    came behind that was not looked at.
    """

    since: datetime
    begins: datetime | None = None
    ends: datetime | None = None
    left_out: int = 0
    _newest: datetime | None = None
    _waiting: deque[_Job] = field(default_factory=deque)
    _by_id: dict[str, _Job] = field(default_factory=dict)
    _last: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """Of each desk the thread of its last job that ran, and when that ended."""

    def take(self, event: StoredEvent) -> list[tuple[datetime, Arrival]]:
        """Take the next event; returns the jobs that are whole now, each with its instant.

        Their ``at`` is in seconds since ``since``, and never less than that of the one before.
        """
        if event.at >= self.since:
            self.begins = self.begins or event.at
        job = self._by_id.get(event.job_id)
        if event.kind in BEGINS:
            if job is None and event.at >= self.since:
                self._begin(event)
        elif job is None:
            pass
        elif event.kind == "JobStarted":
            job.running_since = event.at
        elif event.kind in RUN_ENDS:
            if job.running_since is not None:
                job.worked += max(event.at - job.running_since, timedelta(0))
                job.running_since = None
            if event.kind == "JobEnded":
                job.ended_at = event.at
                del self._by_id[job.id]
        return self._whole()

    def finish(self) -> list[tuple[datetime, Arrival]]:
        """The jobs that are whole behind those that have not ended, which are left out."""
        for job in self._by_id.values():
            job.ended_at, job.worked = job.at, timedelta(0)
        return self._whole()

    def _begin(self, event: StoredEvent) -> None:
        # A clock may go back; the order of the events is that of the jobs all the same.
        self._newest = max(event.at, self._newest or event.at)
        job = _Job(
            id=event.job_id,
            at=self._newest,
            desk=str(Desk.from_key(event.desk)),
            # A retry does not tell its thread. It follows a job that has ended.
            thread=str(event.details.get("thread", event.job_id)),
        )
        self._by_id[job.id] = job
        self._waiting.append(job)

    def _whole(self) -> list[tuple[datetime, Arrival]]:
        found = []
        while self._waiting and (ended_at := self._waiting[0].ended_at) is not None:
            job = self._waiting.popleft()
            if not job.worked:
                self.left_out += 1
                continue
            thread, before_ended = self._last.get(job.desk, ("", job.at))
            is_correction = thread == job.thread and before_ended > job.at
            self._last[job.desk] = (job.thread, ended_at)
            at, seconds = (job.at - self.since) / SECOND, job.worked / SECOND
            found.append((job.at, Arrival(at, job.desk, seconds, is_correction)))
        return found


async def recorded(
    backend: Backend,
    recording: Recording,
    *,
    jobs_max: int | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> AsyncIterator[tuple[datetime, Arrival]]:
    """The jobs that *backend* has events of, in the order of their submission.

    No more than *jobs_max*, the oldest, and of no more than ten events for each.
    ``on_progress`` is told how many events were read.

    Raises:
        Unavailable: The store does not answer.
    """
    cursor, count, jobs = await backend.cursor_before(recording.since - MARGIN), 0, 0
    if cursor:
        recording.begins = recording.since
    # Up to the newest one of now; what comes meanwhile is not waited for.
    last = await backend.latest_cursor()
    while cursor != last and (events := await backend.events(after=cursor, limit=AT_ONCE)):
        for event in events:
            for each in recording.take(event):
                yield each
                jobs += 1
                if jobs == jobs_max:
                    recording.ends = each[0]
                    return
            cursor = event.cursor
            if cursor == last:
                break
        count += len(events)
        on_progress(count)
        if jobs_max is not None and count >= EVENTS_A_JOB * jobs_max:
            recording.ends = events[-1].at
            break
    for each in recording.finish():
        yield each
