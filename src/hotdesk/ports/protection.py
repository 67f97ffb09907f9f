"""What keeps the machine under a worker while it runs a job."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Protection(Protocol):
    """Asks whoever takes machines away to take another one while a job runs."""

    def during_job(self) -> AbstractContextManager[None]:
        """Ask for as long as the block lasts; never waits and never fails.

        Whether it is heard makes no difference to a job: one that is cut off all the
        same is handed over again.
        """
        ...


class Unprotected:
    """Nobody takes this machine away."""

    def during_job(self) -> AbstractContextManager[None]:
        """Do nothing."""
        return nullcontext()
