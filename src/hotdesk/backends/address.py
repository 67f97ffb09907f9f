"""The URL that names a backend, and what it stands for."""

from pathlib import Path
from urllib.parse import urlsplit

from hotdesk.backends.aws.address import SCHEME, stack_of
from hotdesk.errors import ConfigError


def is_stack(url: str) -> bool:
    """Whether *url* is about a stack on AWS, rightly written or not."""
    return url.startswith(SCHEME)


def checked_url(url: str) -> str:
    """Return *url* if it names a database or a stack; nothing is opened.

    Raises:
        ConfigError: It does neither.
    """
    if is_stack(url):
        stack_of(url)
    else:
        database_path(url)
    return url


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
        "is not the URL of a backend",
        "write sqlite:///hotdesk.db for a file here, sqlite:////var/lib/hotdesk.db for an "
        "absolute path, or aws://eu-west-1/hotdesk for a stack on AWS",
    )


def bell_folder(database: Path) -> Path:
    """The folder beside a database through which its processes wake each other."""
    return database.with_name(database.name + "-bell")


def files_of(database: Path) -> tuple[Path, ...]:
    """Every file and folder that belongs to a database, itself first."""
    logs = (database.with_name(database.name + end) for end in ("-wal", "-shm"))
    return (database, *logs, bell_folder(database))
