"""The nouns: desks, jobs, sends, claims, deliveries, interrupts and outcomes, as frozen values.

Nothing here reads a clock, a file or a socket. Instants are aware UTC
``datetime``s and spans are ``timedelta``s; numbers with units exist only in
backends and config.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

from hotdesk.errors import Rejected

NAME_LENGTH_MAX = 64
# One rule for every name that becomes a path, a branch or part of an address. Lower
# case only: two names that differ by case would share a folder on some file systems.
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9_-])?")
_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}")

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def checked_name(kind: str, name: str) -> str:
    """Return *name* if it can safely be a folder, a branch part and an address part.

    Raises:
        Rejected: It cannot. The message says what is allowed.
    """
    # git refuses "..", a last "." and a last ".lock" in the names of branches.
    if (
        len(name) <= NAME_LENGTH_MAX
        and _NAME.fullmatch(name)
        and ".." not in name
        and not name.endswith(".lock")
    ):
        return name
    raise Rejected(
        f"{kind} {name[:80]!r} is not a name: use 1 to {NAME_LENGTH_MAX} of a-z, 0-9, '.', '_' "
        "and '-', starting with a letter or digit"
    )


def checked_job_id(job_id: str) -> str:
    """Return *job_id* if it can safely stand in a trailer, a file name and a URL.

    Raises:
        Rejected: It cannot. The message says what is allowed.
    """
    if _JOB_ID.fullmatch(job_id) and ".." not in job_id:
        return job_id
    raise Rejected(
        f"job id {job_id[:80]!r} is not usable: use 1 to 128 of letters, digits and '._:@-', "
        "starting with a letter or digit"
    )


def storable(text: str) -> str:
    """Return *text* with a question mark for each half of a surrogate pair.

    Python reads them out of bytes that are no text; no file and no database holds them.
    """
    return text.encode(errors="replace").decode()


@dataclass(frozen=True, slots=True, order=True)
class Desk:
    """One project and one user: the unit of order.

    Written ``project/user`` for people (``str``), keyed ``project#user`` in stores.
    """

    project: str
    user: str

    def __post_init__(self) -> None:
        checked_name("project", self.project)
        checked_name("user", self.user)

    @property
    def key(self) -> str:
        """What stores call it; ``#`` cannot stand in a name, so two desks never meet."""
        return f"{self.project}#{self.user}"

    def __str__(self) -> str:
        return f"{self.project}/{self.user}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``project/user``.

        Raises:
            Rejected: It is not two names with one slash between them.
        """
        project, slash, user = text.partition("/")
        if not slash or "/" in user:
            raise Rejected(f"desk {text[:80]!r} is not of the form project/user")
        return cls(project, user)

    @classmethod
    def from_key(cls, key: str) -> Self:
        """Read the form that stores use; the inverse of ``key``."""
        project, _, user = key.partition("#")
        return cls(project, user)


class JobState(StrEnum):
    """Where a job stands. Waiting behind a desk is a query, not a state."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PREEMPTED = "preempted"
    CANCELLED = "cancelled"
    DEAD = "dead"

    @property
    def is_ended(self) -> bool:
        """Whether the job has its outcome."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


class InterruptPolicy(StrEnum):
    """What a new job may interrupt: its whole desk, its own thread, or nothing."""

    DESK = "desk"
    THREAD = "thread"
    NEVER = "never"


class InterruptReason(StrEnum):
    """Why an attempt is asked to stop."""

    PREEMPT = "preempt"
    CANCEL = "cancel"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a job came from, and what its answer needs.

    ``attachments`` are absolute paths of files that the agent may read. The mail
    fields are empty for other sources. Nothing in it is trusted.
    """

    source: str = "python"
    sender: str = ""
    recipient: str = ""
    subject: str = ""
    message_id: str = ""
    references: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()
    raw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What a caller submits: one instruction for a desk.

    ``id`` makes the submission idempotent. ``interrupt`` says what it may preempt.
    """

    id: str
    desk: Desk
    thread: str
    instruction: str
    interrupt: InterruptPolicy = InterruptPolicy.DESK
    origin: Origin = field(default_factory=Origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a successful attempt hands back.

    ``text`` is the answer for the user. ``commit`` is the published commit and
    ``changes`` lines that say which files changed, where there is a repository.
    ``notes`` are sentences of Hotdesk's own beside the answer: what it left out, and
    why. ``cost_usd`` is what the agent says it cost.
    """

    text: str = ""
    commit: str = ""
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One instruction for a desk, as it stands.

    ``order`` is its place by submission (a retried job gets a new one) and decides
    what is newer; ``place`` is the place of its current send and decides what is
    handed over next. ``send`` counts from 1 and grows when the job is put back.
    ``attempt`` counts the runs that were not given back, ``deliveries`` every
    hand-over, ``outcomes`` how often it ended (a retry makes another one).
    """

    id: str
    desk: Desk
    thread: str
    instruction: str
    interrupt: InterruptPolicy
    state: JobState
    order: int
    place: int
    send: int
    attempt: int
    preemptions: int
    given_back: int
    submitted_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    worker_id: str = ""
    generation: int = 0
    partial: Json = None
    partial_commit: str = ""
    result: Result | None = None
    error: str = ""
    is_cancelled: bool = False
    outcomes: int = 0
    deliveries: int = 0
    origin: Origin = field(default_factory=Origin)

    @property
    def text(self) -> str:
        """What came of it, for people: the result's text, or the error."""
        return self.result.text if self.result is not None else self.error

    @property
    def send_id(self) -> str:
        """``<job>.<n>``: one announcement of this job to its desk."""
        return f"{self.id}.{self.send}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the rules need of one pending send, and of the job behind it."""

    job_id: str
    send: int
    order: int
    thread: str
    interrupt: InterruptPolicy
    attempt: int = 0
    preemptions: int = 0
    given_back: int = 0
    is_cancelled: bool = False

    @property
    def send_id(self) -> str:
        """``<job>.<n>``."""
        return f"{self.job_id}.{self.send}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """A job that was stopped before its end and that a later one of its thread continues."""

    job_id: str
    instruction: str
    partial: Json = None
    partial_commit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One worker's right to serve a desk until the lease ends.

    ``generation`` is the fencing token. It grows by one with every claim on the
    same *desk*, because what a stale worker could damage (the workspace, the
    branch) belongs to the desk. ``is_takeover`` says that the former owner did
    not leave by itself; ``unfenced`` names the threads whose branch needs a
    takeover commit before anything runs on it.
    """

    desk: Desk
    generation: int
    worker_id: str
    is_takeover: bool = False
    unfenced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One hand-over of a send to the worker that holds the claim.

    ``folded`` are the interrupted jobs of the thread that this one continues,
    oldest first. ``receipt`` acknowledges the hand-over where a queue needs it.
    """

    claim: Claim
    job: Job
    folded: tuple[Interrupted, ...] = ()
    receipt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupt:
    """A request to stop one attempt; ``send_id`` is the send that it is meant for.

    ``by`` is the job that wants the desk, for a preemption.
    """

    reason: InterruptReason
    send_id: str
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskView:
    """The desk as its owner sees it after a heartbeat or an empty hand-over.

    ``interrupt`` is set when the running job should stop. ``is_wanted_elsewhere``
    says that another desk waits and that no worker is free to take it;
    ``is_leaving_asked`` that the desk is paused or a person asked to release it,
    ``is_draining`` that this worker is to finish. ``due_at`` is when the oldest
    job may be tried again, if it waits out a backoff.
    """

    interrupt: Interrupt | None = None
    has_pending: bool = False
    is_wanted_elsewhere: bool = False
    is_leaving_asked: bool = False
    is_draining: bool = False
    due_at: datetime | None = None


class OutcomeKind(StrEnum):
    """How an attempt ended, as its worker reports it; the rules decide what follows."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ATTEMPT_FAILED = "attempt_failed"
    GIVEN_BACK = "given_back"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the worker reports when an attempt is over.

    ``FAILED`` is definitive, ``ATTEMPT_FAILED`` is tried again after a backoff,
    ``GIVEN_BACK`` is an attempt that never had a chance. ``INTERRUPTED`` leaves
    it to the rules whether the job folds, is put back or was cancelled.
    """

    kind: OutcomeKind
    result: Result | None = None
    error: str = ""
    reason: InterruptReason | None = None

    @classmethod
    def succeeded(cls, result: Result | None = None) -> Self:
        """The work is done, and published where that applies."""
        return cls(kind=OutcomeKind.SUCCEEDED, result=result or Result())

    @classmethod
    def failed(cls, error: str) -> Self:
        """Not worth another attempt."""
        return cls(kind=OutcomeKind.FAILED, error=error)

    @classmethod
    def attempt_failed(cls, error: str) -> Self:
        """Worth another attempt, while there are any left."""
        return cls(kind=OutcomeKind.ATTEMPT_FAILED, error=error)

    @classmethod
    def given_back(cls, error: str) -> Self:
        """What the attempt needs could not be reached; it does not count."""
        return cls(kind=OutcomeKind.GIVEN_BACK, error=error)

    @classmethod
    def interrupted(cls, reason: InterruptReason) -> Self:
        """The attempt was asked to stop, and did."""
        return cls(kind=OutcomeKind.INTERRUPTED, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskStatus:
    """A desk as people see it."""

    desk: Desk
    generation: int
    owner: str
    lease_until: datetime | None
    pending: int
    active_job: str
    free_since: datetime | None
    due_at: datetime | None
    is_paused: bool
    is_pinned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """A worker as people see it.

    ``state`` is ``busy`` (runs a job), ``holding`` (an idle desk), ``warm`` (free)
    or ``draining``. ``free_since`` is set while it holds no desk.
    """

    id: str
    pid: int
    state: str
    desk: Desk | None
    job_id: str
    started_at: datetime
    seen_at: datetime
    free_since: datetime | None
    jobs_done: int
    pinned: Desk | None
