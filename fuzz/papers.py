"""What holds for settings, commit messages, job files and answers of agents."""

from __future__ import annotations

import json
import re
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from hotdesk.config import ConfigMistakes, load
from hotdesk.errors import ConfigError
from hotdesk.runners.jobfile import RESULT_BYTES_MAX, RESULT_FILE, answer
from hotdesk.workspaces.commits import Stamp, message, read_log

GENERATION_READ_MAX = 10**15 - 1
SECRET_LENGTH_MIN = 5
MESSAGE_BYTES_MAX = 100_000
END_OF_MESSAGE = "-" * 24 + " >8 " + "-" * 24

_SECRETIVE = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)


def settings(data: bytes) -> None:
    """A file of settings is taken, or every mistake is named by its key; no secret is."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "hotdesk.toml"
        file.write_bytes(data)
        try:
            loaded = load(file)
        except ConfigError as error:
            check_mistakes(error, file)
            return
    config = loaded.config
    list(loaded.values())
    assert config.pool.limits.workers_min <= config.pool.limits.workers_max
    assert config.worker.limits.heartbeat * 3 == config.worker.limits.lease
    assert config.limits.limits.attempts_max > 0
    for project in config.projects.values():
        assert project.senders is not None
        assert project.identity.email
    list(config.secret_files())


def check_mistakes(error: ConfigError, file: Path) -> None:
    """Hold a report to naming the file, or the key of each mistake; and to no secret."""
    if not isinstance(error, ConfigMistakes):
        assert error.key
        return
    assert error.mistakes
    for mistake in error.mistakes:
        assert mistake.key
        assert mistake.problem
    check_nothing_secret(file.read_text(encoding="utf-8"), str(error))


def check_nothing_secret(text: str, said: str) -> None:
    """Hold a report of mistakes to not repeating what stands where secrets stand."""
    tree = tomllib.loads(text)
    hidden = {value for name, value in _texts("", tree) if _SECRETIVE.search(name)}
    shown = {value for name, value in _texts("", tree) if not _SECRETIVE.search(name)}
    for secret in hidden:
        if len(secret) >= SECRET_LENGTH_MIN and not any(secret in each for each in shown):
            assert secret not in said


def trailers(data: bytes) -> None:
    """What a commit says about itself is read as it was written, below any text."""
    text = data.decode("utf-8", "replace")
    stamp = Stamp(desk="amelia#scott", generation=7, job="j1", is_partial=len(data) % 2 == 1)
    raw = message(text, stamp)
    *above, trailer = raw.decode().rstrip("\n").split("\n\n")
    assert above[0].strip()
    assert len(raw) <= MESSAGE_BYTES_MAX
    assert trailer.split("\n") == stamp.lines()
    assert Stamp.read(trailer.split("\n")) == stamp
    assert END_OF_MESSAGE not in raw.decode()
    for commit, found in read_log(data):
        assert commit
        assert 0 <= found.generation <= GENERATION_READ_MAX


def result(data: bytes) -> None:
    """An agent's answer is text that can be stored, and no more of it than is read."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / RESULT_FILE).write_bytes(data)
        text = answer(Path(folder))
    assert len(text) <= RESULT_BYTES_MAX
    assert json.loads(json.dumps(text)) == text
    text.encode("utf-8")


def _texts(name: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield every value with the names of the tables that it stands in, and those names."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield "", key
            yield from _texts(f"{name}.{key}", inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(name, inner)
    else:
        yield name, str(value)
