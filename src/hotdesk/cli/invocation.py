"""One run of a command: its settings, its connection, its output."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self, TypeVar

import anyio

from hotdesk.backends.address import database_path, is_stack
from hotdesk.cli.options import Given
from hotdesk.cli.output import Output
from hotdesk.client import Client
from hotdesk.clock import SystemClock
from hotdesk.config import Config, Loaded
from hotdesk.errors import HotdeskError, Unavailable
from hotdesk.ports import Backend
from hotdesk.wiring import client_of, open_backend
from hotdesk.wiring.settings import load_settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A command at work: what it talks to, and the configuration."""

    client: Client
    backend: Backend
    config: Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What a command was given with the global options. Nothing is read or opened yet."""

    config_file: Path | None
    backend: str | None
    timeout: float | None
    output: Output
    clock: SystemClock

    @classmethod
    def of(cls, given: Given) -> Self:
        """Take over the global options."""
        return cls(
            config_file=given.get("config"),
            backend=given.get("backend"),
            timeout=given.get("timeout"),
            output=Output(
                is_json=given.get("json", False),
                is_quiet=given.get("quiet", False),
                is_verbose=given.get("verbose", 0) > 0,
                has_color=not given.get("no_color", False),
                says_yes=given.get("yes", False),
            ),
            clock=SystemClock(),
        )

    def now(self) -> datetime:
        """The instant."""
        return self.clock.now()

    def load(self, **flags: str | None) -> Loaded:
        """Read the configuration, with *flags* (``worker__handler``) over it.

        Raises:
            ConfigError: Something is wrong with it.
        """
        given = {"backend": self.backend, **flags}
        loaded = load_settings(
            self.config_file,
            {name.replace("__", "."): value for name, value in given.items() if value is not None},
        )
        files = ", ".join(str(file) for file in loaded.files) or "no file"
        self.output.detail(f"configuration: {files}; backend: {loaded.config.backend}")
        return loaded

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run *work* on an event loop, within the time-out.

        Raises:
            TimeoutError: It took longer than ``--timeout``.
        """

        async def bounded() -> T:
            with anyio.fail_after(self.timeout):
                return await work()

        with one_error():
            return anyio.run(bounded)

    def connect(self, work: Callable[[Connected], Awaitable[T]], *, is_new: bool = False) -> T:
        """Open the configured backend, run *work* with it and close it.

        Unless *is_new*, a database that does not exist is an error, not created: the
        command may have been started in the wrong folder. One that is made is named.

        Raises:
            Unavailable: There is no such database, or it does not answer.
        """
        config = self.load().config

        async def connected() -> T:
            made = _missing_database(config.backend)
            if made and not is_new:
                raise Unavailable(
                    f"there is no database {made}; go to the folder where Hotdesk runs, or name it "
                    "with --backend"
                )
            backend = open_backend(config.backend, limits=config.limits.limits)
            if made:
                self.output.note(f"made a new database: {made.absolute()}")
            try:
                client = client_of(backend, policy_of=config.policy_of)
                return await work(Connected(client=client, backend=backend, config=config))
            finally:
                await backend.close()

        return self.run(connected)


def _missing_database(url: str) -> Path | None:
    """The file that would have to be made; a stack is made by ``hotdesk aws deploy`` only."""
    if is_stack(url):
        return None
    path = database_path(url)
    return None if path.is_file() else path


@contextmanager
def one_error() -> Iterator[None]:
    """Raise the first of several errors that ended a group of tasks together."""
    try:
        yield
    except ExceptionGroup as group:
        ours = group.subgroup((HotdeskError, TimeoutError))
        error: BaseException = ours or group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from (None if ours else group)
