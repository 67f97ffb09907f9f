"""A store that offers all of it: the verbs, what people look at, what waits, what is counted."""

from __future__ import annotations

from typing import Protocol

from hotdesk.ports.approvals import Approvals
from hotdesk.ports.desks import Desks
from hotdesk.ports.figures import Figures
from hotdesk.ports.records import Records
from hotdesk.ports.tallies import Tallies


class Backend(Desks, Records, Approvals, Tallies, Figures, Protocol):
    """All of them, on one store."""

    async def close(self) -> None:
        """Give back what this process holds of the store."""
        ...
