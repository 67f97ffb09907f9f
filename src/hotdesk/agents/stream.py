"""Reading agents that print one JSON object a line, between whatever else comes out.

Every field may have any type and any length: what is not as expected is passed over, what
is no event becomes words for the log.
"""

import json
import posixpath
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

from hotdesk.agents.dialect import Problem, Report, Said, Sign, Used
from hotdesk.agents.output import LINE_BYTES_MAX, Lines, label, printable
from hotdesk.agents.trouble import broken, ended_at_once

TEXT_CHARACTERS_MAX = 20_000
"""The longest answer; a mail is no place for more."""
LAST_WORDS = 5
TOKENS_MAX = 10**12
USD_MAX = 1e6

Event = Mapping[str, object]


class StreamReader:
    """Reads one run in *workspace*; what an event means, a subclass says.

    It sets ``_answer`` and ``_is_done`` when the program says that it has finished,
    ``_problem`` when it says what went wrong, and ``has_ended`` when either is its last word.
    """

    has_ended = False

    def __init__(self, name: str, workspace: Path) -> None:
        self._name = name
        self._workspace = str(workspace)
        self._lines = Lines()
        self._last_words: deque[str] = deque(maxlen=LAST_WORDS)
        self._session_id = ""
        self._answer = ""
        self._is_done = False
        self._problem: Problem | None = None
        self._turns = 0
        self._tokens_in = 0
        self._tokens_out = 0
        self._cost_usd: float | None = None

    def feed(self, chunk: bytes) -> Iterator[Sign]:
        """Take the next piece, and yield what its lines say."""
        for line in self._lines.feed(chunk):
            yield from self._line(line)

    def report(self, *, exit_code: int, was_stopped: bool) -> Report:
        """Judge by what was said; the exit code alone makes no success."""
        # A last line without its end: what else it tells comes too late.
        for _ in self._line(self._lines.finish()):
            pass
        problem = self._problem
        if was_stopped:
            problem = None
        elif problem is None and not self._is_done:
            last = "; ".join(self._last_words) or "nothing more was said"
            what = f"{self._name} ended without a result (exit status {exit_code}): {last}"
            problem = broken(what) if self._session_id else ended_at_once(what, last)
        is_answer = problem is None and self._is_done
        return Report(
            text=printable(self._answer[:TEXT_CHARACTERS_MAX]).strip() if is_answer else "",
            problem=problem,
            session_id=self._session_id,
            turns=self._turns,
            tokens_in=self._tokens_in,
            tokens_out=self._tokens_out,
            cost_usd=self._cost_usd,
        )

    def _event(self, event: Event) -> Iterator[Sign]:
        """Understand one event."""
        raise NotImplementedError

    def _line(self, line: bytes | None) -> Iterator[Sign]:
        if line is None:
            yield Said(text=f"[a line of more than {LINE_BYTES_MAX // 2**20} MiB was left out]\n")
            return
        event = read_event(line)
        if event is not None:
            yield from self._event(event)
        elif words := printable(line.decode(errors="replace")).strip():
            self._last_words.append(label(words))
            yield Said(text=f"{words}\n")

    def _say(self, text: str) -> Iterator[Sign]:
        if words := printable(text).strip():
            yield Said(text=f"{words}\n")

    def _use(self, tool: str, *, path: str = "", detail: str = "") -> Iterator[Sign]:
        """Tell of the use of *tool*, on the file *path* or with what *detail* says."""
        target = within(self._workspace, path)
        words = (target or "a file outside of the workspace") if path else label(detail)
        yield Used(tool=label(tool), target=target)
        yield Said(text=f"[{label(tool)}: {words}]\n" if words else f"[{label(tool)}]\n")

    def _failed(self, words: str) -> Iterator[Sign]:
        yield Said(text=f"[failed: {label(words) or 'it does not say why'}]\n")


def read_event(line: bytes) -> Event | None:
    """The JSON object that *line* is, if it is one."""
    if not line.startswith(b"{"):
        return None
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def part(event: Event, *names: str) -> Event:
    """The object at the path *names* within *event*; an empty one if there is none."""
    for name in names:
        found = event.get(name)
        event = found if isinstance(found, dict) else {}
    return event


def text(event: Event, name: str) -> str:
    """A text of *event*; empty if it is none."""
    found = event.get(name)
    return found if isinstance(found, str) else ""


def count(event: Event, name: str) -> int:
    """A number of *event* that is no less than nothing."""
    found = event.get(name)
    return min(found, TOKENS_MAX) if isinstance(found, int) and found > 0 else 0


def dollars(event: Event, name: str) -> float:
    """A sum of money in *event*; nothing if it is none."""
    found = event.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return 0.0
    return float(found) if 0 <= found <= USD_MAX else 0.0


def within(workspace: str, path: str) -> str:
    """*path* from *workspace* on; empty if it lies outside, or is none."""
    if not path or not workspace.startswith("/"):
        return ""
    whole = posixpath.normpath(posixpath.join(workspace, path))
    is_inside = whole.startswith(f"{posixpath.normpath(workspace)}/")
    return label(posixpath.relpath(whole, workspace)) if is_inside else ""
