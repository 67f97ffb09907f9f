"""What is left when everything was drained, and should not be: in the record and on the disk."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from chaos import processes
from chaos.system import System
from hotdesk.client import Client
from hotdesk.workspaces.layout import Layout

DESKS_MAX = 1000
# What git and we call files that are on their way to be something else.
TEMPORARY = ("*.lock", "tmp_*", ".tmp*", "*.new")

MIRROR_LOCK = "mirror.lock"  # Held, or not; the file stays.


async def left_behind(system: System, client: Client, talking: int) -> list[str]:
    """Return it in sentences; *talking* is how many agents are still connected.

    What a killed git left is the sweep's to remove, but not before no git could still be at
    work on it: that can only be seen when the clocks were set ahead.
    """
    return [
        *await _record(client),
        *_processes(system.folder),
        *([f"{talking} agents are still there"] if talking else []),
        *await _rooms(system.data, client),
        *_files(system),
        *(f"a temporary file: {path}" for path in temporary(system) if system.clocks),
    ]


def temporary(system: System) -> list[Path]:
    """Return the files that were on their way to be something else."""
    return [
        each.relative_to(system.data)
        for pattern in TEMPORARY
        for each in system.data.rglob(pattern)
        if "clones" not in each.parts and each.name != MIRROR_LOCK
    ]


async def _record(client: Client) -> list[str]:
    left = []
    for desk in await client.desks(limit=DESKS_MAX):
        if desk.owner:
            left.append(f"desk {desk.desk} has an owner, {desk.owner}")
        if desk.pending:
            left.append(f"desk {desk.desk} has {desk.pending} pending jobs")
        if desk.active_job:
            left.append(f"desk {desk.desk} has an active job, {desk.active_job}")
    return left + [f"worker {worker.id} is registered" for worker in await client.workers()]


def _processes(folder: Path) -> Iterator[str]:
    for each in processes.of_run(folder):
        yield f"process {each.pid} runs: {' '.join(each.command)[:200]}"


async def _rooms(data: Path, client: Client) -> list[str]:
    """Name the folders of former generations. The last one stays warm until retention."""
    generations = {desk.desk: desk.generation for desk in await client.desks(limit=DESKS_MAX)}
    layout = Layout(data / "workspaces")
    left = []
    known: dict[Path, set[Path]] = defaultdict(set)
    for project in layout.projects():
        for room in layout.rooms(project):
            known[project].add(room.clone)
            if room.generation < generations[room.desk]:
                left.append(f"a folder of a former generation: {room.clone.relative_to(data)}")
        left += [
            f"a clone that nobody knows of: {clone.relative_to(data)}"
            for clone in (project / "clones").glob("*/*/*")
            if clone not in known[project]
        ]
        left += [f"trash: {each.relative_to(data)}" for each in layout.trash(project).glob("*")]
    return left


def _files(system: System) -> Iterator[str]:
    homes = system.data / "homes"
    for home in [*homes.glob("*/*/*"), *homes.glob(".trash/*")]:
        yield f"the home of an agent: {home.relative_to(system.data)}"
    for bell in system.store.glob("hotdesk.db-bell/w-*"):
        if bell.is_socket():
            yield f"a bell that nobody hears: {bell.name}"
