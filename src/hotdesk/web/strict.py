"""JSON as RFC 8259 means it: UTF-8, each name once, no NaN, and not nested without end.

Readers disagree about the rest, and what two of them read differently can be used
against one of them.
"""

import json
from typing import NoReturn

from hotdesk.web.problems import Refused


def check_json(body: bytes | bytearray) -> None:
    """See that *body* is strict JSON.

    Raises:
        Refused: It is not.
    """
    try:
        json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except RecursionError:
        raise Refused(400, "the body is nested too deeply") from None
    except ValueError as error:
        # No JSON, no UTF-8, or a number of 5,000 digits.
        why = error.msg if isinstance(error, json.JSONDecodeError) else "not as RFC 8259 has it"
        raise Refused(400, f"the body is not strict JSON: {why}") from None


def _once(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise Refused(400, "the body is not strict JSON: a name stands twice")


def _refuse(constant: str) -> NoReturn:
    raise Refused(400, f"the body is not strict JSON: {constant} is no number")
