"""What the demo says while it happens: events and mails in a person's words.

Jobs and workers get short names by the order in which they appear; the full ids stand in
the details.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from hotdesk.desks import Desk, Json
from hotdesk.events import StoredEvent
from hotdesk.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing that was said. ``what`` is its kind: note, mail, reply, agent, answer or event."""

    seconds: float
    what: str
    text: str
    details: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))


Tell = Callable[[Told], None]

WORDS = {
    "WorkerStarted": "{worker} is warm",
    "WorkerStopped": "{worker} {left}",
    "JobSubmitted": "{job}, of desk {desk}, is durable",
    "DeskClaimed": "{worker} {how} desk {desk}, generation {generation}",
    "BranchFenced": "the branch is shut to the generations before {generation}",
    "JobStarted": "{job} runs on {worker}, attempt {attempt}{begun}",
    "InterruptSent": "{job} is interrupted because of {by}",
    "PartialSaved": "the partial work of {job} is saved",
    "JobEnded": "{job} has ended: {state}",
    "AttemptFailed": "attempt {attempt} of {job} failed",
    "AttemptGivenBack": "{job} is given back: {reason}",
    "MailRefused": "the mail from {sender} is refused: {reason}",
    "AnswerFailed": "the answer for {job} cannot be sent: {reason}",
}
"""What events mean to people; those that are not here are only details."""


class Teller:
    """Says what happens, and how many seconds after the beginning."""

    def __init__(self, tell: Tell, clock: Clock) -> None:
        """The seconds count from now."""
        self._tell = tell
        self._clock = clock
        self._begin = clock.monotonic()
        self._names: dict[str, str] = {}

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return round(self._clock.monotonic() - self._begin, 2)

    def say(self, what: str, text: str, **details: Json) -> None:
        """Say *text*."""
        self._tell(Told(seconds=self.seconds, what=what, text=text, details=details))

    def event(self, event: StoredEvent) -> None:
        """Say what an event means, if people want to know it."""
        text = self._words(event)
        if text:
            desk = str(Desk.from_key(event.desk)) if event.desk else ""
            ids: dict[str, Json] = {"desk": desk, "job": event.job_id}
            details = {name: value for name, value in ids.items() if value}
            self.say("event", text, kind=event.kind, **details, **event.details)

    def job(self, job_id: object) -> str:
        """Return the short name of a job."""
        return self._name("job", job_id)

    def _name(self, kind: str, thing: object) -> str:
        number = 1 + sum(name.startswith(kind) for name in self._names.values())
        return self._names.setdefault(f"{kind} {thing}", f"{kind} {number}")

    def _words(self, event: StoredEvent) -> str:
        """Say it in the words of ``WORDS``; nothing for other events."""
        details = dict(event.details)
        if event.desk:
            details["desk"] = str(Desk.from_key(event.desk))
        if event.job_id:
            details["job"] = self.job(event.job_id)
        if "worker_id" in details:
            details["worker"] = self._name("worker", details["worker_id"])
        if details.get("by"):
            details["by"] = self.job(details["by"])
        details["begun"] = ", with the interrupted one folded in" if details.get("folded") else ""
        details["how"] = "takes over" if details.get("is_takeover") else "claims"
        details["left"] = "has left" if details.get("is_clean") else "is dead"
        return WORDS.get(event.kind, "").format(generation=event.generation, **details)
