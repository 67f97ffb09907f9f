"""Gemini CLI of Google: ``gemini -o stream-json``, one event a line.

Tried with version 0.61.0 against a scripted model. It refuses to work in a folder that is
not trusted, and of one that is it reads ``.gemini/settings.json`` and ``.env``: servers and
extensions named there are left out, and model, key and address are ours, but hooks and a
command that finds tools would run, within the walls, as whatever the agent starts there. It
reads GEMINI.md itself. A conversation is handed to it as the file that it wrote, because it
looks for those of the same folder only; it goes on under a new id.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from hotdesk.agents.dialect import AgentSettings, Began, Invocation, Report, Sign, Turn
from hotdesk.agents.memory import find, lines
from hotdesk.agents.output import label
from hotdesk.agents.stream import Event, StreamReader, count, part, read_event, text
from hotdesk.agents.trouble import login, status_in, trouble, used_up

CHATS = (".gemini", "tmp")
"""The folder of ``GEMINI_CLI_HOME`` with the conversations, by project."""
RETRIES_MAX = 4
# Two of its exit statuses, and the only word on how it ended.
NO_LOGIN = 41
TURNS_USED_UP = 53
OPTIONS = (
    *("-o", "stream-json", "--skip-trust"),
    # The walls around it are ours; nobody is there to be asked.
    *("--approval-mode", "yolo"),
    # Names that no server and no extension has.
    *("--allowed-mcp-server-names", "none", "-e", "none"),
)
SWITCHES = {
    "GEMINI_TELEMETRY_ENABLED": "false",
    # Else it starts itself a second time.
    "GEMINI_CLI_NO_RELAUNCH": "1",
    "NO_BROWSER": "1",
    "NO_COLOR": "1",
}
# It takes an address only with a kind of login that it reads from a file. Written within the
# walls, by the agent's own user, before the program takes the place of the shell.
WRITE_SETTINGS = (
    'umask 077 && mkdir -p "$GEMINI_CLI_HOME/.gemini" && '
    'printf %s "$HOTDESK_GEMINI_SETTINGS" >"$GEMINI_CLI_HOME/.gemini/settings.json" && '
    'unset HOTDESK_GEMINI_SETTINGS && exec "$@"'
)
ANSWER_CHARACTERS_MAX = 100_000
# Where it has the file that a tool is used on, and else what says most about the use.
PATHS = ("file_path", "absolute_path", "path", "dir_path")
DETAILS = ("command", "pattern", "prompt", "query")
SESSION_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Gemini:
    """``Dialect``: Gemini CLI."""

    name = "gemini"
    program = "gemini"
    guidance_files: tuple[str, ...] = ()
    kept: tuple[str, ...] = ("/".join(CHATS),)
    model_url = "https://generativelanguage.googleapis.com"

    def invocation(self, settings: AgentSettings, turn: Turn) -> Invocation:
        """Ask on its input; go on with a conversation if there is one."""
        shell = ("/bin/sh", "-c", WRITE_SETTINGS, self.name)
        argv = [*shell, *(settings.program or (self.program,)), *OPTIONS]
        if settings.model:
            argv += ["-m", settings.model]
        if found := _chat(turn.session, turn.session_id):
            argv += ["--session-file", str(found[0])]
        env = {
            **SWITCHES,
            "GEMINI_CLI_HOME": str(turn.session),
            "HOTDESK_GEMINI_SETTINGS": json.dumps(_settings(settings)),
            # Also where it is the usual one: a .env of the repository could name another.
            "GOOGLE_GEMINI_BASE_URL": settings.base_url or self.model_url,
        }
        if settings.key:
            env["GEMINI_API_KEY"] = settings.key
        return Invocation(argv=tuple(argv), env=env, stdin=turn.prompt.encode(errors="replace"))

    def reader(self, turn: Turn) -> "GeminiReader":
        """Make what reads one run."""
        return GeminiReader("Gemini CLI", turn.workspace)

    def remembers(self, session: Path, session_id: str, mark: str) -> bool:
        """Whether the conversation is there, and a prompt of it holds *mark*."""
        found = _chat(session, session_id)
        return found is not None and (not mark or _holds(found[1], mark))


class GeminiReader(StreamReader):
    """Reads one run of Gemini CLI."""

    _is_speaking = False

    def report(self, *, exit_code: int, was_stopped: bool) -> Report:
        """As the others, but for two ends that only the exit status tells."""
        if not self._is_done and exit_code == TURNS_USED_UP:
            self._problem = used_up(self._name)
        elif not self._is_done and exit_code == NO_LOGIN:
            step = "put a valid key where the project's key is"
            self._problem = login(f"Gemini CLI has no key: {'; '.join(self._last_words)}", step)
        return super().report(exit_code=exit_code, was_stopped=was_stopped)

    def _event(self, event: Event) -> Iterator[Sign]:
        kind = event.get("type")
        self.has_ended = kind == "result"
        is_piece = kind == "message" and event.get("role") == "assistant"
        if self._is_speaking and not is_piece:
            self._is_speaking = False
            yield from self._say(self._answer)
        match kind:
            case "init":
                found = text(event, "session_id")
                self._session_id = found if SESSION_ID.fullmatch(found) else ""
                yield Began(session_id=self._session_id, model=label(text(event, "model")))
            case "message" if is_piece:
                self._hear(text(event, "content"))
            case "tool_use":
                yield from self._tool(text(event, "tool_name"), part(event, "parameters"))
            case "tool_result" if event.get("status") == "error":
                yield from self._failed(text(part(event, "error"), "message"))
            case "error":
                # What it says last is why, if nothing better is said in the end.
                self._problem = trouble(self._name, text(event, "message"))
                yield from self._failed(text(event, "message"))
            case "result":
                self._result(event)

    def _hear(self, words: str) -> None:
        """Put together an answer that comes in pieces, as far as it may be long."""
        before = self._answer if self._is_speaking else ""
        self._is_speaking = True
        self._answer = (before + words)[:ANSWER_CHARACTERS_MAX]

    def _tool(self, tool: str, given: Event) -> Iterator[Sign]:
        self._turns += 1
        path = next((found for name in PATHS if (found := text(given, name))), "")
        detail = next((found for name in DETAILS if (found := text(given, name))), "")
        yield from self._use(tool, path=path, detail=detail)

    def _result(self, event: Event) -> None:
        stats = part(event, "stats")
        self._tokens_in = count(stats, "input_tokens")
        self._tokens_out = count(stats, "output_tokens")
        self._is_done = event.get("status") == "success"
        words = text(part(event, "error"), "message")
        if self._is_done:
            self._problem = None
        elif words or self._problem is None:
            # Often the status stands only in what it writes for its developers.
            status = status_in(words) or status_in("; ".join(self._last_words))
            self._problem = trouble(self._name, words, status=status)


def _settings(settings: AgentSettings) -> dict[str, object]:
    """What cannot be said on its command line."""
    written: dict[str, object] = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "general": {
            "enableAutoUpdate": False,
            "enableAutoUpdateNotification": False,
            "maxAttempts": RETRIES_MAX,
        },
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "hooksConfig": {"enabled": False},
    }
    if settings.turns_max is not None:
        written["model"] = {"maxSessionTurns": settings.turns_max}
    return written


def _chat(session: Path, session_id: str) -> tuple[Path, bytes] | None:
    if not SESSION_ID.fullmatch(session_id):
        return None
    # Handed over, it leaves a second file of the new id, with nothing but the beginning.
    found = find(session, *CHATS, "*", "chats", f"session-*-{session_id[:8]}.jsonl")
    return found if found and session_id.encode() in found[1][:1000] else None


def _holds(content: bytes, mark: str) -> bool:
    """Whether a prompt that it still has in mind contains *mark*."""
    is_held = False
    for line in lines(content, mark, "$set"):
        event = read_event(line) or {}
        messages = part(event, "$set").get("messages")
        if not line:
            # It may have set all anew; what is told twice does less harm than what is not.
            is_held = False
        elif isinstance(messages, list):
            # All that there is from here on.
            is_held = any(_is_prompt(each, mark) for each in messages)
        else:
            is_held = is_held or _is_prompt(event, mark)
    return is_held


def _is_prompt(message: object, mark: str) -> bool:
    match message:
        case {"type": "user", "content": list(parts)}:
            return any(mark in text(each, "text") for each in parts if isinstance(each, dict))
        case {"type": "user", "content": str(words)}:
            return mark in words
    return False
