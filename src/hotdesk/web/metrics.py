"""Numbers for Prometheus: how everything stands, and what happened since the start.

Names and units follow its conventions. No label holds a name that somebody chose, so
the number of series is known beforehand.
"""

from datetime import datetime, timedelta

import anyio
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from hotdesk import events
from hotdesk.desks import JobState
from hotdesk.events import StoredEvent
from hotdesk.overview import Overview, look
from hotdesk.ports import Backend, Clock

KEPT = timedelta(seconds=5)
STATES = ("busy", "holding", "warm", "draining")
# Jobs whose begin is remembered until they start or end.
BEGUN_MAX = 10_000
SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14_400)

_KINDS = frozenset(each.__name__ for each in events.Event.__subclasses__())


class Metrics:
    """The numbers of one deployment."""

    def __init__(self, backend: Backend, clock: Clock) -> None:
        """Count from now on."""
        self._backend = backend
        self._clock = clock
        self._lock = anyio.Lock()
        self._good_until = float("-inf")
        self._submitted: dict[str, datetime] = {}
        self._started: dict[str, datetime] = {}
        self._registry = CollectorRegistry()
        self._name()

    def _name(self) -> None:
        registry = self._registry
        self._workers = Gauge("hotdesk_workers", "Workers.", ["state"], registry=registry)
        self._waiting = Gauge(
            "hotdesk_desks_waiting",
            "Desks that wait for a worker, 1000 at most.",
            registry=registry,
        )
        self._jobs = Gauge(
            "hotdesk_jobs",
            "Jobs without an outcome, 1000 at most.",
            ["state"],
            registry=registry,
        )
        self._dead = Gauge("hotdesk_dead_letters", "Dead letters, 1000 at most.", registry=registry)
        self._held = Gauge(
            "hotdesk_held_mails", "Mails that wait for approval, 1000 at most.", registry=registry
        )
        self._events = Counter("hotdesk_events", "Events by kind.", ["kind"], registry=registry)
        self._ended = Counter(
            "hotdesk_jobs_ended", "Outcomes of jobs.", ["state"], registry=registry
        )
        self._answers = Counter(
            "hotdesk_http_requests", "Answers by their status.", ["status"], registry=registry
        )
        self._wait = Histogram(
            "hotdesk_job_wait_seconds",
            "From the submission to the first start.",
            buckets=SECONDS,
            registry=registry,
        )
        self._run = Histogram(
            "hotdesk_job_run_seconds",
            "From the last start to the outcome.",
            buckets=SECONDS,
            registry=registry,
        )
        for state in JobState:
            if state.is_ended:
                self._ended.labels(state.value)

    def answered(self, status: int) -> None:
        """Count an answer."""
        self._answers.labels(str(status)).inc()

    def happened(self, event: StoredEvent) -> None:
        """Count an event."""
        self._events.labels(event.kind if event.kind in _KINDS else "other").inc()
        match event.kind:
            case "JobSubmitted":
                _remember(self._submitted, event)
            case "JobStarted":
                _remember(self._started, event)
                if since := self._submitted.pop(event.job_id, None):
                    self._wait.observe(max(0.0, (event.at - since).total_seconds()))
            case "JobEnded":
                self._submitted.pop(event.job_id, None)
                state = str(event.details.get("state"))
                self._ended.labels(state if state in set(JobState) else "other").inc()
                if since := self._started.pop(event.job_id, None):
                    self._run.observe(max(0.0, (event.at - since).total_seconds()))

    async def text(self) -> bytes:
        """All of them, as Prometheus reads them; what is asked of the store is kept for 5 s.

        Raises:
            Unavailable: The store does not answer.
        """
        async with self._lock:
            if self._clock.monotonic() >= self._good_until:
                self._set(
                    await look(self._backend, self._clock.now(), desks_max=1, span=timedelta(0))
                )
                self._good_until = self._clock.monotonic() + KEPT.total_seconds()
        return generate_latest(self._registry)

    def _set(self, seen: Overview) -> None:
        for state in STATES:
            self._workers.labels(state).set(seen.workers_in(state))
        self._jobs.labels("running").set(seen.counts.running)
        self._jobs.labels("queued").set(seen.counts.queued)
        self._waiting.set(seen.counts.desks_waiting)
        self._dead.set(seen.counts.dead)
        self._held.set(seen.counts.held)


def _remember(begun: dict[str, datetime], event: StoredEvent) -> None:
    if len(begun) >= BEGUN_MAX:
        del begun[next(iter(begun))]
    begun[event.job_id] = event.at
