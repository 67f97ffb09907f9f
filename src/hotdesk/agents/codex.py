"""Codex of OpenAI: ``codex exec --json``, one event a line.

Tried with versions 0.163.0 and 0.169.0 against a scripted model. Its rollouts (conversations)
are found by their id wherever the workspace lies. It takes no settings from a repository that
it is told not to trust; what that says in AGENTS.md is handed over as text, because only some
versions read it then. It knows no limit of turns or money, and counts tokens from the
beginning of the conversation.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from hotdesk.agents.dialect import AgentSettings, Began, Invocation, Sign, Turn
from hotdesk.agents.memory import find, lines
from hotdesk.agents.question import question
from hotdesk.agents.stream import Event, StreamReader, count, part, read_event, text
from hotdesk.agents.trouble import trouble

ROLLOUTS = "sessions"
"""The folder of ``CODEX_HOME`` with the conversations."""
KEY = "CODEX_API_KEY"
OPTIONS = (
    *("exec", "--json", "--skip-git-repo-check", "--ignore-rules"),
    # The walls around it are ours; nobody is there to be asked.
    "--dangerously-bypass-approvals-and-sandbox",
)
SETTINGS = (
    'model_provider="hotdesk"',
    "check_for_update_on_startup=false",
    "analytics.enabled=false",
    # What its shell starts sees no variable with a key; with the API it speaks itself.
    "shell_environment_policy.ignore_default_excludes=false",
    # Handed over by us, and not once more.
    "project_doc_max_bytes=0",
)
SESSION_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Codex:
    """``Dialect``: Codex."""

    name = "codex"
    program = "codex"
    guidance_files: tuple[str, ...] = ("AGENTS.md",)
    kept: tuple[str, ...] = (ROLLOUTS,)
    model_url = "https://api.openai.com/v1"

    def invocation(self, settings: AgentSettings, turn: Turn) -> Invocation:
        """Ask on its input; go on with a conversation if there is one."""
        # A text of JSON is one of TOML, too.
        provider = (
            f'model_providers.hotdesk={{name="hotdesk",wire_api="responses",env_key="{KEY}",'
            f"base_url={json.dumps(settings.base_url or self.model_url)}}}"
        )
        # Not to be asked for: some versions start what a repository names unless told so.
        untrusted = f'projects={{{json.dumps(str(turn.workspace))}={{trust_level="untrusted"}}}}'
        argv = [*(settings.program or (self.program,)), *OPTIONS]
        for setting in (*SETTINGS, provider, untrusted):
            argv += ["-c", setting]
        if settings.model:
            argv += ["-m", settings.model]
        if SESSION_ID.fullmatch(turn.session_id):
            argv += ["resume", turn.session_id]
        env = {"CODEX_HOME": str(turn.session)}
        if settings.key:
            env[KEY] = settings.key
        return Invocation(argv=(*argv, "-"), env=env, stdin=question(turn))

    def reader(self, turn: Turn) -> "CodexReader":
        """Make what reads one run."""
        return CodexReader("Codex", turn.workspace)

    def remembers(self, session: Path, session_id: str, mark: str) -> bool:
        """Whether the conversation is there, and a prompt of it holds *mark*."""
        if not SESSION_ID.fullmatch(session_id):
            return False
        found = find(session, ROLLOUTS, "*", "*", "*", f"rollout-*-{session_id}.jsonl")
        return found is not None and (not mark or _holds(found[1], mark))


class CodexReader(StreamReader):
    """Reads one run of Codex."""

    def _event(self, event: Event) -> Iterator[Sign]:
        self.has_ended = event.get("type") in ("turn.completed", "turn.failed")
        match event.get("type"):
            case "thread.started":
                found = text(event, "thread_id")
                self._session_id = found if SESSION_ID.fullmatch(found) else ""
                yield Began(session_id=self._session_id, model="")
            case "turn.started":
                self._turns += 1
            case "turn.completed":
                usage = part(event, "usage")
                self._tokens_in = count(usage, "input_tokens")
                self._tokens_out = count(usage, "output_tokens")
                self._is_done, self._problem = True, None
            case "turn.failed":
                self._problem = trouble(self._name, text(part(event, "error"), "message"))
            case "error":
                # It may only be one of several tries.
                yield from self._failed(text(event, "message"))
            case "item.started" | "item.completed":
                yield from self._item(part(event, "item"), event.get("type") == "item.completed")

    def _item(self, item: Event, is_over: bool) -> Iterator[Sign]:  # noqa: FBT001 - of one caller.
        match item.get("type"), is_over:
            case "agent_message", True:
                self._answer = text(item, "text")
                yield from self._say(self._answer)
            case "error", True:
                yield from self._say(f"[{text(item, 'message')}]")
            case "command_execution", False:
                yield from self._use("command", detail=text(item, "command"))
            case "command_execution", True if item.get("status") == "failed":
                yield from self._failed(_last_line(text(item, "aggregated_output")))
            case "file_change", True:
                changes = item.get("changes")
                for change in changes if isinstance(changes, list) else ():
                    if isinstance(change, dict):
                        yield from self._use("edit", path=text(change, "path"))
            case "mcp_tool_call", False:
                yield from self._use(text(item, "tool"), detail=text(item, "server"))
            case "web_search", True:
                yield from self._use("web search", detail=text(item, "query"))


def _holds(content: bytes, mark: str) -> bool:
    """Whether a prompt that it still has in mind contains *mark*."""
    is_held = False
    for line in lines(content, mark, "compacted"):
        event = read_event(line) or {}
        if event.get("type") == "compacted":
            # What came before it was made shorter.
            is_held = False
        else:
            is_held = is_held or _is_prompt(part(event, "payload"), mark)
    return is_held


def _is_prompt(payload: Event, mark: str) -> bool:
    match payload:
        case {"type": "message", "role": "user", "content": list(parts)}:
            return any(mark in text(each, "text") for each in parts if isinstance(each, dict))
    return False


def _last_line(output: str) -> str:
    return output[-2000:].strip().rpartition("\n")[2]
