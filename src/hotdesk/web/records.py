"""What the API shows and takes, as models: the OpenAPI document is made from these.

Names and values are those that the command line prints with ``--json``.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Generic, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from hotdesk.client import INSTRUCTION_MAX
from hotdesk.desks import (
    NAME_LENGTH_MAX,
    Desk,
    DeskStatus,
    InterruptPolicy,
    Job,
    JobState,
    NewJob,
    WorkerStatus,
    storable,
)
from hotdesk.events import StoredEvent
from hotdesk.ports import Held, LogChunk, ThreadView
from hotdesk.runners.progress import spent

T = TypeVar("T")

LIMIT = 50
LIMIT_MAX = 200
CURSOR_MAX = 400
TEXT_MAX = 1000
"""Characters of each text in a list; whoever asks for one record gets all of it."""

# What ``desks.checked_name`` and ``checked_job_id`` allow, as far as a pattern can say it.
NAME = r"[a-z0-9](?:\.?[a-z0-9_-])*"
JobId = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9](?:\.?[A-Za-z0-9_:@-])*\.?$", min_length=1, max_length=128)
]
Name = Annotated[str, Field(pattern=f"^{NAME}$", min_length=1, max_length=NAME_LENGTH_MAX)]
DeskName = Annotated[
    str,
    Field(
        pattern=f"^{NAME}/{NAME}$",
        max_length=2 * NAME_LENGTH_MAX + 1,
        description="project/user",
        examples=["amelia/scott"],
    ),
]
# What others wrote may hold halves of surrogate pairs, which JSON in UTF-8 cannot.
Text = Annotated[str, BeforeValidator(storable)]
Instruction = Annotated[str, Field(pattern=r"\S", max_length=INSTRUCTION_MAX)]


class Given(BaseModel):
    """What is taken: of the right type as it stands, and nothing that is not known."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Asked(BaseModel):
    """Parameters behind the question mark."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PageRecord(BaseModel, Generic[T]):
    """A part of a list. With ``next`` there is more: ask again with ``cursor=next``."""

    items: list[T]
    next: str | None


class Turned(Asked):
    """Which page of a list."""

    limit: int = Field(LIMIT, ge=1, le=LIMIT_MAX)
    cursor: str | None = Field(None, max_length=CURSOR_MAX, description="``next`` of a page.")


class Listing(BaseModel, Generic[T]):
    """The first of a list; ``has_more`` says that a larger ``limit`` would show more."""

    items: list[T]
    has_more: bool

    @classmethod
    def of(cls, found: Sequence[T], limit: int) -> Self:
        """Show *limit* of what was *found*, which is one more if there is more."""
        return cls(items=[*found[:limit]], has_more=len(found) > limit)


class Instructed(BaseModel):
    """What is known of an instruction before anything became of it. In lists texts are cut."""

    job: str
    desk: str
    thread: str
    instruction: Text
    source: str
    sender: Text
    subject: Text


def _instructed(job: Job | NewJob, text_max: int | None) -> dict[str, str]:
    return {
        "job": job.id,
        "desk": str(job.desk),
        "thread": job.thread,
        "instruction": job.instruction[:text_max],
        "source": job.origin.source,
        "sender": job.origin.sender,
        "subject": job.origin.subject,
    }


class JobRecord(Instructed):
    """One instruction for a desk, as it stands."""

    state: JobState
    interrupt: InterruptPolicy
    attempt: int
    send: int
    preemptions: int
    is_cancelled: bool
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    worker: str
    generation: int
    text: Text
    commit: Text
    changes: list[Text]
    notes: list[Text]
    cost_usd: float | None
    partial_commit: Text
    error: Text

    @classmethod
    def of(cls, job: Job, *, text_max: int | None = None) -> Self:
        """Show *job*, with its texts cut to *text_max* characters."""
        result = job.result
        return cls(
            **_instructed(job, text_max),
            state=job.state,
            interrupt=job.interrupt,
            attempt=job.attempt,
            send=job.send,
            preemptions=job.preemptions,
            is_cancelled=job.is_cancelled,
            submitted_at=job.submitted_at,
            started_at=job.started_at,
            ended_at=job.ended_at,
            worker=job.worker_id,
            generation=job.generation,
            text=result.text[:text_max] if result else "",
            commit=result.commit if result else "",
            changes=[*result.changes] if result else [],
            notes=[*result.notes] if result else [],
            cost_usd=spent(job),
            partial_commit=job.partial_commit,
            error=job.error[:text_max],
        )

    @classmethod
    def brief(cls, job: Job) -> Self:
        """Show *job* in a list."""
        return cls.of(job, text_max=TEXT_MAX)


class SubmittedRecord(BaseModel):
    """A job that was submitted; ``position`` 0 is next, and none stands where it has ended."""

    job: str
    desk: str
    thread: str
    state: JobState
    position: int | None

    @classmethod
    def of(cls, job: Job, position: int | None) -> Self:
        """Show *job*."""
        return cls(
            job=job.id, desk=str(job.desk), thread=job.thread, state=job.state, position=position
        )


class LogRecord(BaseModel):
    """A piece of a job's output."""

    number: int
    attempt: int
    at: datetime
    text: Text

    @classmethod
    def of(cls, chunk: LogChunk) -> Self:
        """Show *chunk*."""
        return cls(number=chunk.number, attempt=chunk.attempt, at=chunk.at, text=chunk.text)


class EventRecord(BaseModel):
    """Something that happened; what else is known of it stands in ``details``."""

    event: str
    at: datetime
    cursor: str
    desk: str
    job: str
    generation: int
    details: dict[str, JsonValue]

    @classmethod
    def of(cls, event: StoredEvent) -> Self:
        """Show *event*."""
        return cls(
            event=event.kind,
            at=event.at,
            cursor=event.cursor,
            desk=str(Desk.from_key(event.desk)) if event.desk else "",
            job=event.job_id,
            generation=event.generation,
            details={
                name: storable(value) if isinstance(value, str) else value
                for name, value in event.details.items()
            },
        )


class DeskRecord(BaseModel):
    """A desk as it stands."""

    desk: str
    state: str = Field(description="running, paused, held, waiting or idle")
    pending: int
    worker: str
    generation: int
    job: str
    lease_until: datetime | None
    due_at: datetime | None
    is_paused: bool
    is_pinned: bool

    @classmethod
    def of(cls, desk: DeskStatus) -> Self:
        """Show *desk*."""
        return cls(
            desk=str(desk.desk),
            state=_state(desk),
            pending=desk.pending,
            worker=desk.owner,
            generation=desk.generation,
            job=desk.active_job,
            lease_until=desk.lease_until,
            due_at=desk.due_at,
            is_paused=desk.is_paused,
            is_pinned=desk.is_pinned,
        )


class WorkerRecord(BaseModel):
    """A worker as it stands."""

    worker: str
    pid: int
    state: str = Field(description="busy, holding, warm or draining")
    desk: str | None
    job: str
    pinned: str | None
    jobs_done: int
    started_at: datetime
    seen_at: datetime

    @classmethod
    def of(cls, worker: WorkerStatus) -> Self:
        """Show *worker*."""
        return cls(
            worker=worker.id,
            pid=worker.pid,
            state=worker.state,
            desk=None if worker.desk is None else str(worker.desk),
            job=worker.job_id,
            pinned=None if worker.pinned is None else str(worker.pinned),
            jobs_done=worker.jobs_done,
            started_at=worker.started_at,
            seen_at=worker.seen_at,
        )


class ThreadRecord(BaseModel):
    """A conversation in numbers."""

    desk: str
    thread: str
    jobs: int
    last_job: str
    last_at: datetime

    @classmethod
    def of(cls, thread: ThreadView) -> Self:
        """Show *thread*."""
        return cls(
            desk=str(thread.desk),
            thread=thread.thread,
            jobs=thread.jobs,
            last_job=thread.last_job,
            last_at=thread.last_at,
        )


class HeldRecord(Instructed):
    """A mail that waits for approval, under the id that its job will have."""

    reason: Text
    held_at: datetime
    recipient: Text
    attachments: int

    @classmethod
    def of(cls, held: Held, *, text_max: int | None = None) -> Self:
        """Show *held*, with its text cut to *text_max* characters."""
        origin = held.job.origin
        return cls(
            **_instructed(held.job, text_max),
            reason=held.reason,
            held_at=held.held_at,
            recipient=origin.recipient,
            attachments=len(origin.attachments),
        )


def _state(desk: DeskStatus) -> str:
    if desk.active_job:
        return "running"
    if desk.is_paused:
        return "paused"
    if desk.owner:
        return "held"
    return "waiting" if desk.pending else "idle"
