"""``hotdesk`` as a process: its output as it comes, and its end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

SECONDS_MAX = 15


class Program:
    """A running command line. Its stderr can be read line by line."""

    def __init__(
        self, arguments: Sequence[str], folder: Path, variables: Mapping[str, str]
    ) -> None:
        environment = {
            "PATH": os.defpath,
            "HOME": str(folder.parent),
            # Many run at once, and none may take the port of another one.
            "HOTDESK_WEB__LISTEN": "127.0.0.1:0",
            **variables,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hotdesk", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def until(self, words: str) -> str:
        """Read stderr up to the line with *words*, and return it."""
        assert self._process.stderr is not None
        seen = []
        for line in self._process.stderr:
            seen.append(line)
            if words in line:
                return line
        raise AssertionError(f"it never said {words!r}, but: {''.join(seen)}")

    def event(self, name: str) -> dict[str, Any]:
        """Read the log up to the event *name*, and return it."""
        record: dict[str, Any] = json.loads(self.until(f'"event": "{name}"'))
        return record

    def signal(self, number: signal.Signals) -> Self:
        self._process.send_signal(number)
        return self

    def finish(self) -> tuple[int, str, str]:
        """Wait for the end; return the exit code, and what is left of stdout and stderr."""
        out, err = self._process.communicate(timeout=SECONDS_MAX)
        return self._process.returncode, out, err

    def end(self) -> None:
        """Kill it if it still runs; its workers end with it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
