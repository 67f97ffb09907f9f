"""Settings from several places laid over one another, and where each one came from.

Tables of one name become one table; of anything else the later one counts. Nothing here
knows which settings there are.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hotdesk.errors import ConfigError

Key = tuple[str, ...]

_HEADER = re.compile(r"\s*\[\[?([^\[\]]+)\]")
_SETTING = re.compile(r"""((?:[\w.\s-]|"[^"]*"|'[^']*')++)=""")
_PART = re.compile(r""""([^"]*)"|'([^']*)'|([\w-]+)""")
_BARE = re.compile(r"[\w-]+", re.ASCII)


class Layers:
    """``tree`` is what all layers together say; a later one is stronger."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.tree: dict[str, Any] = {}
        self._origins: dict[Key, str] = {}

    def add_file(self, path: Path) -> None:
        """Lay the TOML file at *path* over the rest.

        Raises:
            ConfigError: It cannot be read, is not TOML, or holds a NUL.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ConfigError(str(path), f"cannot be read: {error.strerror}") from None
        self.add_document(content, str(path))

    def add_document(self, content: bytes, origin: str) -> None:
        """Lay TOML that came from *origin* over the rest.

        Raises:
            ConfigError: It is not TOML, or holds a NUL.
        """
        try:
            text = content.decode("utf-8").replace("\r\n", "\n")
            found = list(_leaves(tomllib.loads(text)))
        except UnicodeDecodeError:
            raise ConfigError(origin, "is not a text in UTF-8") from None
        except RecursionError:
            raise ConfigError(origin, "is nested too deeply") from None
        except ValueError as error:
            # Most are TOMLDecodeError; a number of 5,000 digits is one without that name.
            raise ConfigError(origin, f"is not TOML: {error}") from None
        lines = lines_of(text)
        for key, value in found:
            line = next((lines[key[:n]] for n in range(len(key), 0, -1) if key[:n] in lines), 1)
            self.put(key, value, f"{origin}:{line}")

    def add_text(self, key: Key, text: str, origin: str) -> None:
        """Lay one setting over the rest; lists and tables are written as in TOML."""
        value: object = text
        if text.startswith(("[", "{")):
            try:
                value = tomllib.loads(f"value = {text}")["value"]
            except (ValueError, RecursionError):
                # An address like [::1]:2525, or a mistake, which will be named as one.
                value = text
        self.put(key, value, origin)

    def put(self, key: Key, value: object, origin: str) -> None:
        """Lay one setting over the rest.

        Raises:
            ConfigError: It holds a NUL: no path, program or variable can.
        """
        if any("\0" in text for text in (*key, *_texts(value))):
            raise ConfigError(dotted(key), f"holds a NUL character, in {origin}", "leave it out")
        table = self.tree
        for part in key[:-1]:
            if not isinstance(table.get(part), dict):
                table[part] = {}
            table = table[part]
        # An empty table takes nothing away from one that is there.
        if value != {} or not isinstance(table.get(key[-1]), dict):
            table[key[-1]] = value
        self._origins[key] = origin

    def is_set(self, key: Key) -> bool:
        """Whether any layer says what *key* is; an empty table says nothing of what is in it."""
        table: object = self.tree
        for part in key:
            if not isinstance(table, dict) or part not in table:
                return False
            table = table[part]
        return True

    def origin(self, key: Key) -> str:
        """Say where the setting or the table *key* came from; "" where nobody set it."""
        for length in range(len(key), 0, -1):
            if found := self._origins.get(key[:length]):
                return found
        return next((by for under, by in self._origins.items() if under[: len(key)] == key), "")


def dotted(key: Key) -> str:
    """Write a key as TOML does."""
    return ".".join(part if _BARE.fullmatch(part) else f'"{part}"' for part in key)


def lines_of(text: str) -> dict[Key, int]:
    """On which line each key stands, as far as it can be seen without parsing TOML again."""
    table: Key = ()
    lines: dict[Key, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _parts(header[1])
            lines.setdefault(table, number)
        elif setting := _SETTING.match(line):
            lines.setdefault((*table, *_parts(setting[1])), number)
    return lines


def _parts(name: str) -> Key:
    return tuple("".join(groups) for groups in _PART.findall(name))


def _leaves(tree: Mapping[str, object], at: Key = ()) -> Iterator[tuple[Key, object]]:
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*at, name))
        else:
            yield (*at, name), value


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from _texts(each)
        case dict():
            for key, each in value.items():
                yield from (key, *_texts(each))
