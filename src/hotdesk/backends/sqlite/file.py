"""The database file: opened, brought up to date, locked for short transactions, backed up.

Transactions run inline on the event loop. They take a fraction of a millisecond,
less than a hop to a thread and back; only waiting for the write lock is awaited.
Nothing awaits inside a transaction, and no ``sqlite3`` error leaves this module.
"""

import json
import os
import random
import re
import select
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from hotdesk.backends.sqlite.statements import migrations, statements
from hotdesk.desks import Interrupt
from hotdesk.errors import StoreError, Unavailable
from hotdesk.events import Event
from hotdesk.ports import Clock

T = TypeVar("T")
Row = sqlite3.Row
Value = None | int | str
Rings = list[tuple[str, Interrupt | None]]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LOCK_WAIT = timedelta(seconds=5)
# How long SQLite itself waits for the lock, on the event loop, before we await.
BUSY_MS = 3
# In the header of each of our files; migration 1 writes it, `file` can show it.
APPLICATION_ID = 0x4465736B
# Together about as long as SQLite itself waits for a lock while a file is opened.
CREATING_TRIES = 500
CREATING_PAUSE_SECONDS = 0.01
BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# What sqlite3 says, without a code of SQLite's, of a text in which bytes have changed.
NO_TEXT = "Could not decode to UTF-8"
UNUSABLE = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
}


def to_us(instant: datetime) -> int:
    """Microseconds since 1970, which is how the file keeps instants."""
    return (instant - EPOCH) // MICROSECOND


def from_us(value: int) -> datetime:
    """The inverse of ``to_us``."""
    return EPOCH + timedelta(microseconds=value)


class Transaction:
    """What a verb sees of the file while it holds the lock.

    ``rings`` collects who is to be woken, with what, once the commit stands.
    """

    __slots__ = ("_execute", "at", "now", "rings")

    def __init__(self, execute: Callable[..., sqlite3.Cursor], now: datetime) -> None:
        self._execute = execute
        self.rings: Rings = []
        self.set_now(now)

    def set_now(self, now: datetime) -> None:
        """Let what follows happen at *now*."""
        self.now = now
        self.at = to_us(now)

    def run(self, name: str, **values: Value) -> int:
        """Execute the statement *name*; return how many rows it changed."""
        return self._execute(_SQL[name], values).rowcount

    def one(self, name: str, **values: Value) -> Row | None:
        """The first row of the statement *name*, or ``None``."""
        cursor = self._execute(_SQL[name], values)
        row: Row | None = cursor.fetchone()
        cursor.close()
        return row

    def row(self, name: str, **values: Value) -> Row:
        """The row of a statement that always has one."""
        found = self.one(name, **values)
        assert found is not None, name
        return found

    def all(self, name: str, **values: Value) -> list[Row]:
        """Every row of the statement *name*."""
        return self._execute(_SQL[name], values).fetchall()

    def emit(self, event: Event) -> int:
        """Store *event* with this commit; return its cursor, which only grows."""
        details = event.details()
        cursor = self._execute(
            _SQL["insert_event"],
            {
                "at": self.at,
                "kind": type(event).__name__,
                "desk": event.desk,
                "job": event.job_id,
                "generation": event.generation,
                "details": json.dumps(details) if details else None,
            },
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def ring(self, worker_id: str, interrupt: Interrupt | None = None) -> None:
        """Wake *worker_id* once the commit stands, with an interrupt if there is one."""
        self.rings.append((worker_id, interrupt))


_SQL = statements()


class DatabaseFile:
    """One connection to the file, owned by one event loop."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open *path*, create it or bring it up to date.

        Raises:
            StoreError: It is no database, is damaged, or a newer Hotdesk wrote it.
            Unavailable: Another process holds it, or the disk is full.
        """
        self.path = path
        self._clock = clock
        self._commits = 0
        self._jitter = random.Random(0)  # noqa: S311 - spreads waiting, guards nothing
        if not path.parent.is_dir():
            raise StoreError(f"folder {path.parent} does not exist; create it first")
        with _translated(path):
            _create(path)
            self._connection = sqlite3.connect(
                path, isolation_level=None, cached_statements=512, timeout=LOCK_WAIT.total_seconds()
            )
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self) -> None:
        connection = self._connection
        connection.row_factory = sqlite3.Row
        _refuse_foreign(connection, self.path)
        _use_log(connection)
        # FULL, not NORMAL: what was answered with "durable" survives a power cut.
        connection.execute("PRAGMA synchronous = FULL")
        # A checkpoint holds up the commit that it falls to: one in about 400, not in 100.
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        _migrate(connection, self.path)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")

    async def write(self, work: Callable[[Transaction], T], *, now: datetime) -> tuple[T, Rings]:
        """Run *work* in one transaction and commit it; also say who is to be woken for it.

        Raises:
            Unavailable: The lock was not to be had, the disk is full, or the
                commit's fate is unknown (``committed=None``).
            StoreError: The file is damaged or may not be written.
        """
        await self._begin()
        transaction = Transaction(self._connection.execute, now)
        committing = False
        try:
            value = work(transaction)
            committing = True
            self._connection.execute("COMMIT")
            self._commits += 1
        except sqlite3.Error as error:
            self._roll_back()
            raise _as_ours(error, self.path, committing=committing) from error
        except BaseException:
            self._roll_back()
            raise
        return value, transaction.rings

    def read(self, work: Callable[[Transaction], T], *, now: datetime = EPOCH) -> T:
        """Run *work* on one snapshot, without the write lock."""
        with _translated(self.path):
            self._connection.execute("BEGIN")
            try:
                return work(Transaction(self._connection.execute, now))
            finally:
                self._roll_back()

    def others_mark(self) -> int:
        """A number that differs after another connection has committed."""
        with _translated(self.path):
            row = self._connection.execute("PRAGMA data_version").fetchone()
        return int(row[0])

    def change_mark(self) -> int:
        """A number that differs after anyone has committed, this connection included."""
        return self.others_mark() << 40 | self._commits

    def back_up(self, target: Path) -> None:
        """Copy the file as it stands to *target* while others go on writing.

        Raises:
            StoreError: *target* exists or cannot be written.
        """
        if target.exists():
            raise StoreError(f"{target} exists; choose another name for the backup")
        with _translated(target):
            copy = sqlite3.connect(target)
            try:
                self._connection.backup(copy, pages=1000, sleep=0.01)
                copy.execute("PRAGMA journal_mode = DELETE")
            finally:
                copy.close()

    def limit(self, pages: int) -> None:
        """Let the file not grow beyond *pages*, or its present size: a disk that is full."""
        with _translated(self.path):
            self._connection.execute(f"PRAGMA max_page_count = {pages}")

    def check(self) -> list[str]:
        """What SQLite's own quick check finds wrong; empty when all is well."""
        with _translated(self.path):
            try:
                rows = self._connection.execute("PRAGMA quick_check(20)").fetchall()
            except sqlite3.DatabaseError as error:
                if _code(error) not in DAMAGED:
                    raise
                # Some damage ends the check itself.
                return [str(error)]
        return [row[0] for row in rows if row[0] != "ok"]

    def explain(self, name: str) -> list[str]:
        """The query plan of the statement *name*, a line per step."""
        sql = _SQL[name]
        values = dict.fromkeys(_parameters(sql))
        rows = self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
        return [row["detail"] for row in rows]

    @property
    def schema(self) -> int:
        """The version of the file's schema."""
        return _schema_of(self._connection)

    def close(self) -> None:
        """Close the connection; the last one to close folds the log into the file."""
        self._connection.close()

    async def _begin(self) -> None:
        waited = timedelta(0)
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                if _code(error) not in BUSY or waited >= LOCK_WAIT:
                    raise _as_ours(error, self.path, committing=False) from error
            else:
                return
            pause = timedelta(milliseconds=self._jitter.uniform(0.5, 5))
            await self._clock.sleep(pause)
            waited += pause + timedelta(milliseconds=BUSY_MS)

    def _roll_back(self) -> None:
        # After some errors SQLite has rolled back by itself.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _use_log(connection: sqlite3.Connection) -> None:
    """Switch the file to a write-ahead log.

    Where several processes create one file, SQLite does not wait for the lock here: two
    that each read and want to write would wait for each other.
    """
    for tries_left in reversed(range(CREATING_TRIES)):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in BUSY or not tries_left:
                raise
            select.select((), (), (), CREATING_PAUSE_SECONDS)
        else:
            return


def _create(path: Path) -> None:
    """Make an empty file that only its owner can read: it will hold people's instructions."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise StoreError(
            f"{path} cannot be created ({error.strerror}): check the folder"
        ) from error


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    # Asked in this order: another process may make an empty file ours in between.
    has_tables = connection.execute("PRAGMA schema_version").fetchone()[0] > 0
    if has_tables and connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise StoreError(f"{path} is the database of another program; choose another file")


def _schema_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    scripts = migrations()
    if _schema_of(connection) < len(scripts):
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Asked again under the lock: another process may have been faster.
            for number in range(_schema_of(connection), len(scripts)):
                for statement in _split(scripts[number]):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {max(len(scripts), _schema_of(connection))}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    schema = _schema_of(connection)
    if schema > len(scripts):
        needed = int(connection.execute(_SQL["compatible_with"]).fetchone()[0])
        if needed > len(scripts):
            raise StoreError(
                f"{path} was written by a newer Hotdesk (schema {schema}, this one knows "
                f"{len(scripts)}): upgrade Hotdesk, or restore the backup made before"
            )


def _split(script: str) -> Iterator[str]:
    # executescript() would commit the transaction that protects the migration.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _parameters(sql: str) -> Sequence[str]:
    return re.findall(r":(\w+)", sql)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _as_ours(error, path, committing=False) from error


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _as_ours(error: sqlite3.Error, path: Path, *, committing: bool) -> Exception:
    code = _code(error)
    is_no_text = str(error).startswith(NO_TEXT)
    if code in DAMAGED or is_no_text:
        # What is no text any more is told without it: it was somebody's.
        what = NO_TEXT if is_no_text else error
        return StoreError(
            f"{path} is damaged or is not a Hotdesk database ({what}): stop Hotdesk and restore a "
            "backup (see docs/operation.md)"
        )
    if code in UNUSABLE:
        return StoreError(f"{path} cannot be used ({error}): check its owner and permissions")
    if code in BUSY:
        return Unavailable(f"{path} is locked by another process; trying again may help")
    if code == sqlite3.SQLITE_FULL:
        return Unavailable(f"the disk of {path} is full: free some space; nothing was lost")
    if code == sqlite3.SQLITE_IOERR:
        return Unavailable(
            f"{path} cannot be read or written ({error})", committed=None if committing else False
        )
    # Anything else is a bug of ours: a wrong statement must not look like weather.
    return error
