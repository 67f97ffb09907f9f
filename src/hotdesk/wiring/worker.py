"""Settings become a worker: its runner, its limits, its backend."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import NoReturn

from hotdesk.backends.aws.protection import AGENT_VARIABLE, TaskProtection
from hotdesk.clock import SystemClock
from hotdesk.config import Config
from hotdesk.config.environment import variables
from hotdesk.desks import Desk
from hotdesk.errors import ConfigError
from hotdesk.ports import Backend, Protection, Runner, Unprotected, WorkerCard
from hotdesk.runners.function import FunctionRunner
from hotdesk.wiring.agents import agents_of, confinement_of, open_agents
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
        confinement = confinement_of(config)
        for name, agent in agents_of(config).items():
            confinement.check_network(agent.network, f"projects.{name}.network")
    else:
        raise ConfigError(
            "projects",
            "there is nothing to serve",
            "describe a project in hotdesk.toml, or name a Python function with --handler",
        )


EX_SOFTWARE = 70  # sysexits.h: an error in a program.


@contextmanager
def open_runner(config: Config, backend: Backend) -> Iterator[Runner]:
    """Make what carries out attempts: a Python function, or the agents of the projects.

    Agents are told what *backend* knows of their thread, and what they cost is counted there.

    Raises:
        ConfigError: There is neither, or it cannot be used here.
    """
    if config.worker.handler is not None:
        yield FunctionRunner(load_handler(config.worker.handler))
    else:
        with open_agents(config, backend) as runner:
            yield runner


@asynccontextmanager
async def open_worker(
    config: Config,
    worker_id: str | None,
    pinned: Desk | None,
    *,
    is_child: bool,
    tell: Callable[[str], None],
) -> AsyncIterator[tuple[Worker, Backend]]:
    """Open the backend and make a worker on it; nothing is claimed before it runs.

    When a child leaves is its parent's business, and so is the machine that both run on.
    ``tell`` is told, in a sentence, of what went wrong but ends nothing.

    Raises:
        ConfigError: There is nothing to serve, or it cannot be used here.
    """
    limits = config.worker.limits
    if is_child:
        limits = replace(limits, idle_exit=None)
    check_runner(config)
    backend = open_backend(config.backend, limits=config.limits.limits)
    try:
        card = WorkerCard(
            id=worker_id or client_of(backend).new_id(), pid=os.getpid(), pinned=pinned
        )
        with open_runner(config, backend) as runner:
            async with _protected(is_child=is_child, tell=tell) as protection:
                worker = Worker(
                    card,
                    backend,
                    runner,
                    SystemClock(),
                    limits,
                    protection=protection,
                    on_stuck=end_process,
                )
                yield worker, backend
    finally:
        await backend.close()


@asynccontextmanager
async def _protected(*, is_child: bool, tell: Callable[[str], None]) -> AsyncIterator[Protection]:
    """What protects the machine of this process, if it is one that may be taken away."""
    agent = variables().get(AGENT_VARIABLE)
    if agent is None or is_child:
        yield Unprotected()
        return
    async with TaskProtection(agent, SystemClock(), tell=tell).kept() as protection:
        yield protection


def end_process() -> NoReturn:
    """End this process at once: its handler swallows cancellation, so nothing gentler does.

    The kernel then tells the other workers, and one of them takes the desk over.
    """
    os.write(2, b"error: a handler goes on although it was cancelled; this worker ends\n")
    os._exit(EX_SOFTWARE)
