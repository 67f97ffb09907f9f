"""What Claude Code has written down of a conversation: one JSON object a line.

The agent can write these files itself, so they decide nothing but what is told again and how
much of a sum was spent before.
"""

import json
import math
import re
from pathlib import Path

from hotdesk.agents.memory import LINE_BYTES_MAX, find, lines

SESSION_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
USD_MAX = 1e6


def read_transcript(session: Path, folder: str, session_id: str) -> bytes:
    """Return the conversation, from ``FOLDER/<any>/<id>.jsonl``; empty if it cannot be had.

    It stands below the folder of the workspace where it began, whatever that is called. Blocks,
    like ``memory.find``.
    """
    found = find(session, folder, "*", f"{session_id}.jsonl")
    return found[1] if found else b""


def holds(content: bytes, mark: str) -> bool:
    """Whether a prompt that the agent still has in mind contains *mark*.

    What came before it was made shorter (compacted) counts no more.
    """
    is_held = False
    for line in lines(content, mark, "compact_boundary"):
        match _read(line):
            case {"type": "system", "subtype": "compact_boundary"}:
                is_held = False
            case event:
                is_held = is_held or _is_prompt(event, mark)
    return is_held


def spent(content: bytes) -> float:
    """What the conversation had cost when it was written down last, in dollars."""
    at = content.rfind(b'{"type":"cost-state"')
    if at < 0:
        return 0.0
    # A line that goes on beyond this is cut, and none that can be read.
    match _read(content[at : at + LINE_BYTES_MAX].partition(b"\n")[0]):
        case {"totalCostUSD": int() | float() as usd} if math.isfinite(usd) and 0 <= usd <= USD_MAX:
            return float(usd)
    return 0.0


def _is_prompt(event: object, mark: str) -> bool:
    match event:
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


def _read(line: bytes) -> object:
    try:
        read: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return read
