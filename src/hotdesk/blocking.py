"""The client for scripts without an event loop: the same calls, each waits for its answer."""

from collections.abc import Iterator, Sequence

from anyio.from_thread import BlockingPortal

from hotdesk.client import Client
from hotdesk.desks import Desk, DeskStatus, Job, NewJob, Origin, WorkerStatus
from hotdesk.events import StoredEvent
from hotdesk.ports import Held, LogChunk, Page


class BlockingClient:
    """``Client`` without ``await``, as ``with hotdesk.connect(url) as client`` gives it."""

    def __init__(self, client: Client, portal: BlockingPortal) -> None:
        """Run *client* on the event loop behind *portal*."""
        self._client = client
        self._portal = portal

    def submit(
        self,
        desk: str | Desk,
        instruction: str,
        *,
        thread: str | None = None,
        id: str | None = None,  # noqa: A002 - the word that callers expect
        interrupt: str | None = None,
        origin: Origin | None = None,
    ) -> Job:
        """Submit one instruction; see ``Client.submit``."""
        return self.submit_many(
            [
                self._client.new_job(
                    desk, instruction, thread=thread, id=id, interrupt=interrupt, origin=origin
                )
            ]
        )[0]

    def submit_many(self, jobs: Sequence[NewJob]) -> list[Job]:
        """Submit a batch in one commit; see ``Client.submit_many``."""
        return self._portal.call(self._client.submit_many, jobs)

    def result(self, job_id: str, *, timeout: float | None = None) -> Job:
        """Wait until the job has ended; see ``Client.result``."""

        async def wait() -> Job:
            return await self._client.result(job_id, timeout=timeout)

        return self._portal.call(wait)

    def job(self, job_id: str) -> Job:
        """One job as it stands; see ``Client.job``."""
        return self._portal.call(self._client.job, job_id)

    def jobs(
        self,
        desk: str | None = None,
        *,
        thread: str | None = None,
        state: str | None = None,
        limit: int = 100,
        before: str = "",
    ) -> Page[Job]:
        """Jobs, newest first; see ``Client.jobs``."""

        async def ask() -> Page[Job]:
            return await self._client.jobs(
                desk, thread=thread, state=state, limit=limit, before=before
            )

        return self._portal.call(ask)

    def cancel(self, job_id: str) -> Job:
        """Cancel a job; see ``Client.cancel``."""
        return self._portal.call(self._client.cancel, job_id)

    def retry(self, job_id: str) -> Job:
        """Send an ended job again; see ``Client.retry``."""
        return self._portal.call(self._client.retry, job_id)

    def held(self, desk: str | None = None) -> list[Held]:
        """Jobs that wait for approval, oldest first; see ``Client.held``."""
        return self._portal.call(self._client.held, desk)

    def approve(self, job_id: str, *, by: str) -> Job:
        """Submit a job that waits; see ``Client.approve``."""

        async def approve() -> Job:
            return await self._client.approve(job_id, by=by)

        return self._portal.call(approve)

    def drop_held(self, job_id: str, *, by: str) -> None:
        """Forget a job that waits; see ``Client.drop_held``."""

        async def drop() -> None:
            await self._client.drop_held(job_id, by=by)

        self._portal.call(drop)

    def log(self, job_id: str) -> list[LogChunk]:
        """The output of a job; see ``Client.log``."""
        return self._portal.call(self._client.log, job_id)

    def desks(self) -> Page[DeskStatus]:
        """Desks, those with an owner or jobs first; see ``Client.desks``."""
        return self._portal.call(self._client.desks)

    def workers(self) -> list[WorkerStatus]:
        """The registered workers; see ``Client.workers``."""
        return self._portal.call(self._client.workers)

    def events(self, after: str | None = None) -> Iterator[StoredEvent]:
        """Events as they happen, without end; see ``Client.events``."""
        stream = self._client.events(after)

        async def following() -> StoredEvent:
            return await anext(stream)

        while True:
            yield self._portal.call(following)
