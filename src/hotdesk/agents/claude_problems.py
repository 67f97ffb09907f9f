"""What kept Claude Code from doing it, and who can do something about it.

Read from its last event, of which only the numbers are sure: its words change from one
version to the next, and are only passed on or looked at where there is nothing else.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from hotdesk.agents.dialect import Problem, ProblemKind
from hotdesk.agents.output import label

WORDS_LENGTH_MAX = 500
OVERLOADED = 529  # Anthropic's own: the model has no room for anybody.

# Also read when no attempt is left.
_AGAIN = "it is tried a few times by itself; then an operator must look at the model's API"
_OF_OPERATOR = {
    HTTPStatus.UNAUTHORIZED: "an operator must put a valid one where the project's key is",
    HTTPStatus.FORBIDDEN: "an operator must give the project a key that may use this model",
    HTTPStatus.NOT_FOUND: "an operator must choose another as the project's model",
}
_WHAT = {
    HTTPStatus.UNAUTHORIZED: "the model's API does not take the key",
    HTTPStatus.FORBIDDEN: "the model's API does not let this key in",
    HTTPStatus.NOT_FOUND: "there is no such model, or this key may not use it",
}


def problem_of(result: Mapping[str, object], *, is_refused: bool) -> Problem:
    """What a ``result`` event that is an error says; *is_refused* if an event before it did."""
    words = words_of(result)
    match result.get("subtype"):
        case "error_max_turns":
            return _kept(ProblemKind.TURNS, "the turns that limits.turns allows", words)
        case "error_max_budget_usd":
            return _kept(ProblemKind.BUDGET, "the money that limits.budget_usd allows", words)
    if is_refused or result.get("stop_reason") == "refusal":
        return refusal(words)
    status = result.get("api_error_status")
    if isinstance(status, int) and (problem := _of_status(status, words)):
        return problem
    if problem := _of_words(words):
        return problem
    if isinstance(status, int) or result.get("terminal_reason") == "api_error":
        return _problem(ProblemKind.API, f"the model did not answer: {words}", _AGAIN)
    if denied := denials(result):
        return _problem(
            ProblemKind.DENIED,
            f"Claude Code was not permitted to use {', '.join(denied)}",
            "an operator must look at its managed settings on this machine",
        )
    return broken(f"Claude Code failed: {words}")


def refusal(words: str) -> Problem:
    """The model does not want to."""
    return _problem(
        ProblemKind.REFUSAL,
        f"the model refuses this request: {words}",
        "ask for it in other words, or leave out what it may object to",
    )


def broken(what: str) -> Problem:
    """An end that says nothing about the work."""
    return _problem(
        ProblemKind.BROKEN, what, "an operator finds more in the job's log and in hotdesk doctor"
    )


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
    match status:
        case HTTPStatus.TOO_MANY_REQUESTS | 529:
            return _problem(ProblemKind.RATE_LIMIT, f"the model has no room now: {words}", _AGAIN)
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return _too_long(words)
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN | HTTPStatus.NOT_FOUND:
            known = HTTPStatus(status)
            what = f"{_WHAT[known]} ({status}): {words}"
            return _problem(ProblemKind.LOGIN, what, _OF_OPERATOR[known])
    return None


def _of_words(words: str) -> Problem | None:
    """What the API says with a 400, and Claude Code without asking it."""
    said = words.lower()
    if "prompt is too long" in said or "request too large" in said:
        return _too_long(words)
    if "credit balance" in said:
        what = "the account of the project's key has no credit left"
        return _problem(ProblemKind.LOGIN, what, "an operator must add some")
    if "not logged in" in said or "/login" in said:
        what = "there is no key for the model"
        return _problem(ProblemKind.LOGIN, what, "an operator must say where it is: key")
    return None


def _too_long(words: str) -> Problem:
    return _problem(
        ProblemKind.PROMPT,
        f"what it was asked is too long for the model: {words}",
        "ask for less at once, or send smaller files",
    )


def _kept(kind: ProblemKind, what: str, words: str) -> Problem:
    return _problem(
        kind,
        f"Claude Code used up {what}: {words}",
        "what it has done is kept: ask it to go on, or for less at once",
    )


def _problem(kind: ProblemKind, what: str, step: str) -> Problem:
    return Problem(kind=kind, reason=f"{what.rstrip('.')}. Next: {step}")
