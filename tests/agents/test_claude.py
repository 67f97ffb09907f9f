"""How Claude Code is started, and what is read of its conversations."""

import json
import os
import shutil
import tracemalloc
from pathlib import Path

import pytest

from hotdesk.agents.claude import GUIDANCE_BYTES_MAX, Claude
from hotdesk.agents.claude_transcript import holds
from hotdesk.agents.dialect import AgentSettings, Turn

SESSION = "1e05275e-06d2-4848-a5b2-e0a6cdaa2717"
MARK = "[hotdesk job j1]"
FILE = f"projects/-old-workspace/{SESSION}.jsonl"


def turn(session: Path, **more: str) -> Turn:
    return Turn(prompt="make it blue", workspace=Path("/w"), session=session, **more)


def prompt(text: str, **more: object) -> dict[str, object]:
    return {"type": "user", "message": {"role": "user", "content": text}, **more}


def write(session: Path, *events: object, name: str = SESSION) -> Path:
    file = session / "projects" / "-old-workspace" / f"{name}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{json.dumps(each, separators=(',', ':'))}\n" for each in events))
    return file


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def test_the_settings_become_options_and_the_prompt_comes_on_its_input(tmp_path: Path) -> None:
    settings = AgentSettings(
        program=("/opt/claude",), model="sonnet", turns_max=7, budget_usd=0.5, key="k", base_url="u"
    )

    made = Claude().invocation(
        settings, turn(tmp_path, session_id=SESSION, guidance="Use tabs.\x00")
    )

    assert made.stdin == b"make it blue"
    assert made.argv[:2] == ("/opt/claude", "-p")
    assert [*made.argv[-10:-6]] == ["--resume", SESSION, "--model", "sonnet"]
    assert [*made.argv[-6:-2]] == ["--max-turns", "7", "--max-budget-usd", "0.500000"]
    assert made.argv[-2] == "--append-system-prompt"
    assert made.argv[-1].endswith("\n\nUse tabs.")
    assert made.env["ANTHROPIC_API_KEY"] == "k"
    assert made.env["ANTHROPIC_BASE_URL"] == "u"
    assert made.env["CLAUDE_CONFIG_DIR"] == str(tmp_path)
    assert "IS_SANDBOX" not in made.env


def test_what_is_not_said_is_left_to_the_program(tmp_path: Path) -> None:
    made = Claude().invocation(AgentSettings(), turn(tmp_path))

    assert made.argv[0] == "claude"
    assert not {"--resume", "--model", "--max-turns"} & {*made.argv}
    assert not {"ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"} & {*made.env}


def test_a_conversation_with_an_odd_name_is_not_resumed(tmp_path: Path) -> None:
    made = Claude().invocation(AgentSettings(), turn(tmp_path, session_id="--settings=evil"))

    assert "--resume" not in made.argv
    assert "--settings=evil" not in made.argv


def test_guidance_without_end_still_fits_into_an_argument(tmp_path: Path) -> None:
    made = Claude().invocation(AgentSettings(), turn(tmp_path, guidance="ü" * 10**6))

    assert GUIDANCE_BYTES_MAX - 1 <= len(made.argv[-1].encode()) < 128 * 1024


def test_a_conversation_remembers_what_was_asked_in_it(tmp_path: Path) -> None:
    write(tmp_path, prompt(f"{MARK}\n\nmake it blue"), prompt("more"))

    assert Claude().remembers(tmp_path, SESSION, MARK)
    assert Claude().remembers(tmp_path, SESSION, f"{MARK}\n\nmake")
    assert Claude().remembers(tmp_path, SESSION, "")
    assert not Claude().remembers(tmp_path, SESSION, "[hotdesk job j2]")


@pytest.mark.parametrize(
    "event",
    [
        {"type": "queue-operation", "content": MARK},
        {"type": "last-prompt", "lastPrompt": MARK},
        {"type": "assistant", "message": {"content": [{"type": "text", "text": MARK}]}},
        {"type": "user", "message": {"content": [{"type": "tool_result", "content": MARK}]}},
        prompt(MARK, isSidechain=True),
        {"type": "user", "message": {"content": [MARK, {"type": "text", "text": 3}]}},
    ],
)
def test_only_what_was_asked_counts_as_remembered(tmp_path: Path, event: object) -> None:
    write(tmp_path, event)

    assert not Claude().remembers(tmp_path, SESSION, MARK)


def test_what_stood_before_a_conversation_was_made_shorter_is_forgotten(tmp_path: Path) -> None:
    boundary = {"type": "system", "subtype": "compact_boundary"}
    write(tmp_path, prompt(MARK), boundary, prompt("[hotdesk job j2]"))

    assert not Claude().remembers(tmp_path, SESSION, MARK)
    assert Claude().remembers(tmp_path, SESSION, "[hotdesk job j2]")


def test_a_conversation_that_is_not_there_is_not_remembered(tmp_path: Path) -> None:
    write(tmp_path, prompt(MARK))

    assert not Claude().remembers(tmp_path, "00000000-0000-4000-8000-000000000000", "")
    assert not Claude().remembers(tmp_path / "nowhere", SESSION, "")
    assert not Claude().remembers(tmp_path, f"../-old-workspace/{SESSION}", "")


@pytest.mark.parametrize("what", ["", "projects", "projects/-old-workspace", FILE])
def test_no_link_is_followed_to_a_conversation(tmp_path: Path, what: str) -> None:
    session, outside = tmp_path / "session", tmp_path / "outside"
    write(outside, prompt(MARK))
    write(session, prompt(MARK))
    assert Claude().remembers(session, SESSION, "")

    remove(session / what)
    (session / what).symlink_to(outside / what)

    assert not Claude().remembers(session, SESSION, "")


def test_a_pipe_is_no_conversation(tmp_path: Path) -> None:
    file = write(tmp_path)
    file.unlink()
    os.mkfifo(file)
    with file.open("r+b", buffering=0) as pipe:
        pipe.write(json.dumps(prompt(MARK)).encode())

        assert not Claude().remembers(tmp_path, SESSION, "")


def test_a_conversation_full_of_rubbish_is_read(tmp_path: Path) -> None:
    file = write(tmp_path)
    deep = b'{"type":"user","message":' + b"[" * 100_000 + MARK.encode()
    file.write_bytes(b"\xff\n" + MARK.encode() + b"\n" + deep + b'\n{"type":"cost-state"\n')

    assert not Claude().remembers(tmp_path, SESSION, MARK)
    assert Claude().reader(turn(tmp_path, session_id=SESSION)) is not None


@pytest.mark.parametrize(("usd", "cost"), [(0.2, 0.05), (-1, 0.25), ("x", 0.25), (True, 0.25)])
def test_what_a_run_cost_is_what_the_conversation_has_cost_since(
    tmp_path: Path, usd: object, cost: float
) -> None:
    write(
        tmp_path,
        {"type": "cost-state", "totalCostUSD": 0.1},
        {"type": "cost-state", "totalCostUSD": usd},
        prompt("x"),
    )
    reader = Claude().reader(turn(tmp_path, session_id=SESSION))
    assert not [*reader.feed(b'{"type":"result","total_cost_usd":0.25}\n')]

    assert reader.report(exit_code=0, was_stopped=False).cost_usd == pytest.approx(cost)


def test_a_conversation_of_very_many_lines_takes_little_memory() -> None:
    content = b"{}\n" * 1_000_000

    tracemalloc.start()
    is_held = holds(content, "mark")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert not is_held
    assert most < len(content)
