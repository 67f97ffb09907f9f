"""Where a measurement was made: the machine, the versions, the commit, the file system."""

import os
import platform
import sqlite3
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux keeps its tmpfs; only our own folder is used
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a reader must know to compare."""

    cores: int
    processor: str
    kernel: str
    python: str
    sqlite: str
    commit: str

    @classmethod
    def this(cls) -> Self:
        """The machine that this runs on."""
        return cls(
            cores=len(os.sched_getaffinity(0)),
            processor=_processor(),
            kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
            python=platform.python_version(),
            sqlite=sqlite3.sqlite_version,
            commit=_git("rev-parse", "--short", "HEAD")
            + (" and changes" if _git("status", "--porcelain", "--", "src") else ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder to measure in."""

    folder: Path
    file_system: str

    @classmethod
    def at(cls, folder: Path) -> Self:
        """Find out what *folder* is on."""
        return cls(folder=folder, file_system=_file_system(folder.resolve()))

    @property
    def is_memory(self) -> bool:
        """Whether a commit waits for no disk here."""
        return self.file_system == "tmpfs"

    @classmethod
    def usual(cls) -> list[Self]:
        """The memory, where the system offers it, and the disk of the temporary folder."""
        places = [cls.at(MEMORY)] if MEMORY.is_dir() else []
        disk = cls.at(Path(tempfile.gettempdir()))
        return places if disk.is_memory and places else [*places, disk]


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2] for line in text.splitlines() if line.startswith("model name")]
    return names[0].strip() if names else platform.processor()


def _file_system(folder: Path) -> str:
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return "unknown"
    for mount in mounts:
        before, _, after = mount.partition(" - ")
        if before.split()[2] == wanted:
            return after.split()[0]
    return "unknown"


def _git(*arguments: str) -> str:
    try:
        answer = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=10
        )
    except OSError:
        return ""
    return answer.stdout.strip()
