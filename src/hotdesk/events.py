"""Everything Hotdesk reports about itself, as frozen values in the past tense.

Backends store events of jobs, desks and workers in the transaction that made them
true; the log, the dashboard and the metrics read them from there. An event never
carries an instruction, the text of a mail, a secret or a task token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hotdesk.desks import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. ``desk`` is a key, ``project#user``; empty where none is meant."""

    desk: str = ""
    job_id: str = ""
    generation: int = 0

    def details(self) -> dict[str, Json]:
        """The fields beyond the common three, as plain JSON values."""
        # The slots of a class are the fields that it adds to those of its base.
        return {name: _plain(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSubmitted(Event):
    """A job is durable and stands in its desk's queue."""

    source: str
    thread: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStarted(Event):
    """A worker was handed the job and counted the attempt.

    ``waited_ms`` since it was submitted, if this is its first start.
    """

    worker_id: str
    attempt: int
    folded: int
    waited_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptSent(Event):
    """The owner of the desk was asked to stop its running job."""

    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialSaved(Event):
    """Partial work of the running job is durable."""

    commit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPutBack(Event):
    """The send ended; the job comes again behind what waits. ``send`` is its new one."""

    send: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptGivenBack(Event):
    """An attempt ended without being counted; the job keeps its place."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed(Event):
    """An attempt failed and another one follows after ``delay_seconds``."""

    attempt: int
    delay_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnded(Event):
    """The job has its outcome: ``state`` is the word for it."""

    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAsked(Event):
    """A person asked to cancel the job while it was running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRetried(Event):
    """A person sent an ended job again, with its attempts at zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDiscarded(Event):
    """A person removed a dead letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskClaimed(Event):
    """A worker holds the desk now; ``is_takeover`` when the former owner did not leave."""

    worker_id: str
    is_takeover: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseExpired(Event):
    """The worker that held the desk stopped renewing, or died, and someone noticed."""

    worker_id: str
    late_by_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskReleased(Event):
    """The owner left the desk with nothing pending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskGivenWay(Event):
    """The owner left the desk with jobs pending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchFenced(Event):
    """A takeover commit, or nothing to fence, closed this thread to former owners."""

    thread: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskPaused(Event):
    """A person stopped the desk from being served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskResumed(Event):
    """A person let the desk be served again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseAsked(Event):
    """A person asked the owner to leave the desk after its job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStarted(Event):
    """A worker registered."""

    worker_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStopped(Event):
    """A worker left. ``is_clean`` is false when it died and was noticed by others."""

    worker_id: str
    is_clean: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainAsked(Event):
    """A worker was asked to finish and take no more."""

    worker_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentBegan(Event):
    """A coding agent is at work on the job. ``is_resumed`` when it goes on in a conversation."""

    agent: str
    model: str
    is_resumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUsed(Event):
    """The agent used a tool; ``target`` is the file in the workspace, if there is one."""

    tool: str
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEnded(Event):
    """A run of the agent is over. ``problem`` is a word, empty for a success."""

    agent: str
    problem: str
    turns: int
    tokens_in: int
    tokens_out: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded(Event):
    """A command after the agent is over. ``number`` is its place in ``after`` or ``publish``.

    ``command`` is its text in one line, cut and without secrets.
    """

    step: str
    number: int
    exit_code: int
    seconds: float
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailTaken(Event):
    """A mail became a job. ``proof`` says what proved its sender, ``role`` why it may write."""

    sender: str
    recipient: str
    proof: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailHeld(Event):
    """A mail waits for an operator's word."""

    sender: str
    recipient: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailApproved(Event):
    """An operator let a mail that waited become a job. ``by`` is who it was on that machine."""

    sender: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailDropped(Event):
    """An operator dropped a mail that waited."""

    sender: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRefused(Event):
    """A mail was not taken. ``reason`` is what its sender was told.

    ``sender`` is the address that was judged: that of the From field, once it was read, before
    that the envelope's. ``envelope`` is the latter, where the two differ.
    """

    sender: str
    recipient: str
    reason: str
    envelope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailIgnored(Event):
    """A mail was taken but starts nothing, because a machine sent it."""

    sender: str
    recipient: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTaken(Event):
    """Somebody did something over HTTP. ``by`` is the name of their token.

    ``action`` is a word such as ``cancel``, ``target`` the name of what it was done to.
    """

    by: str
    action: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSent(Event):
    """The relay accepted the answer for a job's outcome."""

    message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFailed(Event):
    """The relay did not take the answer. ``is_final`` when it is not tried again."""

    reason: str
    is_final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionApplied(Event):
    """The sweep removed old ended jobs and what belonged to them."""

    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event as it is read back: where it stands, when it happened, and what it says.

    ``cursor`` is opaque: pass it as ``after`` to go on behind this event.
    ``kind`` is the name of the class in this module.
    """

    cursor: str
    at: datetime
    kind: str
    desk: str
    job_id: str
    generation: int
    details: Mapping[str, Json]


def _plain(value: object) -> Json:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
