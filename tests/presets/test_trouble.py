"""What programs say went wrong, in the words of the APIs that they call."""

import json

import pytest

from hotdesk.agents.aider import Aider
from hotdesk.agents.dialect import ProblemKind
from hotdesk.agents.opencode import OpenCode
from hotdesk.agents.trouble import trouble
from tests.presets.reading import read

REFUSED_400 = "messages.3.content.1: Could not process image"


@pytest.mark.parametrize(
    "words",
    [
        f"unexpected status 400 Bad Request: {REFUSED_400}",
        f'{{"error":{{"code":400,"message":"{REFUSED_400}","status":"INVALID_ARGUMENT"}}}}',
        f'{{"type":"error","error":{{"type":"invalid_request_error","message":"{REFUSED_400}"}}}}',
        f"API error: statusCode: 422: {REFUSED_400}",
    ],
)
def test_what_the_api_does_not_take_is_not_tried_again(words: str) -> None:
    found = trouble("Codex", words)

    assert found.kind is ProblemKind.INVALID
    assert not found.is_retryable
    assert "Could not process image" in found.reason


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("status 400: API key not valid", ProblemKind.LOGIN),
        ("status 400: You have reached your specified API usage limits", ProblemKind.LOGIN),
        ("status 400: This organization has been disabled", ProblemKind.LOGIN),
        ("status 400: maximum context length is 8192 tokens", ProblemKind.PROMPT),
        ("status 400: content_policy_violation", ProblemKind.REFUSAL),
        ("status 500: invalid request to our own backend", ProblemKind.API),
    ],
)
def test_not_every_400_is_about_the_conversation(words: str, kind: ProblemKind) -> None:
    assert trouble("Codex", words).kind is kind


def test_opencode_and_aider_say_what_the_api_does_not_take() -> None:
    error = {"type": "error", "error": {"data": {"statusCode": 400, "message": REFUSED_400}}}
    _, opencode = read(OpenCode(), json.dumps(error).encode() + b"\n", exit_code=1)
    _, aider = read(Aider(), f"litellm.BadRequestError: {REFUSED_400}\n".encode())

    for report in (opencode, aider):
        assert report.problem is not None
        assert report.problem.kind is ProblemKind.INVALID
