"""What is understood of the output of Claude Code, however it is cut and whatever is in it."""

import json
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdesk.agents.claude_output import ClaudeReader
from hotdesk.agents.dialect import Began, Problem, ProblemKind, Report, Said, Sign, Used
from hotdesk.agents.output import LINE_BYTES_MAX, printable

SESSION = "1e05275e-06d2-4848-a5b2-e0a6cdaa2717"
INIT = {
    "type": "system",
    "subtype": "init",
    "session_id": SESSION,
    "cwd": "/srv/space",
    "model": "claude-opus-5-5",
}
DONE = {
    "type": "result",
    "subtype": "success",
    "is_error": False,
    "result": "It is blue now.",
    "num_turns": 3,
    "stop_reason": "end_turn",
    "total_cost_usd": 0.25,
    "usage": {
        "input_tokens": 10,
        "cache_read_input_tokens": 200,
        "cache_creation_input_tokens": 3000,
        "output_tokens": 7,
    },
}


def nothing(_: str) -> float:
    return 0.0


def lines(*events: object) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def read(output: bytes, *, exit_code: int = 0, size: int = 65_536) -> tuple[list[Sign], Report]:
    reader = ClaudeReader(nothing)
    pieces = [output[at : at + size] for at in range(0, len(output), size)]
    signs = [sign for piece in pieces for sign in reader.feed(piece)]
    return signs, reader.report(exit_code=exit_code, was_stopped=False)


def said(signs: list[Sign]) -> str:
    return "".join(sign.text for sign in signs if isinstance(sign, Said))


def talk(*blocks: Mapping[str, object], role: str = "assistant") -> dict[str, object]:
    return {"type": role, "message": {"content": list(blocks)}, "parent_tool_use_id": None}


def use(tool: str, **given: object) -> dict[str, object]:
    return talk({"type": "tool_use", "id": "t", "name": tool, "input": given})


def test_words_and_tools_become_readable_lines() -> None:
    signs, _ = read(
        lines(
            INIT,
            talk({"type": "text", "text": "I look at it."}),
            use("Edit", file_path="/srv/space/css/header.css"),
            use("Bash", command="npm run build\nrm -rf dist"),
            talk({"type": "tool_result", "is_error": True, "content": "not found"}, role="user"),
        )
    )

    assert signs[0] == Began(session_id=SESSION, model="claude-opus-5-5")
    assert said(signs) == (
        "I look at it.\n[Edit: css/header.css]\n[Bash: npm run build]\n[failed: not found]\n"
    )
    assert [sign for sign in signs if isinstance(sign, Used)] == [
        Used(tool="Edit", target="css/header.css"),
        Used(tool="Bash"),
    ]


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/srv/space/../other/key", "/srv/spaceship/x", "../x", "/srv/space"]
)
def test_a_file_outside_of_the_workspace_is_not_named(path: str) -> None:
    signs, _ = read(lines(INIT, use("Read", file_path=path)))

    assert signs[1:] == [
        Used(tool="Read"),
        Said(text="[Read: a file outside of the workspace]\n"),
    ]


def test_a_success_says_what_it_took() -> None:
    _, report = read(lines(INIT, DONE), exit_code=1)

    assert report == Report(
        text="It is blue now.",
        session_id=SESSION,
        turns=3,
        tokens_in=3210,
        tokens_out=7,
        cost_usd=0.25,
    )


def test_of_several_results_the_last_one_counts_and_what_they_took_is_added() -> None:
    _, report = read(lines(INIT, {**DONE, "result": "started"}, DONE))

    assert report.text == "It is blue now."
    assert (report.turns, report.tokens_in, report.tokens_out) == (6, 6420, 14)
    assert report.cost_usd == 0.25  # It is a sum already.


def test_a_success_behind_a_failure_is_one_and_a_run_begins_once() -> None:
    signs, report = read(lines(INIT, {**DONE, "is_error": True}, {**INIT, "session_id": ""}, DONE))

    assert (report.text, report.problem) == ("It is blue now.", None)
    assert report.session_id == SESSION
    assert [*map(type, signs)] == [Began]


def test_what_a_resumed_conversation_had_cost_is_not_counted_again() -> None:
    reader = ClaudeReader(nothing, cost_before=0.2)
    assert [*reader.feed(lines(DONE))] == []

    report = reader.report(exit_code=0, was_stopped=False)

    assert report.cost_usd == pytest.approx(0.05)


def test_the_exit_code_makes_no_success() -> None:
    _, report = read(lines(INIT, {**DONE, "is_error": True}), exit_code=0)

    assert report.problem is not None
    assert report.text == ""


def test_the_end_of_a_program_that_said_no_result_names_its_last_words() -> None:
    _, report = read(b"error: out of memory\n", exit_code=1)

    assert report.problem is not None
    assert report.problem.kind is ProblemKind.BROKEN
    assert "error: out of memory" in report.problem.reason
    assert "exit status 1" in report.problem.reason


def test_a_run_that_was_stopped_has_no_problem() -> None:
    for output in (lines(INIT), lines(INIT, {**DONE, "is_error": True, "subtype": "error_x"})):
        reader = ClaudeReader(nothing)
        assert [*reader.feed(output)]

        report = reader.report(exit_code=0, was_stopped=True)

        assert report.problem is None
        assert report.text == ""
        assert report.session_id == SESSION


def test_what_a_run_cost_that_did_not_say_it_is_what_is_written_down() -> None:
    reader = ClaudeReader({SESSION: 0.3}.__getitem__, cost_before=0.1)
    assert [*reader.feed(lines(INIT))]

    report = reader.report(exit_code=143, was_stopped=True)

    assert report.cost_usd == pytest.approx(0.2)


ERROR = {**DONE, "is_error": True, "terminal_reason": "api_error"}


@pytest.mark.parametrize(
    ("event", "kind", "step"),
    [
        ({"api_error_status": 401, "result": "Invalid API key"}, "login", "valid one"),
        ({"api_error_status": 403, "result": "no"}, "login", "a key that may use"),
        ({"api_error_status": 404, "result": "issue with the model"}, "login", "another"),
        ({"api_error_status": 400, "result": "Credit balance is too low"}, "login", "add credit"),
        ({"api_error_status": 400, "result": "API usage limits"}, "login", "raise its limit"),
        ({"api_error_status": 400, "result": "a disabled organization"}, "login", "another key"),
        ({"result": "Not logged in · Please run /login"}, "login", "where it is: key"),
        ({"api_error_status": 429, "result": "slow down"}, "rate_limit", "by itself"),
        ({"api_error_status": 529, "result": "Overloaded"}, "rate_limit", "by itself"),
        ({"api_error_status": 500, "result": "boom"}, "api", "look at the model's API"),
        ({"result": "API Error: Connection refused"}, "api", "look at the model's API"),
        ({"api_error_status": 400, "result": "tools.3: bad"}, "invalid", "new conversation"),
        ({"api_error_status": 422, "result": "bad"}, "invalid", "new conversation"),
        ({"terminal_reason": "image_error", "result": "too large"}, "invalid", "does not take"),
        ({"api_error_status": 400, "result": "Prompt is too long · x"}, "prompt", "less at once"),
        ({"api_error_status": 413, "result": "Request too large"}, "prompt", "smaller files"),
        ({"stop_reason": "refusal", "result": "flagged"}, "refusal", "other words"),
        ({"subtype": "error_max_turns", "errors": ["(9)"]}, "turns", "go on"),
        ({"subtype": "error_max_budget_usd", "errors": ["($1)"]}, "budget", "go on"),
        (
            {"terminal_reason": "x", "permission_denials": [{"tool_name": "Bash"}]},
            "denied",
            "managed settings",
        ),
        ({"terminal_reason": "x", "errors": ["odd"]}, "broken", "hotdesk doctor"),
    ],
)
def test_each_problem_ends_with_the_next_step(
    event: dict[str, object], kind: str, step: str
) -> None:
    _, report = read(lines(INIT, {**ERROR, **event}))

    assert report.problem is not None
    assert report.problem.kind == kind
    assert step in report.problem.reason.partition("Next: ")[2]


@pytest.mark.parametrize(
    ("kind", "ends"),
    [("invalid", True), ("prompt", True), ("api", False), ("rate_limit", False), ("login", False)],
)
def test_what_ends_a_conversation_is_what_stands_in_it(kind: str, *, ends: bool) -> None:
    problem = Problem(kind=ProblemKind(kind), reason="it says why")

    assert problem.ends_conversation is ends
    assert not (ends and (problem.is_retryable or problem.is_given_back))


def test_an_option_that_is_not_known_before_the_beginning_is_not_tried_again() -> None:
    words = b"error: unknown option '--system-prompt-snapshot'\n"
    _, report = read(words, exit_code=1)
    _, later = read(lines(INIT) + words, exit_code=1)

    assert report.problem is not None
    assert later.problem is not None
    assert report.problem.kind is ProblemKind.VERSION
    assert not report.problem.is_retryable
    assert "--system-prompt-snapshot" in report.problem.reason
    assert "install the newest version" in report.problem.reason.partition("Next: ")[2]
    # What the agent's own work printed says nothing of its version.
    assert later.problem.kind is ProblemKind.BROKEN


def test_what_the_agent_itself_says_of_money_is_no_problem_of_an_account() -> None:
    _, report = read(lines(INIT, {**DONE, "is_error": True, "result": "the billing page"}))

    assert report.problem is not None
    assert report.problem.kind is ProblemKind.BROKEN


@pytest.mark.parametrize(
    ("events", "has_ended"),
    [
        ((INIT,), False),
        ((INIT, DONE), True),
        ((INIT, {**DONE, "is_error": True}), True),
        ((INIT, DONE, INIT), False),
        ((INIT, DONE, talk({"type": "text", "text": "more"})), False),
        ((INIT, DONE, talk(role="user")), False),
        ((INIT, DONE, INIT, DONE), True),
        ((INIT, DONE, "a last word", {"type": "system", "subtype": "notice"}), True),
    ],
)
def test_it_has_ended_with_a_result_unless_it_goes_on_to_work(
    events: Sequence[object], *, has_ended: bool
) -> None:
    reader = ClaudeReader(nothing)

    assert [*reader.feed(lines(*events))]
    assert reader.has_ended is has_ended


def test_a_refusal_is_one_though_the_program_calls_it_a_success() -> None:
    _, report = read(lines(INIT, {**DONE, "stop_reason": "refusal"}))

    assert report.problem is not None
    assert report.problem.kind is ProblemKind.REFUSAL


def test_the_user_is_told_what_was_not_permitted() -> None:
    denied = [{"tool_name": "WebFetch"}, {"tool_name": "Bash"}, {"tool_name": 3}, None]
    _, report = read(lines(INIT, {**DONE, "permission_denials": denied}))

    assert report.text == "It is blue now.\n\n(It was not permitted to use Bash, WebFetch.)"


def test_what_is_said_is_the_same_however_it_is_cut() -> None:
    output = lines(INIT, talk({"type": "text", "text": "größer ✓"}), DONE) + b"no json"

    expected = read(output)

    for size in (1, 2, 3, 7, 64):
        signs, report = read(output, size=size)
        assert (said(signs), report) == (said(expected[0]), expected[1])


def test_a_line_that_is_too_long_is_left_out_and_said_to_be() -> None:
    long = b'{"type":"assistant","x":"' + b"x" * (LINE_BYTES_MAX + 1) + b'"}\n'
    reader = ClaudeReader(nothing)
    signs: list[Sign] = []

    for at in range(0, len(long), 60_000):
        signs += reader.feed(long[at : at + 60_000])
        assert len(reader._lines._held) <= LINE_BYTES_MAX
    signs += reader.feed(lines(INIT, DONE))

    assert signs[0] == Said(text="[a line of more than 4 MiB was left out]\n")
    assert reader.report(exit_code=0, was_stopped=False).text == "It is blue now."


def test_nothing_that_a_terminal_obeys_comes_out() -> None:
    evil = "\x1b]0;title\x07\x1b[2J\x1b[31mred\x9b1m\x00\x08\u202egnp.exe\ud800"
    output = lines(
        {**INIT, "model": evil},
        talk({"type": "text", "text": evil}),
        use(evil, command=evil),
        use("Write", file_path=f"/srv/space/{evil}"),
        {**DONE, "result": evil},
    )

    signs, report = read(output + evil.encode(errors="replace") + b"\n")

    shown = f"{signs}{report}".replace("\\n", "")
    told = [sign.text for sign in signs if isinstance(sign, Said)]
    assert all(each.isprintable() or each == "\n" for text in told for each in text)
    assert "\\x" not in shown
    assert "\\u" not in shown
    assert "title" not in shown
    assert report.text == "redgnp.exe?"


def test_a_key_that_is_printed_is_replaced() -> None:
    key = "sk-ant-api03-AbC_dEf-123456"
    output = lines(
        INIT,
        talk({"type": "text", "text": f"it is {key}."}),
        use("Bash", command=f"curl -H {key} x"),
        {**ERROR, "errors": [key], "result": key},
    )

    signs, report = read(output + f"x {key}\n".encode())

    assert key[7:] not in f"{signs}{report}"
    assert "it is ***." in said(signs)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.data())
def test_no_type_in_any_field_is_too_much(data: st.DataObject) -> None:
    events = []
    for event in (INIT, use("Edit", file_path="a"), {**ERROR, "api_error_status": 401}, DONE):
        broken = dict(event)
        broken[data.draw(st.sampled_from([*event]))] = data.draw(JSON)
        events.append(broken)

    signs, report = read(lines(*events))

    assert all(isinstance(sign, Said | Began | Used) for sign in signs)
    assert isinstance(report.text, str)
    assert report.cost_usd is None or 0 <= report.cost_usd < 1e7
    assert 0 <= report.tokens_in < 10**14


@given(st.binary(max_size=200))
def test_no_bytes_are_too_much(output: bytes) -> None:
    _, report = read(output, size=7)

    assert report.problem is not None


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":' + b"[" * 100_000 + b"\n",
        b'{"type":"result","num_turns":' + b"9" * 5_000 + b"}\n",
        b'{"type":"result","is_error":false,"subtype":"success","total_cost_usd":NaN}\n',
        b"{}\n",
        b"\xff\xfe{\n",
    ],
)
def test_no_json_is_too_odd(line: bytes) -> None:
    _, report = read(lines(INIT) + line)

    assert report.text == ""
    assert not report.cost_usd


def test_a_line_full_of_strings_that_never_end_holds_up_nobody() -> None:
    # The test has 20 seconds; quadratic, it would take days.
    assert printable("\x90" * 2**21 + "\x1bX") == ""
