"""Claude Code: its command line, its environment, and where it keeps a conversation.

Its command line and switches were tried with ``VERSION_MIN``. Nothing that the repository
says of settings, hooks or servers is read: CLAUDE.md is handed over as text instead.
"""

from pathlib import Path

from hotdesk.agents.claude_output import ClaudeReader
from hotdesk.agents.claude_transcript import SESSION_ID, holds, read_transcript, spent
from hotdesk.agents.dialect import AgentSettings, Invocation, Turn
from hotdesk.agents.output import printable

VERSION_MIN = (2, 1, 330)
"""The oldest that was tried. 2.1.197 does not know ``--system-prompt-snapshot``."""
INSTALL = "npm install -g @anthropic-ai/claude-code@latest"
TRANSCRIPTS = "projects"
"""The folder of ``CLAUDE_CONFIG_DIR`` with the conversations; what else is in it is not kept."""
# execve(2): one argument has at most 128 KiB on Linux.
GUIDANCE_BYTES_MAX = 100_000
GUIDANCE = "The repository that you work in tells you this, in its own file for agents:\n\n"

OPTIONS = (
    *("-p", "--output-format", "stream-json", "--verbose"),
    # The walls around it are ours; nobody is there to be asked.
    *("--permission-mode", "bypassPermissions"),
    # Settings, hooks and servers of a repository would be run, and could move the key.
    *("--setting-sources", "user", "--strict-mcp-config"),
    # They wait for what comes after the answer, up to hours, or work somewhere else.
    *("--disallowedTools", "CronCreate,EnterWorktree,Monitor,ScheduleWakeup"),
    # Otherwise a resumed conversation hears what the repository said when it began.
    *("--system-prompt-snapshot", "off"),
)
SWITCHES = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1",
    # It is kept by the path of the workspace, which each generation of a desk has anew.
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    # A server that is left running in the background would keep the run from ending.
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    # 4 retries take about 8 s where the answer is an error. What does not answer at all ends
    # after 5 times 3 minutes; with its own 10 retries of 10 minutes it would be two hours.
    "CLAUDE_CODE_MAX_RETRIES": "4",
    "API_TIMEOUT_MS": "180000",
    # The same for an answer that stops in its middle; 3 minutes is what it has for its own API.
    "CLAUDE_ENABLE_BYTE_WATCHDOG": "1",
    "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS": "180000",
    # An answer in one piece gives no sign of life until it is there.
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
}


class Claude:
    """``Dialect``: Claude Code of Anthropic."""

    name = "claude"
    program = "claude"
    guidance_files: tuple[str, ...] = ("CLAUDE.md", ".claude/CLAUDE.md", "AGENTS.md")
    kept: tuple[str, ...] = (TRANSCRIPTS,)
    model_url = "https://api.anthropic.com"

    def invocation(self, settings: AgentSettings, turn: Turn) -> Invocation:
        """Ask on its input; go on with a conversation if there is one."""
        argv = [*(settings.program or (self.program,)), *OPTIONS]
        if SESSION_ID.fullmatch(turn.session_id):
            argv += ["--resume", turn.session_id]
        if settings.model:
            argv += ["--model", settings.model]
        if settings.turns_max is not None:
            argv += ["--max-turns", str(settings.turns_max)]
        if settings.budget_usd is not None:
            argv += ["--max-budget-usd", f"{settings.budget_usd:.6f}"]
        if guidance := printable(turn.guidance).strip():
            cut = guidance.encode()[:GUIDANCE_BYTES_MAX].decode(errors="ignore")
            argv += ["--append-system-prompt", GUIDANCE + cut]
        env = {"CLAUDE_CONFIG_DIR": str(turn.session), **SWITCHES}
        if settings.key:
            env["ANTHROPIC_API_KEY"] = settings.key
        if settings.base_url:
            env["ANTHROPIC_BASE_URL"] = settings.base_url
        return Invocation(argv=tuple(argv), env=env, stdin=turn.prompt.encode(errors="replace"))

    def reader(self, turn: Turn) -> ClaudeReader:
        """Make what reads the run of *turn*.

        Of a conversation that is resumed, what Claude Code says it cost is the sum of all its
        runs: what the former ones cost is looked up. So is what a run cost that did not say it.
        """

        def spent_by(session_id: str) -> float:
            return spent(self._transcript(turn.session, session_id))

        resumed = bool(SESSION_ID.fullmatch(turn.session_id))
        return ClaudeReader(spent_by, cost_before=spent_by(turn.session_id) if resumed else 0.0)

    def remembers(self, session: Path, session_id: str, mark: str) -> bool:
        """Whether the conversation is there, and a prompt of it holds *mark*."""
        if not SESSION_ID.fullmatch(session_id):
            return False
        content = self._transcript(session, session_id)
        return holds(content, mark) if mark else bool(content)

    def _transcript(self, session: Path, session_id: str) -> bytes:
        return read_transcript(session, TRANSCRIPTS, session_id)
