"""Wall clocks that go wrong: libfaketime under a process, its offset in a file.

The monotonic clock stays the machine's: it cannot be set by anybody. Debian has the library
as ``libfaketime``; where it is missing, clocks are right.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_LIBRARIES = "/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1"
# Python's own sleep is an error under version 0.9.10 of the library, which takes the monotonic
# instant until which it sleeps for one of the wall clock.
_SLEEP = """\
import select, time
time.sleep = lambda seconds: select.select((), (), (), seconds) and None
"""
_SHARED = Path("/dev/shm")  # noqa: S108 - where the library keeps what it shares; only our own


def library() -> Path | None:
    """Return where libfaketime is, if it is installed."""
    found = (path for pattern in _LIBRARIES for path in Path("/").glob(pattern[1:]))
    return next(found, None)


@dataclass(frozen=True, slots=True)
class WallClock:
    """The clock of one process and its children; *file* holds how wrong it is."""

    file: Path
    preload: Path | None

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to live by this clock."""
        if self.preload is None:
            return {}
        return {
            "LD_PRELOAD": str(self.preload),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Its remedy for an old fault of glibc makes threads spin where they should wait.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": str(self._customizing),
        }

    @property
    def _customizing(self) -> Path:
        """A folder whose ``sitecustomize`` every Python with this clock runs first."""
        return self.file.with_suffix(".python")

    def prepare(self) -> None:
        """Make the files that the processes read; the clock is right."""
        self._customizing.mkdir()
        (self._customizing / "sitecustomize.py").write_text(_SLEEP, encoding="ascii")
        self.set(0)

    def set(self, offset_seconds: float) -> None:
        """Let it be ahead by so much from the next second on, or behind if negative."""
        # In one step: a reader must not find half of it.
        new = self.file.with_suffix(".new")
        new.write_text(f"{offset_seconds:+.1f}\n", encoding="ascii")
        new.rename(self.file)


def clean_up(pid: int) -> None:
    """Remove what the library left in shared memory when process *pid* was killed."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        (_SHARED / name).unlink(missing_ok=True)
