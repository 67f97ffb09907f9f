"""The number of the user that agents run as: each process of ours that starts some has its own.

Where agents have no namespace of their own, that number is what tells one worker's processes
from another's: whoever ends its own ends all that run as it, of whatever deployment.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hotdesk.confinement import UID_DEFAULT, Confinement
from hotdesk.errors import Unavailable
from hotdesk.wiring.lock import lock_file

UIDS_MAX = 256
# Written by root only, and empty after each start of the machine.
MACHINE = Path("/run/hotdesk/uids")


@contextmanager
def own_uid(confinement: Confinement, data_dir: Path) -> Iterator[Confinement]:
    """Give the confinement a user number that no other process of this machine has.

    It is held by a lock on a file, so it is free again when this process ends in any way.
    Where ``/run`` cannot be written, as in containers with a root that is read-only, the
    file is in *data_dir*: it is then not shared with other deployments.

    Raises:
        Unavailable: All numbers are taken.
    """
    if confinement.uid is None:
        yield confinement
        return
    folder = _folder(data_dir)
    for uid in range(UID_DEFAULT, UID_DEFAULT + UIDS_MAX):
        if (lock := lock_file(folder / str(uid))) is not None:
            try:
                yield replace(confinement, uid=uid)
            finally:
                os.close(lock)
            return
    raise Unavailable(f"more than {UIDS_MAX} processes start agents on this machine")


def _folder(data_dir: Path) -> Path:
    # Only what is there on every start: macOS has no /run.
    if MACHINE.parent.parent.is_dir():
        try:
            MACHINE.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            pass
        else:
            return MACHINE
    folder = data_dir / "uids"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
