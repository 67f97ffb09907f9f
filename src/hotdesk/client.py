"""Submit, watch, cancel and retry jobs: the engine's face for programs.

It makes names and ids, checks what it is given, and waits. What becomes of a job
is decided behind it.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta

from ulid import ULID

from hotdesk.desks import (
    Desk,
    DeskStatus,
    InterruptPolicy,
    Job,
    JobState,
    NewJob,
    Origin,
    WorkerStatus,
    checked_job_id,
    checked_name,
    storable,
)
from hotdesk.errors import NotFound, Rejected
from hotdesk.events import StoredEvent
from hotdesk.ports import Backend, Clock, Held, LogChunk, Page, ThreadView

INSTRUCTION_MAX = 1_000_000  # Characters: far beyond a letter, well below SQLite's 1e9 bytes.
WATCH = timedelta(seconds=10)
EVENTS_AT_ONCE = 500


class Client:
    """One connection to a backend. Use it as ``async with hotdesk.connect(url) as client``."""

    def __init__(
        self,
        backend: Backend,
        clock: Clock,
        *,
        policy_of: Callable[[str], InterruptPolicy] = lambda _: InterruptPolicy.DESK,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        """``policy_of`` gives the interrupt policy of a project, ``random_bytes`` makes ids."""
        self._backend = backend
        self._clock = clock
        self._policy_of = policy_of
        self._random_bytes = random_bytes

    def new_job(
        self,
        desk: str | Desk,
        instruction: str,
        *,
        thread: str | None = None,
        id: str | None = None,  # noqa: A002 - the word that callers expect
        interrupt: str | None = None,
        origin: Origin | None = None,
    ) -> NewJob:
        """Check what makes a job, and fill in what was left out. Nothing is submitted.

        Raises:
            Rejected: A name, the instruction or the policy is not usable.
        """
        place = Desk.parse(desk) if isinstance(desk, str) else desk
        if not instruction.strip():
            raise Rejected("the instruction is empty; say what should be done")
        if storable(instruction) != instruction:
            raise Rejected("the instruction holds bytes that are no text; write it in UTF-8")
        if len(instruction) > INSTRUCTION_MAX:
            raise Rejected(
                f"the instruction has {len(instruction)} characters, more than {INSTRUCTION_MAX}; "
                "attach long material as a file"
            )
        # A conversation is called like the job that begins it.
        name = self.new_id()
        return NewJob(
            id=name if id is None else checked_job_id(id),
            desk=place,
            thread=name if thread is None else checked_name("thread", thread),
            instruction=instruction,
            interrupt=self._policy_of(place.project) if interrupt is None else _policy(interrupt),
            origin=origin or Origin(),
        )

    def new_id(self) -> str:
        """A new name for a job or a thread: a ULID in lower case, so that names sort by age."""
        milliseconds = int(self._clock.now().timestamp() * 1000)
        return str(ULID(milliseconds.to_bytes(6, "big") + self._random_bytes(10))).lower()

    async def submit(
        self,
        desk: str | Desk,
        instruction: str,
        *,
        thread: str | None = None,
        id: str | None = None,  # noqa: A002 - the word that callers expect
        interrupt: str | None = None,
        origin: Origin | None = None,
    ) -> Job:
        """Submit one instruction; the job is durable on return.

        ``desk`` is ``project/user``. Jobs of one ``thread`` are a conversation; left
        out, a new one begins. ``interrupt`` (``desk``, ``thread``, ``never``)
        overrides the project's policy. The same ``id`` again returns the same job
        and changes nothing.

        Raises:
            Rejected: Something about it is not usable.
            Unavailable: It may be tried again, with the same ``id``.
        """
        new = self.new_job(
            desk, instruction, thread=thread, id=id, interrupt=interrupt, origin=origin
        )
        return (await self.submit_many([new]))[0]

    async def submit_many(self, jobs: Sequence[NewJob]) -> list[Job]:
        """Submit a batch made with ``new_job``, in one commit and in this order."""
        return await self._backend.submit(jobs, now=self._clock.now())

    async def result(self, job_id: str, *, timeout: float | None = None) -> Job:
        """Wait until the job has ended and return it; ``text`` says what came of it.

        Raises:
            TimeoutError: It has not ended after *timeout* seconds. It goes on.
            NotFound: There is no such job.
        """
        ends = None if timeout is None else self._clock.monotonic() + timeout
        mark: int | None = None
        while True:
            job = await self._backend.job(job_id)
            if job.state.is_ended:
                return job
            left = WATCH.total_seconds() if ends is None else ends - self._clock.monotonic()
            if left <= 0:
                raise TimeoutError(f"job {job_id} is {job.state} after {timeout} s; it goes on")
            mark = await self._backend.changed(mark, wait=min(WATCH, timedelta(seconds=left)))

    async def job(self, job_id: str) -> Job:
        """One job as it stands.

        Raises:
            NotFound: There is no such job.
        """
        return await self._backend.job(job_id)

    async def jobs(
        self,
        desk: str | None = None,
        *,
        thread: str | None = None,
        state: str | None = None,
        limit: int = 100,
        before: str = "",
    ) -> Page[Job]:
        """Jobs, newest first; with *before* those behind the page that had it as ``next``.

        Raises:
            Rejected: There is no such state, or *before* is not one of ours.
        """
        return await self._backend.jobs(
            desk=None if desk is None else Desk.parse(desk),
            thread=thread,
            state=None if state is None else _state(state),
            limit=limit,
            before=before,
        )

    async def queue(self, desk: str, *, limit: int = 100) -> list[Job]:
        """The pending jobs of a desk in the order of their hand-over, the running one first."""
        return await self._backend.queue(Desk.parse(desk), limit=limit)

    async def position(self, job: Job) -> int:
        """How many jobs of its desk are handed over before this one; 0 is next or running."""
        return await self._backend.position(job)

    async def cancel(self, job_id: str) -> Job:
        """End a queued job now, or ask its worker to stop it.

        Raises:
            NotFound: There is no such job.
            NotAllowed: It has ended, or is being published.
        """
        return await self._backend.cancel(job_id, now=self._clock.now())

    async def retry(self, job_id: str) -> Job:
        """Send a job again that failed, died, was cancelled or preempted.

        Raises:
            NotFound: There is no such job.
            NotAllowed: It succeeded or has not ended, or a newer job continues it.
        """
        return await self._backend.retry(job_id, now=self._clock.now())

    async def discard(self, job_id: str) -> None:
        """Remove a dead or failed job.

        Raises:
            NotFound: There is no such job.
            NotAllowed: It is neither dead nor failed.
        """
        await self._backend.discard(job_id, now=self._clock.now())

    async def held(
        self, desk: str | None = None, *, thread: str | None = None, limit: int = 100
    ) -> list[Held]:
        """Jobs that wait for approval, oldest first."""
        place = None if desk is None else Desk.parse(desk)
        return await self._backend.held(desk=place, thread=thread, limit=limit)

    async def held_job(self, job_id: str) -> Held:
        """One of them.

        Raises:
            NotFound: Nothing of that name waits.
        """
        return await self._backend.held_job(job_id)

    async def approve(self, job_id: str, *, by: str) -> Job:
        """Submit a job that waits; *by* says in the events who let it.

        It interrupts what the project's policy lets a new job interrupt now. One that was
        approved already comes back as it stands.

        Raises:
            NotFound: There is neither such a job nor one that waits.
            Unavailable: It may be approved again.
        """
        try:
            held = await self._backend.held_job(job_id)
        except NotFound as missing:
            try:
                return await self._backend.job(job_id)
            except NotFound:
                raise missing from None
        interrupt = self._policy_of(held.job.desk.project)
        now = self._clock.now()
        return await self._backend.approve(job_id, interrupt=interrupt, by=by, now=now)

    async def drop_held(self, job_id: str, *, by: str) -> None:
        """Forget a job that waits; *by* says in the events who dropped it.

        Raises:
            NotFound: Nothing of that name waits.
            NotAllowed: It was approved: it is a job.
        """
        await self._backend.drop_held(job_id, by=by, now=self._clock.now())

    async def log(self, job_id: str, *, after: int = 0, limit: int = 1000) -> list[LogChunk]:
        """The output of a job behind chunk number *after*."""
        return await self._backend.log(job_id, after=after, limit=limit)

    async def desks(
        self, *, waiting: bool = False, limit: int = 100, before: str = ""
    ) -> Page[DeskStatus]:
        """Desks, those with an owner or jobs first; only the waiting ones on demand.

        With *before* those behind the page that had it as ``next``.

        Raises:
            Rejected: *before* is not one of ours.
        """
        return await self._backend.desks(waiting=waiting, limit=limit, before=before)

    async def desk(self, desk: str) -> DeskStatus:
        """One desk.

        Raises:
            NotFound: No job was ever submitted for it.
        """
        return await self._backend.desk(Desk.parse(desk))

    async def pause(self, desk: str) -> None:
        """Stop serving a desk once its running job is over."""
        await self._backend.pause(Desk.parse(desk), now=self._clock.now())

    async def resume(self, desk: str) -> None:
        """Serve a paused desk again."""
        await self._backend.resume(Desk.parse(desk), now=self._clock.now())

    async def ask_release(self, desk: str) -> None:
        """Ask the owner to leave the desk after its running job."""
        await self._backend.ask_release(Desk.parse(desk), now=self._clock.now())

    async def workers(self) -> list[WorkerStatus]:
        """The registered workers."""
        return await self._backend.workers()

    async def drain(self, worker_id: str) -> None:
        """Ask a worker to hand back what it has and take no more.

        Raises:
            NotFound: There is no such worker.
        """
        await self._backend.drain(worker_id, now=self._clock.now())

    async def threads(
        self, desk: str | None = None, *, limit: int = 100, before: str = ""
    ) -> Page[ThreadView]:
        """Conversations, the latest first; with *before* those behind the page that had it.

        Raises:
            Rejected: *before* is not one of ours.
        """
        place = None if desk is None else Desk.parse(desk)
        return await self._backend.threads(desk=place, limit=limit, before=before)

    async def timeline(self, job_id: str) -> list[StoredEvent]:
        """Every event of one job, oldest first."""
        return await self._backend.events(job_id=job_id)

    async def events(self, after: str | None = None) -> AsyncIterator[StoredEvent]:
        """Events as they happen, without end. Each has a ``cursor`` to go on behind.

        ``after=None`` begins with what is new, ``after=""`` with the oldest one kept.

        Raises:
            Rejected: The cursor is not one of ours.
        """
        cursor = await self._backend.latest_cursor() if after is None else after
        mark: int | None = None
        while True:
            found = await self._backend.events(after=cursor, limit=EVENTS_AT_ONCE)
            for event in found:
                cursor = event.cursor
                yield event
            if not found:
                mark = await self._backend.changed(mark, wait=WATCH)

    async def close(self) -> None:
        """Give back the connection."""
        await self._backend.close()


def _policy(word: str) -> InterruptPolicy:
    try:
        return InterruptPolicy(word)
    except ValueError:
        raise Rejected(f"interrupt {word!r} is none of desk, thread, never") from None


def _state(word: str) -> JobState:
    try:
        return JobState(word)
    except ValueError:
        raise Rejected(f"state {word!r} is none of {', '.join(JobState)}") from None
