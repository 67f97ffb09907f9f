"""What a screen is: an address, what it may be asked, what it sees, and a template.

A module of screens has ``SCREENS``; if people can act there, it has ``actions``, a router
with POST routes that take forms (see ``acting.py``). ``web/dashboard.py`` names the modules.

Its template extends ``frame.html`` and fills two blocks. ``head`` is the ``h1`` with what
stands beside it, dialogs included; ``live`` is everything below. Both are rendered again and
pushed when something happened, and the page is changed only where they differ: what is being
typed, focus, open dialogs and open ``<details>`` stay. A list keeps its rows apart by ``id``.
An element with ``data-keep`` is never touched again: something else fills it, as
``data-stream="/url"`` does with the HTML of the ``append`` events of a stream.

Templates know ``view`` (what ``see`` gave), ``caller`` (of whom only ``role`` is known, because
one rendering is for all who have that role), ``can_act``, ``now`` and the macros ``parts``.
Spans that grow are left to the browser, ``parts.since``, so that nothing is pushed for them.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, ValidationError

from hotdesk.errors import Rejected
from hotdesk.web.site import Site

ROWS = 50
"""Rows of a list on one page."""


class Ask(BaseModel):
    """What a screen is asked: the parts of its path, and what stands behind the question mark."""

    model_config = ConfigDict(extra="forbid", frozen=True)


AskT = TypeVar("AskT", bound=Ask)


class View(Protocol):
    """What every view has."""

    @property
    def title(self) -> str:
        """What stands in the tab."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen(Generic[AskT]):
    """One screen.

    ``path`` is written as Starlette does, ``/jobs/{job}``. ``nav`` says which entry of the
    navigation is marked. ``see`` may raise the errors of Hotdesk. ``kinds`` are the events
    that change what is seen; ``None`` for everything that is written, even without an event.
    """

    path: str
    template: str
    nav: str
    ask: type[AskT]
    see: Callable[[Site, AskT], Awaitable[View]]
    kinds: frozenset[str] | None = None

    def asked(self, place: Mapping[str, Any], query: Iterable[tuple[str, str]]) -> AskT:
        """Read what is asked. An empty parameter is one that is left out, as forms send it.

        Raises:
            Rejected: Something about it is not usable.
        """
        given: dict[str, Any] = {}
        for name, value in query:
            if name in given or name in place:
                raise Rejected(f"{name} stands twice in the address")
            given[name] = value
        given = {name: value for name, value in given.items() if value}
        try:
            return self.ask.model_validate({**given, **place})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise Rejected(f"{where}: {first['msg']}") from None


def older(path: str, ask: Ask, before: str) -> str:
    """The address of the page of a list that goes on at *before*; empty if none does."""
    if not before:
        return ""
    asked = ask.model_dump(mode="json", exclude_defaults=True, exclude={"before"})
    return f"{path}?{urlencode({**asked, 'before': before})}"
