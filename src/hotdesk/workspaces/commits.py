"""What stands in a commit of Hotdesk: who made it, and the trailers that carry the fence.

The trailers are the last paragraph of the message, written here and nowhere else; text that
looks like one further up means nothing. Parsing is total: a commit of a person is a commit
without a stamp.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from hotdesk.desks import checked_job_id
from hotdesk.errors import ConfigError

_MESSAGE_CHARACTERS_MAX = 20_000
_CONTROLS = re.compile(r"[^\S\n\t ]|[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# git takes this line, behind any mark of a comment, for the end of the message.
_END_OF_MESSAGE = re.compile(r"-{24} >8 -{24}")
# Fewer digits than a desk's record goes on behind (``Desks.catch_up``). A number beyond is
# a person's text, or whoever writes it would lock the desk out of its branch for good.
_GENERATION = re.compile(r"[1-9][0-9]{0,14}")

LOG_FORMAT = "--format=%H%n%(trailers:only=true,unfold=true)"
"""For ``git log -z``, whose output ``read_log`` understands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A name and an address as git writes them."""

    name: str
    email: str

    def __post_init__(self) -> None:
        if not self.name.strip() or re.search(r"[<>\x00-\x1f\x7f]", self.name + self.email):
            raise ConfigError(
                "identity", "git cannot write this name or address", "leave out < and >"
            )

    def line(self, now: datetime) -> bytes:
        """Return how a commit object states it."""
        return f"{self.name.strip()} <{self.email}> {int(now.timestamp())} +0000".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What the trailers of a commit say about where it comes from.

    ``desk`` is the key of the desk. A takeover commit changes nothing and has no job.
    """

    desk: str = ""
    generation: int = 0
    job: str = ""
    is_partial: bool = False
    is_takeover: bool = False

    def lines(self) -> list[str]:
        """Return the trailers, one a line."""
        lines = [f"Hotdesk-Job: {checked_job_id(self.job)}"] if self.job else []
        lines += [f"Hotdesk-Desk: {self.desk}", f"Hotdesk-Generation: {self.generation}"]
        lines += ["Hotdesk-Partial: true"] if self.is_partial else []
        lines += ["Hotdesk-Takeover: true"] if self.is_takeover else []
        return lines

    @classmethod
    def read(cls, lines: list[str]) -> Self:
        """Read trailers; what is missing or malformed stays empty."""
        found = dict(line.partition(": ")[::2] for line in lines)
        generation = found.get("Hotdesk-Generation", "")
        return cls(
            desk=found.get("Hotdesk-Desk", ""),
            generation=int(generation) if _GENERATION.fullmatch(generation) else 0,
            job=found.get("Hotdesk-Job", ""),
            is_partial=found.get("Hotdesk-Partial") == "true",
            is_takeover=found.get("Hotdesk-Takeover") == "true",
        )


def message(text: str, stamp: Stamp) -> bytes:
    """Return *text*, cleaned and bounded, followed by the trailers of *stamp*."""
    body = _CONTROLS.sub("", text)[:_MESSAGE_CHARACTERS_MAX].strip()
    body = _END_OF_MESSAGE.sub("-- 8< --", body)
    # git looks for trailers only below a title.
    title = body or (f"Job {stamp.job}" if stamp.job else "Hotdesk")
    return "\n".join([title, "", *stamp.lines(), ""]).encode()


def read_log(output: bytes) -> list[tuple[str, Stamp]]:
    """Read what ``git log -z`` printed in ``LOG_FORMAT``: ids with their stamps, newest first."""
    entries = [entry.split("\n") for entry in output.decode("utf-8", "replace").split("\0")]
    return [(lines[0], Stamp.read(lines[1:])) for lines in entries if lines[0]]
