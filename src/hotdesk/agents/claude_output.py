"""What Claude Code prints with ``--output-format stream-json``: one event a line.

Errors of the program itself stand between the events, and the agent can write there too:
every field may have any type and any length. The last ``result`` is what counts.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from hotdesk.agents.claude_problems import denials, problem_of, words_of
from hotdesk.agents.claude_transcript import SESSION_ID
from hotdesk.agents.dialect import Began, Report, Said, Sign
from hotdesk.agents.output import label
from hotdesk.agents.stream import TOKENS_MAX, USD_MAX, Event, StreamReader, count, part, text
from hotdesk.agents.trouble import refused

PATHS = ("file_path", "notebook_path", "path")
"""Where the tools of Claude Code have the file that they are used on."""
DETAILS = ("command", "pattern", "url", "query", "description")
"""Where they have what says most about a use, if it is no file."""
TOKENS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class ClaudeReader(StreamReader):
    """Reads one run."""

    def __init__(self, spent: Callable[[str], float], *, cost_before: float = 0.0) -> None:
        """Read a run of a conversation that had cost *cost_before*, in dollars.

        *spent* is asked for what a conversation, by its id, has cost as it is written down, when
        the run ended without saying it.
        """
        # Where it works it says itself.
        super().__init__("Claude Code", Path())
        self._spent = spent
        self._cost_before = cost_before
        self._has_begun = False
        self._has_result = False
        self._is_refused = False
        self._denied: Sequence[str] = ()

    def report(self, *, exit_code: int, was_stopped: bool) -> Report:
        """Judge by the last ``result``; without one, by how the program ended."""
        report = super().report(exit_code=exit_code, was_stopped=was_stopped)
        if not self._has_result and self._session_id:
            return replace(report, cost_usd=self._cost(self._spent(self._session_id)))
        if self._denied:
            denied = f"(It was not permitted to use {', '.join(self._denied)}.)"
            return replace(report, text=f"{report.text}\n\n{denied}".strip())
        return report

    def _event(self, event: Event) -> Iterator[Sign]:
        match event.get("type"):
            case "system":
                yield from self._system(event)
            case "assistant":
                self.has_ended = False
                yield from self._assistant(event)
            case "user":
                self.has_ended = False
                yield from self._results(event)
            case "result":
                self._end(event)

    def _end(self, result: Event) -> None:
        """Take a result; there are several where work in the background has led to more."""
        self.has_ended = self._has_result = True
        self._problem, self._denied = None, ()
        if result.get("is_error") is not False or result.get("subtype") != "success":
            self._problem = problem_of(result, is_refused=self._is_refused)
        elif result.get("stop_reason") == "refusal":
            self._problem = refused(words_of(result))
        else:
            self._denied = denials(result)
        self._is_done = self._problem is None
        self._answer = text(result, "result")
        self._cost_usd = self._cost(result.get("total_cost_usd"))
        usage = part(result, "usage")
        self._turns += count(result, "num_turns")
        self._tokens_in += sum(count(usage, name) for name in TOKENS)
        self._tokens_out += count(usage, "output_tokens")

    def _cost(self, total: object) -> float | None:
        """What this run has cost: the total goes on from what the conversation had cost."""
        if isinstance(total, bool) or not isinstance(total, int | float):
            return None
        if not 0 <= total <= USD_MAX:
            return None
        # After a crash the total begins at nothing.
        return float(total - self._cost_before if total >= self._cost_before else total)

    def _system(self, event: Event) -> Iterator[Sign]:
        match event:
            case {"subtype": "init"}:
                self.has_ended = False
                if not self._has_begun:
                    self._has_begun = True
                    found = text(event, "session_id")
                    self._session_id = found if SESSION_ID.fullmatch(found) else ""
                    self._workspace = text(event, "cwd")
                    yield Began(session_id=self._session_id, model=label(text(event, "model")))
            case {"subtype": "api_retry"}:
                names = ("error_status", "attempt", "max_retries")
                status, attempt, most = (_number(event.get(name)) for name in names)
                why = " ".join(each for each in (status, label(text(event, "error"))) if each)
                yield Said(text=f"[the model did not answer ({why}): retry {attempt} of {most}]\n")
            case {"subtype": "compact_boundary"}:
                yield Said(text="[the conversation was made shorter]\n")
            case {"subtype": str(subtype)} if subtype.startswith("model_refusal"):
                self._is_refused = True

    def _assistant(self, event: Event) -> Iterator[Sign]:
        for block in _blocks(event):
            match block.get("type"):
                case "text":
                    yield from self._say(text(block, "text"))
                case "tool_use" if tool := text(block, "name"):
                    given = part(block, "input")
                    path = next((found for name in PATHS if (found := text(given, name))), "")
                    words = (label(text(given, name)) for name in DETAILS)
                    yield from self._use(tool, path=path, detail=next(filter(None, words), ""))

    def _results(self, event: Event) -> Iterator[Sign]:
        for block in _blocks(event):
            if block.get("type") == "tool_result" and block.get("is_error") is True:
                yield from self._failed(text(block, "content").removeprefix("<tool_use_error>"))


def _blocks(event: Event) -> Iterator[Event]:
    content = part(event, "message").get("content")
    if isinstance(content, list):
        yield from (block for block in content if isinstance(block, dict))


def _number(found: object) -> str:
    """A number for a line of the log; empty if it is none."""
    return str(found) if isinstance(found, int) and 0 <= found < TOKENS_MAX else ""
