"""Jobs, desks, workers, threads and events: as JSON for programs, as cells for people."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from hotdesk.cli import terminal
from hotdesk.cli.phrases import dollars, phrase
from hotdesk.desks import Desk, DeskStatus, Job, Json, WorkerStatus
from hotdesk.events import PartialSaved, StoredEvent
from hotdesk.ports import Held, LogChunk, ThreadView
from hotdesk.runners.progress import spent

INSTRUCTION_SHOWN_MAX = 500
EVENT_SHOWN_MAX = 500


def job_json(job: Job, history: Iterable[StoredEvent] = ()) -> dict[str, Json]:
    """A job with everything that people may know of it, as far as *history* does not say it."""
    return {
        "job": job.id,
        "desk": str(job.desk),
        "thread": job.thread,
        "state": job.state.value,
        "instruction": job.instruction,
        "interrupt": job.interrupt.value,
        "attempt": job.attempt,
        "send": job.send,
        "preemptions": job.preemptions,
        "is_cancelled": job.is_cancelled,
        "submitted_at": _instant(job.submitted_at),
        "started_at": _instant(job.started_at),
        "ended_at": _instant(job.ended_at),
        "worker": job.worker_id,
        "generation": job.generation,
        "text": job.result.text if job.result else "",
        "commit": job.result.commit if job.result else "",
        "changes": list(job.result.changes) if job.result else [],
        "notes": list(job.result.notes) if job.result else [],
        "cost_usd": spent(job, history),
        "partial_commit": job.partial_commit,
        "error": job.error,
        "source": job.origin.source,
        "sender": job.origin.sender,
        "subject": job.origin.subject,
    }


def job_facts(job: Job, history: Iterable[StoredEvent] = ()) -> list[str]:
    """The same in lines for people, without what there is nothing to say about."""
    lines: list[str] = []
    for name, value in job_json(job, history).items():
        if isinstance(value, list):
            lines += [f"{name}: {each}" for each in value]
        elif name == "cost_usd" and value is not None:
            lines.append(f"cost: {dollars(value)}")
        elif value:
            lines.append(f"{name}: {value}")
    return lines


def job_columns(now: datetime) -> Mapping[str, Callable[[Job], str]]:
    """The columns of a list of jobs."""
    return {
        "JOB": lambda job: job.id,
        "DESK": lambda job: str(job.desk),
        "STATE": lambda job: job.state.value,
        "AGE": lambda job: span(now - job.submitted_at),
        "INSTRUCTION": lambda job: job.instruction[:INSTRUCTION_SHOWN_MAX],
    }


def desk_json(desk: DeskStatus) -> dict[str, Json]:
    """A desk as it stands."""
    return {
        "desk": str(desk.desk),
        "state": desk_state(desk),
        "pending": desk.pending,
        "worker": desk.owner,
        "generation": desk.generation,
        "job": desk.active_job,
        "lease_until": _instant(desk.lease_until),
        "due_at": _instant(desk.due_at),
        "is_paused": desk.is_paused,
        "is_pinned": desk.is_pinned,
    }


def desk_columns(now: datetime) -> Mapping[str, Callable[[DeskStatus], str]]:
    """The columns of a list of desks."""
    return {
        "DESK": lambda desk: str(desk.desk),
        "STATE": desk_state,
        "PENDING": lambda desk: str(desk.pending),
        "WORKER": lambda desk: desk.owner or "-",
        "LEASE": lambda desk: span(desk.lease_until - now) if desk.lease_until else "-",
        "JOB": lambda desk: desk.active_job or "-",
    }


def desk_state(desk: DeskStatus) -> str:
    """One word for how a desk is doing."""
    if desk.active_job:
        return "running"
    if desk.is_paused:
        return "paused"
    if desk.owner:
        return "held"
    return "waiting" if desk.pending else "idle"


def worker_json(worker: WorkerStatus) -> dict[str, Json]:
    """A worker as it stands."""
    return {
        "worker": worker.id,
        "pid": worker.pid,
        "state": worker.state,
        "desk": _desk(worker.desk),
        "job": worker.job_id,
        "pinned": _desk(worker.pinned),
        "jobs_done": worker.jobs_done,
        "started_at": _instant(worker.started_at),
        "seen_at": _instant(worker.seen_at),
    }


def worker_columns(now: datetime) -> Mapping[str, Callable[[WorkerStatus], str]]:
    """The columns of a list of workers."""
    return {
        "WORKER": lambda worker: worker.id,
        "PID": lambda worker: str(worker.pid),
        "STATE": lambda worker: worker.state,
        "DESK": lambda worker: _desk(worker.desk) or "-",
        "JOB": lambda worker: worker.job_id or "-",
        "UP": lambda worker: span(now - worker.started_at),
        "SEEN": lambda worker: span(now - worker.seen_at),
        "DONE": lambda worker: str(worker.jobs_done),
        "PINNED": lambda worker: _desk(worker.pinned) or "-",
    }


def thread_json(thread: ThreadView) -> dict[str, Json]:
    """A conversation in numbers."""
    return {
        "desk": str(thread.desk),
        "thread": thread.thread,
        "jobs": thread.jobs,
        "last_job": thread.last_job,
        "last_at": _instant(thread.last_at),
    }


def thread_columns(now: datetime) -> Mapping[str, Callable[[ThreadView], str]]:
    """The columns of a list of threads."""
    return {
        "DESK": lambda thread: str(thread.desk),
        "THREAD": lambda thread: thread.thread,
        "JOBS": lambda thread: str(thread.jobs),
        "AGE": lambda thread: span(now - thread.last_at),
        "LAST JOB": lambda thread: thread.last_job,
    }


def held_json(held: Held) -> dict[str, Json]:
    """A job that waits for approval."""
    job = held.job
    return {
        "job": job.id,
        "desk": str(job.desk),
        "thread": job.thread,
        "reason": held.reason,
        "held_at": _instant(held.held_at),
        "instruction": job.instruction,
        "source": job.origin.source,
        "sender": job.origin.sender,
        "recipient": job.origin.recipient,
        "subject": job.origin.subject,
        "attachments": len(job.origin.attachments),
    }


def held_columns(now: datetime) -> Mapping[str, Callable[[Held], str]]:
    """The columns of a list of what waits."""
    return {
        "JOB": lambda held: held.job.id,
        "DESK": lambda held: str(held.job.desk),
        "AGE": lambda held: span(now - held.held_at),
        # Together, since ids are long: what stands last gives way on a narrow terminal.
        "MAIL": lambda held: (
            f"{held.job.origin.sender}: {held.job.origin.subject} ({held.reason.partition(':')[0]})"
        ),
    }


def event_json(event: StoredEvent) -> dict[str, Json]:
    """An event with its details."""
    desk = str(Desk.from_key(event.desk)) if event.desk else ""
    return {
        "event": event.kind,
        "at": _instant(event.at),
        "cursor": event.cursor,
        "desk": desk,
        "job": event.job_id,
        "generation": event.generation,
        **event.details,
    }


def says_something(event: StoredEvent) -> bool:
    """Whether an event belongs into the history of a job that people read.

    Of work without a commit nothing can be seen; often it is only what the job has cost so far.
    """
    return event.kind != PartialSaved.__name__ or bool(event.details.get("commit"))


def event_line(event: StoredEvent) -> str:
    """An event in one line, for people: the time, what happened, and its details."""
    said = f"{event.at:%H:%M:%S} {event.kind} {phrase(event.kind, event.details)}".rstrip()
    # What strangers wrote in it must not look like an event of its own.
    return terminal.line(said, length_max=EVENT_SHOWN_MAX)


def log_json(chunk: LogChunk) -> dict[str, Json]:
    """A piece of a job's output."""
    return {
        "number": chunk.number,
        "attempt": chunk.attempt,
        "at": _instant(chunk.at),
        "text": chunk.text,
    }


def span(value: timedelta) -> str:
    """A span in its largest unit: ``45s``, ``12m``, ``3h``, ``9d``."""
    seconds = int(value.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if abs(seconds) >= 2 * size or (unit == "d" and abs(seconds) >= size):
            return f"{int(seconds / size)}{unit}"
    return f"{seconds}s"


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


def _desk(value: Desk | None) -> str | None:
    return None if value is None else str(value)
