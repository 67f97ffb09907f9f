"""Pages of lists, and the cursors that lead from one to the next.

A cursor is opaque to whoever holds it, and belongs to the list that it came from: the
place where that goes on, with a digest of the place and of what was asked for. It is no
secret and grants nothing, so the digest needs no key; it tells a cursor that was changed,
cut off or taken to another list from one of ours.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import TypeVar

from hotdesk.errors import Rejected
from hotdesk.ports import Page
from hotdesk.web.records import PageRecord

T = TypeVar("T")
R = TypeVar("R")

_DIGEST_BYTES = 9


def shown_page(found: Page[T], asked: Sequence[object], shown: Callable[[T], R]) -> PageRecord[R]:
    """Show a page of the store, with the cursor of the next one."""
    return PageRecord(
        items=[shown(each) for each in found],
        next=cursor_of(found.next, *asked) if found.next else None,
    )


def place_in(cursor: str | None, asked: Sequence[object]) -> str:
    """Where the store begins the page that *cursor* leads to, or the first one.

    Raises:
        Rejected: It is not one of ours, or belongs to another list.
    """
    return "" if cursor is None else place_of(cursor, *asked)


def cursor_of(place: str, *asked: object) -> str:
    """The cursor for *place* in the list that was *asked* for."""
    content = _digest(place, asked) + place.encode()
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def place_of(cursor: str, *asked: object) -> str:
    """The place behind a cursor of the same list.

    Raises:
        Rejected: It is not one of ours, or belongs to another list.
    """
    try:
        content = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        place = content[_DIGEST_BYTES:].decode()
    except ValueError:
        place = ""
    # Compared as a whole: base64 may be written in several ways, and one of them is ours.
    if not place or cursor_of(place, *asked) != cursor:
        raise Rejected("this cursor does not belong to this list; begin without one")
    return place


def _digest(place: str, asked: Sequence[object]) -> bytes:
    return hashlib.sha256(repr([place, *map(str, asked)]).encode()).digest()[:_DIGEST_BYTES]
