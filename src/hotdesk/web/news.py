"""What happened, in a word and a plain sentence, for who looks at the whole.

What an agent does within a job, and what people did here, stand on other screens; so do
events that nobody has to know of.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hotdesk.desks import Desk, Json, storable
from hotdesk.events import StoredEvent
from hotdesk.web.wording import counted, spelled

LENGTH_MAX = 160
LEFT_OUT = frozenset(
    """ActionTaken AgentBegan AgentEnded AnswerSent BranchFenced JobSubmitted MailIgnored MailTaken
    ReleaseAsked RetentionApplied StepEnded ToolUsed""".split()
)

Details = Mapping[str, Json]
Worded = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One event: ``word`` says what it is, ``tone`` whether it is good, ``said`` the rest."""

    cursor: str
    at: datetime
    word: str
    tone: str
    said: str
    desk: Desk | None
    job_id: str


def news_of(events: Iterable[StoredEvent], *, most: int) -> list[News]:
    """The first *most* of *events* that are worth telling."""
    found: list[News] = []
    for event in events:
        words = WORDS.get(event.kind)
        if words is None:
            continue
        if len(found) == most:
            break
        word, tone, said = words(event.details)
        found.append(
            News(
                cursor=event.cursor,
                at=event.at,
                word=word,
                tone=tone,
                said=storable(said)[:LENGTH_MAX],
                desk=Desk.from_key(event.desk) if event.desk else None,
                job_id=event.job_id,
            )
        )
    return found


def _started(said: Details) -> Worded:
    sentence = f"{said.get('worker_id')} runs it"
    if _number(said, "attempt") > 1:
        sentence += f", attempt {said.get('attempt')}"
    elif said.get("waited_ms") is not None:
        sentence += f", after {_span(_number(said, 'waited_ms') / 1000)}"
    if folded := _number(said, "folded"):
        sentence += f", with what {counted(int(folded), 'interrupted job')} left"
    return "start", "", sentence


def _ended(said: Details) -> Worded:
    state = str(said.get("state"))
    return {
        "succeeded": ("finish", "good", "succeeded"),
        "failed": ("fail", "bad", "failed, and is not tried again"),
        "dead": ("dead", "bad", "gave up: its attempts are used up"),
        "cancelled": ("cancel", "", "was cancelled"),
        "preempted": ("interrupt", "", "goes on in a newer job of its thread"),
    }.get(state, ("end", "", state))


def _interrupted(said: Details) -> Worded:
    why = {
        "preempt": "a newer job arrived",
        "cancel": "somebody cancels it",
        "drain": "its worker is to leave",
    }.get(str(said.get("reason")), str(said.get("reason")))
    return "interrupt", "warn", f"{why}; its work is being saved"


def _attempt_failed(said: Details) -> Worded:
    delay = _span(_number(said, "delay_seconds"))
    return "retry", "warn", f"attempt {said.get('attempt')} failed; tries again in {delay}"


def _claimed(said: Details) -> Worded:
    worker = said.get("worker_id")
    if said.get("is_takeover"):
        return "take over", "warn", f"{worker} took the desk over"
    return "claim", "good", f"{worker} claimed the desk"


def _expired(said: Details) -> Worded:
    late = _span(_number(said, "late_by_ms") / 1000)
    return "expire", "bad", f"{said.get('worker_id')} was lost, noticed {late} later"


def _stopped(said: Details) -> Worded:
    if said.get("is_clean"):
        return "leave", "", f"{said.get('worker_id')} has left"
    return "lost", "bad", f"{said.get('worker_id')} has died"


def _mail(word: str, tone: str, what: str) -> Callable[[Details], Worded]:
    def worded(said: Details) -> Worded:
        reason = f": {said.get('reason')}" if said.get("reason") else ""
        return word, tone, f"the mail of {said.get('sender')} {what}{reason}"

    return worded


def _plain(word: str, tone: str, said: str) -> Callable[[Details], Worded]:
    return lambda details: (word, tone, said.format_map(_Known(details)))


class _Known(dict[str, Json]):
    """Details of an event; what is missing stays empty."""

    def __missing__(self, name: str) -> str:
        return ""


def _number(said: Details, name: str) -> float:
    value = said.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _span(seconds: float) -> str:
    return spelled(timedelta(seconds=min(max(seconds, 0), 10**9)))


WORDS: Mapping[str, Callable[[Details], Worded]] = {
    "JobStarted": _started,
    "JobEnded": _ended,
    "InterruptSent": _interrupted,
    "PartialSaved": _plain("save", "", "its partial work is saved"),
    "JobPutBack": _plain("put back", "warn", "comes again behind what waits"),
    "AttemptGivenBack": _plain("give back", "warn", "keeps its place: {reason}"),
    "AttemptFailed": _attempt_failed,
    "CancelAsked": _plain("cancel", "warn", "somebody asked to cancel it"),
    "JobRetried": _plain("retry", "", "somebody sent it again"),
    "JobDiscarded": _plain("discard", "", "somebody removed it"),
    "DeskClaimed": _claimed,
    "LeaseExpired": _expired,
    "DeskReleased": _plain("release", "", "nothing is left to do there"),
    "DeskGivenWay": _plain("give way", "", "another worker goes on there"),
    "DeskPaused": _plain("pause", "warn", "is not served until somebody resumes it"),
    "DeskResumed": _plain("resume", "good", "is served again"),
    "WorkerStarted": _plain("join", "good", "{worker_id} has started"),
    "WorkerStopped": _stopped,
    "DrainAsked": _plain("drain", "", "{worker_id} is to finish and leave"),
    "MailHeld": _mail("hold", "warn", "waits for approval"),
    "MailApproved": _mail("approve", "good", "became a job"),
    "MailDropped": _mail("drop", "", "was dropped"),
    "MailRefused": _mail("refuse", "warn", "was not taken"),
    "AnswerFailed": _plain("answer", "bad", "could not be sent: {reason}"),
}
