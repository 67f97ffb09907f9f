"""What a fault is, and what it may lay hands on."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

import anyio

from chaos.disk import Disk
from chaos.origins import Origins
from chaos.trace import Trace
from chaos.traffic import Town

RECOVERY_SECONDS_MAX = 180
LOOK_EVERY_SECONDS = 0.2


class NothingToStrike(Exception):
    """There is nothing here and now that this fault could break."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What faults may lay hands on. ``frozen`` are the processes that are stopped now."""

    town: Town
    trace: Trace
    disk: Disk
    origins: Origins
    frozen: set[int] = field(default_factory=set)


class Fault(ABC):
    """One kind of trouble. ``name`` is what the report calls it."""

    name: ClassVar[str]

    def __init__(self, scene: Scene) -> None:
        """Trouble for *scene*."""
        self._scene = scene
        self._town = scene.town

    @abstractmethod
    async def strike(self, dice: Random) -> str:
        """Break something, hold it, mend it; return what was broken and what went on.

        Raises:
            NothingToStrike: There was nothing to break.
            TimeoutError: Nothing went on afterwards.
        """

    async def _until_it_goes_on(self) -> str:
        begin = anyio.current_time()
        with anyio.fail_after(RECOVERY_SECONDS_MAX):
            await self._town.progress.until_one_more_ends()
        return f"a job ended {anyio.current_time() - begin:.1f} s later"
