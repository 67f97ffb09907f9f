"""How the dashboard words what it shows."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hotdesk.desks import Job, storable

HEADLINE_MAX = 100
_UNITS = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))


def headline(job: Job) -> str:
    """A job in a few words: the subject of its mail, or the first line of its instruction."""
    lines = (job.origin.subject or job.instruction).strip().splitlines()
    first = storable(lines[0].strip()) if lines else ""
    return first if len(first) <= HEADLINE_MAX else f"{first[: HEADLINE_MAX - 1]}…"


def spelled(span: timedelta) -> str:
    """A span in its two largest units: ``42s``, ``7m 04s``, ``6d 4h``."""
    seconds = max(0, int(span.total_seconds()))
    for (unit, size), (below, part) in pairwise(_UNITS):
        if seconds >= size:
            return f"{seconds // size}{unit} {seconds % size // part:02}{below}"
    return f"{seconds}s"


def instant(moment: datetime) -> str:
    """An instant as HTML writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def in_utc(moment: datetime) -> str:
    """An instant for who has no script: browsers show it in the zone of their reader."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: ``1 job``, ``2 jobs``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
