"""Which steps of Hotdesk an input takes; the fewest inputs that take all; the shortest that fails.

Coverage is of arcs, from one line to the next, as Python's own tracing reports them. It
needs no fuzzer, so the corpus is the same whatever found it.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import hotdesk

Arc = tuple[CodeType, int, int]

SHRINKS_MAX = 5000

_PACKAGE = str(Path(hotdesk.__file__).parent)


def arcs_of(check: Callable[[bytes], None], data: bytes) -> frozenset[Arc]:
    """Run *check* on *data* and return the arcs that it took within Hotdesk."""
    arcs: set[Arc] = set()
    lines: dict[FrameType, int] = {}

    def step(frame: FrameType, event: str, _argument: object) -> Any:  # noqa: ANN401 - as settrace
        if event == "line":
            arcs.add((frame.f_code, lines.get(frame, 0), frame.f_lineno))
            lines[frame] = frame.f_lineno
        elif event == "return":
            lines.pop(frame, None)
        return step

    def enter(frame: FrameType, _event: str, _argument: object) -> Any:  # noqa: ANN401 - as above
        return step if frame.f_code.co_filename.startswith(_PACKAGE) else None

    former = sys.gettrace()
    sys.settrace(enter)
    try:
        check(data)
    finally:
        sys.settrace(former)
    return frozenset(arcs)


def fewest(found: Mapping[bytes, frozenset[Arc]]) -> list[bytes]:
    """Return inputs that take every arc that any of them takes; small ones go first."""
    left = set().union(*found.values())
    chosen = []
    # By what each one adds for its bytes, greedily: the best choice of all is not worth its time.
    while left:
        best = max(found, key=lambda data: (len(found[data] & left) / (len(data) + 20), data))
        chosen.append(best)
        left -= found[best]
    return chosen


def failure_of(check: Callable[[bytes], None], data: bytes) -> str:
    """Return what *check* raises on *data*, by its type and place; nothing if it passes."""
    # Whatever it raises is the finding; a thread hands it over without naming it.
    with ThreadPoolExecutor(max_workers=1) as threads:
        error = threads.submit(check, data).exception()
    if error is None:
        return ""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {place.name}:{place.lineno}"


def shortest(check: Callable[[bytes], None], data: bytes) -> bytes:
    """Return a shorter input that fails in the same place: pieces are left out while it does."""
    failure = failure_of(check, data)
    tries = 0
    size = len(data) // 2
    while size and tries < SHRINKS_MAX:
        for at in _starts(data, size):
            tries += 1
            shorter = data[:at] + data[at + size :]
            if failure_of(check, shorter) == failure:
                data = shorter
                break
        else:
            size //= 2
    return data


def _starts(data: bytes, size: int) -> Iterable[int]:
    return range(max(0, len(data) - size), -1, -max(1, size // 2))
