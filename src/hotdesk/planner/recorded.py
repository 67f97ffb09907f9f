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
RUN_ENDS = frozenset({"JobEnded", "JobPutBack", "AttemptGivenBack", "AttemptFailed"})


@dataclass(slots=True, kw_only=True)
class _Job:
    id: str
    at: datetime
    desk: str
    thread: str
    is_correction: bool
    running_since: datetime | None = None
    worked: timedelta = timedelta(0)
    is_ended: bool = False


@dataclass(slots=True)
class Recording:
    """Puts jobs together out of their events, in the order of both.

    A job worked from each start to the end of that run, preparing included. One that
    never ran is left out, and so is one that has not ended. A correction is a job whose
    thread had another one at its desk that had not ended.
    """

    since: datetime
    left_out: int = 0
    _waiting: deque[_Job] = field(default_factory=deque)
    _by_id: dict[str, _Job] = field(default_factory=dict)
    _open: dict[tuple[str, str], int] = field(default_factory=dict)

    def take(self, event: StoredEvent) -> list[tuple[datetime, Arrival]]:
        """Take the next event; returns the jobs that are whole now, each with its instant.

        Their ``at`` is in seconds since ``since``.
        """
        if event.kind == "JobSubmitted":
            if event.at >= self.since:
                self._begin(event)
        elif (job := self._by_id.get(event.job_id)) is not None:
            if event.kind == "JobStarted":
                job.running_since = event.at
            elif event.kind in RUN_ENDS:
                if job.running_since is not None:
                    job.worked += max(event.at - job.running_since, timedelta(0))
                    job.running_since = None
                if event.kind == "JobEnded":
                    self._end(job)
        return self._whole()

    def finish(self) -> list[tuple[datetime, Arrival]]:
        """The jobs that are whole behind those that have not ended, which are left out."""
        for job in self._waiting:
            if not job.is_ended:
                job.is_ended, job.worked = True, timedelta(0)
        return self._whole()

    def _begin(self, event: StoredEvent) -> None:
        thread = str(event.details.get("thread", ""))
        desk = str(Desk.from_key(event.desk))
        key = (desk, thread)
        job = _Job(
            id=event.job_id,
            at=event.at,
            desk=desk,
            thread=thread,
            is_correction=self._open.get(key, 0) > 0,
        )
        self._open[key] = self._open.get(key, 0) + 1
        self._by_id[job.id] = job
        self._waiting.append(job)

    def _end(self, job: _Job) -> None:
        job.is_ended = True
        del self._by_id[job.id]
        key = (job.desk, job.thread)
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]

    def _whole(self) -> list[tuple[datetime, Arrival]]:
        found = []
        while self._waiting and self._waiting[0].is_ended:
            job = self._waiting.popleft()
            if not job.worked:
                self.left_out += 1
                continue
            at = (job.at - self.since) / timedelta(seconds=1)
            seconds = job.worked / timedelta(seconds=1)
            found.append((job.at, Arrival(at, job.desk, seconds, job.is_correction)))
        return found


async def recorded(
    backend: Backend,
    recording: Recording,
    *,
    on_progress: Callable[[int], None] = lambda _: None,
) -> AsyncIterator[tuple[datetime, Arrival]]:
    """The jobs that *backend* has events of, in the order of their submission.

    ``on_progress`` is told how many events were read.

    Raises:
        Unavailable: The store does not answer.
    """
    cursor, count = "", 0
    # Up to the newest one of now; what comes meanwhile is not waited for.
    last = await backend.latest_cursor()
    while cursor != last and (events := await backend.events(after=cursor, limit=AT_ONCE)):
        for event in events:
            for each in recording.take(event):
                yield each
            cursor = event.cursor
            if cursor == last:
                break
        count += len(events)
        on_progress(count)
    for each in recording.finish():
        yield each
