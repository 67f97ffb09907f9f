"""Jobs that wait for a person's word before they are submitted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hotdesk.desks import Desk, InterruptPolicy, Job, NewJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A job that is not submitted yet. ``reason`` says why an operator has to look."""

    job: NewJob
    reason: str
    held_at: datetime


class Approvals(Protocol):
    """What waits for approval. It is named by the id that the job will have."""

    async def hold(self, job: NewJob, reason: str, *, now: datetime) -> None:
        """Keep a job until it is approved or dropped; the same one again changes nothing."""
        ...

    async def held(
        self, *, desk: Desk | None = None, thread: str | None = None, limit: int = 100
    ) -> list[Held]:
        """What waits, oldest first: of a desk, of the conversation of that name, or all of it.

        For a conversation ``LOOKED_THROUGH_MAX`` are looked through, and their texts not read.
        """
        ...

    async def held_job(self, job_id: str) -> Held:
        """One of them.

        Raises:
            NotFound: Nothing of that name waits.
        """
        ...

    async def approve(
        self, job_id: str, *, interrupt: InterruptPolicy, by: str, now: datetime
    ) -> Job:
        """Submit what waits, as a job that interrupts so, and say that *by* let it, in one commit.

        One that was submitted already comes back as it stands. Whoever drops it at the same
        instant has been faster, or is told that it is a job.

        Raises:
            NotFound: There is neither such a job nor one that waits.
            Unavailable: It may be approved again.
        """
        ...

    async def drop_held(self, job_id: str, *, by: str, now: datetime) -> None:
        """Forget what waits, and say that *by* dropped it, in one commit.

        Raises:
            NotFound: Nothing of that name waits, and no such job was ever submitted.
            NotAllowed: It was approved: it is a job.
        """
        ...
