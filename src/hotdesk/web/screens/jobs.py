"""``/jobs``: jobs, newest first, of all desks or of one."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from hotdesk.desks import Job, JobState
from hotdesk.web.records import CURSOR_MAX, DeskName, Name
from hotdesk.web.screens.screen import ROWS, Ask, Screen, older
from hotdesk.web.site import Site

PATH = "/jobs"


class WhichJobs(Ask):
    """Which jobs; *before* is the end of the page in front of this one."""

    desk: DeskName | None = None
    thread: Name | None = None
    state: JobState | None = None
    before: str = Field("", max_length=CURSOR_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsView:
    """A page of jobs; *older* is the address of the next one."""

    title: str
    jobs: Sequence[Job]
    ask: WhichJobs
    states: Sequence[JobState]
    older: str

    @property
    def is_filtered(self) -> bool:
        """Whether not every job is meant."""
        return (self.ask.desk, self.ask.thread, self.ask.state) != (None, None, None)


async def see(here: Site, ask: WhichJobs) -> JobsView:
    """Look at one page of them."""
    found = await here.client.jobs(
        ask.desk, thread=ask.thread, state=ask.state, limit=ROWS, before=ask.before
    )
    return JobsView(
        title="Jobs",
        jobs=found,
        ask=ask,
        states=[*JobState],
        older=older(PATH, ask, found.next),
    )


SCREENS = (
    Screen(
        path=PATH,
        template="jobs.html",
        nav="jobs",
        ask=WhichJobs,
        see=see,
        kinds=frozenset(
            """JobSubmitted JobStarted JobPutBack AttemptGivenBack AttemptFailed JobEnded
            CancelAsked JobRetried JobDiscarded RetentionApplied""".split()
        ),
    ),
)
