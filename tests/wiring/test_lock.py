"""Locks: one holder, named by the system, and free when it ends."""

import os
import subprocess
import sys
from pathlib import Path

from hotdesk.wiring.lock import holder_of, lock_file

HOLD = """\
import sys
from pathlib import Path
from hotdesk.wiring.lock import lock_file
assert lock_file(Path(sys.argv[1])) is not None
print("held", flush=True)
sys.stdin.read()
"""


def test_a_folder_is_locked_by_one_process_and_free_when_that_is_killed(here: Path) -> None:
    folder = here / "folder"
    folder.mkdir()
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"

        refused, holder = lock_file(folder), holder_of(folder)
        other.kill()

    lock = lock_file(folder)
    assert refused is None
    assert holder == other.pid
    assert lock is not None
    assert holder_of(folder) == os.getpid()
    os.close(lock)


def test_nobody_holds_what_is_not_locked_or_not_there(here: Path) -> None:
    assert holder_of(here) is None
    assert holder_of(here / "none") is None


def test_children_do_not_inherit_a_lock(here: Path) -> None:
    lock = lock_file(here / "file")
    assert lock is not None
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        os.close(lock)

        again = lock_file(here / "file")
        child.kill()

    assert again is not None
    os.close(again)
