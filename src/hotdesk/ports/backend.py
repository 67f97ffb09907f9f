"""A store that offers both: the verbs, and what people look at."""

from __future__ import annotations

from typing import Protocol

from hotdesk.ports.desks import Desks
from hotdesk.ports.records import Records


class Backend(Desks, Records, Protocol):
    """Both, on one store."""

    async def close(self) -> None:
        """Give back what this process holds of the store."""
        ...
