"""What an agent is told of its job beside the instruction, and what it may answer.

The job file is JSON that only Hotdesk writes; the answer file is the agent's, so it
is read as something hostile: no links, no devices, a bounded number of bytes.
"""

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from hotdesk.desks import Delivery, Json
from hotdesk.ports import Context
from hotdesk.runners.progress import is_progress

JOB_FILE = "job.json"
RESULT_FILE = "result.txt"
RESULT_BYTES_MAX = 100_000


def description(delivery: Delivery, context: Context, attachments: Sequence[str]) -> bytes:
    """The job as an agent may know it: what is asked, and what was begun before."""
    job = delivery.job
    told = {
        "id": job.id,
        "desk": str(job.desk),
        "thread": job.thread,
        "attempt": job.attempt,
        "instruction": job.instruction,
        "source": job.origin.source,
        "attachments": list(attachments),
        "folded": [{**asdict(each), "partial": _shown(each.partial)} for each in context.folded],
        "partial": _shown(context.partial),
        "partial_commit": job.partial_commit,
    }
    # Partial work is any JSON, halves of surrogate pairs included, which no file holds.
    return json.dumps(told, ensure_ascii=False, indent=1).encode(errors="replace")


def _shown(partial: Json) -> Json:
    """Partial work, if it is not what the runner keeps there for itself."""
    return None if is_progress(partial) else partial


def answer(home: Path) -> str:
    """What the agent wrote into the answer file; empty when there is none worth reading."""
    try:
        # Not through a link, and not waiting for the other end of a named pipe.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.open(home / RESULT_FILE, flags)
    except OSError:
        return ""
    try:
        # Asked first: a folder can be opened like this, but not as a file.
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return ""
        with open(file, "rb", closefd=False) as opened:
            return opened.read(RESULT_BYTES_MAX).decode(errors="replace").strip()
    finally:
        os.close(file)
