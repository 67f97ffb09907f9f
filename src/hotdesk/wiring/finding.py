"""What one check of ``doctor`` found."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is: all is well, worth knowing, or Hotdesk cannot do its work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found; ``fix`` is the way to mend it."""

    level: Level
    what: str
    fix: str = ""


Check = Callable[[], Awaitable[Finding]]


def ok(what: str) -> Finding:
    """All is well."""
    return Finding(level=Level.OK, what=what)


def warn(what: str, fix: str) -> Finding:
    """It works, but a person should know."""
    return Finding(level=Level.WARN, what=what, fix=fix)


def fail(what: str, fix: str) -> Finding:
    """It does not work."""
    return Finding(level=Level.FAIL, what=what, fix=fix)
