"""The checks of ``hotdesk doctor``, made on demand and kept until they are made again.

They are made by a process of their own: a check may read a whole database or wait for a
repository, and neither holds up anybody here nor outlives its bound.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from hotdesk.ports import Clock
from hotdesk.web.program import HOTDESK, output_of
from hotdesk.wiring.finding import Finding, Level, fail

SECONDS_MAX = 120.0
SAID_MAX = 500
PROGRAM = (*HOTDESK, "doctor", "--json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found, and when."""

    at: datetime
    findings: Sequence[Finding]


class Doctor:
    """Makes the checks, once at a time. ``since`` is set while they are made."""

    def __init__(self, options: Sequence[str] = (), more: Mapping[str, str] | None = None) -> None:
        """Give the program *options*, and *more* variables than this process has."""
        self._command = [*PROGRAM, *options]
        self._more = more or {}
        self.since: datetime | None = None
        self.latest: Examination | None = None

    async def examine(self, clock: Clock) -> None:
        """Make the checks, unless they are being made. What goes wrong is a finding, too."""
        if self.since is not None:
            return
        self.since = clock.now()
        try:
            findings = await self._findings()
            self.latest = Examination(at=clock.now(), findings=findings)
        finally:
            self.since = None

    async def _findings(self) -> Sequence[Finding]:
        try:
            said = await output_of(self._command, self._more, seconds=SECONDS_MAX)
        except TimeoutError:
            return [fail(f"the checks took longer than {SECONDS_MAX:.0f} s", "run: hotdesk doctor")]
        except OSError as error:
            return [fail(f"hotdesk doctor cannot be started: {error.strerror}", "see why")]
        return _read(said) or [_unread(said)]


def _read(output: bytes) -> Sequence[Finding]:
    lines = [line for line in output.splitlines() if line.startswith(b"{")]
    with suppress(ValueError, KeyError, TypeError):
        return [
            Finding(level=Level(each["level"]), what=str(each["what"]), fix=str(each["fix"]))
            for each in map(json.loads, lines)
        ]
    return []


def _unread(output: bytes) -> Finding:
    said = output.decode(errors="replace").strip()[-SAID_MAX:] or "it said nothing"
    return fail(f"hotdesk doctor failed: {said}", "run: hotdesk doctor")
