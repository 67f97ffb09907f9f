"""One attempt as its handler sees it: the interrupt, partial work, the log, the timeline."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import anyio

from hotdesk.desks import Delivery, Interrupt, Interrupted, Json, storable
from hotdesk.errors import Unavailable
from hotdesk.events import Event
from hotdesk.ports import Backend, Clock

LOG_BYTES_MAX = 10_000_000
# A chunk is one row of the log; a longer text becomes several.
CHUNK_CHARACTERS_MAX = 64_000
FLUSH_AT = 16_000
CUT = "\n[the log of this job is full; what follows is not kept]\n"


class Stop:
    """Whether, and why, an attempt should stop; see ``ports.Interruption``."""

    def __init__(self, scope: anyio.CancelScope, grace: timedelta) -> None:
        self._scope = scope
        self._grace = grace
        self._set = anyio.Event()
        self._reason: Interrupt | None = None

    @property
    def reason(self) -> Interrupt | None:
        """The interrupt, once it came."""
        return self._reason

    def is_set(self) -> bool:
        """Whether the attempt should stop, without waiting."""
        return self._set.is_set()

    async def wait(self) -> None:
        """Return once the attempt should stop."""
        await self._set.wait()

    def ask(self, interrupt: Interrupt) -> None:
        """Ask the attempt to stop; it is cancelled when the grace time is over."""
        if self._reason is None:
            self._reason = interrupt
            self._set.set()
            ends = anyio.current_time() + self._grace.total_seconds()
            self._scope.deadline = min(self._scope.deadline, ends)


class AttemptContext:
    """What a handler or runner is given beside its job; see ``ports.Context``."""

    def __init__(
        self,
        delivery: Delivery,
        stop: Stop,
        backend: Backend,
        clock: Clock,
        *,
        on_log: Callable[[], None],
        confirm: Callable[[], Awaitable[None]],
    ) -> None:
        self._delivery = delivery
        self._stop = stop
        self._backend = backend
        self._clock = clock
        self._on_log = on_log
        self._confirm = confirm
        self._unwritten: list[str] = []
        self._unwritten_size = 0
        self._unrecorded: list[Event] = []
        self._logged = 0

    @property
    def interrupted(self) -> Stop:
        """Set when the attempt should stop: test ``is_set()`` or ``await wait()``."""
        return self._stop

    @property
    def folded(self) -> tuple[Interrupted, ...]:
        """The interrupted jobs of the thread that this one continues, oldest first."""
        return self._delivery.folded

    @property
    def partial(self) -> Json:
        """What an earlier attempt of this same job saved last, or ``None``."""
        return self._delivery.job.partial

    async def save_partial(self, partial: Json = None, *, commit: str = "") -> None:
        """Make partial work durable; it survives whatever happens next.

        Raises:
            ClaimLost: Another worker holds the desk; stop.
            Unavailable: It could not be saved now.
        """
        await self._backend.save_partial(self._delivery, partial, commit, now=self._clock.now())

    async def log(self, text: str) -> None:
        """Add to the job's log. Beyond the log's bound the text is dropped, with a note."""
        if self._logged >= LOG_BYTES_MAX or not text:
            return
        text = storable(text)
        self._logged += len(text)
        if self._logged >= LOG_BYTES_MAX:
            text += CUT
        self._unwritten.append(text)
        self._unwritten_size += len(text)
        self._on_log()
        if self._unwritten_size >= FLUSH_AT:
            await self.flush()

    async def record(self, event: Event) -> None:
        """Add to the timeline of the job; written with the next piece of the log."""
        claim, job = self._delivery.claim, self._delivery.job
        own = replace(event, desk=job.desk.key, job_id=job.id, generation=claim.generation)
        self._unrecorded.append(own)
        self._on_log()

    async def confirm(self) -> None:
        """Prove, by renewing it, that the claim still holds.

        Raises:
            ClaimLost: Another worker holds the desk, or may hold it; stop.
        """
        await self._confirm()

    async def flush(self) -> None:
        """Write what was logged and recorded so far."""
        text = "".join(self._unwritten)
        self._unwritten, self._unwritten_size = [], 0
        job = self._delivery.job
        for start in range(0, len(text), CHUNK_CHARACTERS_MAX):
            chunk = text[start : start + CHUNK_CHARACTERS_MAX]
            try:
                await self._backend.append_log(job.id, job.attempt, chunk, now=self._clock.now())
            except Unavailable:
                # A log line is not worth an attempt: work goes on without it.
                return
        events, self._unrecorded = self._unrecorded, []
        if events:
            # The same goes for what is only told.
            with suppress(Unavailable):
                await self._backend.record(events, now=self._clock.now())
