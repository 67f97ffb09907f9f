"""No output of an agent, however it is made, does more than fill a log."""

import json
import tracemalloc
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotdesk.agents.aider import REPLY_CHARACTERS_MAX, Aider
from hotdesk.agents.codex import Codex
from hotdesk.agents.dialect import Dialect
from hotdesk.agents.gemini import Gemini
from hotdesk.agents.opencode import OpenCode
from hotdesk.agents.stream import TEXT_CHARACTERS_MAX, TOKENS_MAX
from tests.presets.reading import WORKSPACE, read, said, seen, used

PRESETS: Sequence[Dialect] = (Codex(), OpenCode(), Gemini(), Aider())
every = pytest.mark.parametrize("dialect", PRESETS, ids=lambda each: each.name)
MIB = 2**20

WORDS = st.sampled_from(
    [
        *("type", "item", "part", "state", "tokens", "cache", "usage", "stats", "error", "data"),
        *("thread.started", "turn.completed", "turn.failed", "item.completed", "item.started"),
        *("command_execution", "file_change", "changes", "agent_message", "mcp_tool_call"),
        *("step_start", "step_finish", "tool_use", "text", "reason", "stop", "cost", "input"),
        *("init", "message", "role", "assistant", "content", "result", "status", "success"),
        *("thread_id", "session_id", "message", "statusCode", "path", "tool_name", "parameters"),
    ]
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.text(max_size=20)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=6)),
    max_leaves=20,
)
EVENTS = st.dictionaries(WORDS, VALUES, max_size=6).map(json.dumps).map(str.encode)
LINES = st.one_of(EVENTS, st.binary(max_size=40), st.just(b"litellm.X: y"), st.just(b"[" * 5000))

DONE: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "codex": [
        {"type": "item.completed", "item": {"type": "agent_message", "text": "TEXT"}},
        {"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 10**40}},
    ],
    "opencode": [
        {"type": "text", "part": {"text": "TEXT"}},
        {"type": "step_finish", "part": {"reason": "stop", "tokens": {"output": 10**40}}},
    ],
    "gemini": [
        {"type": "message", "role": "assistant", "content": "TEXT"},
        {"type": "result", "status": "success", "stats": {"output_tokens": 10**40}},
    ],
}
TOUCHED: Mapping[str, Mapping[str, Any]] = {
    "codex": {
        "type": "item.completed",
        "item": {"type": "file_change", "changes": [{"path": "PATH"}]},
    },
    "opencode": {
        "type": "tool_use",
        "part": {"tool": "write", "state": {"input": {"filePath": "PATH"}}},
    },
    "gemini": {"type": "tool_use", "tool_name": "write", "parameters": {"file_path": "PATH"}},
}
speaking = pytest.mark.parametrize("dialect", PRESETS[:3], ids=lambda each: each.name)


def lines(events: Sequence[Mapping[str, Any]], **words: str) -> bytes:
    text = "".join(f"{json.dumps(event)}\n" for event in events)
    for name, word in words.items():
        text = text.replace(name, json.dumps(word)[1:-1])
    return text.encode()


@every
@settings(max_examples=40, deadline=None)
@given(output=st.lists(LINES, max_size=12), size=st.integers(1, 200), code=st.integers(0, 255))
def test_whatever_is_printed_is_read_and_judged(
    dialect: Dialect, output: list[bytes], size: int, code: int
) -> None:
    signs, report = read(dialect, b"\n".join(output), size=size, exit_code=code)

    assert "\x1b" not in said(signs)
    assert (report.problem is None) or report.text == ""
    assert report.tokens_in >= 0
    assert report.cost_usd is None or report.cost_usd >= 0


@every
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_real_output_with_any_piece_of_it_spoiled_is_read(
    dialect: Dialect, data: st.DataObject
) -> None:
    output = seen(f"{dialect.name}_work")
    at = data.draw(st.integers(0, len(output)))
    spoiled = output[:at] + data.draw(st.binary(max_size=8)) + output[at + 3 :]

    _, report = read(dialect, spoiled)

    assert report.problem is None or "Next: " in report.problem.reason


@every
def test_a_line_without_end_takes_little_memory_and_says_so(dialect: Dialect) -> None:
    chunk = b"x" * MIB

    tracemalloc.start()
    try:
        reader_signs, _ = read(dialect, b"".join([chunk] * 10) + b"\nend\n", size=65_536)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert "[a line of more than 4 MiB was left out]\nend\n" in said(reader_signs)
    # The output itself and a copy in pieces are the test's own.
    assert peak < 40 * MIB


@every
def test_what_is_nested_without_end_is_no_event(dialect: Dialect) -> None:
    signs, _ = read(dialect, b'{"type":' + b"[" * 100_000 + b"\n")

    assert said(signs).startswith('{"type":[[[')


@every
def test_what_is_no_text_is_shown_as_such(dialect: Dialect) -> None:
    signs, report = read(
        dialect, b"\xff\xfe \x1b]0;title\x07\x1b[31mred\x1b[0m\x00\r\n", exit_code=1
    )

    assert said(signs) == "\ufffd\ufffd red\n"
    assert report.problem is not None
    assert "\x1b" not in report.problem.reason


@speaking
def test_no_answer_is_longer_than_a_mail_can_be(dialect: Dialect) -> None:
    _, report = read(dialect, lines(DONE[dialect.name], TEXT="a" * MIB))

    assert report.problem is None
    assert len(report.text) <= TEXT_CHARACTERS_MAX


@speaking
def test_no_number_is_larger_than_can_be_counted(dialect: Dialect) -> None:
    _, report = read(dialect, lines(DONE[dialect.name]))

    assert report.tokens_out == TOKENS_MAX


@speaking
def test_escape_sequences_in_an_answer_go_nowhere(dialect: Dialect) -> None:
    signs, report = read(dialect, lines(DONE[dialect.name], TEXT="a\x1b[2Jb\u202ec"))

    assert report.text == "abc"
    assert "\x1b" not in said(signs)


@speaking
@pytest.mark.parametrize("path", ["/etc/passwd", "../other", f"{WORKSPACE}/../x", "a/../../b"])
def test_a_file_outside_of_the_workspace_is_not_named(dialect: Dialect, path: str) -> None:
    signs, _ = read(dialect, lines([TOUCHED[dialect.name]], PATH=path))

    assert [target for _, target in used(signs)] == [""]
    assert path not in said(signs)


@speaking
@pytest.mark.parametrize("path", ["a/b.txt", f"{WORKSPACE}/a/b.txt", "./a//b.txt"])
def test_a_file_within_it_is_named_from_there(dialect: Dialect, path: str) -> None:
    signs, _ = read(dialect, lines([TOUCHED[dialect.name]], PATH=path))

    assert [target for _, target in used(signs)] == ["a/b.txt"]


@pytest.mark.parametrize("name", ["--last", "../../etc/passwd", "a b", "*", "x" * 1000])
def test_only_what_looks_like_a_conversation_is_one(name: str) -> None:
    for dialect, event in (
        (Codex(), {"type": "thread.started", "thread_id": name}),
        (Gemini(), {"type": "init", "session_id": name}),
    ):
        _, report = read(dialect, lines([event]))

        assert report.session_id == ""


def test_a_long_line_that_could_be_the_name_of_a_file_holds_up_nobody() -> None:
    # The test has 20 seconds; tried in every way, it would take minutes.
    line = b"." * (REPLY_CHARACTERS_MAX - 10) + b"\nyes\nTokens: 1 sent, 1 received. \n"

    _, report = read(Aider(), line)

    assert report.text.startswith("...")
