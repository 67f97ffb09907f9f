"""What was asked in a thread before a job, read page by page from the records."""

from collections.abc import AsyncGenerator

from hotdesk.desks import Job
from hotdesk.ports import Records
from hotdesk.runners.conversation import EARLIER_MAX

PAGE = 20
"""How many jobs are read at once; more only where these do not say enough."""


async def earlier(records: Records, job: Job) -> AsyncGenerator[Job, None]:
    """Turn the pages of the thread of *job*, newest first; whoever has enough stops."""
    before = ""
    for _ in range(EARLIER_MAX // PAGE):
        page = await records.jobs(desk=job.desk, thread=job.thread, limit=PAGE, before=before)
        for each in page:
            yield each
        # A short page that goes on has looked through thousands of jobs of other threads: what
        # was said before them is not worth the same once more.
        if not page.next or len(page) < PAGE:
            return
        before = page.next
