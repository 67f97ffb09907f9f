"""What Claude Code prints with ``--output-format stream-json``: one event a line.

Errors of the program itself stand between the events, and the agent can write there too:
every field may have any type and any length. The last ``result`` is what counts.
"""

import json
import math
import posixpath
from collections import deque
from collections.abc import Callable, Iterator, Mapping

from hotdesk.agents.claude_problems import broken, denials, problem_of, refusal, words_of
from hotdesk.agents.claude_transcript import SESSION_ID
from hotdesk.agents.dialect import Began, Report, Said, Sign, Used
from hotdesk.agents.output import LINE_BYTES_MAX, Lines, label, printable

TEXT_CHARACTERS_MAX = 20_000
"""The longest answer; a mail is no place for more."""
LAST_WORDS = 5
TOKENS_MAX = 10**12
USD_MAX = 1e6
PATHS = ("file_path", "notebook_path", "path")
"""Where the tools of Claude Code have the file that they are used on."""
DETAILS = ("command", "pattern", "url", "query", "description")
"""Where they have what says most about a use, if it is no file."""

Event = Mapping[str, object]


class ClaudeReader:
    """Reads one run."""

    def __init__(self, spent: Callable[[str], float], *, cost_before: float = 0.0) -> None:
        """Read a run of a conversation that had cost *cost_before*, in dollars.

        *spent* is asked for what a conversation, by its id, has cost as it is written down, when
        the run ended without saying it.
        """
        self._spent = spent
        self._cost_before = cost_before
        self._lines = Lines()
        self._last_words: deque[str] = deque(maxlen=LAST_WORDS)
        self._has_begun = False
        self._session_id = ""
        self._workspace = ""
        self._is_refused = False
        self._result: Event | None = None
        self._turns = 0
        self._tokens_in = 0
        self._tokens_out = 0

    def feed(self, chunk: bytes) -> Iterator[Sign]:
        """Take the next piece, and yield what its lines say."""
        for line in self._lines.feed(chunk):
            yield from self._line(line)

    def report(self, *, exit_code: int, was_stopped: bool) -> Report:
        """Judge by the ``result`` event; without one, by how the program ended."""
        # A last line without its end: what else it tells comes too late.
        for _ in self._line(self._lines.finish()):
            pass
        if self._result is None:
            last = "; ".join(self._last_words) or "nothing more was said"
            end = f"Claude Code ended without a result (exit status {exit_code}): {last}"
            return Report(
                problem=None if was_stopped else broken(end),
                session_id=self._session_id,
                cost_usd=self._cost(self._spent(self._session_id)) if self._session_id else None,
            )
        return self._judged(self._result, was_stopped=was_stopped)

    def _judged(self, result: Event, *, was_stopped: bool) -> Report:
        said = result.get("result")
        text = printable(said[:TEXT_CHARACTERS_MAX]).strip() if isinstance(said, str) else ""
        problem = None
        if result.get("is_error") is not False or result.get("subtype") != "success":
            text = ""
            problem = None if was_stopped else problem_of(result, is_refused=self._is_refused)
        elif result.get("stop_reason") == "refusal":
            text, problem = "", refusal(words_of(result))
        elif denied := denials(result):
            text = f"{text}\n\n(It was not permitted to use {', '.join(denied)}.)".strip()
        return Report(
            text=text,
            problem=problem,
            session_id=self._session_id,
            turns=self._turns,
            tokens_in=self._tokens_in,
            tokens_out=self._tokens_out,
            cost_usd=self._cost(result.get("total_cost_usd")),
        )

    def _cost(self, total: object) -> float | None:
        """What this run has cost: the total goes on from what the conversation had cost."""
        if not isinstance(total, int | float) or isinstance(total, bool):
            return None
        if not math.isfinite(total) or not 0 <= total <= USD_MAX:
            return None
        # After a crash the total begins at nothing.
        return float(total - self._cost_before if total >= self._cost_before else total)

    def _line(self, line: bytes | None) -> Iterator[Sign]:
        if line is None:
            yield Said(text=f"[a line of more than {LINE_BYTES_MAX // 2**20} MiB was left out]\n")
            return
        event = _event(line)
        if event is None:
            if words := printable(line.decode(errors="replace")).strip():
                self._last_words.append(label(words))
                yield Said(text=f"{words}\n")
            return
        match event.get("type"):
            case "system":
                yield from self._system(event)
            case "assistant":
                yield from self._assistant(event)
            case "user":
                yield from self._results(event)
            case "result":
                self._end(event)

    def _end(self, result: Event) -> None:
        """Take a result; there are several where work in the background has led to more."""
        self._result = result
        usage = result.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        given = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        self._turns += _count(result.get("num_turns"))
        self._tokens_in += sum(_count(usage.get(name)) for name in given)
        self._tokens_out += _count(usage.get("output_tokens"))

    def _system(self, event: Event) -> Iterator[Sign]:
        match event:
            case {"subtype": "init"} if not self._has_begun:
                self._has_begun = True
                found = _text(event, "session_id")
                self._session_id = found if SESSION_ID.fullmatch(found) else ""
                self._workspace = _text(event, "cwd")
                yield Began(session_id=self._session_id, model=label(_text(event, "model")))
            case {"subtype": "api_retry"}:
                names = ("error_status", "attempt", "max_retries")
                status, attempt, most = (_number(event.get(name)) for name in names)
                why = " ".join(each for each in (status, label(_text(event, "error"))) if each)
                yield Said(text=f"[the model did not answer ({why}): retry {attempt} of {most}]\n")
            case {"subtype": "compact_boundary"}:
                yield Said(text="[the conversation was made shorter]\n")
            case {"subtype": str(subtype)} if subtype.startswith("model_refusal"):
                self._is_refused = True

    def _assistant(self, event: Event) -> Iterator[Sign]:
        for block in _blocks(event):
            match block:
                case {"type": "text", "text": str(text)}:
                    if words := printable(text).strip():
                        yield Said(text=f"{words}\n")
                case {"type": "tool_use", "name": str(tool)}:
                    yield from self._use(label(tool), block.get("input"))

    def _use(self, tool: str, given: object) -> Iterator[Sign]:
        given = given if isinstance(given, dict) else {}
        path = next((found for name in PATHS if (found := _text(given, name))), "")
        target = self._within(path)
        if path:
            detail = f" {target}" if target else " a file outside of the workspace"
        else:
            words = (label(_text(given, name)) for name in DETAILS)
            detail = next((f": {each}" for each in words if each), "")
        yield Used(tool=tool, target=target)
        yield Said(text=f"[{tool}{detail}]\n")

    def _results(self, event: Event) -> Iterator[Sign]:
        for block in _blocks(event):
            if block.get("type") == "tool_result" and block.get("is_error") is True:
                content = block.get("content")
                said = content.removeprefix("<tool_use_error>") if isinstance(content, str) else ""
                words = label(said)
                yield Said(text=f"[failed: {words or 'it does not say why'}]\n")

    def _within(self, path: str) -> str:
        """*path* from the workspace on; empty if it lies outside, or is none."""
        if not path or not self._workspace.startswith("/"):
            return ""
        whole = posixpath.normpath(posixpath.join(self._workspace, path))
        inside = whole.startswith(f"{posixpath.normpath(self._workspace)}/")
        return label(posixpath.relpath(whole, self._workspace)) if inside else ""


def _event(line: bytes) -> Event | None:
    if not line.startswith(b"{"):
        return None
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _blocks(event: Event) -> Iterator[Event]:
    message = event.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        yield from (block for block in content if isinstance(block, dict))


def _text(event: Event, name: str) -> str:
    found = event.get(name)
    return found if isinstance(found, str) else ""


def _number(found: object) -> str:
    """A number for a line of the log; empty if it is none."""
    return str(found) if isinstance(found, int) and 0 <= found < TOKENS_MAX else ""


def _count(found: object) -> int:
    return min(found, TOKENS_MAX) if isinstance(found, int) and found > 0 else 0
