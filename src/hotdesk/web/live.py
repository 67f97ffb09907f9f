"""What is on the screens, kept up to date: rendered once for all who look at the same.

Who looks at one address in one role stands before one board. Whoever of them finds first that
something happened renders it, one board at a time, and at most once a second; the others get
what was rendered. Renderings have a small share of the time of this process, so that many
boards move more slowly instead of holding up the rest.

A rendering is named by its digest, which is the id of its event. A browser that comes again
says which one it has seen, to this server or to the one before it, and gets what there is now
unless it is the same.
"""

import hashlib
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import anyio

from hotdesk.desks import JobState
from hotdesk.errors import Rejected, Unavailable
from hotdesk.web.access import Role
from hotdesk.web.feed import Place
from hotdesk.web.rendering import Renderer, Shown
from hotdesk.web.screens.screen import Ask, Screen
from hotdesk.web.site import Site
from hotdesk.web.streams import BEGIN, KEEP_ALIVE_SECONDS, SECONDS_MAX, encode

EVERY = 1.0
"""Seconds between two renderings of one board."""
REST = 24
"""How many times as long as a rendering took nothing else is rendered: 4 % of the time."""
REST_MAX = 2.0
SEE_SECONDS_MAX = 10.0
TRY_AGAIN = timedelta(seconds=2)
DEAD_COUNTED_MAX = 10
DEAD_KINDS = frozenset({"JobEnded", "JobRetried", "JobDiscarded", "RetentionApplied"})
"""What changes the count that stands on every page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A screen as it stood. ``digest`` names it, ``encoded`` is the event that shows it."""

    shown: Shown
    dead: str
    digest: str
    encoded: bytes

    @classmethod
    def of(cls, shown: Shown, dead: str, now: datetime) -> "Rendering":
        """Name it, and write its event."""
        content = {"title": shown.title, "html": shown.html, "dead": dead}
        digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:20]
        told = json.dumps({**content, "now": int(now.timestamp() * 1000)})
        return cls(
            shown=shown,
            dead=dead,
            digest=digest,
            encoded=encode(told, id=digest, event="shown"),
        )


@dataclass(slots=True, kw_only=True, eq=False)
class Board:
    """One address, as one role sees it, for as long as somebody looks."""

    screen: Screen[Any]
    ask: Ask
    role: Role
    watchers: int = 0
    rendering: Rendering | None = None
    writes: int = -1
    place: Place = field(default_factory=lambda: Place(0))
    ready_at: float = 0.0
    turn: anyio.Lock = field(default_factory=anyio.Lock)


class Boards:
    """All that is looked at."""

    def __init__(self, here: Site, renderer: Renderer) -> None:
        """Nobody looks yet."""
        self._here = here
        self._renderer = renderer
        self._boards: dict[tuple[str, str, Role], Board] = {}
        self._turn = anyio.Lock()
        self._rests_until = 0.0
        self._dead = ("", -1)

    async def render(self, screen: Screen[Any], ask: Ask, role: Role) -> Rendering:
        """See and render a screen as it stands.

        Raises:
            HotdeskError: What ``see`` raises.
        """
        view = await screen.see(self._here, ask)
        now = self._here.clock.now()
        shown = self._renderer.shown(screen.template, view, role, now)
        return Rendering.of(shown, await self._dead_letters(), now)

    async def follow(
        self,
        screen: Screen[Any],
        ask: Ask,
        role: Role,
        *,
        seen: str,
        is_admitted: Callable[[], bool],
    ) -> AsyncGenerator[bytes, None]:
        """The renderings of a screen that differ from the one *seen*, as they come.

        Ends with the feed, when the reader is not admitted any more, and when what was
        looked at is gone.
        """
        yield BEGIN
        feed, ends = self._here.feed, anyio.current_time() + SECONDS_MAX
        with self._looked_at(screen, ask, role) as board:
            while not feed.is_closed and is_admitted() and anyio.current_time() < ends:
                # Taken before anything is read: what happens meanwhile ends the wait.
                writes, place = feed.writes, feed.end()
                try:
                    rendering = await self._latest(board)
                    if rendering is None:
                        return
                except Rejected:
                    yield encode("{}", event="gone")
                    return
                except (Unavailable, TimeoutError):
                    await self._here.clock.sleep(TRY_AGAIN)
                    continue
                if rendering.digest != seen:
                    seen = rendering.digest
                    yield rendering.encoded
                if await (
                    feed.written(writes, wait=KEEP_ALIVE_SECONDS)
                    if screen.kinds is None
                    else feed.moved(place, wait=KEEP_ALIVE_SECONDS)
                ):
                    yield b": nothing new\n\n"

    @contextmanager
    def _looked_at(self, screen: Screen[Any], ask: Ask, role: Role) -> Iterator[Board]:
        key = (screen.path, ask.model_dump_json(), role)
        board = self._boards.setdefault(key, Board(screen=screen, ask=ask, role=role))
        board.watchers += 1
        try:
            yield board
        finally:
            board.watchers -= 1
            if not board.watchers:
                del self._boards[key]

    async def _latest(self, board: Board) -> Rendering | None:
        """The rendering of *board*, a new one if something happened; ``None`` at the end."""
        feed = self._here.feed
        async with board.turn:
            if board.rendering is not None and not self._has_changed(board):
                return board.rendering
            await feed.rest(board.ready_at)
            async with self._turn:
                await feed.rest(self._rests_until)
                if feed.is_closed:
                    return None
                await self._render(board)
            return board.rendering

    async def _render(self, board: Board) -> None:
        writes, place = self._here.feed.writes, self._here.feed.end()
        began = anyio.current_time()
        try:
            with anyio.fail_after(SEE_SECONDS_MAX):
                board.rendering = await self.render(board.screen, board.ask, board.role)
        finally:
            ended = anyio.current_time()
            board.ready_at = ended + EVERY
            self._rests_until = ended + min(REST_MAX, REST * (ended - began))
        board.writes, board.place = writes, place

    def _has_changed(self, board: Board) -> bool:
        feed = self._here.feed
        if board.screen.kinds is None:
            return board.writes != feed.writes
        kept = feed.since(board.place)
        wanted = board.screen.kinds | DEAD_KINDS
        if kept is None or any(each.event.kind in wanted for each in kept):
            return True
        board.place = feed.end()
        return False

    async def _dead_letters(self) -> str:
        """How many there are, in a word; empty for none. Counted once for each write."""
        counted, writes = self._dead
        now = self._here.feed.writes
        if writes != now:
            found = await self._here.backend.jobs(state=JobState.DEAD, limit=DEAD_COUNTED_MAX)
            many = f"{DEAD_COUNTED_MAX - 1}+"
            counted = many if len(found) == DEAD_COUNTED_MAX else str(len(found) or "")
            self._dead = (counted, now)
        return counted
