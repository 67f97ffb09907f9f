"""How plain values stand in DynamoDB's items; refuses what no item of ours holds."""

from collections.abc import Mapping
from datetime import UTC, datetime

Value = None | bool | int | str | list["Value"] | dict[str, "Value"]
Item = dict[str, Value]
Wire = dict[str, object]


def encode(value: Value) -> Wire:
    """One value as DynamoDB's JSON. Floats are kept inside JSON texts, never as numbers."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case list():
            return {"L": [encode(each) for each in value]}
        case dict():
            return {"M": encode_item(value)}


def encode_item(item: Mapping[str, Value]) -> dict[str, Wire]:
    """An item as DynamoDB's JSON."""
    return {name: encode(value) for name, value in item.items()}


def decode(wire: Mapping[str, object]) -> Value:
    """The inverse of ``encode``."""
    [(kind, value)] = wire.items()
    match kind, value:
        case "NULL", _:
            return None
        case "BOOL", bool(flag):
            return flag
        case "S", str(text):
            return text
        case "N", str(digits):
            return int(digits)
        case "L", list(several):
            return [decode(each) for each in several]
        case "M", dict(fields):
            return decode_item(fields)
        case _:
            raise AssertionError(f"no item of ours holds a {kind}")


def decode_item(wire: Mapping[str, Mapping[str, object]]) -> Item:
    """The inverse of ``encode_item``."""
    return {name: decode(value) for name, value in wire.items()}


def stamp(instant: datetime) -> str:
    """An instant as a text of fixed width, so that texts sort as the instants do."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def stamped(instant: datetime, name: str) -> str:
    """An instant with a name, so that two of one instant have an order."""
    return f"{stamp(instant)} {name}"


def stamped_until(instant: datetime) -> str:
    """At or behind what is ``stamped`` with *instant* or an earlier one, and nothing else."""
    return f"{stamp(instant)}~"


def instant_of(text: str) -> datetime:
    """The inverse of ``stamp``; also of what a workflow writes, which has milliseconds."""
    return datetime.fromisoformat(text)


def stamp_or_none(instant: datetime | None) -> str | None:
    """``stamp`` where there may be none."""
    return None if instant is None else stamp(instant)


def instant_or_none(text: str | None) -> datetime | None:
    """The inverse of ``stamp_or_none``."""
    return None if text is None else instant_of(text)


def serial(number: int) -> str:
    """A number as a text of fixed width, so that texts sort as the numbers do."""
    return f"{number:018d}"
