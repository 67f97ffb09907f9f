"""The processes that worked in a clone: noted when they start, ended when their time is over.

A note holds a process's number, when it started, and the boot and process namespace it
belongs to, so a number that was given to another process since is never signalled. A
sandbox with its own process namespace leaves nothing to end; this is for all others.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio import to_thread

_PROC = Path("/proc")
_END_SECONDS_MAX = 5
_PS_SECONDS_MAX = 10
_POLL_SECONDS = 0.02
_ROUNDS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A process as the system shows it. ``started`` tells it from others of its number."""

    parent: int
    group: int
    started: str
    is_zombie: bool


async def note(folder: Path, pid: int) -> None:
    """Remember in *folder* that process *pid* works in the clone.

    One that has ended meanwhile is not noted.
    """
    if seen := (await to_thread.run_sync(_processes)).get(pid):
        (folder / str(pid)).write_text(f"{seen.started} {_here()}")


async def end(folders: Iterable[Path]) -> tuple[int, ...]:
    """Kill the processes noted in *folders*, and what they started; return who survived.

    Killed are the noted processes, their process groups and their descendants. What a worker
    in another container noted cannot be seen from here and is left alone.
    """
    notes = {path: mark for folder in folders for path, mark in _notes(folder)}
    if not notes:
        return ()
    now = await to_thread.run_sync(_processes)
    marks = {(pid, f"{seen.started} {_here()}"): seen.started for pid, seen in now.items()}
    noted = {(int(path.name), mark) for path, mark in notes.items()}
    leaders = {pid: marks[pid, mark] for pid, mark in noted & marks.keys()}
    family = await to_thread.run_sync(_kill, leaders)
    with anyio.move_on_after(_END_SECONDS_MAX):
        while _alive(family, await to_thread.run_sync(_processes)):  # noqa: ASYNC110 - the kernel ends them
            await anyio.sleep(_POLL_SECONDS)
    alive = _alive(family, await to_thread.run_sync(_processes))
    for path, mark in notes.items():
        if int(path.name) not in alive and mark.endswith(_here()):
            path.unlink(missing_ok=True)
    return tuple(sorted(alive))


def _notes(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in folder.glob("*"):
        # Another worker may be tidying up as well.
        with contextlib.suppress(FileNotFoundError):
            if path.name.isdecimal():
                yield path, path.read_text()


def _alive(family: dict[int, str], now: dict[int, Seen]) -> set[int]:
    return {pid for pid in family if pid in now and now[pid].started == family[pid]}


def _kill(leaders: dict[int, str]) -> dict[int, str]:
    """Stop *leaders* and their family one generation after the other, then kill them all.

    A process that is stopped starts no other, so after a round that finds nobody new the
    family is complete. Processes are named by when they started.
    """
    family: dict[int, str] = {}
    with contextlib.ExitStack() as handles:
        handle: dict[int, int] = {}
        for _ in range(_ROUNDS_MAX):
            now = _processes()
            new = {pid for pid in now if _belongs(pid, now, leaders, family)} - family.keys()
            if not new:
                break
            for pid in new:
                with contextlib.suppress(ProcessLookupError):
                    handle[pid] = _hold(pid, handles)
            # Only now can no number be given away any more; look again whom we hold.
            now = _processes()
            for pid in new & handle.keys():
                if _belongs(pid, now, leaders, family):
                    family[pid] = now[pid].started
                    _signal(pid, handle[pid], signal.SIGSTOP)
        for pid in family:
            _signal(pid, handle[pid], signal.SIGKILL)
    return family


def _belongs(
    pid: int, now: dict[int, Seen], leaders: dict[int, str], family: dict[int, str]
) -> bool:
    seen = now.get(pid)
    if seen is None or pid in (1, os.getpid()):
        return False
    is_leader = leaders.get(pid) == seen.started
    return is_leader or seen.parent in family or (seen.group in family and seen.group in leaders)


def _hold(pid: int, handles: contextlib.ExitStack) -> int:
    """Return a handle that means this process for ever, where the system has such a thing."""
    if not hasattr(os, "pidfd_open"):
        return -1
    handle = os.pidfd_open(pid)
    handles.callback(os.close, handle)
    return handle


def _signal(pid: int, handle: int, number: signal.Signals) -> None:
    # One that runs as somebody else stays; the caller is told who is alive.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if handle == -1:
            os.kill(pid, number)
        else:
            signal.pidfd_send_signal(handle, number)


def _here() -> str:
    """Return the boot and the process namespace that process numbers belong to."""
    with contextlib.suppress(OSError):
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"
    return "-"


def _processes() -> dict[int, Seen]:
    """Return the processes that run now, by number."""
    found = _from_proc() if (_PROC / "self/stat").exists() else _from_ps()
    return {pid: seen for pid, seen in found.items() if not seen.is_zombie}


def _from_proc() -> dict[int, Seen]:
    found = {}
    for folder in _PROC.iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                # proc(5): the name, in parentheses, may hold anything; after it come state,
                # parent, group and, as field 22, the start in ticks since boot.
                fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
                found[int(folder.name)] = Seen(
                    parent=int(fields[1]),
                    group=int(fields[2]),
                    started=fields[19].decode(),
                    is_zombie=fields[0] in (b"Z", b"X"),
                )
    return found


def _from_ps() -> dict[int, Seen]:
    said = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,pgid=,stat=,lstart="],
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=_PS_SECONDS_MAX,
        check=True,
    )
    found = {}
    for line in said.stdout.splitlines():
        pid, parent, group, state, started = line.split(None, 4)
        found[int(pid)] = Seen(
            parent=int(parent), group=int(group), started=started, is_zombie="Z" in state
        )
    return found
