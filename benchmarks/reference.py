"""The reference: what bare SQLite does with the same durability, in one process.

One INSERT commit for each job that comes in, one UPDATE commit for each that goes
out, and nothing of what makes a queue: no order, no claim, no events.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic_ns, perf_counter

# Those of backends/sqlite/file.py that bear on a commit; a test compares them.
PRAGMAS = {"journal_mode": "WAL", "synchronous": "FULL", "wal_autocheckpoint": 4000}
TABLE = "CREATE TABLE job (id TEXT PRIMARY KEY, desk TEXT, instruction TEXT, state TEXT)"
ENQUEUE = "INSERT INTO job VALUES (?, ?, 'none', 'queued')"
DRAIN = "UPDATE job SET state = 'succeeded' WHERE id = ?"


class Reference:
    """A table of jobs in a file of its own; each statement is a commit."""

    def __init__(self, file: Path) -> None:
        """Create *file*."""
        self.connection = sqlite3.connect(file, isolation_level=None)
        for name, value in PRAGMAS.items():
            self.connection.execute(f"PRAGMA {name} = {value}")
        self.connection.execute(TABLE)
        self._enqueued = 0
        self._drained = 0

    def enqueue(self, count: int) -> float:
        """Let *count* jobs in; return the seconds that it took."""
        begin = perf_counter()
        for number in range(self._enqueued, self._enqueued + count):
            self.connection.execute(ENQUEUE, (f"job{number:023}", f"shop#user{number % 1000}"))
        self._enqueued += count
        return perf_counter() - begin

    def drain(self, count: int) -> float:
        """Let *count* jobs out, the oldest first; return the seconds that it took."""
        begin = perf_counter()
        for number in range(self._drained, self._drained + count):
            self.connection.execute(DRAIN, (f"job{number:023}",))
        self._drained += count
        return perf_counter() - begin

    def commits(self, count: int) -> list[float]:
        """The milliseconds of *count* commits that let a job in."""
        taken = []
        for _ in range(count):
            begin = monotonic_ns()
            self.enqueue(1)
            taken.append((monotonic_ns() - begin) / 1e6)
        return taken


@contextmanager
def reference(folder: Path) -> Iterator[Reference]:
    """A reference in *folder*, closed when the block ends."""
    bare = Reference(folder / "reference.db")
    try:
        yield bare
    finally:
        bare.connection.close()
