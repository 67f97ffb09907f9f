"""A small worker for tests: runs one program and says when it runs, or waits at its gate."""

import sys
from dataclasses import replace
from pathlib import Path

import anyio

from hotdesk.confinement import Mode, Walls, find_confinement
from hotdesk.runners.process import Program, run_program


async def main(arguments: list[str]) -> None:
    """Run a shell script with its arguments."""
    mode, uid, root, until, *argv = arguments
    confinement = find_confinement().of(Mode(mode))
    if confinement.uid is not None:
        confinement = replace(confinement, uid=int(uid))

    async def say(chunk: bytes) -> None:
        print(chunk.decode().strip(), flush=True)  # noqa: T201 - a line for the test

    async def wait_at_gate(pids: tuple[int, ...]) -> None:
        if until == "gate":
            await say(b"ready")
            await anyio.sleep_forever()

    await run_program(
        Program(
            argv=("sh", "-c", *argv),
            walls=Walls(workspace=Path(root, "workspace"), home=Path(root, "home")),
        ),
        confinement,
        on_start=wait_at_gate,
        on_output=say,
        stop=anyio.sleep_forever,
    )


if __name__ == "__main__":
    anyio.run(main, sys.argv[1:])
