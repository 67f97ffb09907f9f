"""opencode: ``opencode run --format json``, one event a line.

Tried with version 1.18.33 against a scripted model. A conversation of it is bound to the
folder where it began, and each generation of a desk has another one: it is not gone on
with, and each job is told what was said before. It reads no settings of the repository but
its plugins (``.opencode/plugin``), which it offers no way to leave out: they run within the
walls, as whatever the agent starts there.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from hotdesk.agents.dialect import AgentSettings, Began, Invocation, Sign, Turn
from hotdesk.agents.question import question
from hotdesk.agents.stream import Event, StreamReader, count, dollars, part, text
from hotdesk.agents.trouble import trouble

KEY = "HOTDESK_MODEL_KEY"
PROVIDER = "hotdesk"
# Those whose API is their own, and what speaks it, which is built in.
VENDORS = {name: f"@ai-sdk/{name}" for name in ("anthropic", "google", "openai")}
SWITCHES = dict.fromkeys(
    (
        "OPENCODE_DISABLE_AUTOUPDATE",
        "OPENCODE_DISABLE_CLAUDE_CODE",
        "OPENCODE_DISABLE_DEFAULT_PLUGINS",
        "OPENCODE_DISABLE_LSP_DOWNLOAD",
        "OPENCODE_DISABLE_PROJECT_CONFIG",
        "OPENCODE_DISABLE_SHARE",
    ),
    "1",
)
# Where it has the file that a tool is used on, and else what says most about the use.
PATHS = ("filePath", "path")
DETAILS = ("command", "pattern", "url", "query", "description")


class OpenCode:
    """``Dialect``: opencode."""

    name = "opencode"
    program = "opencode"
    guidance_files: tuple[str, ...] = ("AGENTS.md", "CLAUDE.md")
    # Nothing has this name: without any, all that it leaves would be kept.
    kept: tuple[str, ...] = ("nothing",)
    model_url = ""

    def invocation(self, settings: AgentSettings, turn: Turn) -> Invocation:
        """Ask on its input, with settings of ours alone."""
        program = settings.program or (self.program,)
        argv = (*program, "run", "--format", "json", "--pure", "--title", "hotdesk")
        env = {
            **SWITCHES,
            "OPENCODE_CONFIG_CONTENT": json.dumps(_config(settings)),
            "XDG_DATA_HOME": str(turn.session / "data"),
            "XDG_CONFIG_HOME": str(turn.session / "config"),
            "XDG_STATE_HOME": str(turn.session / "state"),
            "XDG_CACHE_HOME": str(turn.session / "cache"),
        }
        if settings.key:
            env[KEY] = settings.key
        if settings.base_url:
            # Its list of models knows nothing of that place, and may be out of reach.
            env["OPENCODE_DISABLE_MODELS_FETCH"] = "1"
        return Invocation(argv=argv, env=env, stdin=question(turn))

    def reader(self, turn: Turn) -> "OpenCodeReader":
        """Make what reads one run."""
        return OpenCodeReader("opencode", turn.workspace)

    def remembers(self, session: Path, session_id: str, mark: str) -> bool:
        """Never: see above."""
        del session, session_id, mark
        return False


class OpenCodeReader(StreamReader):
    """Reads one run of opencode."""

    def _event(self, event: Event) -> Iterator[Sign]:
        piece = part(event, "part")
        match event.get("type"):
            case "step_start":
                self._turns += 1
                if self._turns == 1:
                    yield Began(session_id="", model="")
            case "text":
                self._answer = text(piece, "text")
                yield from self._say(self._answer)
            case "tool_use":
                yield from self._tool(text(piece, "tool"), part(piece, "state"))
            case "step_finish":
                self._finish(piece)
            case "error":
                error = part(event, "error", "data")
                status = count(error, "statusCode") or None
                words = text(error, "message") or text(part(event, "error"), "name")
                self._problem = trouble(self._name, words, status=status)
                yield from self._failed(words)

    def _finish(self, piece: Event) -> None:
        tokens = part(piece, "tokens")
        cache = part(tokens, "cache")
        self._tokens_in += count(tokens, "input") + count(cache, "read") + count(cache, "write")
        self._tokens_out += count(tokens, "output") + count(tokens, "reasoning")
        # It says 0 of a model whose price it does not know.
        if cost := dollars(piece, "cost"):
            self._cost_usd = (self._cost_usd or 0.0) + cost
        # An answer that broke off ends for the reason "unknown", with no other word on it.
        reason = piece.get("reason")
        self._is_done = reason in ("stop", "length")
        self._problem = None
        if reason in ("unknown", "content-filter"):
            what = "the stream broke off" if reason == "unknown" else "content filter"
            self._problem = trouble(self._name, what)

    def _tool(self, tool: str, state: Event) -> Iterator[Sign]:
        given = part(state, "input")
        path = next((found for name in PATHS if (found := text(given, name))), "")
        detail = next((found for name in DETAILS if (found := text(given, name))), "")
        yield from self._use(tool, path=path, detail=detail)
        if state.get("status") == "error":
            yield from self._failed(text(state, "error"))


def _config(settings: AgentSettings) -> dict[str, object]:
    """All that it is told of itself; the key stands in a variable of its own."""
    config: dict[str, object] = {
        "autoupdate": False,
        "share": "disabled",
        "snapshot": False,
        # The walls around it are ours; nobody is there to be asked.
        "permission": "allow",
    }
    if settings.turns_max is not None:
        config["agent"] = {"build": {"steps": settings.turns_max}}
    vendor, _, model = settings.model.partition("/")
    if not settings.model or not (settings.key or settings.base_url):
        return config | ({"model": settings.model} if settings.model else {})
    options = {"apiKey": f"{{env:{KEY}}}"} if settings.key else {}
    if settings.base_url:
        options["baseURL"] = settings.base_url
    provider: dict[str, object] = {"options": options}
    if vendor in VENDORS:
        provider["npm"] = VENDORS[vendor]
    elif settings.base_url:
        # Whatever else has an address of its own speaks OpenAI's chat completions.
        vendor, model = PROVIDER, settings.model
        provider |= {"npm": "@ai-sdk/openai-compatible", "name": vendor}
    # A model that it does not know is none for it until it is named here.
    provider["models"] = {model: {"name": model}}
    name = f"{vendor}/{model}"
    return config | {
        "model": name,
        "small_model": name,
        "enabled_providers": [vendor],
        "provider": {vendor: provider},
    }
