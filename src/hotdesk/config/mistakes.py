"""Mistakes in the configuration, all at once, in words for the one who made them."""

import difflib
import re
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hotdesk.config.layers import Key, dotted
from hotdesk.config.sections import CHOSEN, settings
from hotdesk.errors import ConfigError

FOUND_LENGTH_MAX = 60


class ConfigMistakes(ConfigError):
    """Every mistake that was found, each with its key."""

    def __init__(self, mistakes: Sequence[ConfigError]) -> None:
        """Say all of *mistakes*, one a line."""
        super().__init__("configuration", f"{len(mistakes)} settings are wrong")
        self.mistakes = tuple(mistakes)
        self.args = ("\n".join(str(each) for each in mistakes),)


def mistakes_of(error: ValidationError, origin: Callable[[Key], str]) -> ConfigMistakes:
    """Put what pydantic found into words; *origin* says where a setting came from."""
    return ConfigMistakes([_mistake(each, origin) for each in error.errors(include_url=False)])


def _mistake(error: ErrorDetails, origin: Callable[[Key], str]) -> ConfigError:
    key = tuple(str(part) for part in error["loc"])
    name = dotted(key) or "configuration"
    where = f", in {origin(key)}" if origin(key) else ""
    match error["type"]:
        case "extra_forbidden":
            return ConfigError(name, f"is not a setting{where}", _similar(key))
        case "missing":
            return ConfigError(name, "is missing")
        case "hidden":
            return ConfigError(name, f"{error['msg']}{where}")
    found = _found(error["input"], is_table_due=error["type"] in ("dict_type", "model_type"))
    return ConfigError(name, f"{_problem(error['msg'])}, found {found}{where}")


def _problem(message: str) -> str:
    """Say it without pydantic's words for what stands in the file."""
    words = re.sub(r"^(?:Input|String|Tuple) should", "should", message)
    words = re.sub(r"valid dictionary(?: or instance of \w+)?", "table", words)
    return words.replace("valid tuple", "list").replace("valid string", "text")


def _similar(key: Key) -> str:
    """Guess what was meant: a setting spelled otherwise, or one of another table."""
    chosen = key[1] if key[0] == "projects" and len(key) > 1 else CHOSEN
    known = [tuple(chosen if part == CHOSEN else part for part in key) for key, _ in settings()]
    close = difflib.get_close_matches(dotted(key), map(dotted, known), n=1)
    namesake = [dotted(each) for each in known if each[-1] == key[-1]]
    return f"did you mean {[*namesake, *close][0]}?" if namesake or close else ""


def _found(value: object, *, is_table_due: bool) -> str:
    match value:
        case str() if is_table_due:
            return "a text"  # Which may be a secret that belongs into the table.
        case dict() | BaseModel():
            return "a table"
        case list() | tuple():
            return "a list"
        case _:
            return repr(value)[:FOUND_LENGTH_MAX]
