"""The attachments of a job as files: those in a bucket are fetched into the agent's home."""

import os
from collections.abc import Sequence
from pathlib import Path

from anyio import to_thread

from hotdesk.errors import AttemptFailed, StoreError, Unavailable
from hotdesk.ports import Archive

REMOTE = "s3://"
FOLDER = "attachments"


async def fetch(
    archive: Archive, attachments: Sequence[str], home: Path, *, owner_uid: int | None
) -> tuple[str, ...]:
    """Return where the attachments are on this machine.

    One that retention has removed is left out: it must not keep the job from running.

    Raises:
        AttemptFailed: The archive did not answer, or the disk is full.
    """
    paths = []
    for number, each in enumerate(attachments):
        if not each.startswith(REMOTE):
            paths.append(each)
            continue
        key = each.removeprefix(REMOTE).partition("/")[2]
        name = key.rpartition("/")[2]
        # What a mail called it was made safe by the intake; here it becomes a path.
        if not key.startswith(f"{FOLDER}/") or name in ("", ".", "..") or "\0" in name:
            continue
        path = home / FOLDER / str(number) / name
        try:
            content = await archive.get(key)
            if content is not None:
                await to_thread.run_sync(_write, path, content, owner_uid)
                paths.append(str(path))
        except (Unavailable, StoreError, OSError) as error:
            raise AttemptFailed(
                f"an attachment cannot be fetched: {error}", is_given_back=True
            ) from error
    return tuple(paths)


def _write(path: Path, content: bytes, owner_uid: int | None) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    if owner_uid is not None:
        for each in (path, path.parent, path.parent.parent):
            os.chown(each, owner_uid, owner_uid)
