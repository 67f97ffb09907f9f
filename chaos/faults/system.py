"""Faults of ``hotdesk up``: killed, restarted, frozen."""

import signal
from random import Random

import anyio

from chaos import processes
from chaos.faults.fault import Fault, NothingToStrike


class KillSystem(Fault):
    """kill -9 of ``hotdesk up``; sometimes of all its workers in the same moment."""

    name = "kill -9 of hotdesk up"

    async def strike(self, dice: Random) -> str:
        """Kill; it is started again by whoever keeps it running."""
        is_all = dice.random() < 0.5
        workers = processes.workers(self._town.system.folder) if is_all else []
        for each in self._town.system.supervisors if is_all else [self._town.system.up]:
            each.tell(signal.SIGKILL)
        for worker in workers:
            worker.kill()
        what = f"with {len(workers)} workers" if is_all else "alone"
        return f"{what}: {await self._until_it_goes_on()}"


class RestartSystem(Fault):
    """SIGTERM to ``hotdesk up``, which drains, and a new start."""

    name = "restart of hotdesk up"

    async def strike(self, dice: Random) -> str:
        """Ask it to end; sometimes twice, which stops the workers at once."""
        up = self._town.system.up
        up.tell(signal.SIGTERM)
        is_twice = dice.random() < 0.3
        if is_twice:
            await anyio.sleep(dice.uniform(0.1, 1))
            up.tell(signal.SIGTERM)
        asked = "asked twice" if is_twice else "drained"
        return f"{asked}: {await self._until_it_goes_on()}"


class FreezeSystem(Fault):
    """SIGSTOP of ``hotdesk up`` alone: mail is not answered, workers work on."""

    name = "SIGSTOP of hotdesk up"

    async def strike(self, dice: Random) -> str:
        """Stop it for some seconds."""
        up = self._town.system.up
        pid = up.pid
        if pid is None:
            raise NothingToStrike
        seconds = dice.uniform(2, 10)
        processes.send(pid, signal.SIGSTOP)
        try:
            await anyio.sleep(seconds)
        finally:
            processes.send(pid, signal.SIGCONT)
        return f"for {seconds:.0f} s: {await self._until_it_goes_on()}"
