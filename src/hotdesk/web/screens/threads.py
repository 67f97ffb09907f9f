"""``/threads``: conversations, mails that wait for a word and mails that were refused."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import anyio
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import Field

from hotdesk.desks import Desk, Job
from hotdesk.errors import NotFound, Unavailable
from hotdesk.events import StoredEvent
from hotdesk.ports import Held, ThreadView
from hotdesk.web.access import Caller
from hotdesk.web.records import CURSOR_MAX, DeskName, JobId, Name
from hotdesk.web.screens.acting import acted
from hotdesk.web.screens.screen import ROWS, Ask, Screen, older
from hotdesk.web.site import PLAIN, By, Here, Site
from hotdesk.web.stops import events_of, stopped_by
from hotdesk.web.wording import headline

PATH = "/threads"
HELD_SHOWN_MAX = 50
REFUSED_SHOWN_MAX = 20
EVENTS_LOOKED_AT_MAX = 500
JOBS_SHOWN_MAX = 20
TEXT_SHOWN_MAX = 5000
REFUSALS = {"MailRefused": "refused", "MailIgnored": "ignored"}
HELD_KINDS = frozenset({"MailHeld", "MailApproved", "MailDropped"})


class WhichThreads(Ask):
    """Which conversations; *before* is the end of the page in front of this one."""

    desk: DeskName | None = None
    before: str = Field("", max_length=CURSOR_MAX)


class WhichThread(Ask):
    """One conversation; *before* is the end of the page of newer jobs."""

    project: Name
    user: Name
    thread: Name
    before: str = Field("", max_length=CURSOR_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A mail that was not taken, or starts nothing. What it says is the sender's own."""

    at: datetime
    what: str
    sender: str
    recipient: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadsView:
    """A page of conversations, and above its first one the mails that need a person.

    ``names`` has the headlines of their last jobs, by id.
    """

    title: str
    threads: Sequence[ThreadView]
    names: Mapping[str, str]
    held: Sequence[Held]
    has_more_held: bool
    refused: Sequence[Refusal]
    ask: WhichThreads
    older: str
    text_max: int = TEXT_SHOWN_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One job of a conversation: what came in, what was done, what went out.

    ``answer`` says what became of the mail with the outcome, ``approved_by`` who let it in.
    """

    job: Job
    stopped_by: str
    approved_by: str
    answered_at: datetime | None
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OneThreadView:
    """A conversation, oldest first; *older* leads to what was before it."""

    title: str
    desk: Desk
    thread: str
    branch: str
    turns: Sequence[Turn]
    held: Sequence[Held]
    older: str
    text_max: int = TEXT_SHOWN_MAX


async def see(here: Site, ask: WhichThreads) -> ThreadsView:
    """Look at one page of them."""
    found = await here.client.threads(ask.desk, limit=ROWS, before=ask.before)
    held = await here.client.held(ask.desk, limit=HELD_SHOWN_MAX + 1) if not ask.before else []
    # A mail that was refused belongs to no desk.
    is_first = not ask.before and ask.desk is None
    return ThreadsView(
        title="Threads",
        threads=found,
        names=await _headlines(here, [each.last_job for each in found]),
        held=held[:HELD_SHOWN_MAX],
        has_more_held=len(held) > HELD_SHOWN_MAX,
        refused=await _refused(here) if is_first else [],
        ask=ask,
        older=older(PATH, ask, found.next),
    )


async def see_thread(here: Site, ask: WhichThread) -> OneThreadView:
    """Look at one of them."""
    desk = Desk(ask.project, ask.user)
    found = await here.client.jobs(
        str(desk), thread=ask.thread, limit=JOBS_SHOWN_MAX, before=ask.before
    )
    waiting = await here.client.held(str(desk), limit=HELD_SHOWN_MAX) if not ask.before else []
    held = [each for each in waiting if each.job.thread == ask.thread]
    if not found and not found.next and not held:
        raise NotFound("thread", f"{desk} {ask.thread}")
    turns = [_turn(job, await events_of(here.backend, job.id)) for job in reversed(found)]
    place = f"{PATH}/{ask.project}/{ask.user}/{ask.thread}"
    shown = WhichThreads(before=ask.before)
    return OneThreadView(
        title=_title(turns, held) or ask.thread,
        desk=desk,
        thread=ask.thread,
        branch=here.patches.branch(desk, ask.thread),
        turns=turns,
        held=held,
        older=older(place, shown, found.next),
    )


async def _headlines(here: Site, job_ids: Sequence[str]) -> dict[str, str]:
    """What jobs are about, as far as it can be had: a name is not worth an error."""
    names: dict[str, str] = {}

    async def look(job_id: str) -> None:
        with suppress(NotFound, Unavailable):
            names[job_id] = headline(await here.client.job(job_id))

    # Together, because a store that is far away takes its time for each.
    async with anyio.create_task_group() as tasks:
        for job_id in job_ids:
            tasks.start_soon(look, job_id)
    return names


async def _refused(here: Site) -> list[Refusal]:
    """The mails that were refused lately, the latest first."""
    events = await here.backend.latest_events(limit=EVENTS_LOOKED_AT_MAX)
    return [
        Refusal(
            at=event.at,
            what=REFUSALS[event.kind],
            sender=str(event.details.get("sender")),
            recipient=str(event.details.get("recipient")),
            reason=str(event.details.get("reason")),
        )
        for event in events
        if event.kind in REFUSALS
    ][:REFUSED_SHOWN_MAX]


def _turn(job: Job, events: Sequence[StoredEvent]) -> Turn:
    approved_by, answered_at, answer = "", None, ""
    for event in events:
        match event.kind:
            case "MailApproved":
                approved_by = str(event.details.get("by"))
            case "AnswerSent":
                answered_at, answer = event.at, "sent by mail"
            case "AnswerFailed":
                is_final = event.details.get("is_final")
                words = "was given up" if is_final else "failed and is tried again"
                answered_at, answer = event.at, f"{words}: {event.details.get('reason')}"
            case "JobEnded" | "JobRetried":
                answered_at, answer = None, ""
    if not answer and job.state.is_ended and job.origin.message_id:
        answer = "about to be sent by mail"
    return Turn(
        job=job,
        stopped_by=stopped_by(events),
        approved_by=approved_by,
        answered_at=answered_at,
        answer=answer,
    )


def _title(turns: Sequence[Turn], held: Sequence[Held]) -> str:
    subjects = [turn.job.origin.subject for turn in turns]
    subjects += [each.job.origin.subject for each in held]
    return next((subject for subject in subjects if subject), "")


SCREENS = (
    Screen(
        path=PATH,
        template="threads.html",
        nav="threads",
        ask=WhichThreads,
        see=see,
        kinds=HELD_KINDS | {*REFUSALS, "JobSubmitted", "JobRetried", "RetentionApplied"},
    ),
    Screen(
        path=f"{PATH}/{{project}}/{{user}}/{{thread}}",
        template="thread.html",
        nav="threads",
        ask=WhichThread,
        see=see_thread,
        kinds=HELD_KINDS
        | {
            *"JobSubmitted JobStarted JobEnded JobRetried JobPutBack InterruptSent".split(),
            *"JobDiscarded PartialSaved AnswerSent AnswerFailed RetentionApplied".split(),
        },
    ),
)

actions = APIRouter(prefix="/held/{job_id}", include_in_schema=False, dependencies=[*PLAIN])


@actions.post("/approve")
async def approve(job_id: JobId, here: Here, by: By) -> JSONResponse:
    """Let a mail that waits become a job."""
    job = await here.client.approve(job_id, by=_name(by))
    return acted("Approved: it is a job now.", to=f"/jobs/{job.id}")


@actions.post("/drop")
async def drop(job_id: JobId, here: Here, by: By) -> JSONResponse:
    """Forget a mail that waits."""
    await here.client.drop_held(job_id, by=_name(by))
    return acted("Dropped.", to=PATH)


def _name(by: Caller) -> str:
    """Who decided, told apart from the accounts of machines that the command line names."""
    return f"{by.name}@http"
