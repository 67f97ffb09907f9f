"""The agent of a chaos run: a small program that works in steps, and says so elsewhere.

It imports nothing of Hotdesk. What it is to do stands in one line of its instruction,
``chaos n=17 work=1.5 how=plain``; how it misbehaves too. Each step is a line to the trace
that ``--trace`` names, with the time of the machine's monotonic clock, and a line of a file
of the workspace. The generation is the name of the folder it works in.
"""

import argparse
import json
import os
import re
import signal
import socket
import sys
import time
from pathlib import Path

WISH = re.compile(r"chaos n=(\d+) work=([\d.]+) how=(\w+)")
STEP_SECONDS = 0.1
CHILD_SECONDS = 30.0
CANNOT = 65  # EX_DATAERR: asking again would not help.
TRY_AGAIN = 75  # EX_TEMPFAIL.
STOPPED = 130  # As of a program that SIGINT ended.


class Witness:
    """A connection to the trace; it ends with this process, whatever ends that."""

    def __init__(self, address: str, job: dict[str, object]) -> None:
        """Introduce the run of *job*."""
        host, _, port = address.rpartition(":")
        self._job = {
            "job": job["id"],
            "desk": job["desk"],
            "thread": job["thread"],
            "attempt": job["attempt"],
            "generation": int(Path.cwd().name),
            "folded": [each["job_id"] for each in job["folded"]],  # type: ignore[attr-defined] # JSON
        }
        self._connection = socket.create_connection((host, int(port)), 20)

    def tell(self, what: str) -> None:
        """Say that something happens now."""
        line = json.dumps({"what": what, "at": time.monotonic(), **self._job})
        self._connection.sendall(line.encode() + b"\n")


def leave_a_child(address: str, job: dict[str, object]) -> None:
    """Start a process that has nothing to do with this one any more, and goes on."""
    if os.fork():
        return
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    witness = Witness(address, job)
    for _ in range(int(CHILD_SECONDS / STEP_SECONDS)):
        witness.tell("child")
        time.sleep(STEP_SECONDS)
    os._exit(0)


def work(witness: Witness, diary: Path, seconds: float, label: str) -> bool:
    """Write a line to *diary* at each step; return whether it came to its end."""
    is_asked = False

    def heed(*_: object) -> None:
        nonlocal is_asked
        is_asked = True

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, heed)
    ends = time.monotonic() + seconds
    step = 0
    while time.monotonic() < ends and not is_asked:
        step += 1
        with diary.open("a", encoding="utf-8") as file:
            file.write(f"{label} step {step}\n")
        witness.tell("step")
        time.sleep(STEP_SECONDS)
    return not is_asked


def main() -> int:
    """Carry out one instruction; return the exit status."""
    options = argparse.ArgumentParser()
    options.add_argument("--trace", required=True, help="host:port that is told of each step")
    chosen = options.parse_args()
    variables = os.environ
    job = json.loads(Path(variables["HOTDESK_JOB_FILE"]).read_text(encoding="utf-8"))
    found = WISH.search(sys.stdin.read())
    if not found:
        return CANNOT
    number, seconds, how = found[1], float(found[2]), found[3]
    if how == "hopeless":
        seconds = STEP_SECONDS
    if how == "deaf":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    witness = Witness(chosen.trace, job)
    witness.tell("start")
    if how == "child":
        leave_a_child(chosen.trace, job)
    label = f"{job['id']} attempt {job['attempt']} generation {Path.cwd().name}"
    try:
        Path("jobs").mkdir(exist_ok=True)
        diary = Path("jobs", f"{job['id']}.txt")
        if not work(witness, diary, seconds, label):
            witness.tell("stopped")
            return STOPPED
        if how == "cannot" or (how == "fails" and job["attempt"] == 1) or how == "hopeless":
            witness.tell("failed")
            return CANNOT if how == "cannot" else 1
        with diary.open("a", encoding="utf-8") as file:
            file.write(f"{label} done\n")
        Path(variables["HOTDESK_RESULT_FILE"]).write_text(f"chaos {number} done\n", "utf-8")
    except OSError as error:
        # The disk is full, which passes.
        print(error.strerror)
        return TRY_AGAIN
    witness.tell("end")
    return 0


if __name__ == "__main__":
    sys.exit(main())
