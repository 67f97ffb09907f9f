"""What is read of a conversation of Claude Code that an agent has filled with anything."""

import json
import os
from pathlib import Path

import pytest

from hotdesk.agents.claude_transcript import holds, read_transcript, spent

SESSION = "5e55105e-0000-4000-8000-000000000001"
MARK = "[hotdesk job j1]"
COST = b'{"type":"cost-state","totalCostUSD":0.25%s}\n'


def prompt(text: str) -> bytes:
    return json.dumps({"type": "user", "message": {"content": text}}).encode() + b"\n"


def folder(session: Path, name: str) -> Path:
    made = session / "projects" / name
    made.mkdir(parents=True)
    return made / f"{SESSION}.jsonl"


@pytest.mark.parametrize(("mebibytes", "is_known"), [(3, True), (5, False)])
def test_a_prompt_in_a_line_that_is_too_long_counts_as_unknown(
    mebibytes: int, *, is_known: bool
) -> None:
    assert holds(prompt(f"{MARK} {'x' * mebibytes * 2**20}"), MARK) is is_known


def test_lines_that_are_too_long_hide_no_other() -> None:
    long = b'{"type":"user","message":"' + b"x" * 5 * 2**20 + b'"}\n'

    assert holds(long + prompt(MARK) + long, MARK)


def test_a_cost_in_a_line_that_is_too_long_is_none() -> None:
    assert spent(COST % b"") == 0.25
    assert spent(COST % b"" + COST % (b',"x":"%s"' % (b"x" * 5 * 2**20))) == 0


def test_of_a_conversation_that_is_there_twice_the_longer_one_is_read(tmp_path: Path) -> None:
    folder(tmp_path, "a").write_bytes(b"short")
    folder(tmp_path, "b").write_bytes(b"the longer one")
    os.mkfifo(folder(tmp_path, "c"))
    folder(tmp_path, "d").symlink_to(tmp_path / "projects/a")

    assert read_transcript(tmp_path, "projects", SESSION) == b"the longer one"
