"""Makes pictures that came by mail fit to be looked at, in a process with very little reach.

A picture is what its content says, never its name. It is decoded by a small program within
the agent's walls and less: no network, no files, bounded memory and time. What that gives
back is taken only if it looks like a picture of ours.
"""

import inspect
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import anyio

from hotdesk.confinement import Confinement, Limits, Network, Walls
from hotdesk.desks import Claim
from hotdesk.errors import AttemptFailed
from hotdesk.runners import picture_program
from hotdesk.runners.agent import AgentWalls
from hotdesk.runners.homes import Homes
from hotdesk.runners.interpreter import interpreter
from hotdesk.runners.process import Program, ProgramEnd, run_program

# Above, Claude scales it down itself, which costs time and shows no more
# (docs.claude.com, "Vision", "Evaluate image size"). Others take larger ones and need none.
SIDE_MAX = 1568
PIXELS_MAX = 50_000_000  # Cameras of phones reach 50 million.
BYTES_MAX = 5_000_000  # What Claude's API takes (the same page, "General limits").
CPU_SECONDS_MAX = 10
SECONDS_MAX = 30  # Of the clock: the machine may be busy.
GRACE = timedelta(seconds=0.1)  # The program has nothing to clean up.
CODE = inspect.getsource(picture_program)
LIMITS = Limits(
    processes=64,
    open_files=64,
    file_bytes=0,
    tmp_bytes=1 << 20,
    # 50 million pixels of 4 bytes, twice, and the libraries.
    memory_bytes=1 << 30,
)

_BRANDS_OF_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
# The sizes that the second header of a BMP may have: text that begins with "BM" has none.
_HEADERS_OF_BMP = {12, 16, 40, 52, 56, 64, 108, 124}
_STARTS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
SUFFIXES = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "AVIF": (".avif",),
}
"""The formats that are opened, with what their names end in, the usual one first."""
HEIC = "HEIC"
TOO_LONG = "it takes too long to open"
# SIGXCPU, and SIGKILL where the first is not heard of.
_CPU_USED_UP = (128 + 24, 128 + 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture made anew. ``width`` and ``height`` are those of the original, in pixels."""

    content: bytes
    suffix: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotShown:
    """Why a picture cannot be shown to an agent: the end of a sentence for the user."""

    why: str


def form_of(content: bytes) -> str:
    """Return the format that a file begins as: one of ``SUFFIXES``, ``HEIC``, or ""."""
    for start, form in _STARTS.items():
        if content.startswith(start):
            return form
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    if content[:2] == b"BM" and int.from_bytes(content[14:18], "little") in _HEADERS_OF_BMP:
        return "BMP"
    if content[4:8] == b"ftyp":
        size = min(int.from_bytes(content[:4]), 256)
        brands = {content[place : place + 4] for place in range(8, size, 4)}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        if brands & _BRANDS_OF_HEIC:
            return HEIC
    return ""


class Images:
    """Shows the pictures of the jobs of one worker."""

    def __init__(self, confinement: Confinement, walls: AgentWalls) -> None:
        """Run the small program as the agents run."""
        self._confinement = confinement
        self._walls = walls
        # No project has a name like this.
        self._homes = Homes(walls.homes / ".pictures", owner_uid=confinement.uid)

    async def show(
        self, content: bytes, claim: Claim, *, stop: Callable[[], Awaitable[object]]
    ) -> Shown | NotShown:
        """Make the picture *content* anew; given up when *stop* returns.

        Raises:
            AttemptFailed: The system does not let anything be started.
        """
        form = form_of(content)
        if form not in SUFFIXES:
            return NotShown(why="it is in a format that cannot be opened")
        is_late = False

        async def stop_in_time() -> None:
            nonlocal is_late
            with anyio.move_on_after(SECONDS_MAX) as scope:
                await stop()
            is_late = scope.cancelled_caught

        said: list[bytes] = []

        async def hear(chunk: bytes) -> None:
            said.append(chunk)

        async def note(_: tuple[int, ...]) -> None:
            return None

        await self._homes.remove_older(claim.desk, claim.generation)
        async with self._homes.open(claim.desk, claim.generation) as home:
            await self._homes.hand_over(home, b"")
            try:
                end = await run_program(
                    self._program(form, content, home),
                    self._confinement,
                    on_start=note,
                    on_output=hear,
                    stop=stop_in_time,
                )
            except AttemptFailed as error:
                if error.is_retryable:
                    raise
                # The user that programs run as cannot reach this Python.
                return NotShown(why="pictures cannot be opened on this machine")
        if end.was_stopped:
            return NotShown(why=TOO_LONG if is_late else "there was no time for it")
        return _understood(end, b"".join(said))

    def _program(self, form: str, content: bytes, home: Path) -> Program:
        python = interpreter()
        numbers = map(str, (SIDE_MAX, PIXELS_MAX, CPU_SECONDS_MAX))
        return Program(
            argv=python.argv(CODE, form, *numbers),
            walls=Walls(
                workspace=home,
                home=home,
                hidden=self._walls.hidden,
                read_only=python.needed,
                network=Network.NONE if self._confinement.closes_network else Network.OPEN,
                limits=LIMITS,
            ),
            stdin=content,
            grace=GRACE,
            output_bytes_max=2 * BYTES_MAX,
        )


def _understood(end: ProgramEnd, said: bytes) -> Shown | NotShown:
    """Read what the program answered, as something that a picture may have made up."""
    match end.exit_code:
        case 0:
            pass
        case picture_program.TOO_LARGE:
            return NotShown(why=f"it has more than {PIXELS_MAX // 10**6} million pixels")
        case picture_program.TOO_MUCH_MEMORY:
            return NotShown(why="it needs too much memory")
        case _ if end.exit_code in _CPU_USED_UP:
            return NotShown(why=TOO_LONG)
        case _:
            return NotShown(why="it is damaged")
    header, _, content = said.partition(b"\n")
    suffix = {"PNG": ".png", "JPEG": ".jpg"}.get(form_of(content), "")
    try:
        told = json.loads(header)
        width, height = int(told["width"]), int(told["height"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        suffix, width, height = "", 0, 0
    if not suffix:
        return NotShown(why="it is damaged")
    if len(content) > BYTES_MAX:
        return NotShown(why="it is too large, even scaled down")
    return Shown(content=content, suffix=suffix, width=width, height=height)
