"""What becomes of a run when the model fails, refuses or falls silent."""

from dataclasses import replace

import anyio
import pytest

from hotdesk.agents.dialect import ProblemKind
from tests.agents.model_api import BreakOff, Fail, Hang, ModelApi, Say, Step, bash
from tests.agents.real.room import AT_ONCE, KEY, Room

pytestmark = [pytest.mark.anyio, pytest.mark.agents]

TOO_LONG = "prompt is too long: 1200000 tokens > 1000000 maximum"
CREDIT = "Your credit balance is too low to access the Anthropic API."
SPENT = "You have reached your specified API usage limits."
CLOSED = "This organization has been disabled."
CASES: list[tuple[Step, ProblemKind]] = [
    (Fail(401, "authentication_error", f"invalid x-api-key {KEY}"), ProblemKind.LOGIN),
    (Fail(403, "permission_error"), ProblemKind.LOGIN),
    (Fail(404, "not_found_error", "model: nope"), ProblemKind.LOGIN),
    (Fail(400, "invalid_request_error", CREDIT), ProblemKind.LOGIN),
    (Fail(400, "invalid_request_error", SPENT), ProblemKind.LOGIN),
    (Fail(400, "invalid_request_error", CLOSED), ProblemKind.LOGIN),
    (Fail(400, "invalid_request_error", "Could not process image"), ProblemKind.INVALID),
    (Fail(400, "invalid_request_error", "messages.3: not valid"), ProblemKind.INVALID),
    (Fail(429, "rate_limit_error", headers={"retry-after": "3600"}), ProblemKind.RATE_LIMIT),
    (Fail(529, "overloaded_error", "Overloaded"), ProblemKind.RATE_LIMIT),
    (Fail(500, "api_error", "boom"), ProblemKind.API),
    (Fail(400, "invalid_request_error", TOO_LONG), ProblemKind.PROMPT),
    (Fail(413, "request_too_large"), ProblemKind.PROMPT),
    (BreakOff(), ProblemKind.API),
    (Say("", stop_reason="refusal"), ProblemKind.REFUSAL),
]


@pytest.mark.parametrize(("step", "kind"), CASES, ids=lambda each: str(each)[:30])
async def test_each_failure_is_a_problem_with_a_next_step(
    api: ModelApi, room: Room, step: Step, kind: ProblemKind
) -> None:
    api.on("make it blue", step, step)

    ran = await room.run("make it blue", env=AT_ONCE)

    assert ran.report.problem is not None
    assert ran.report.problem.kind is kind
    assert "Next: " in ran.report.problem.reason
    assert KEY not in f"{ran}"
    assert ran.report.text == ""


async def test_without_a_key_an_operator_is_asked_for_one(room: Room) -> None:
    ran = await room.run("make it blue", settings=replace(room.settings, key=""))

    assert ran.report.problem is not None
    assert ran.report.problem.kind is ProblemKind.LOGIN
    assert "say where it is" in ran.report.problem.reason


async def test_nobody_at_the_address_is_a_problem_of_the_api(room: Room) -> None:
    nowhere = replace(room.settings, base_url="http://127.0.0.1:1")

    ran = await room.run("make it blue", env=AT_ONCE, settings=nowhere)

    assert ran.report.problem is not None
    assert ran.report.problem.kind is ProblemKind.API


async def test_what_passes_is_waited_out(api: ModelApi, room: Room) -> None:
    api.on("make it blue", Fail(529, times=1), BreakOff(times=1), Fail(500, times=1), Say("done"))

    ran = await room.run("make it blue")

    assert ran.report.text == "done"
    assert len(api.requests) == 4
    assert "[the model did not answer (529 overloaded): retry 1 of 4]\n" in ran.log


@pytest.mark.timeout(40)
async def test_a_model_that_goes_on_failing_is_given_up_soon(api: ModelApi, room: Room) -> None:
    api.on("make it blue", Fail(500))
    begun = anyio.current_time()

    ran = await room.run("make it blue")

    assert ran.report.problem is not None
    assert len(api.requests) == 5
    assert anyio.current_time() - begun < 25


@pytest.mark.timeout(60)
@pytest.mark.parametrize("after_start", [False, True])
async def test_a_model_that_falls_silent_is_given_up(
    api: ModelApi, room: Room, *, after_start: bool
) -> None:
    # The same switches as in earnest, with less patience: 10 s is the least that one takes.
    hurried = {"API_TIMEOUT_MS": "2000", "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS": "10000"}
    api.on("make it blue", Hang(after_start=after_start))

    with anyio.fail_after(40):
        ran = await room.run("make it blue", env={**AT_ONCE, **hurried})

    assert ran.report.problem is not None
    assert ran.report.problem.kind is ProblemKind.API


async def test_turns_and_money_have_an_end(api: ModelApi, room: Room) -> None:
    api.on("for ever", *[bash(f"echo {number}") for number in range(9)], Say("done"))

    turns = await room.run("for ever", settings=replace(room.settings, turns_max=2))
    money = await room.run("for ever", settings=replace(room.settings, budget_usd=0.001))

    assert turns.report.problem is not None
    assert turns.report.problem.kind is ProblemKind.TURNS
    assert money.report.problem is not None
    assert money.report.problem.kind is ProblemKind.BUDGET
    assert len(api.requests) < 9
