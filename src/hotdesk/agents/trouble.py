"""What kept an agent from doing it, read from the words and numbers that programs share.

They call the same APIs and pass on what those say: a status of HTTP is believed first, the
words only where there is none. Each problem ends with what to do next.
"""

import re
from http import HTTPStatus

from hotdesk.agents.dialect import Problem, ProblemKind
from hotdesk.agents.output import label

WORDS_LENGTH_MAX = 500
OVERLOADED = 529  # Anthropic's own: the model has no room for anybody.
# Also read when no attempt is left.
AGAIN = "it is tried a few times by itself; then an operator must look at the model's API"
OF_OPERATOR = "an operator must"

_STATUS = re.compile(r"(?:status(?: code)?:? |\"?(?:code|statusCode)\"?: ?)([45][0-9]{2})\b")
_TOO_LONG = re.compile(r"context (?:length|window)|prompt is too long|too many tokens|too large")
# Anthropic answers with a 400 when an account has spent what its owner allows.
_NO_CREDIT = re.compile(r"insufficient.quota|credit balance|billing|api usage limit")
_CLOSED = re.compile(r"organization (?:has been )?disabled|disabled organization")
_INVALID = re.compile(r"invalid.request|invalid.argument|bad.?request")
INVALID_STATUS = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)
_NO_KEY = re.compile(
    r"api.?key (?:not valid|is missing)|(?:missing|incorrect|invalid) .{0,30}api.?key"
    r"|missing environment variable|must (?:specify|be set).{0,80}api.?key|not logged in"
)
_REFUSED = re.compile(r"content.(?:policy|filter)|\bsafety\b|refused to")
# Before it has begun: as commander, yargs, clap and argparse say it.
_OPTION = re.compile(
    r"\b(?:unknown (?:option|arguments?)|unexpected argument|unrecognized arguments?)\b",
    re.IGNORECASE,
)
_NETWORK = re.compile(
    r"stream|connect|reconnect|timed? ?out|high demand|overloaded|unavailable|api error|network"
)


def trouble(agent: str, words: str, *, status: int | None = None) -> Problem:
    """What *agent* says went wrong; *status* is that of the model's API, if it says one."""
    said = words.lower()[: 4 * WORDS_LENGTH_MAX]
    if status is None:
        status = status_in(words)
    words = label(words, length_max=WORDS_LENGTH_MAX) or "it does not say why"
    if found := account(said, words):
        return found
    if "too many requests" in said or status in (HTTPStatus.TOO_MANY_REQUESTS, OVERLOADED):
        return problem(ProblemKind.RATE_LIMIT, f"the model has no room now: {words}", AGAIN)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or _TOO_LONG.search(said):
        return too_long(words)
    is_key = status in (None, HTTPStatus.BAD_REQUEST) and _NO_KEY.search(said)
    if is_key or status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return login(
            f"the model's API does not take the key: {words}",
            "put a valid one where the project's key is",
        )
    if status == HTTPStatus.NOT_FOUND:
        what = f"there is no such model, or it is not there: {words}"
        return login(what, "look at the project's model and base_url")
    if _REFUSED.search(said):
        return refused(words)
    if status in INVALID_STATUS or (status is None and _INVALID.search(said)):
        return invalid(words)
    if status is not None or _NETWORK.search(said):
        return problem(ProblemKind.API, f"the model did not answer: {words}", AGAIN)
    return broken(f"{agent} failed: {words}")


def status_in(words: str) -> int | None:
    """The status of HTTP that *words* name, if they do."""
    found = _STATUS.search(words[: 4 * WORDS_LENGTH_MAX])
    return None if found is None else int(found[1])


def login(what: str, step: str) -> Problem:
    """Something that only an operator can mend: *step* is what."""
    return problem(ProblemKind.LOGIN, what, f"{OF_OPERATOR} {step}")


def account(said: str, words: str) -> Problem | None:
    """What is wrong with the account of the key, if *said*, in small letters, tells of it."""
    if _NO_CREDIT.search(said):
        what = f"the account of the project's key has nothing left to spend: {words}"
        return login(what, "add credit or raise its limit")
    if _CLOSED.search(said):
        what = f"the account of the project's key is closed: {words}"
        return login(what, "put another key where the project's key is")
    return None


def invalid(words: str) -> Problem:
    """The API takes no request with this in it, however often it is sent."""
    return problem(
        ProblemKind.INVALID,
        f"the model's API does not take what it is sent: {words}",
        "ask again without what it does not take, the agent then begins a new conversation; "
        "if that fails too, an operator must look at the project's model and base_url",
    )


def too_long(words: str) -> Problem:
    """The model cannot read that much."""
    return problem(
        ProblemKind.PROMPT,
        f"what it was asked is too long for the model: {words}",
        "ask for less at once, or send smaller files",
    )


def refused(words: str) -> Problem:
    """The model does not want to."""
    return problem(
        ProblemKind.REFUSAL,
        f"the model refuses this request: {words}",
        "ask for it in other words, or leave out what it may object to",
    )


def used_up(agent: str, kind: ProblemKind = ProblemKind.TURNS, words: str = "") -> Problem:
    """The agent has done as many turns, or spent as much (``BUDGET``), as it may."""
    what = (
        "money that limits.budget_usd" if kind is ProblemKind.BUDGET else "turns that limits.turns"
    )
    return problem(
        kind,
        f"{agent} used up the {what} allows{words and f': {words}'}",
        "what it has done is kept: ask it to go on, or for less at once",
    )


def broken(what: str) -> Problem:
    """An end that says nothing about the work."""
    step = "an operator finds more in the job's log and in hotdesk doctor"
    return problem(ProblemKind.BROKEN, what, step)


def ended_at_once(what: str, words: str) -> Problem:
    """An end before anything was begun; *words* are its last."""
    if _OPTION.search(words):
        step = "install the newest version of the agent, and look again with hotdesk doctor"
        return problem(ProblemKind.VERSION, what, f"{OF_OPERATOR} {step}")
    return broken(what)


def problem(kind: ProblemKind, what: str, step: str) -> Problem:
    """A problem that ends with the next step."""
    return Problem(kind=kind, reason=f"{what.rstrip('.')}. Next: {step}")
