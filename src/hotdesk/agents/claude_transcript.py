"""What Claude Code has written down of a conversation: one JSON object a line.

The agent can write these files itself, so they decide nothing but what is told again and how
much of a sum was spent before. They are read without following links, and up to a bound.
"""

import json
import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

SESSION_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BYTES_MAX = 64 * 2**20
"""As much as is kept of a session."""
FOLDERS_MAX = 1000
USD_MAX = 1e6

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_transcript(session: Path, folder: str, session_id: str) -> bytes:
    """Return the conversation, from ``FOLDER/<any>/<id>.jsonl``; empty if it cannot be had.

    It stands below the folder of the workspace where it began, whatever that is called.
    """
    try:
        with _opened(session) as outer, _opened(folder, outer) as held, os.scandir(held) as found:
            for entry, _ in zip(found, range(FOLDERS_MAX), strict=False):
                if entry.is_dir(follow_symlinks=False) and (
                    content := _content(held, entry.name, f"{session_id}.jsonl")
                ):
                    return content
    except OSError:
        return b""
    return b""


def holds(content: bytes, mark: str) -> bool:
    """Whether a prompt that the agent still has in mind contains *mark*.

    What came before it was made shorter (compacted) counts no more.
    """
    is_held = False
    # As JavaScript spells it, which is as Python does: most lines need not be parsed.
    spelled = json.dumps(mark, ensure_ascii=False)[1:-1].encode(errors="replace")
    # Line by line: millions of short ones would take gigabytes.
    for line in BytesIO(content):
        if spelled in line:
            is_held = is_held or _is_prompt(line, mark)
        elif b'"compact_boundary"' in line and _kind(_read(line)) == ("system", "compact_boundary"):
            is_held = False
    return is_held


def spent(content: bytes) -> float:
    """What the conversation had cost when it was written down last, in dollars."""
    at = content.rfind(b'{"type":"cost-state"')
    if at < 0:
        return 0.0
    match _read(content[at:].partition(b"\n")[0]):
        case {"totalCostUSD": int() | float() as usd} if math.isfinite(usd) and 0 <= usd <= USD_MAX:
            return float(usd)
    return 0.0


def _is_prompt(line: bytes, mark: str) -> bool:
    match _read(line):
        case {"type": "user", "isSidechain": True}:
            return False
        case {"type": "user", "message": {"content": str(text)}}:
            return mark in text
        case {"type": "user", "message": {"content": list(blocks)}}:
            return any(
                block.get("type") == "text" and mark in str(block.get("text"))
                for block in blocks
                if isinstance(block, dict)
            )
    return False


def _kind(read: object) -> tuple[object, object]:
    return (read.get("type"), read.get("subtype")) if isinstance(read, dict) else ("", "")


def _read(line: bytes) -> object:
    try:
        read: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return read


@contextmanager
def _opened(folder: str | Path, within: int | None = None) -> Iterator[int]:
    held = os.open(folder, _FOLDER, dir_fd=within)
    try:
        yield held
    finally:
        os.close(held)


def _content(within: int, folder: str, name: str) -> bytes:
    try:
        with _opened(folder, within) as held:
            file = os.open(name, _FILE, dir_fd=held)
    except OSError:
        return b""
    try:
        # Asked first: a folder can be opened like this, and a pipe would never end.
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return b""
        with open(file, "rb", closefd=False) as opened:
            return opened.read(BYTES_MAX)
    except OSError:
        return b""
    finally:
        os.close(file)
