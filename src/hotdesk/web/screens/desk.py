"""``/desks/{project}/{user}``: one desk, its queue and its history, and what people do with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import JSONResponse
from pydantic import BeforeValidator, Field

from hotdesk.desks import Desk, DeskStatus, InterruptPolicy, Job, Origin
from hotdesk.web.records import Given, Instruction, Name
from hotdesk.web.screens.acting import acted
from hotdesk.web.screens.job import KINDS as JOB_KINDS
from hotdesk.web.screens.job import text_of
from hotdesk.web.screens.screen import Ask, Screen
from hotdesk.web.site import PLAIN, By, Here, Site
from hotdesk.web.stops import stops
from hotdesk.web.wording import headline, spelled

PATH = "/desks/{project}/{user}"
QUEUE_SHOWN_MAX = 50
HISTORY_SHOWN_MAX = 20
LINGER = "worker.linger_seconds"


class WhichDesk(Ask):
    """One desk."""

    project: Name
    user: Name

    @property
    def desk(self) -> Desk:
        """The desk itself."""
        return Desk(self.project, self.user)


class NewJob(Given):
    """An instruction. Without a thread a new conversation begins."""

    instruction: Instruction
    thread: Annotated[Name | None, BeforeValidator(lambda name: name or None)] = None
    interrupt: Annotated[
        InterruptPolicy | None, Field(strict=False), BeforeValidator(lambda word: word or None)
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskView:
    """A desk with all that is shown of it.

    ``stopped_by`` says by which job each of those in ``history`` was stopped, by id;
    ``names`` has the headlines of the jobs at hand.
    """

    title: str
    status: DeskStatus
    current: Job | None
    queue: Sequence[Job]
    has_more_queue: bool
    history: Sequence[Job]
    stopped_by: Mapping[str, str]
    names: Mapping[str, str]
    leaves: str
    policies: Sequence[InterruptPolicy]


async def see(here: Site, ask: WhichDesk) -> DeskView:
    """Look at it."""
    name = str(ask.desk)
    status = await here.client.desk(name)
    queue = await here.client.queue(name, limit=QUEUE_SHOWN_MAX + 1)
    history = await here.client.jobs(name, limit=HISTORY_SHOWN_MAX)
    current = next((job for job in queue if job.id == status.active_job), None)
    return DeskView(
        title=f"{ask.project} · {ask.user}",
        status=status,
        current=current,
        queue=queue[:QUEUE_SHOWN_MAX],
        has_more_queue=len(queue) > QUEUE_SHOWN_MAX,
        history=history,
        stopped_by=await stops(here.backend, history),
        names={job.id: headline(job) for job in [*queue, *history]},
        leaves=leaves(status, history, _linger(here), now=here.clock.now()),
        policies=[*InterruptPolicy],
    )


def leaves(
    status: DeskStatus, history: Sequence[Job], linger: timedelta | None, *, now: datetime
) -> str:
    """When its worker leaves a desk, in a sentence; empty if it has none."""
    if not status.owner:
        return ""
    if status.is_paused:
        return "Its worker leaves it after the running job, because it is paused."
    if status.pending:
        return "Its worker leaves it when nothing is pending, or others have waited too long."
    ends = [job.ended_at for job in history if job.ended_at]
    if linger is None or not ends:
        return "Its worker leaves it when it has been idle for a while, or another desk waits."
    left = max(ends) + linger - now
    if left <= timedelta(0):
        return "Its worker is about to leave it."
    return (
        f"Its worker leaves it {spelled(linger)} after its last job, "
        "or sooner if another desk waits."
    )


def _linger(here: Site) -> timedelta | None:
    found = [each.value for each in here.upkeep.settings if each.key == LINGER]
    return timedelta(seconds=int(found[0])) if found and found[0].isdigit() else None


SCREENS = (
    Screen(
        path=PATH,
        template="desk.html",
        nav="desks",
        ask=WhichDesk,
        see=see,
        kinds=JOB_KINDS | {"ReleaseAsked", "BranchFenced", "WorkerStopped"},
    ),
)

actions = APIRouter(prefix=PATH, include_in_schema=False, dependencies=[*PLAIN])


@actions.post("/send")
async def send(
    project: Name, user: Name, new: Annotated[NewJob, Form()], here: Here, by: By
) -> JSONResponse:
    """Submit an instruction."""
    desk = Desk(project, user)
    here.check_project(project)
    job = await here.client.submit(
        desk,
        text_of(new.instruction),
        thread=new.thread,
        interrupt=new.interrupt,
        origin=Origin(source="http"),
    )
    await here.note(by, "submit", job.id, desk=desk.key, job_id=job.id)
    return acted("Sent.", to=f"/jobs/{job.id}")


@actions.post("/pause")
async def pause(project: Name, user: Name, here: Here, by: By) -> JSONResponse:
    """Stop serving it once its running job is over."""
    here.check_project(project)
    await here.client.pause(str(Desk(project, user)))
    return await _done(here, by, "pause", Desk(project, user), "Paused.")


@actions.post("/resume")
async def resume(project: Name, user: Name, here: Here, by: By) -> JSONResponse:
    """Serve it again."""
    await here.client.resume(str(Desk(project, user)))
    return await _done(here, by, "resume", Desk(project, user), "It is served again.")


@actions.post("/release")
async def release(project: Name, user: Name, here: Here, by: By) -> JSONResponse:
    """Ask its worker to leave it after the running job."""
    await here.client.ask_release(str(Desk(project, user)))
    return await _done(here, by, "release", Desk(project, user), "Its worker was asked to leave.")


async def _done(here: Site, by: By, action: str, desk: Desk, said: str) -> JSONResponse:
    await here.note(by, action, str(desk), desk=desk.key)
    return acted(said, to=f"/desks/{desk}")
