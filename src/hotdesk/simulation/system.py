"""The simulated ``hotdesk up``: pool, sweep and outbox in one process, started again if it ends."""

from datetime import timedelta
from itertools import count

import anyio

from hotdesk.desks import Desk
from hotdesk.errors import Unavailable
from hotdesk.mail.outbox import Outbox
from hotdesk.placement import PoolLimits
from hotdesk.pool import Pool
from hotdesk.simulation.machine import Machine, RunningWorker
from hotdesk.simulation.post import DOMAIN, KEY, SimulatedRelay
from hotdesk.simulation.process import SimulatedProcess
from hotdesk.sweep import Sweep

RETENTION = timedelta(days=30)
# How long it takes until somebody has started it again.
DOWN = timedelta(seconds=20)
LOOK_EVERY = timedelta(minutes=1)


class Up:
    """Keeps the system up until it is stopped."""

    def __init__(self, machine: Machine, limits: PoolLimits, relay: SimulatedRelay) -> None:
        """Run on *machine*, and send answers to *relay*; nothing is started yet."""
        self._machine = machine
        self._limits = limits
        self._relay = relay
        self._numbers = count(1)
        self._names = count(1)
        self._process = machine.process("up 1")
        self._is_stopping = False

    async def run(self) -> None:
        """Run until ``stop``; it returns when the last worker has ended."""
        while not self._is_stopping:
            self._process = self._machine.process(f"up {next(self._numbers)}")
            with self._process.scope:
                try:
                    await self._serve(self._process)
                except* Unavailable:
                    # It ends with a word on why, as the program does, and is started again.
                    pass
            if not self._is_stopping:
                await anyio.sleep(DOWN.total_seconds())

    def stop(self) -> None:
        """End it as SIGTERM does: its workers drain."""
        self._is_stopping = True
        self._process.scope.cancel()

    def kill(self, *, with_workers: bool) -> None:
        """End its process at once. Its workers see that it is gone, and drain; or end with it."""
        workers = [each for each in self._machine.workers if not each.process.is_dead]
        self._machine.kill(self._process)
        for worker in workers:
            worker.process.was_troubled = True
            if with_workers:
                self._machine.kill(worker.process)
            else:
                worker.drain()

    async def _serve(self, process: SimulatedProcess) -> None:
        async with self._machine.reached(process) as store:
            pool = Pool(
                store,
                process,
                _Launcher(self._machine, process),
                self._limits,
                new_id=lambda: f"worker-{next(self._names)}",
                look_every=LOOK_EVERY,
            )
            outbox = Outbox(
                store, process, self._relay, domain=DOMAIN, key=KEY, look_every=LOOK_EVERY
            )
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(outbox.run)
                tasks.start_soon(Sweep(store, process, retention=RETENTION).run)
                await pool.run()
                tasks.cancel_scope.cancel()


class _Launcher:
    """``ports.Launcher`` of one process."""

    def __init__(self, machine: Machine, owner: SimulatedProcess) -> None:
        """Start workers on *machine* as children of *owner*."""
        self._machine = machine
        self._owner = owner

    async def start(self, worker_id: str, pinned: Desk | None) -> RunningWorker:
        """Start one worker."""
        return await self._machine.start(self._owner, worker_id, pinned)
