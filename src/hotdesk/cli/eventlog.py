"""The log of a deployment: each stored event is one line, for people or for programs."""

import re
import sys
from datetime import datetime, timedelta
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from hotdesk.cli import terminal
from hotdesk.desks import Desk
from hotdesk.errors import Unavailable
from hotdesk.events import StoredEvent
from hotdesk.ports import Backend, Clock

LOOK_AT_LEAST = timedelta(seconds=10)
# What a person should look at; the rest is how it should be.
WARNINGS = frozenset("LeaseExpired AttemptFailed MailHeld MailRefused AnswerFailed".split())

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


class EventLog:
    """Writes to stderr what happens: readable on a terminal, JSON Lines otherwise."""

    def __init__(self, clock: Clock, *, is_json: bool, has_color: bool) -> None:
        """Write JSON if asked to, or if it is no terminal."""
        self._clock = clock
        self._cursor: str | None = None
        renderer: list[Processor] = [structlog.processors.JSONRenderer()]
        if sys.stderr.isatty() and not is_json:
            renderer = [_printable, structlog.dev.ConsoleRenderer(colors=has_color)]
        self._log: Any = structlog.wrap_logger(
            structlog.PrintLogger(sys.stderr),
            processors=[structlog.processors.add_log_level, _in_order, *renderer],
        )

    def say(self, event: str, **facts: object) -> None:
        """Write a line of our own."""
        self._log.info(event, timestamp=_stamp(self._clock.now()), **facts)

    def trouble(self, what: str) -> None:
        """Write what went wrong, in a sentence."""
        self._log.warning("trouble", timestamp=_stamp(self._clock.now()), what=what)

    async def follow(self, backend: Backend) -> None:
        """Write every event from now on, until cancelled."""
        self._cursor = await backend.latest_cursor()
        mark: int | None = None
        while True:
            try:
                await self.catch_up(backend)
                mark = await backend.changed(mark, wait=LOOK_AT_LEAST)
            except Unavailable as error:
                self.trouble(str(error))
                await self._clock.sleep(LOOK_AT_LEAST)

    async def catch_up(self, backend: Backend) -> None:
        """Write the events that have not been written yet.

        Raises:
            Unavailable: The backend did not answer.
        """
        while self._cursor is not None and (found := await backend.events(after=self._cursor)):
            for event in found:
                self._cursor = event.cursor
                self._write(event)

    def _write(self, event: StoredEvent) -> None:
        write = self._log.warning if event.kind in WARNINGS else self._log.info
        facts = {
            "timestamp": _stamp(event.at),
            "desk": str(Desk.from_key(event.desk)) if event.desk else "",
            "job_id": event.job_id,
            "generation": event.generation,
        }
        name = _HUMP.sub("_", event.kind).lower()
        write(name, **{key: value for key, value in facts.items() if value}, **event.details)


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _in_order(_logger: object, _method: str, line: EventDict) -> EventDict:
    """Put first what every line has."""
    return {key: line[key] for key in ("timestamp", "level", "event")} | dict(line)


def _printable(_logger: object, _method: str, line: EventDict) -> EventDict:
    return {
        key: terminal.line(value) if isinstance(value, str) else value
        for key, value in line.items()
    }
