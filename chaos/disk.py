"""A small disk of the run's own, which can be filled to the brim and emptied again."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE = "192m"
MOUNT_SECONDS_MAX = 20
CHUNK = b"\0" * (1 << 20)


class Disk:
    """A folder on a file system that nobody else uses, unless it ``cannot_be_filled``."""

    def __init__(self, folder: Path, *, cannot_be_filled: str) -> None:
        """``cannot_be_filled`` says why not, and is empty otherwise."""
        self.folder = folder
        self.cannot_be_filled = cannot_be_filled

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        """Take every byte that is left."""
        assert not self.cannot_be_filled, "this disk belongs to others too"
        size = len(CHUNK)
        with self._ballast.open("ab", buffering=0) as file:
            while size:
                try:
                    file.write(CHUNK[:size])
                except OSError:
                    size //= 2

    def free(self) -> None:
        """Give it back."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """Mount a small disk at *folder* where that is allowed; it is gone when the block ends."""
    folder.mkdir(mode=0o711)
    options = f"size={SIZE},mode=0711"
    problem = _run("mount", "-t", "tmpfs", "-o", options, "hotdesk-chaos", str(folder))
    try:
        yield Disk(folder, cannot_be_filled=problem)
    finally:
        if not problem:
            # Lazily: a process that still holds a file there does not keep it in the tree.
            _run("umount", "--lazy", str(folder))


def _run(*command: str) -> str:
    """Run a command; return why it did not work, or nothing."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=MOUNT_SECONDS_MAX
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stderr.strip() or f"exit status {done.returncode}" if done.returncode else ""
