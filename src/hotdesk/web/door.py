"""The way in for people of this machine: an address and a token that ``up`` makes at its start.

Both stand in one file that only its owner may read. A page of the web that makes a
browser of this machine send requests does not know the token, and neither do other users
or the agents, from whom the folder is hidden.
"""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hotdesk.errors import ConfigError, Unavailable

FILE = "web.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where a running ``hotdesk up`` is, and the token that it takes from this machine."""

    url: str
    token: str


def new_token() -> str:
    """A token that nobody guesses: 32 random bytes."""
    return secrets.token_urlsafe(32)


@contextmanager
def open_door(folder: Path, door: Door) -> Iterator[None]:
    """Keep *door* in *folder* for as long as the block lasts.

    Raises:
        ConfigError: The folder cannot be written.
    """
    file = folder / FILE
    content = json.dumps({"url": door.url, "token": door.token})
    try:
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        write_private(file, content)
    except OSError as error:
        raise ConfigError("data_dir", f"{file} cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        # Another one that was started on this folder later may have put its own there.
        with suppress(OSError):
            if file.read_text(encoding="utf-8") == content:
                file.unlink()


def find_door(folder: Path) -> Door:
    """Read what ``up`` keeps in *folder*.

    Raises:
        Unavailable: There is none, or it belongs to somebody else.
    """
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Door(url=found["url"], token=found["token"])
    except (OSError, ValueError, KeyError, TypeError):
        raise Unavailable(
            f"there is no address in {folder / FILE}; start it with: hotdesk up, or ask "
            "whoever started it"
        ) from None


def write_private(file: Path, content: str) -> None:
    """Put *content* in place as a whole; at no time may others read it.

    Raises:
        OSError: It cannot be written.
    """
    new = file.with_name(f"{file.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(content)
    new.replace(file)
