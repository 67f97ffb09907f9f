"""``/dead``: jobs whose attempts are used up, and what a person decides about them.

What is chosen in the list is asked about on a page of its own, which names each and their
number; only the form there acts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlencode

from anyio.lowlevel import checkpoint
from fastapi import APIRouter, Form, Query
from fastapi.responses import RedirectResponse
from markupsafe import Markup
from pydantic import BeforeValidator, Field

from hotdesk.desks import Job, JobState
from hotdesk.errors import NotAllowed, NotFound
from hotdesk.web.ansi import printed
from hotdesk.web.api import dead as api
from hotdesk.web.records import CURSOR_MAX, Asked, DeskName, JobId
from hotdesk.web.screens.acting import acted
from hotdesk.web.screens.screen import ROWS, Ask, Screen, older
from hotdesk.web.site import By, Here, Site
from hotdesk.web.wording import counted

PATH = "/dead"
LINE_LENGTH_MAX = 200

Verb = Literal["retry", "discard"]
DONE: dict[Verb, str] = {"retry": "retried", "discard": "discarded"}
KINDS = frozenset({"JobEnded", "JobRetried", "JobDiscarded", "JobStarted", "RetentionApplied"})


class WhichLetters(Ask):
    """Which dead letters; *before* is the end of the page in front of this one."""

    desk: DeskName | None = None
    before: str = Field("", max_length=CURSOR_MAX)


class Chosen(Ask):
    """Those that a person chose, with commas between."""

    jobs: Annotated[
        tuple[JobId, ...],
        Field(max_length=ROWS),
        BeforeValidator(lambda given: given.split(",") if isinstance(given, str) else given),
    ] = ()


class OneLetter(Ask):
    """One of them."""

    job: JobId


class Choice(Asked):
    """What the form around the list sends."""

    do: Verb
    jobs: Annotated[Sequence[JobId], Field(max_length=ROWS)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter, and the last line that its agent printed."""

    job: Job
    last_line: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class LettersView:
    """A page of them; *older* is the address of the next one."""

    title: str
    letters: Sequence[Letter]
    ask: WhichLetters
    older: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenView:
    """What is about to be done, and to which; *left* are those that it cannot be done to."""

    title: str
    verb: Verb
    jobs: Sequence[Job]
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EditView:
    """One that is about to be sent again, in other words."""

    title: str
    job: Job


async def see(here: Site, ask: WhichLetters) -> LettersView:
    """Look at one page of them."""
    found = await here.client.jobs(ask.desk, state=JobState.DEAD, limit=ROWS, before=ask.before)
    tails = await here.backend.last_output([job.id for job in found])
    return LettersView(
        title="Dead letters",
        letters=[
            Letter(job=job, last_line=last_line(tails[job.id].text if job.id in tails else ""))
            for job in found
        ],
        ask=ask,
        older=older(PATH, ask, found.next),
    )


async def see_retry(here: Site, ask: Chosen) -> ChosenView:
    """Ask whether to send them again."""
    return await _chosen(here, ask, "retry")


async def see_discard(here: Site, ask: Chosen) -> ChosenView:
    """Ask whether to remove them."""
    return await _chosen(here, ask, "discard")


async def see_edit(here: Site, ask: OneLetter) -> EditView:
    """Show the whole instruction to be written anew; the form there is that of the job."""
    return EditView(title="Retry edited", job=await api.letter(here, ask.job))


def last_line(output: str) -> Markup:
    """The last line of *output* with anything on it."""
    # Only its end is read: a line that is longer is cut at both sides.
    lines = printed(output[-2 * LINE_LENGTH_MAX :], length_max=LINE_LENGTH_MAX)
    return next((line for line in reversed(lines) if line.striptags().strip()), Markup())


async def _chosen(here: Site, ask: Chosen, verb: Verb) -> ChosenView:
    jobs = []
    for job_id in dict.fromkeys(ask.jobs):
        try:
            jobs.append(await api.letter(here, job_id))
        except (NotFound, NotAllowed):
            # Somebody else was quicker.
            continue
        finally:
            await checkpoint()
    count = counted(len(jobs), "dead letter")
    left = len(set(ask.jobs)) - len(jobs)
    return ChosenView(title=f"{verb.capitalize()} {count}?", verb=verb, jobs=jobs, left=left)


SCREENS = (
    Screen(path=PATH, template="dead.html", nav="dead", ask=WhichLetters, see=see, kinds=KINDS),
    Screen(
        path=f"{PATH}/retry",
        template="dead_chosen.html",
        nav="dead",
        ask=Chosen,
        see=see_retry,
        kinds=KINDS,
    ),
    Screen(
        path=f"{PATH}/discard",
        template="dead_chosen.html",
        nav="dead",
        ask=Chosen,
        see=see_discard,
        kinds=KINDS,
    ),
    Screen(
        path=f"{PATH}/edit/{{job}}",
        template="dead_edit.html",
        nav="dead",
        ask=OneLetter,
        see=see_edit,
        kinds=KINDS,
    ),
)

actions = APIRouter(prefix=PATH, include_in_schema=False)


@actions.get("/choose")
async def choose(choice: Annotated[Choice, Query()]) -> RedirectResponse:
    """Lead to the page that asks about what was chosen."""
    query = urlencode({"jobs": ",".join(choice.jobs)}, safe=",")
    return RedirectResponse(f"{PATH}/{choice.do}?{query}", status_code=303)


@actions.post("/retry")
async def retry(letters: Annotated[api.Letters, Form()], here: Here, by: By) -> object:
    """Send them again, with their attempts at zero."""
    return _told("retry", await api.retry(letters, here, by))


@actions.post("/discard")
async def discard(letters: Annotated[api.Letters, Form()], here: Here, by: By) -> object:
    """Remove them for good."""
    return _told("discard", await api.discard(letters, here, by))


def _told(verb: Verb, outcome: api.Outcome) -> object:
    refused = outcome.refused
    if not outcome.done and refused:
        raise NotAllowed(refused[0].problem)
    said = f"{counted(len(outcome.done), 'dead letter')} {DONE[verb]}."
    if refused:
        said += f" {counted(len(refused), 'other')} not: {refused[0].problem}."
    return acted(said, to=PATH)
