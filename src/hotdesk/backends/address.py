"""The URL that names a backend, and what it stands for."""

from pathlib import Path
from urllib.parse import urlsplit

from hotdesk.errors import ConfigError


def database_path(url: str) -> Path:
    """The file behind ``sqlite:///relative.db`` or ``sqlite:////absolute.db``.

    Raises:
        ConfigError: It is not such a URL.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    is_file = parts.scheme == "sqlite" and not parts.netloc and parts.path.strip("/")
    # What else may stand in a URL could only be meant for something that is not read here.
    if is_file and url == f"sqlite://{parts.path}" and "\0" not in url:
        return Path(parts.path[1:])
    raise ConfigError(
        "backend",
        "is not the URL of a backend of this installation",
        "write sqlite:///hotdesk.db for a file here, sqlite:////var/lib/hotdesk.db for an "
        "absolute path",
    )


def bell_folder(database: Path) -> Path:
    """The folder beside a database through which its processes wake each other."""
    return database.with_name(database.name + "-bell")


def files_of(database: Path) -> tuple[Path, ...]:
    """Every file and folder that belongs to a database, itself first."""
    logs = (database.with_name(database.name + end) for end in ("-wal", "-shm"))
    return (database, *logs, bell_folder(database))
