"""A worker: claims a desk, serves it, and looks for the next one.

What may be claimed is a rule of the backend; how a desk is served is the session's.
"""

from collections.abc import Callable
from datetime import datetime

import anyio

from hotdesk.desks import Claim
from hotdesk.errors import NotAllowed, NotFound, Rejected, Unavailable
from hotdesk.lifecycle import HEARTBEAT
from hotdesk.ports import Backend, Clock, Protection, Runner, Unprotected, WorkerCard
from hotdesk.session import FAREWELL, RETRY_FIRST, RETRY_MAX, Session, WorkerLimits


class Worker:
    """Serves one desk at a time until it is drained or cancelled."""

    def __init__(
        self,
        card: WorkerCard,
        backend: Backend,
        runner: Runner,
        clock: Clock,
        limits: WorkerLimits | None = None,
        *,
        protection: Protection | None = None,
        on_stuck: Callable[[], None] = lambda: None,
    ) -> None:
        """Work as *card* says; nothing is claimed before ``run``.

        *protection* is asked for while a job runs.

        ``on_stuck`` is called when an attempt goes on although it was cancelled long
        ago. Its desk is no longer kept; only the end of the process ends the attempt.
        """
        self._card = card
        self._backend = backend
        self._runner = runner
        self._clock = clock
        self._limits = limits or WorkerLimits()
        self._protection = protection or Unprotected()
        self._on_stuck = on_stuck
        self._is_draining = False
        self._session: Session | None = None

    async def run(self) -> None:
        """Register, serve desk after desk, and deregister.

        Returns once the worker was drained, or had no desk for its ``idle_exit``. Cancelling
        it ends the running attempt at once; its job is handed over again by whoever claims
        the desk next.
        """
        await self._backend.register(self._card, now=self._clock.now())
        try:
            await self._serve_desks()
        finally:
            with anyio.move_on_after(FAREWELL.total_seconds(), shield=True):
                await self._leave_for_good()

    async def drain(self) -> None:
        """Hand back the running job with its partial work, and take no more."""
        self._is_draining = True
        if self._session is not None:
            self._session.drain()
        try:
            await self._backend.drain(self._card.id, now=self._clock.now())
        except (Rejected, Unavailable):
            # The flag and the interrupt above do it; the mark only spares the waiting.
            return

    async def _serve_desks(self) -> None:
        pause = RETRY_FIRST
        idle_since = self._clock.monotonic()
        while not (self._is_draining or self._has_idled(idle_since)):
            now, mark = self._clock.now(), self._clock.monotonic()
            try:
                claim = await self._claim(now)
            except Unavailable:
                await self._clock.sleep(pause)
                pause = min(pause * 2, RETRY_MAX)
                continue
            except NotAllowed:
                return
            pause = RETRY_FIRST
            if claim is not None:
                self._session = Session(
                    claim,
                    lease_ends=mark + self._limits.lease.total_seconds(),
                    backend=self._backend,
                    runner=self._runner,
                    clock=self._clock,
                    limits=self._limits,
                    protection=self._protection,
                    on_stuck=self._on_stuck,
                )
                if self._is_draining:
                    # It was asked while the claim was on its way, and may be marked nowhere else.
                    self._session.drain()
                await self._session.serve()
                self._session = None
                idle_since = self._clock.monotonic()

    def _has_idled(self, since: float) -> bool:
        # Whatever was announced meanwhile finds another worker, as after a drain.
        idle_exit = self._limits.idle_exit
        return (
            idle_exit is not None and self._clock.monotonic() - since >= idle_exit.total_seconds()
        )

    async def _claim(self, now: datetime) -> Claim | None:
        try:
            return await self._backend.claim(
                self._card.id,
                # A free worker is heard of this often, however long its lease is.
                wait=min(self._limits.heartbeat, HEARTBEAT, self._limits.idle_exit or HEARTBEAT),
                lease=self._limits.lease,
                now=now,
            )
        except NotFound:
            # Others took this process for dead; what it held is theirs now.
            await self._backend.register(self._card, now=self._clock.now())
            return None

    async def _leave_for_good(self) -> None:
        try:
            await self._backend.deregister(self._card.id, now=self._clock.now())
        except Unavailable:
            # The bell is closed: whoever rings next proves that this worker is gone.
            return
