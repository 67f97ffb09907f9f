"""What ``doctor`` looks at: the machine and the store, then what the projects need.

Nothing is changed but what is made for a trial and removed again. Every check is bounded
in time, and none depends on another one.
"""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import anyio

from hotdesk.backends.address import bell_folder, database_path, is_stack
from hotdesk.backends.sqlite.bell import SocketBell
from hotdesk.config import Config, Loaded
from hotdesk.desks import JobState
from hotdesk.errors import HotdeskError
from hotdesk.wiring.agents import agents_of
from hotdesk.wiring.answers import key_of
from hotdesk.wiring.connection import client_of, open_backend, open_database
from hotdesk.wiring.finding import Check, Finding, fail, ok, warn
from hotdesk.wiring.handler import load_handler
from hotdesk.wiring.lock import holder_of
from hotdesk.wiring.mail_checks import mail_checks
from hotdesk.wiring.project_checks import project_checks
from hotdesk.wiring.stack_checks import stack_checks

CHECK_SECONDS_MAX = 20
FREE_BYTES_LOW = 2**30
FREE_BYTES_MIN = 100 * 2**20
DEAD_COUNTED_MAX = 100
MEBIBYTE = 2**20


def check_settings(loaded: Loaded) -> None:
    """See that all settings, and the secrets and prompts that they name, will do for ``up``.

    Raises:
        ConfigError: Something is wrong with them.
    """
    loaded.check_secrets()
    if loaded.config.mail is not None:
        key_of(loaded.config.mail)
    agents_of(loaded.config)


async def examine(loaded: Loaded) -> AsyncIterator[Finding]:
    """Make every check that makes sense for this configuration, one after another."""
    for check in _checks(loaded):
        yield await _bounded(check)


def _checks(loaded: Loaded) -> Iterator[Check]:
    config = loaded.config
    yield partial(_settings, loaded)
    if is_stack(config.backend):
        yield from _folder_checks(config.data_dir)
        yield from stack_checks(config)
        yield from _people_checks(config)
    else:
        yield from _database_checks(config)
    if config.worker.handler is not None:
        yield partial(_handler, config.worker.handler)
    elif config.projects:
        yield from project_checks(config)
        if config.mail is not None and not is_stack(config.backend):
            yield from mail_checks(config.mail)
    else:
        yield _nothing_to_serve


def _database_checks(config: Config) -> Iterator[Check]:
    database = database_path(config.backend)
    yield from _folder_checks(database.absolute().parent, config.data_dir)
    # A look must not make a database where there is none.
    if not database.is_file():
        yield partial(_no_store, database)
        return
    yield partial(_store, config)
    yield partial(_bell, database)
    yield partial(_deployment, database)
    yield from _people_checks(config)


def _folder_checks(*folders: Path) -> Iterator[Check]:
    for folder in dict.fromkeys(map(_existing, folders)):
        yield partial(_folder, folder)
        yield partial(_space, folder)


def _people_checks(config: Config) -> Iterator[Check]:
    yield partial(_workers, config)
    yield partial(_dead_letters, config)


async def _bounded(check: Check) -> Finding:
    with anyio.move_on_after(CHECK_SECONDS_MAX):
        try:
            return await check()
        except HotdeskError as error:
            # Of mistakes in settings each is a line.
            return fail("; ".join(str(error).splitlines()), "do what it says, and look again")
        except OSError as error:
            return fail(f"{error.filename or 'a system call'}: {error.strerror}", "see why")
    return fail(f"no answer within {CHECK_SECONDS_MAX} s from a check", "see what is in the way")


async def _settings(loaded: Loaded) -> Finding:
    check_settings(loaded)
    files = ", ".join(map(str, loaded.files)) or "no file: the defaults"
    return ok(f"configuration is right ({files})")


async def _folder(folder: Path) -> Finding:
    with tempfile.TemporaryFile(dir=folder):
        return ok(f"folder {folder} is writable")


async def _space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    what = f"{free // MEBIBYTE} MiB free on the disk of {folder}"
    if free < FREE_BYTES_MIN:
        return fail(what, "make room: nothing can be written soon")
    return ok(what) if free >= FREE_BYTES_LOW else warn(what, "make room soon")


async def _store(config: Config) -> Finding:
    with open_database(config.backend) as database:
        if wrong := database.check():
            return fail(f"database is damaged: {wrong[0]}", "stop Hotdesk and restore a backup")
        return ok(f"database reachable, schema {database.schema}")


async def _no_store(database: Path) -> Finding:
    return warn(f"there is no database {database} yet", "the first job or hotdesk up makes it")


async def _bell(database: Path) -> Finding:
    bell = SocketBell(database)
    try:
        bell.open("doctor")
        is_heard = bell.is_alive("doctor")
        bell.close("doctor")
    finally:
        bell.shut()
    if is_heard:
        return ok("workers can wake each other")
    return fail(
        f"sockets in {bell_folder(database)} do not work",
        "keep the database on a local file system",
    )


async def _deployment(database: Path) -> Finding:
    pid = holder_of(bell_folder(database))
    if pid is None:
        return warn("hotdesk up does not run", "start it: hotdesk up")
    return ok(f"hotdesk up runs (process {pid})")


async def _workers(config: Config) -> Finding:
    backend = open_backend(config.backend)
    try:
        workers = await backend.workers()
    finally:
        await backend.close()
    if not workers:
        return warn("no worker runs", "start some: hotdesk up")
    return ok(f"{len(workers)} workers run")


async def _dead_letters(config: Config) -> Finding:
    backend = open_backend(config.backend)
    try:
        dead = await client_of(backend).jobs(state=JobState.DEAD, limit=DEAD_COUNTED_MAX)
    finally:
        await backend.close()
    if not dead:
        return ok("no dead letters")
    more = " or more" if len(dead) == DEAD_COUNTED_MAX else ""
    return warn(f"dead letters: {len(dead)}{more}", "look at them: hotdesk dead list")


async def _handler(name: str) -> Finding:
    load_handler(name)
    return ok(f"handler {name} can be imported")


async def _nothing_to_serve() -> Finding:
    # Not a failure: a handler may be named on the command line of what serves.
    return warn(
        "no project is configured: hotdesk up starts only with --handler",
        "describe one in hotdesk.toml, or start it with --handler MODULE:FUNCTION",
    )


def _existing(folder: Path) -> Path:
    """The folder itself, or the one that it would be made in."""
    folder = folder.absolute()
    return next(each for each in (folder, *folder.parents) if each.is_dir())
