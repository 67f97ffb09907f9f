"""aider: ``aider --message-file``, which prints for people.

Tried with version 0.86.2 against a scripted model. It has no conversation that could be
named: each job is told what was said before. It ends with 0 whatever came of it; a reply
that it took is followed by a line on its tokens, and an error of the model's API by none.
It offers no way to leave out ``.aider.conf.yml`` and ``.aider.model.settings.yml`` of a
repository, which can send key and requests elsewhere: give it ``network = "model-only"``.
"""

import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path

from hotdesk.agents.dialect import (
    AgentSettings,
    Began,
    Invocation,
    Problem,
    ProblemKind,
    Report,
    Sign,
    Turn,
)
from hotdesk.agents.output import label, printable
from hotdesk.agents.question import question
from hotdesk.agents.stream import TEXT_CHARACTERS_MAX, TOKENS_MAX, USD_MAX, StreamReader
from hotdesk.agents.trouble import AGAIN, login, problem, refused, too_long, trouble

OPTIONS = (
    "--yes-always",
    *("--no-pretty", "--no-stream", "--no-fancy-input", "--no-check-update"),
    *("--no-show-release-notes", "--no-show-model-warnings", "--no-analytics"),
    *("--no-detect-urls", "--disable-playwright", "--no-suggest-shell-commands"),
    # Commits are ours, and so is what runs after it.
    *("--no-auto-commits", "--no-dirty-commits", "--no-auto-lint", "--no-auto-test"),
    *("--no-notifications", "--load", "/dev/null", "--set-env", "HOTDESK=1"),
)
# It reads its prompt from a file, and may not open what it has as its input: that was made by
# another user. On the command line everybody could read it.
WRITE_PROMPT = 'umask 077 && cat >"$0" && exec "$@" </dev/null'
SWITCHES = {
    # A .env of the repository would move the key.
    "PYTHON_DOTENV_DISABLED": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
# Whose key it is, by the short names that it has for models.
VENDORS = {
    "anthropic": ("claude", "sonnet", "opus", "haiku"),
    "gemini": ("gemini", "flash"),
    "deepseek": ("deepseek", "r1"),
}
REPLY_CHARACTERS_MAX = 200_000

_USAGE = re.compile(r"Tokens: ([0-9.]+[kM]?) sent.{0,80}?, ([0-9.]+[kM]?) received\.(.{0,200})")
_COST = re.compile(r"\$([0-9.]+) session")
_ERROR = re.compile(r"litellm\.(\w+): ?(.*)")
_APPLIED = re.compile(r"Applied edit to (.+)")
# It names the files that it takes into the chat, right above the reply.
# Looked ahead, because two parts of any length in a row would be tried against each other.
_NAMED = re.compile(r"(?=\S*[./]\S)\S*[^\s.!?:]")
_HEAD = re.compile(r"(Repo-map: |Aider v[0-9]|Model: |Main model: |Git repo: )")
_BLANK = re.compile(r"\n{3,}")
_SCALE = {"k": 1_000, "M": 1_000_000}


class Aider:
    """``Dialect``: aider."""

    name = "aider"
    program = "aider"
    guidance_files: tuple[str, ...] = ("CONVENTIONS.md", "AGENTS.md")
    # Nothing has this name: without any, all that it leaves would be kept.
    kept: tuple[str, ...] = ("nothing",)
    model_url = ""

    def invocation(self, settings: AgentSettings, turn: Turn) -> Invocation:
        """Ask on its input."""
        prompt = str(turn.session / "prompt")
        shell = ("/bin/sh", "-c", WRITE_PROMPT, prompt)
        argv = [*shell, *(settings.program or (self.program,)), *OPTIONS]
        argv += ["--message-file", prompt]
        for option, file in (("--chat-history-file", "chat.md"), ("--input-history-file", "input")):
            argv += [option, str(turn.session / file)]
        vendor = _vendor(settings.model)
        env = dict(SWITCHES)
        if settings.model:
            argv += ["--model", settings.model]
        if settings.key:
            env[f"{vendor}_API_KEY"] = settings.key
        if settings.base_url:
            env[f"{vendor}_API_BASE"] = settings.base_url
            if vendor == "OPENAI":
                argv += ["--openai-api-base", settings.base_url]
        stdin = question(turn)
        # What begins with / or ! would be a command of its own.
        if stdin.startswith((b"/", b"!")):
            stdin = b"\n" + stdin
        return Invocation(argv=tuple(argv), env=env, stdin=stdin)

    def reader(self, turn: Turn) -> "AiderReader":
        """Make what reads one run."""
        return AiderReader("aider", turn.workspace)

    def remembers(self, session: Path, session_id: str, mark: str) -> bool:
        """Never: see above."""
        del session, session_id, mark
        return False


class AiderReader(StreamReader):
    """Reads one run of aider, line by line."""

    def __init__(self, name: str, workspace: Path) -> None:
        super().__init__(name, workspace)
        self._reply: list[str] = []
        self._length = 0
        self._error: list[str] | None = None

    def _line(self, line: bytes | None) -> Iterator[Sign]:
        if line is None:
            yield from super()._line(line)
            return
        words = printable(line.decode(errors="replace")).rstrip()
        yield from self._say(words)
        if found := _USAGE.match(words):
            self._replied(found)
        elif found := _ERROR.match(words):
            self._error = [found[1], found[2]]
            self._reply, self._length = [], 0
        elif self._error is not None and words:
            self._error.append(words)
            del self._error[8:]
        elif _HEAD.match(words) and not self._turns:
            self._reply, self._length = [], 0
            if words.startswith("Aider v"):
                yield Began(session_id="", model="")
        elif found := _APPLIED.match(words):
            yield from self._use("edit", path=found[1])
        elif self._length <= REPLY_CHARACTERS_MAX:
            self._reply.append(words)
            self._length += len(words) + 1
        if words:
            self._last_words.append(label(words))

    def _replied(self, usage: re.Match[str]) -> None:
        """What stood above the line on its tokens is the model's reply."""
        self._turns += 1
        self._tokens_in = min(self._tokens_in + _number(usage[1]), TOKENS_MAX)
        self._tokens_out = min(self._tokens_out + _number(usage[2]), TOKENS_MAX)
        if (cost := _COST.search(usage[3])) and (usd := _dollars(cost[1])):
            self._cost_usd = usd
        while len(self._reply) > 1 and (not self._reply[0] or _NAMED.fullmatch(self._reply[0])):
            del self._reply[0]
        self._answer = _without_edits(self._reply).strip()[:TEXT_CHARACTERS_MAX]
        self._reply, self._length = [], 0
        self._is_done, self._error = True, None

    def report(self, *, exit_code: int, was_stopped: bool) -> Report:
        """Judge by what stands last: a reply, or an error; its exit status tells nothing."""
        for _ in self._line(self._lines.finish()):
            pass
        if self._error is not None:
            name, *words = self._error
            self._problem = _problem(name, " ".join(words))
        elif exit_code:
            self._is_done = False
        return super().report(exit_code=exit_code, was_stopped=was_stopped)


def _vendor(model: str) -> str:
    """The vendor of *model*, as the names of its variables begin."""
    vendor, slash, _ = model.lower().partition("/")
    if slash:
        return re.sub(r"[^A-Z0-9]", "_", vendor.upper())
    for name, short in VENDORS.items():
        if vendor.startswith(short):
            return name.upper()
    return "OPENAI"


def _number(said: str) -> int:
    scale = _SCALE.get(said[-1:], 1)
    try:
        return min(int(float(said.rstrip("kM")) * scale), TOKENS_MAX)
    except (ValueError, OverflowError):
        return 0


def _dollars(said: str) -> float:
    try:
        return min(float(said), USD_MAX)
    except ValueError:
        return 0.0


def _without_edits(lines: Sequence[str]) -> str:
    """A reply without its edits: blocks between SEARCH and REPLACE, their fences and names."""
    kept: list[str] = []
    is_edit = False
    for line in lines:
        if line.endswith(" SEARCH") and line.startswith("<<<<<"):
            is_edit = True
            # The fence and the name of the file above it.
            del kept[-2:]
        elif is_edit:
            # The fence below the last line is the first that is left out no more.
            is_edit = not line.startswith("```")
        else:
            kept.append(line)
    return _BLANK.sub("\n\n", "\n".join(kept))


def _problem(name: str, words: str) -> Problem:
    """What an error of litellm, the library that it asks models with, means."""
    words = label(words, length_max=500)
    match name:
        case "AuthenticationError" | "PermissionDeniedError":
            return login(
                f"the model's API does not take the key: {words}",
                "put a valid one where the project's key is",
            )
        case "NotFoundError":
            what = f"there is no such model, or it is not there: {words}"
            return login(what, "look at the project's model and base_url")
        case "RateLimitError":
            return problem(ProblemKind.RATE_LIMIT, f"the model has no room now: {words}", AGAIN)
        case "ContextWindowExceededError":
            return too_long(words)
        case "ContentPolicyViolationError":
            return refused(words)
        case "BadRequestError":
            return trouble("aider", words, status=HTTPStatus.BAD_REQUEST)
    return problem(ProblemKind.API, f"the model did not answer: {words}", AGAIN)
