"""A command that is kept running, as the machine's service manager would keep it."""

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anyio
from anyio.abc import Process

from chaos.clocks import WallClock, clean_up
from hotdesk.signals import send_signal

PAUSE_SECONDS = 0.3
STOP_SECONDS_MAX = 120
KILL_SECONDS_MAX = 20


class Supervisor:
    """One ``hotdesk`` command in the folder of the run, restarted whenever it ends."""

    def __init__(
        self,
        name: str,
        command: Callable[[int], Sequence[str]],
        *,
        folder: Path,
        environment: Mapping[str, str],
        clock: WallClock,
    ) -> None:
        """*command* gives the arguments of the first start, the second, and so on."""
        self.name = name
        self.clock = clock
        self.starts = 0
        self.fell_over: list[int] = []
        self._command = command
        self._folder = folder
        self._environment = {**environment, **clock.environment}
        self._process: Process | None = None
        self._was_told = False
        self._is_ending = False
        self._has_ended = anyio.Event()

    @property
    def pid(self) -> int | None:
        """Its process, while there is one."""
        return self._process.pid if self._process else None

    async def run(self) -> None:
        """Keep it running until ``stop``; cancelled, it is killed."""
        self._is_ending = False
        self._has_ended = anyio.Event()
        while not self._is_ending:
            self._was_told = False
            # Not to be interrupted: a process that is started is one that is ended here.
            with anyio.CancelScope(shield=True):
                process = self._process = await self._start()
            try:
                status = await process.wait()
            finally:
                with anyio.move_on_after(KILL_SECONDS_MAX, shield=True):
                    await self._end(process)
                self._process = None
            if not self._was_told:
                self.fell_over.append(status)
            await anyio.sleep(PAUSE_SECONDS)
        self._has_ended.set()

    def tell(self, number: signal.Signals) -> None:
        """Send a signal that may end it; that is then no fall."""
        self._was_told = True
        if self._process is not None:
            send_signal(self._process, number)

    async def stop(self) -> int | None:
        """End it with SIGTERM; return its exit status, ``None`` if it was not running or hangs."""
        self._is_ending = True
        process = self._process
        self.tell(signal.SIGTERM)
        with anyio.move_on_after(STOP_SECONDS_MAX):
            await self._has_ended.wait()
        return process.returncode if process else None

    async def _start(self) -> Process:
        self.starts += 1
        with (self._folder / f"{self.name}.log").open("ab") as log:
            return await anyio.open_process(
                [sys.executable, "-m", "hotdesk", *self._command(self.starts)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,  # Ctrl-C reaches the run, which ends it in order.
            )

    async def _end(self, process: Process) -> None:
        send_signal(process, signal.SIGKILL)
        await process.wait()
        clean_up(process.pid)
