"""Results and origins as the JSON text that each store keeps of them.

JSON has lists where a value has tuples, and what an older version wrote lacks some fields.
"""

import json
from dataclasses import asdict
from typing import Any

from hotdesk.desks import Origin, Result

_NO_ORIGIN = Origin()


def origin_text(origin: Origin) -> str:
    """What is stored of an origin; the usual one costs nothing."""
    return "" if origin == _NO_ORIGIN else json.dumps(asdict(origin))


def origin_of(text: str) -> Origin:
    """The inverse of ``origin_text``."""
    return Origin(**_fields(text)) if text else _NO_ORIGIN


def result_text(result: Result | None) -> str | None:
    """What is stored of a result."""
    return None if result is None else json.dumps(asdict(result))


def result_of(text: str | None) -> Result | None:
    """The inverse of ``result_text``."""
    return None if text is None else Result(**_fields(text))


def _fields(text: str) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in json.loads(text).items()
    }
