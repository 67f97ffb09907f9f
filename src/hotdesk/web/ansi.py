"""What agents print, as lines of HTML: escaped, with colours as classes, and nothing else.

It reads what a terminal would obey and keeps what a reader can use of it: colours, and
that a carriage return writes a line anew. Titles, links, cursor movements, bells and
whatever turns the direction of writing are dropped. It goes through each character once
and holds one line of bounded length, however long the line is that comes in.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby

from markupsafe import Markup, escape

from hotdesk.desks import storable

LINE_LENGTH_MAX = 2000
# Longer sequences are none that anybody means.
_SEQUENCE_LENGTH_MAX = 64

# ECMA-48, 5.6: strings (titles, links, pictures). One without an end is over with its line, so
# that it hides no more than that; what ends it with an escape is the next token.
_STRING_REST = re.compile(r"[^\x07\x1b\x9c\n]*[\x07\x9c]?")
# Each beginning matches: otherwise each of a million would be looked at to the end of the text.
_TOKEN = re.compile(
    r"(?P<text>[^\x00-\x08\x0a-\x1f\x7f-\x9f]+)"
    r"|(?P<string>(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?P<end>[\x07\x9c]?))"
    r"|(?:\x1b\[|\x9b)(?P<given>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~]?)"
    r"|\x1b[ -/]*[0-~]?"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
)
# What may go on with the next piece of the text.
_UNFINISHED = re.compile(r"(?:\x1b[ -/]*|(?:\x1b\[|\x9b)[0-?]*[ -/]*)")
# They turn the direction of writing, so that a line reads otherwise than it is.
_DIRECTIONS = dict.fromkeys(
    [0x61C, 0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)

Style = frozenset[str]
"""The classes of characters; empty for plain text."""

PLAIN: Style = frozenset()
# Black and white are the colour of text and paper here, whichever the theme makes of them.
_COLOURS = ("", "t-red", "t-green", "t-yellow", "t-blue", "t-magenta", "t-cyan", "")
_GREY = "t-dim"
_FORE = frozenset({*_COLOURS, _GREY})
# Any ground is the same mark: pairs of colours can hide text.
_MARK = "t-mark"
# What each number of a sequence takes away and adds.
_SELECTED: dict[int, tuple[Style, str]] = {
    1: (PLAIN, "t-bold"),
    2: (_FORE, _GREY),
    3: (PLAIN, "t-italic"),
    4: (PLAIN, "t-under"),
    7: (PLAIN, _MARK),
    22: (frozenset({"t-bold", _GREY}), ""),
    23: (frozenset({"t-italic"}), ""),
    24: (frozenset({"t-under"}), ""),
    27: (frozenset({_MARK}), ""),
    39: (_FORE, ""),
    49: (frozenset({_MARK}), ""),
    90: (_FORE, _GREY),
    **{30 + number: (_FORE, name) for number, name in enumerate(_COLOURS)},
    **{90 + number: (_FORE, name) for number, name in enumerate(_COLOURS) if number},
    **{ground + number: (PLAIN, _MARK) for ground in (40, 100) for number in range(8)},
}


class Printout:
    """Reads output piece by piece; colours and unfinished lines go on from one to the next."""

    def __init__(self, *, length_max: int = LINE_LENGTH_MAX) -> None:
        """Cut each line to *length_max* characters."""
        self._length_max = length_max
        self._style = PLAIN
        self._held = ""
        self._is_in_string = False
        self._is_returned = False
        self._pieces: list[tuple[Style, str]] = []
        self._length = 0

    def feed(self, text: str) -> Iterator[Markup]:
        """Take the next piece of the output, and yield the lines that it ends."""
        text = self._held + storable(text)
        start = self._leave_string(text)
        end = len(text) - self._hold(text)
        while start < end:
            found = _TOKEN.match(text, start, end)
            assert found is not None, "each character begins a token"
            start = found.end()
            if found["text"] is not None:
                self._write(found["text"])
            elif found["string"] is not None:
                self._is_in_string = not found["end"] and start == end
            elif found["final"] == "m" and not found["between"]:
                if len(found["given"]) <= _SEQUENCE_LENGTH_MAX:
                    self._style = _styled(self._style, found["given"])
            elif found["control"] == "\n":
                yield self.open_line
                self._clear()
            elif found["control"] == "\r":
                self._is_returned = True

    @property
    def is_open(self) -> bool:
        """Whether there is a line that has not ended."""
        return self._length > 0

    @property
    def open_line(self) -> Markup:
        """The line that has not ended, as far as it came."""
        line = "".join(
            _span(style, "".join(text for _, text in pieces))
            for style, pieces in groupby(self._pieces, key=lambda piece: piece[0])
        )
        if (more := self._length - self._length_max) > 0:
            line += f'<span class="{_GREY}"> … {more:,} characters more</span>'
        return Markup(line)  # noqa: S704 - each piece was escaped

    def _leave_string(self, text: str) -> int:
        """Where text begins again behind a string that began in an earlier piece."""
        if not self._is_in_string:
            return 0
        found = _STRING_REST.match(text)
        assert found is not None, "it matches nothing, too"
        self._is_in_string = found.end() == len(text) and not found[0].endswith(("\x07", "\x9c"))
        return found.end()

    def _hold(self, text: str) -> int:
        """Keep the end of *text* if a sequence begins there and may go on; return its length."""
        begin = max(text.rfind(each, -_SEQUENCE_LENGTH_MAX) for each in "\x1b\x9b")
        is_unfinished = begin >= 0 and _UNFINISHED.fullmatch(text, begin) is not None
        self._held = text[begin:] if is_unfinished else ""
        return len(self._held)

    def _write(self, text: str) -> None:
        text = text.translate(_DIRECTIONS)
        if not text:
            return
        if self._is_returned:
            self._clear()
        room = self._length_max - self._length
        self._length += len(text)
        if room > 0:
            self._pieces.append((self._style, text[:room]))

    def _clear(self) -> None:
        self._pieces.clear()
        self._length = 0
        self._is_returned = False


def printed(text: str, *, length_max: int = LINE_LENGTH_MAX) -> list[Markup]:
    """All lines of *text*, the last one whether or not it has ended."""
    printout = Printout(length_max=length_max)
    lines = [*printout.feed(text)]
    return [*lines, printout.open_line] if printout.is_open else lines


def _span(style: Style, text: str) -> str:
    shown = str(escape(text))
    return f'<span class="{" ".join(sorted(style))}">{shown}</span>' if style else shown


@lru_cache(maxsize=1024)
def _styled(style: Style, given: str) -> Style:
    """*style* after a sequence that selects graphics (ECMA-48, 8.3.117)."""
    if given[:1] in tuple("<=>?"):
        return style  # A sequence of somebody's own, which only ends as ours does.
    # Colons part the numbers of one colour, as semicolons do where programs write it otherwise.
    words = re.split(r"[;:]", given)
    numbers = iter([int(word[:3]) if word.isdigit() else 0 for word in words])
    for number in numbers:
        if number == 0:
            style = PLAIN
            continue
        off, on = _SELECTED.get(number, (PLAIN, ""))
        if number in (38, 48):
            colour = _extended(numbers)
            off, on = (_FORE, colour) if number == 38 else (PLAIN, _MARK)  # noqa: PLR2004 - as above
        style = (style - off) | ({on} if on else PLAIN)
    return style


def _extended(numbers: Iterator[int]) -> str:
    """One of 256 colours, or of all, as the one of ours that is nearest."""
    match next(numbers, 0):
        case 5:
            return _of_palette(next(numbers, 0))
        case 2:
            red, green, blue = (next(numbers, 0) for _ in range(3))
            return _nearest(red, green, blue)
    return ""


def _of_palette(number: int) -> str:
    if number < 16:  # noqa: PLR2004 - the colours that every terminal has, twice
        return _GREY if number == 8 else _COLOURS[number % 8]  # noqa: PLR2004 - bright black
    if number < 232:  # noqa: PLR2004 - a cube of six steps a side, then greys
        red, green, blue = (51 * ((number - 16) // side % 6) for side in (36, 6, 1))
        return _nearest(red, green, blue)
    return _GREY


def _nearest(red: int, green: int, blue: int) -> str:
    least, most = min(red, green, blue), max(red, green, blue)
    if most - least < 40:  # noqa: PLR2004 - hardly a colour
        return "" if most < 60 or most > 200 else _GREY  # noqa: PLR2004 - black or white
    half = (most + least) / 2
    return _COLOURS[(red > half) + 2 * (green > half) + 4 * (blue > half)]
