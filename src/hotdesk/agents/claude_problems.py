"""What kept Claude Code from doing it, and who can do something about it.

Read from its last event, of which only the numbers are sure: its words change from one
version to the next, and are only passed on or looked at where there is nothing else.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from hotdesk.agents.dialect import Problem, ProblemKind
from hotdesk.agents.output import label
from hotdesk.agents.trouble import (
    AGAIN,
    INVALID_STATUS,
    OVERLOADED,
    WORDS_LENGTH_MAX,
    account,
    broken,
    invalid,
    login,
    problem,
    refused,
    too_long,
    used_up,
)

_LOGIN = {
    HTTPStatus.UNAUTHORIZED: (
        "the model's API does not take the key",
        "put a valid one where the project's key is",
    ),
    HTTPStatus.FORBIDDEN: (
        "the model's API does not let this key in",
        "give the project a key that may use this model",
    ),
    HTTPStatus.NOT_FOUND: (
        "there is no such model, or this key may not use it",
        "choose another as the project's model",
    ),
}


def problem_of(result: Mapping[str, object], *, is_refused: bool) -> Problem:
    """What a ``result`` event that is an error says; *is_refused* if an event before it did."""
    words = words_of(result)
    match result.get("subtype"):
        case "error_max_turns":
            return used_up("Claude Code", ProblemKind.TURNS, words)
        case "error_max_budget_usd":
            return used_up("Claude Code", ProblemKind.BUDGET, words)
    if is_refused or result.get("stop_reason") == "refusal":
        return refused(words)
    status, reason = result.get("api_error_status"), result.get("terminal_reason")
    if isinstance(status, int) and (found := _of_status(status, words)):
        return found
    if found := _of_words(words):
        return found
    # Claude Code says so of pictures too that it does not send because they are too large.
    if status in INVALID_STATUS or reason == "image_error":
        return invalid(words)
    if isinstance(status, int) or reason == "api_error":
        return problem(ProblemKind.API, f"the model did not answer: {words}", AGAIN)
    if denied := denials(result):
        return problem(
            ProblemKind.DENIED,
            f"Claude Code was not permitted to use {', '.join(denied)}",
            "an operator must look at its managed settings on this machine",
        )
    return broken(f"Claude Code failed: {words}")


def words_of(result: Mapping[str, object]) -> str:
    """What the event says in words, in one line."""
    said = result.get("result")
    errors = result.get("errors")
    texts = [said] if isinstance(said, str) else []
    texts += [each for each in errors if isinstance(each, str)] if isinstance(errors, list) else []
    lines = [label(text, length_max=WORDS_LENGTH_MAX) for text in texts[:5]]
    return "; ".join(line for line in lines if line)[:WORDS_LENGTH_MAX] or "it does not say why"


def denials(result: Mapping[str, object]) -> Sequence[str]:
    """The tools that it wanted to use and was not permitted to."""
    denied = result.get("permission_denials")
    if not isinstance(denied, list):
        return ()
    names = [each.get("tool_name") for each in denied[:100] if isinstance(each, dict)]
    return sorted({label(name) for name in names if isinstance(name, str)})


def _of_status(status: int, words: str) -> Problem | None:
    if status in (HTTPStatus.TOO_MANY_REQUESTS, OVERLOADED):
        return problem(ProblemKind.RATE_LIMIT, f"the model has no room now: {words}", AGAIN)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return too_long(words)
    if status in _LOGIN:
        what, step = _LOGIN[HTTPStatus(status)]
        return login(f"{what} ({status}): {words}", step)
    return account(words.lower(), words)


def _of_words(words: str) -> Problem | None:
    """What the API says with a 400, and Claude Code without asking it."""
    said = words.lower()
    if "prompt is too long" in said or "request too large" in said:
        return too_long(words)
    if "not logged in" in said or "/login" in said:
        return login("there is no key for the model", "say where it is: key")
    return None
