"""``/jobs/{job}``: one job, what became of it, what it prints and what it changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Header, Query
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import Field

from hotdesk.desks import DeskStatus, InterruptPolicy, Job, JobState, Origin
from hotdesk.errors import NotAllowed, NotFound
from hotdesk.events import StoredEvent
from hotdesk.web.output import PLACE, Place, follow_output, raw_output
from hotdesk.web.patches import Changes
from hotdesk.web.records import Asked, Given, Instruction, JobId
from hotdesk.web.screens.acting import acted
from hotdesk.web.screens.screen import Ask, Screen
from hotdesk.web.site import PLAIN, By, Here, Site
from hotdesk.web.stops import continuation, continued, events_of, stopped_by, stops
from hotdesk.web.streams import EventStream
from hotdesk.web.timeline import Timeline, timeline_of
from hotdesk.web.wording import headline

PATH = "/jobs"
QUEUE_SHOWN_MAX = 10
NEIGHBOURS_MAX = 30
TEXT_SHOWN_MAX = 20_000
KINDS = frozenset(
    """JobSubmitted JobStarted InterruptSent PartialSaved JobPutBack AttemptGivenBack AttemptFailed
    JobEnded CancelAsked JobRetried JobDiscarded DeskClaimed LeaseExpired DeskReleased DeskGivenWay
    DeskPaused DeskResumed AgentBegan ToolUsed AgentEnded StepEnded AnswerSent AnswerFailed
    RetentionApplied""".split()
)


class WhichJob(Ask):
    """One job."""

    job: JobId


class Message(Given):
    """What a person writes to an agent."""

    instruction: Instruction


class FromPlace(Asked):
    """Where a stream goes on; what a browser that comes again says goes before it."""

    after: Annotated[str, Field(pattern=PLACE)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What the runs of agents took, as far as they said it."""

    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """Other jobs around one: who stopped it, whom it stopped, whose work it goes on with.

    ``names`` has the headlines of those that are at hand, by id.
    """

    stopped_by: str
    stopped: Sequence[str]
    continues: Sequence[str]
    continued_by: str
    following: str
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """One job with all that is shown of it."""

    title: str
    job: Job
    desk: DeskStatus | None
    branch: str
    timeline: Timeline | None
    changes: Changes | None
    spent: Spent
    related: Related
    queue: Sequence[Job]
    has_more_queue: bool
    has_output: bool
    answer: str

    @property
    def is_running(self) -> bool:
        """Whether an attempt is under way."""
        return self.job.state is JobState.RUNNING

    @property
    def can_retry(self) -> bool:
        """Whether it can be sent again; the rules may still say no."""
        return self.job.state.is_ended and self.job.state is not JobState.SUCCEEDED

    @property
    def text_max(self) -> int:
        """How much of a text is shown."""
        return TEXT_SHOWN_MAX


async def see(here: Site, ask: WhichJob) -> JobView:
    """Look at it, and at what is around it."""
    client = here.client
    job = await client.job(ask.job)
    name = str(job.desk)
    events = await events_of(here.backend, job.id)
    queue = await client.queue(name, limit=QUEUE_SHOWN_MAX + 1)
    try:
        desk = await client.desk(name)
    except NotFound:
        desk = None
    return JobView(
        title=headline(job) or job.id,
        job=job,
        desk=desk,
        branch=here.patches.branch(job.desk, job.thread),
        timeline=timeline_of(events, now=job.ended_at or here.clock.now()),
        changes=await here.patches.of(job),
        spent=_spent(job, events),
        related=await _related(here, job, events, queue),
        queue=queue[:QUEUE_SHOWN_MAX],
        has_more_queue=len(queue) > QUEUE_SHOWN_MAX,
        has_output=job.id in await here.backend.last_output([job.id]),
        answer=_answer(job, events),
    )


def _spent(job: Job, events: Sequence[StoredEvent]) -> Spent:
    ended = [event.details for event in events if event.kind == "AgentEnded"]
    models = [event.details.get("model") for event in events if event.kind == "AgentBegan"]
    costs = [cost for each in ended if isinstance(cost := each.get("cost_usd"), int | float)]

    def total(name: str) -> int:
        return sum(count for each in ended if isinstance(count := each.get(name), int))

    said = job.result.cost_usd if job.result else None
    return Spent(
        model=str(models[-1] or "") if models else "",
        tokens_in=total("tokens_in"),
        tokens_out=total("tokens_out"),
        cost_usd=sum(costs) if costs else said,
    )


def _answer(job: Job, events: Sequence[StoredEvent]) -> str:
    """What became of the answer by mail, in a sentence."""
    if not job.origin.message_id or not job.state.is_ended:
        return ""
    for event in reversed(events):
        if event.kind == "JobEnded":
            break
        if event.kind == "AnswerSent":
            return "The answer was sent by mail."
        if event.kind == "AnswerFailed":
            what = "was given up" if event.details.get("is_final") else "is tried again"
            return f"The answer by mail {what}: {event.details.get('reason')}"
    return "The answer is about to be sent by mail."


async def _related(
    here: Site, job: Job, events: Sequence[StoredEvent], queue: Sequence[Job]
) -> Related:
    name = str(job.desk)
    neighbours = await here.client.jobs(name, limit=NEIGHBOURS_MAX)
    thread = await here.client.jobs(name, thread=job.thread, limit=NEIGHBOURS_MAX)
    older = [each for each in neighbours if each.order < job.order]
    by = await stops(here.backend, older)
    behind = [each for each in queue if each.place > job.place]
    goes_on = continuation(job, thread)
    return Related(
        stopped_by=stopped_by(events),
        stopped=[each for each, stopper in by.items() if stopper == job.id],
        continues=[each.id for each in continued(job, thread)],
        continued_by=goes_on.id if goes_on else "",
        following=behind[0].id if behind and not job.state.is_ended else "",
        names={each.id: headline(each) for each in [*queue, *neighbours, *thread]},
    )


SCREENS = (
    Screen(
        path=f"{PATH}/{{job}}",
        template="job.html",
        nav="jobs",
        ask=WhichJob,
        see=see,
        kinds=KINDS,
    ),
)

actions = APIRouter(prefix=f"{PATH}/{{job_id}}", include_in_schema=False)


@actions.get("/output", response_class=EventStream, response_model=None)
async def output(
    job_id: JobId,
    which: Annotated[FromPlace, Query()],
    here: Here,
    last: Annotated[str | None, Header(alias="Last-Event-ID", pattern=PLACE)] = None,
) -> EventStream:
    """The output as lines of HTML, the end of it first and then as it comes."""
    await here.client.job(job_id)
    after = last or which.after
    place = None if after is None else Place.read(after)
    return EventStream(here.feed, follow_output(here.feed, here.backend, here.clock, job_id, place))


@actions.get("/raw", dependencies=PLAIN)
async def raw(job_id: JobId, here: Here) -> StreamingResponse:
    """All of the output as it is kept, to be put into a file: nothing in it is shown here."""
    await here.client.job(job_id)
    name = "".join(each if each.isalnum() or each in "._-" else "-" for each in job_id)
    return StreamingResponse(
        raw_output(here.backend, job_id),
        media_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="job-{name}.log"'},
    )


@actions.post("/cancel", dependencies=PLAIN)
async def cancel(job_id: JobId, here: Here, by: By) -> JSONResponse:
    """End it if it is queued, or ask its worker to stop it."""
    job = await here.client.cancel(job_id)
    await here.note(by, "cancel", job.id, desk=job.desk.key, job_id=job.id)
    said = "Cancelled." if job.state.is_ended else "It was asked to stop."
    return acted(said, to=_page(job))


@actions.post("/retry", dependencies=PLAIN)
async def retry(job_id: JobId, here: Here, by: By) -> JSONResponse:
    """Send it again."""
    job = await here.client.retry(job_id)
    await here.note(by, "retry", job.id, desk=job.desk.key, job_id=job.id)
    return acted("Sent again.", to=_page(job))


@actions.post("/edited", dependencies=PLAIN)
async def edited(
    job_id: JobId, new: Annotated[Message, Form()], here: Here, by: By
) -> JSONResponse:
    """Send it again in other words: as a new job, so that both stand in the conversation."""
    former = await here.client.job(job_id)
    if not former.state.is_ended:
        raise NotAllowed(f"job {job_id} is {former.state}; interrupt it with a message instead")
    job = await here.client.submit(
        former.desk,
        text_of(new.instruction),
        thread=former.thread,
        interrupt=former.interrupt,
        # Whoever sent it is still to be answered, and its files still belong to it.
        origin=former.origin,
    )
    await here.note(by, "retry edited", job_id, desk=job.desk.key, job_id=job.id)
    return acted("Sent as a new job of the same conversation.", to=_page(job))


@actions.post("/interrupt", dependencies=PLAIN)
async def interrupt(
    job_id: JobId, new: Annotated[Message, Form()], here: Here, by: By
) -> JSONResponse:
    """Correct it: a new job in its thread, which stops and continues it."""
    former = await here.client.job(job_id)
    job = await here.client.submit(
        former.desk,
        text_of(new.instruction),
        thread=former.thread,
        interrupt=InterruptPolicy.THREAD,
        origin=Origin(source="http"),
    )
    await here.note(by, "interrupt", job_id, desk=job.desk.key, job_id=job.id)
    return acted("Sent. This job goes on with the work of the one before it.", to=_page(job))


def text_of(given: str) -> str:
    """What a person wrote into a form, which ends lines as mails do, with lines as files have."""
    return given.replace("\r\n", "\n")


def _page(job: Job) -> str:
    return f"{PATH}/{job.id}"
