"""Jobs that wait for a person's word before they are submitted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hotdesk.desks import Desk, NewJob


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

    async def held(self, *, desk: Desk | None = None, limit: int = 100) -> list[Held]:
        """What waits, oldest first."""
        ...

    async def held_job(self, job_id: str) -> Held:
        """One of them.

        Raises:
            NotFound: Nothing of that name waits.
        """
        ...

    async def drop_held(self, job_id: str) -> None:
        """Forget it; one that does not wait is none."""
        ...
