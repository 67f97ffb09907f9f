"""How the values of settings are written for people and programs; a secret as its place."""

import json
from collections.abc import Mapping

from hotdesk.config.section import Section
from hotdesk.desks import Json


def plain(value: object) -> Json:
    """Make a setting's value what JSON and TOML can hold."""
    match value:
        case None | bool() | int() | float():
            return value
        case Section():
            return {name: plain(getattr(value, name)) for name in type(value).model_fields}
        case tuple() | list():
            return [plain(each) for each in value]
        case dict():
            return {str(name): plain(each) for name, each in value.items()}
        case _:
            return str(value)


def toml(value: Json) -> str:
    """Write a value as TOML does."""
    match value:
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case Mapping():
            return f"{{ {', '.join(f'{name} = {toml(each)}' for name, each in value.items())} }}"
        case _:
            return json.dumps(value, ensure_ascii=False)
