"""Where the demo is played: a folder that is made for it and, unless it is kept, removed."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "hotdesk-demo-"
PASS_THROUGH = 0o711  # Root's agents run as another user.


@contextmanager
def stage(*, keep: bool) -> Iterator[Path]:
    """Make a folder; remove it in the end unless *keep*."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    try:
        folder.chmod(PASS_THROUGH)
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
