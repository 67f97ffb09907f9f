"""Settings become a whole deployment: pool, sweep, mail in and mail out, in one process."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta

import anyio

from hotdesk.backends.address import bell_folder, database_path, is_stack
from hotdesk.clock import SystemClock
from hotdesk.config import Config
from hotdesk.errors import ConfigError, NotAllowed
from hotdesk.pool import Pool
from hotdesk.ports import Backend, Launcher
from hotdesk.session import FAREWELL
from hotdesk.sweep import Sweep
from hotdesk.wiring.agents import folder_archive, workspaces_of
from hotdesk.wiring.connection import client_of, open_backend
from hotdesk.wiring.lock import holder_of, lock_file
from hotdesk.wiring.mail import Mail, mail_of
from hotdesk.wiring.worker import check_runner
from hotdesk.workspaces import Workspaces

SERVED_MAX = 1000
STARTING = timedelta(seconds=5)
STACK_KEEPS = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Everything that runs beside the workers, and the pool that runs them."""

    backend: Backend
    pool: Pool
    sweep: Sweep
    mail: Mail | None

    async def run(self, on_started: Callable[[int | None], None] = lambda _: None) -> None:
        """Run until cancelled; when this returns, every worker has ended.

        ``on_started`` is told the port on which mail is taken, if it is.

        Raises:
            ConfigError: The port is taken.
        """
        async with anyio.create_task_group() as tasks:
            port = None
            if self.mail is not None:
                try:
                    port = await tasks.start(self.mail.intake.run)
                except OSError as error:
                    raise ConfigError("mail.listen", f"cannot be used: {error.strerror}") from error
                if self.mail.outbox is not None:
                    tasks.start_soon(self.mail.outbox.run)
            tasks.start_soon(self.sweep.run)
            tasks.start_soon(self.pool.run)
            on_started(port)


@asynccontextmanager
async def open_deployment(
    config: Config, launcher: Launcher, *, tell: Callable[[str], None], is_whole: bool
) -> AsyncIterator[Deployment]:
    """Check what can be checked before the start, open the backend and compose the rest.

    A whole one takes and sends mail where that is configured, and is alone on its
    database (many may serve a stack); otherwise it is a pool with a sweep. ``tell`` is
    told, in a sentence, of what went wrong but ends nothing.

    Raises:
        ConfigError: Something that is configured does not work here.
        NotAllowed: Another process runs a whole one already.
    """
    check_runner(config)
    clock = SystemClock()
    workspaces = workspaces_of(config)
    backend = open_backend(config.backend, limits=config.limits.limits)
    try:
        is_file = not is_stack(config.backend)
        if is_whole and not is_file:
            tell(f"nothing keeps another hotdesk up from {config.backend}; this one is for trying")
        with alone_on(config) if is_whole and is_file else nullcontext():
            client = client_of(backend, policy_of=config.policy_of)
            mail = mail_of(config, client, backend, workspaces, tell=tell) if is_whole else None

            async def tidy_workspaces() -> None:
                await tidy(config, backend, workspaces)

            yield Deployment(
                backend=backend,
                pool=Pool(
                    backend,
                    clock,
                    launcher,
                    config.pool.limits,
                    new_id=client.new_id,
                    # Those of a stack are decided when it is deployed.
                    decides_pins=is_whole and is_file,
                    stop_time=leaving_time(config),
                    on_error=tell,
                ),
                sweep=Sweep(
                    backend,
                    clock,
                    retention=config.limits.retention,
                    tidy=[tidy_workspaces, *([mail.tidy] if mail else [])],
                    on_error=tell,
                ),
                mail=mail,
            )
    finally:
        await backend.close()


def leaving_time(config: Config) -> timedelta:
    """How long a worker may take to leave once it is asked to."""
    limits = config.worker.limits
    # Stop the job, save what was done, leave the desk, sign off; and some more for each step.
    return limits.grace + limits.keep_time + 2 * FAREWELL + STARTING


async def tidy(config: Config, backend: Backend, workspaces: Workspaces) -> None:
    """Remove workspaces that nobody has used for as long as ended jobs are kept.

    The disk of a container is small, and nobody looks into it later: there it is a day.
    """
    if config.projects:
        served = await backend.desks(limit=SERVED_MAX)
        now = SystemClock().now()
        kept = config.limits.retention
        await workspaces.tidy(
            unused_since=now - (min(kept, STACK_KEEPS) if is_stack(config.backend) else kept),
            now=now,
            keep={(each.desk.key, each.generation) for each in served if each.owner},
        )
        # What is in a bucket, the stack's own rules remove.
        await folder_archive(config).remove_before(now - kept)


@contextmanager
def alone_on(config: Config) -> Iterator[None]:
    """Be the only deployment on a database that is open.

    Raises:
        NotAllowed: Another process is.
    """
    database = database_path(config.backend)
    folder = bell_folder(database)
    lock = lock_file(folder)
    if lock is None:
        pid = holder_of(folder)
        raise NotAllowed(
            f"another hotdesk up{f' (process {pid})' if pid else ''} runs on {database}; stop it "
            "first, or name another database with --backend"
        )
    try:
        yield
    finally:
        os.close(lock)
