"""``hotdesk up``: everything in one process, with workers as its children."""

import os

import anyio
import click

from hotdesk.cli.eventlog import EventLog
from hotdesk.cli.invocation import Invocation
from hotdesk.cli.options import Command, pass_invocation
from hotdesk.cli.serving import crew_of, options_of, ways_to_leave
from hotdesk.cli.signals import run_until_told
from hotdesk.config import Config
from hotdesk.web.comparing import Comparing
from hotdesk.web.doctor import Doctor
from hotdesk.web.opening import open_web
from hotdesk.web.upkeep import Upkeep
from hotdesk.wiring.deployment import open_deployment


@click.command(cls=Command)
@click.option("--handler", metavar="MODULE:FUNCTION", help="Serve this Python function.")
@pass_invocation
def up(invocation: Invocation, *, handler: str | None) -> None:
    """Run everything: intake, workers, sweep, answers and the HTTP API.

    Workers are processes of their own and end with this one, whatever ends it. SIGTERM or
    Ctrl-C drains: running jobs are handed back with their partial work. Once more stops
    the workers at once, a third time kills them.
    """
    loaded = invocation.load(worker__handler=handler)
    loaded.check_secrets()
    config = loaded.config
    log = EventLog(
        invocation.clock,
        is_json=invocation.output.is_json,
        has_color=invocation.output.has_color,
    )

    more = {"HOTDESK_WORKER__HANDLER": handler} if handler else {}
    options = options_of(invocation)
    upkeep = Upkeep.of(loaded, Doctor(options, more))
    comparing = Comparing.of(config, options, more)

    async def work() -> None:
        crew = crew_of(invocation, handler)
        async with open_deployment(config, crew, tell=log.trouble, is_whole=True) as deployment:

            async def run() -> None:
                async with open_web(
                    config,
                    deployment.backend,
                    upkeep=upkeep,
                    comparing=comparing,
                    tell=log.trouble,
                ) as url:
                    await deployment.run(lambda port: log.say("up", **_served(config, port, url)))

            async with anyio.create_task_group() as logging:
                logging.start_soon(log.follow, deployment.backend)
                await run_until_told(
                    run, ways_to_leave(crew, lambda what: log.say("leaving", what=what))
                )
                logging.cancel_scope.cancel()
            await log.catch_up(deployment.backend)
        log.say("down")

    invocation.run(work)


def _served(config: Config, mail_port: int | None, url: str | None) -> dict[str, object]:
    """Say what is served, and where."""
    served: dict[str, object] = {"pid": os.getpid(), "backend": config.backend}
    if config.worker.handler is not None:
        served["handler"] = config.worker.handler
    else:
        served["projects"] = sorted(config.projects)
    served["workers"] = f"{config.pool.min_workers}-{config.pool.max_workers}"
    if config.mail is not None:
        host, _, _ = config.mail.listen.rpartition(":")
        served["mail"] = f"{config.mail.domain} at {host}:{mail_port}"
    if url is not None:
        served["web"] = url
    return served
