"""The coding agents that a project may name in the configuration."""

from collections.abc import Callable

from hotdesk.agents.aider import Aider
from hotdesk.agents.claude import Claude
from hotdesk.agents.codex import Codex
from hotdesk.agents.dialect import Dialect
from hotdesk.agents.gemini import Gemini
from hotdesk.agents.opencode import OpenCode

KNOWN: dict[str, Callable[[], Dialect]] = {
    "claude": Claude,
    "codex": Codex,
    "opencode": OpenCode,
    "gemini": Gemini,
    "aider": Aider,
}
