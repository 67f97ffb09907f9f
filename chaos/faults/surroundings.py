"""Faults of what surrounds Hotdesk: the disk, the git origins, the relay."""

from random import Random
from typing import ClassVar

import anyio

from chaos.faults.fault import LOOK_EVERY_SECONDS, Fault, NothingToStrike
from chaos.relay import Mood
from chaos.system import PROJECTS


class FillDisk(Fault):
    """Not a byte is left where the database and the workspaces are."""

    name = "full disk"

    async def strike(self, dice: Random) -> str:
        """Fill it, again and again, and free it."""
        disk = self._scene.disk
        if disk.cannot_be_filled:
            raise NothingToStrike
        seconds = dice.uniform(2, 8)
        try:
            with anyio.move_on_after(seconds):
                while True:
                    # What others delete meanwhile is taken too.
                    disk.fill()
                    await anyio.sleep(LOOK_EVERY_SECONDS)
        finally:
            disk.free()
        return f"for {seconds:.0f} s: {await self._until_it_goes_on()}"


class HideOrigin(Fault):
    """The git server of a project is away."""

    name = "git origin away"

    async def strike(self, dice: Random) -> str:
        """Hide a repository, and show it again."""
        project = dice.choice(list(PROJECTS))
        seconds = dice.uniform(2, 10)
        self._scene.origins.hide(project)
        try:
            await anyio.sleep(seconds)
        finally:
            self._scene.origins.show(project)
        return f"{project} for {seconds:.0f} s: {await self._until_it_goes_on()}"


class _RelayFault(Fault):
    mood: ClassVar[Mood]

    async def strike(self, dice: Random) -> str:
        """Let the relay be in a mood until it has hit a mail, or nobody wrote."""
        relay = self._town.relay
        before = relay.refused + relay.hung_up
        seconds = dice.uniform(2, 6)
        relay.mood = self.mood
        try:
            await anyio.sleep(seconds)
        finally:
            relay.mood = Mood.WELL
        hit = relay.refused + relay.hung_up - before
        return f"for {seconds:.0f} s, {hit} answers hit"


class RefuseMail(_RelayFault):
    """The relay answers 451."""

    name = "relay answers 451"
    mood = Mood.BUSY


class LoseReply(_RelayFault):
    """The relay takes a mail and hangs up before its reply: the mail comes once more."""

    name = "relay hangs up after DATA"
    mood = Mood.RUDE
