"""Serving desks from a terminal: one worker in this process, or several as its children."""

import os
from collections.abc import Callable

import anyio

from hotdesk.cli.invocation import Invocation
from hotdesk.cli.signals import Answer, run_until_told
from hotdesk.clock import SystemClock
from hotdesk.desks import Desk
from hotdesk.sweep import Sweep
from hotdesk.wiring.agents import workspaces_of
from hotdesk.wiring.crew import Crew
from hotdesk.wiring.deployment import open_deployment, tidy
from hotdesk.wiring.worker import open_worker

STOPPED = 130


def serve_alone(
    invocation: Invocation,
    *,
    handler: str | None,
    worker_id: str | None,
    pinned: Desk | None,
    is_child: bool,
) -> int:
    """Run one worker in this process until it is told to leave; return the exit code.

    On its own it sweeps too; a child leaves that to its parent.
    """
    loaded = invocation.load(worker__handler=handler)
    loaded.check_secrets()
    config, output = loaded.config, invocation.output

    async def work() -> int:
        async with open_worker(config, worker_id, pinned, is_child=is_child, tell=output.note) as (
            worker,
            backend,
        ):
            workspaces = workspaces_of(config)

            async def tidy_workspaces() -> None:
                await tidy(config, backend, workspaces)

            sweep = Sweep(
                backend,
                SystemClock(),
                retention=config.limits.retention,
                tidy=[tidy_workspaces],
                on_error=output.note,
            )
            has_left = False

            async def run() -> None:
                nonlocal has_left
                async with anyio.create_task_group() as tasks:
                    if not is_child:
                        tasks.start_soon(sweep.run)
                        output.note(f"serving {config.backend}; Ctrl-C drains")
                    await worker.run()
                    has_left = True
                    tasks.cancel_scope.cancel()

            async def drain(_: anyio.CancelScope) -> None:
                if not is_child:
                    output.note("draining; once more stops at once")
                await worker.drain()

            await run_until_told(run, [drain, stop])
            return 0 if has_left else STOPPED

    return invocation.run(work)


def serve_together(invocation: Invocation, *, handler: str | None, workers: int) -> int:
    """Run *workers* children of this process until it is told to leave."""
    loaded = invocation.load(
        worker__handler=handler, pool__min_workers=str(workers), pool__max_workers=str(workers)
    )
    loaded.check_secrets()
    config, output = loaded.config, invocation.output

    async def work() -> int:
        crew = crew_of(invocation, handler)
        async with open_deployment(config, crew, tell=output.note, is_whole=False) as deployment:

            async def run() -> None:
                await deployment.run(
                    lambda _: output.note(
                        f"serving {config.backend} with {workers} workers; Ctrl-C drains"
                    )
                )

            await run_until_told(run, ways_to_leave(crew, output.note))
        return 0

    return invocation.run(work)


def crew_of(invocation: Invocation, handler: str | None) -> Crew:
    """Make the launcher of workers that read the same settings as this process."""
    options = ["--handler", handler] if handler else []
    return Crew([*options_of(invocation), *options], pid=os.getpid())


def options_of(invocation: Invocation) -> list[str]:
    """The options that have another process read the same settings as this one."""
    given = {"--config": invocation.config_file, "--backend": invocation.backend}
    return [part for name, value in given.items() if value for part in (name, str(value))]


def ways_to_leave(crew: Crew, tell: Callable[[str], None]) -> list[Answer]:
    """What the first, second and third signal do to a pool: drain, stop, kill."""

    async def drain(scope: anyio.CancelScope) -> None:
        tell("draining; once more stops the workers at once")
        scope.cancel()

    async def hurry(_: anyio.CancelScope) -> None:
        tell("stopping the workers; once more kills them")
        await crew.hurry()

    async def kill(_: anyio.CancelScope) -> None:
        crew.kill()

    return [drain, hurry, kill]


async def stop(scope: anyio.CancelScope) -> None:
    """End a run at once."""
    scope.cancel()
