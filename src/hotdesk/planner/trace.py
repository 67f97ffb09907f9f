"""Traffic out of a file: CSV with a head, or JSON Lines, one job a row, oldest first.

    at,desk,seconds,correction
    2026-11-02T08:14:09Z,amelia/scott,380,
    2026-11-02T08:16:30Z,amelia/scott,95,yes

``at`` is an instant or a number of seconds. A row is read, checked and forgotten, so that
a file may be longer than memory.
"""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hotdesk.errors import ConfigError
from hotdesk.planner.traffic import Arrival

COLUMNS = ("at", "desk", "seconds")
CORRECTION = "correction"
SECONDS_MAX = 7 * 86_400.0
DESK_MAX = 200
LINE_MAX = 100_000
YES = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False, "": False}


def read_trace(path: Path, *, default_seconds: float | None = None) -> Iterator[Arrival]:
    """The arrivals in a file; those without ``seconds`` work for *default_seconds*.

    Times become seconds since midnight, in UTC, of the day of the first one.

    Raises:
        ConfigError: The file cannot be read, or a row is not usable; it names the row.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = _bounded(file, path)
            if path.suffix in (".jsonl", ".ndjson", ".json"):
                rows = _json_rows(lines, path)
            else:
                rows = _csv_rows(lines, path)
            yield from _arrivals(rows, path, default_seconds)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"the trace cannot be read: {error}") from error


def _bounded(file: Iterable[str], path: Path) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        if len(line) > LINE_MAX:
            raise _wrong(path, number, f"it is longer than {LINE_MAX:,} characters")
        yield line


def _csv_rows(lines: Iterator[str], path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    reader = csv.DictReader(lines)
    try:
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ConfigError(
                str(path),
                f"the first row does not name {', '.join(missing)}",
                f"begin the file with: {','.join(COLUMNS)},{CORRECTION}",
            )
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise _wrong(path, reader.line_num, str(error)) from error


def _json_rows(lines: Iterator[str], path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    for number, line in enumerate(lines, start=1):
        if line.isspace():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _wrong(path, number, "it is no JSON") from error
        if not isinstance(row, dict):
            raise _wrong(path, number, "it is no JSON object")
        yield number, row


def _arrivals(
    rows: Iterator[tuple[int, Mapping[str, object]]], path: Path, default_seconds: float | None
) -> Iterator[Arrival]:
    zero: float | None = None
    last = -math.inf
    for number, row in rows:
        try:
            last = at = _at(row.get("at"), last)
            if zero is None:
                zero = at - at % 86_400
            desk = _desk(row.get("desk"))
            seconds = _seconds(row.get("seconds"), default_seconds)
            job = Arrival(at - zero, desk, seconds, _is_correction(row.get(CORRECTION)))
        except ValueError as error:
            raise _wrong(path, number, str(error)) from error
        yield job
    if zero is None:
        raise ConfigError(str(path), "there is no job in this trace")


def _at(value: object, last: float) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    elif isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            number = _instant(value)
    else:
        raise ValueError("it has no at")  # noqa: TRY004 - like every other mistake in a row
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"at is {value!r}, which is no time")
    if number < last:
        raise ValueError("it is older than the row before it; sort the file by at")
    return number


def _instant(value: str) -> float:
    try:
        when = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError(f"at is {value[:40]!r}, neither an ISO 8601 time nor seconds") from None
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)


def _desk(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("it has no desk")
    if len(value) > DESK_MAX:
        raise ValueError(f"its desk is longer than {DESK_MAX} characters")
    return value.strip()


def _seconds(value: object, default: float | None) -> float:
    if value is None or value == "":
        if default is None:
            raise ValueError("it has no seconds; --job-minutes says what to assume for such rows")
        return default
    try:
        seconds = float(value)  # type: ignore[arg-type]  # What is no number is told of below.
    except (TypeError, ValueError):
        raise ValueError(f"seconds is {str(value)[:40]!r}, which is no number") from None
    if not 0 <= seconds <= SECONDS_MAX:
        raise ValueError(f"seconds is {seconds:g}, and must be from 0 to {SECONDS_MAX:g}")
    return seconds


def _is_correction(value: object) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    try:
        return YES[str(value).strip().lower()]
    except KeyError:
        raise ValueError(f"{CORRECTION} is {str(value)[:40]!r}; write yes or no") from None


def _wrong(path: Path, row: int, problem: str) -> ConfigError:
    return ConfigError(str(path), f"row {row}: {problem}")
