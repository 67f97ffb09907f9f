"""Named SQL, read once from the ``.sql`` files beside this module."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def statements() -> dict[str, str]:
    """Every statement by its name."""
    found: dict[str, str] = {}
    for source in sorted(files(__package__).iterdir(), key=lambda each: each.name):
        if source.name.endswith(".sql"):
            _, *parts = _NAME.split(source.read_text())
            for name, text in zip(parts[::2], parts[1::2], strict=True):
                assert name not in found, f"two statements are called {name}"
                found[name] = text.strip()
    return found


@cache
def migrations() -> tuple[str, ...]:
    """The scripts that bring a file from schema *n* to *n + 1*, in order."""
    folder = files(__package__) / "migrations"
    return tuple(
        script.read_text()
        for script in sorted(folder.iterdir(), key=lambda each: each.name)
        if script.name.endswith(".sql")
    )
