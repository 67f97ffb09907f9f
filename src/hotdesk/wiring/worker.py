"""Settings become a worker: its runner, its limits, its backend."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import NoReturn

from hotdesk.clock import SystemClock
from hotdesk.config import Config
from hotdesk.desks import Desk
from hotdesk.errors import ConfigError
from hotdesk.ports import Backend, Runner, WorkerCard
from hotdesk.runners.function import FunctionRunner
from hotdesk.wiring.agents import confinement_of, open_agents
from hotdesk.wiring.connection import client_of, open_backend
from hotdesk.wiring.handler import load_handler
from hotdesk.worker import Worker


def check_runner(config: Config) -> None:
    """See that workers could do their work here, without starting any.

    Raises:
        ConfigError: They could not.
    """
    if config.worker.handler is not None:
        load_handler(config.worker.handler)
    elif config.projects:
        confinement_of(config)
    else:
        raise ConfigError(
            "projects",
            "there is nothing to serve",
            "describe a project in hotdesk.toml, or name a Python function with --handler",
        )


EX_SOFTWARE = 70  # sysexits.h: an error in a program.


@contextmanager
def open_runner(config: Config) -> Iterator[Runner]:
    """Make what carries out attempts: a Python function, or the agents of the projects.

    Raises:
        ConfigError: There is neither, or it cannot be used here.
    """
    check_runner(config)
    if config.worker.handler is not None:
        yield FunctionRunner(load_handler(config.worker.handler))
    else:
        with open_agents(config) as runner:
            yield runner


@asynccontextmanager
async def open_worker(
    config: Config, worker_id: str | None, pinned: Desk | None
) -> AsyncIterator[tuple[Worker, Backend]]:
    """Open the backend and make a worker on it; nothing is claimed before it runs.

    Raises:
        ConfigError: There is nothing to serve, or it cannot be used here.
    """
    with open_runner(config) as runner:
        backend = open_backend(config.backend, limits=config.limits.limits)
        try:
            card = WorkerCard(
                id=worker_id or client_of(backend).new_id(), pid=os.getpid(), pinned=pinned
            )
            worker = Worker(
                card, backend, runner, SystemClock(), config.worker.limits, on_stuck=end_process
            )
            yield worker, backend
        finally:
            await backend.close()


def end_process() -> NoReturn:
    """End this process at once: its handler swallows cancellation, so nothing gentler does.

    The kernel then tells the other workers, and one of them takes the desk over.
    """
    os.write(2, b"error: a handler goes on although it was cancelled; this worker ends\n")
    os._exit(EX_SOFTWARE)
