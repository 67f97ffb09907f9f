"""The demo agent: a small program that carries out plain instructions on a website.

It is no model: it knows a handful of sentences (``CAN``), always does the same for the
same words, and refuses what it does not understand before it has changed anything. It
imports nothing of Hotdesk and needs Python alone, so that it runs within any walls.

The instruction comes on standard input, the interrupted ones that it continues from the
file that HOTDESK_JOB_FILE names; the answer goes to the one that HOTDESK_RESULT_FILE names.
Of two wishes about one thing the newer counts. The files of the current folder are changed
one a step; SIGINT ends it behind the running step.
"""

import argparse
import html
import json
import os
import re
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CAN = """\
I am the demo agent and know only sentences like these:
  make the header dark green          (header, footer, page, links, headings, text)
  set the title to "Fresh bread"      (or: change the text of the footer to "...")
  replace "old words" by "new words"
"""
NOT_DONE = 65  # EX_DATAERR of sysexits.h: asking again would not help.
STOPPED = 130  # As of a program that SIGINT ended.
COLOURS = frozenset(
    """black white gray silver red maroon crimson tomato coral orange gold yellow khaki olive lime
    green teal cyan turquoise navy blue indigo purple violet magenta pink plum brown chocolate
    beige ivory slategray steelblue royalblue skyblue seagreen forestgreen firebrick rebeccapurple
    lightblue lightgreen lightgray darkblue darkgreen darkgray darkred darkorange""".split()
)
# What people say, and the rule and the property in the style sheet that it means.
PARTS = {
    "header": ("header", "background"),
    "footer": ("footer", "background"),
    "page": ("body", "background"),
    "background": ("body", "background"),
    "links": ("a", "color"),
    "headings": ("h1", "color"),
    "text": ("body", "color"),
}


class NotUnderstood(Exception):
    """The agent cannot do what a sentence says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One thing to be done; of two ``about`` the same thing the newer counts.

    ``done`` says that it is so now. ``edit`` returns what a file, by its name and content,
    should hold, or ``None`` if there is nothing in it that the wish is about. Where an
    interrupted run may have done it, ``remains`` shows that it has.
    """

    about: str
    done: str
    edit: Callable[[str, str], str | None]
    part: str = ""
    remains: str = ""


def wish_for_colour(part: str, colour: str) -> Wish:
    """Give a part of the page a colour."""
    rule, setting = PARTS[part]
    value = re.compile(rf"(^{rule}\s*{{[^}}]*?(?<![\w-]){setting}\s*:)[^;}}]*", re.MULTILINE)

    def edit(name: str, content: str) -> str | None:
        if not name.endswith(".css") or not value.search(content):
            return None
        return value.sub(lambda found: f"{found[1]} {colour}", content)

    about = f"the colour of the {part}"
    return Wish(about=about, done=f"{about} is {colour}", edit=edit, part=part)


def wish_for_text(element: str, text: str) -> Wish:
    """Give an element, named by its tag or its id, a text."""
    # An element that has others inside is left alone: it would lose them.
    old = re.compile(rf'(<{element}\b[^>]*>|<\w+\b[^>]*\bid="{element}"[^>]*>)[^<]*(?=</)')

    def edit(name: str, content: str) -> str | None:
        if not name.endswith(".html") or not old.search(content):
            return None
        return old.sub(lambda found: found[1] + html.escape(text, quote=False), content)

    about = f"the text of the {element}"
    return Wish(about=about, done=f'{about} is "{text}"', edit=edit)


def wish_for_words(old: str, new: str) -> Wish:
    """Put words where others stand. Done twice it is as done once."""
    old_html, new_html = html.escape(old, quote=False), html.escape(new, quote=False)

    def edit(name: str, content: str) -> str | None:
        tags_and_texts = re.split(r"(<[^>]*>)", content)
        texts = tags_and_texts[::2]
        if not name.endswith(".html") or not any(old_html in text for text in texts):
            return None
        tags_and_texts[::2] = [
            # Where the new words stand already, the old ones in them stay.
            new_html.join(between.replace(old_html, new_html) for between in text.split(new_html))
            for text in texts
        ]
        return "".join(tags_and_texts)

    # Two wishes for the same old words do not replace each other: where the first was carried
    # out in part, nobody could tell its new words from others. The second one fails.
    return Wish(
        about=f'the words "{old}" to be "{new}"',
        done=f'"{new}" stands where "{old}" stood',
        edit=edit,
        remains=new_html,
    )


# --------------------------------------------------------------------- understanding

_QUOTED = re.compile('"([^"]*)"|“([^”]*)”|«([^»]*)»')
_VERB = r"(?:please\s+)?(?:make|paint|turn|colou?r|set|change|replace)\b"
_END = re.compile(
    rf"[.!;]+(?:\s|$)|\n\s*\n|\n\s*(?:[-*]|\d+[.)])\s|[\n,]\s*(?={_VERB})|,?\s+and\s+(?={_VERB})",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"^(?:(?:[-*]|\d+[.)]|no|sorry|actually|oh|please|also|and|then|now|but|rather),?\s+)+",
    re.IGNORECASE,
)
_TAIL = re.compile(r"(?:,?\s+(?:please|instead|too|as well|again))+$", re.IGNORECASE)
_COURTESY = re.compile(r"(?:hello|hi|dear|thanks|thank you|cheers)(?:,? \w+)?", re.IGNORECASE)
_PART = "|".join(PARTS)
_MAKE = re.compile(
    rf"(?:make|paint|turn|colou?r)\s+(?:the\s+)?(?P<part>it|{_PART})\s+(?P<colour>[\w# ]+)",
    re.IGNORECASE,
)
_SET_COLOUR = re.compile(
    rf"(?:set|change)\s+the\s+colou?r\s+of\s+the\s+(?P<part>{_PART})\s+to\s+(?P<colour>[\w# ]+)",
    re.IGNORECASE,
)
_SET_TEXT = re.compile(
    r"(?:set|change)\s+the\s+(?:text\s+of\s+the\s+)?(?P<element>\w+)\s+to\s+(?P<text>.+)",
    re.IGNORECASE | re.DOTALL,
)
_REPLACE = re.compile(
    r"replace\s+(?P<old>.+?)\s+(?:by|with)\s+(?P<new>.+)", re.IGNORECASE | re.DOTALL
)


def understand(instruction: str, before: Sequence[Wish] = ()) -> list[Wish]:
    """Return the wishes of *instruction* in its order; ``it`` may mean what *before* is about.

    Raises:
        NotUnderstood: A sentence is none that the agent knows.
    """
    wishes: list[Wish] = []
    for sentence in _sentences(instruction):
        wishes.append(_wish(sentence, [*before, *wishes]))
    return wishes


def _sentences(instruction: str) -> Iterator[str]:
    """Yield the sentences with one space between words; what is quoted stays as it is."""
    quoted: list[str] = []

    def hide(found: re.Match[str]) -> str:
        quoted.append(next(group for group in found.groups() if group is not None))
        return f"\0{len(quoted) - 1}\0"

    def show(sentence: str) -> str:
        return re.sub("\0(\\d+)\0", lambda found: f'"{quoted[int(found[1])]}"', sentence)

    for part in _END.split(_QUOTED.sub(hide, instruction.replace("\0", ""))):
        words = " ".join(part.split())
        sentence = _TAIL.sub("", _LEAD.sub("", f"{words} ").strip()).rstrip(" ,")
        if sentence and not _COURTESY.fullmatch(sentence):
            yield show(sentence)


def _wish(sentence: str, before: Sequence[Wish]) -> Wish:
    if found := _MAKE.fullmatch(sentence) or _SET_COLOUR.fullmatch(sentence):
        part = found["part"].lower()
        if part == "it":
            part = next((wish.part for wish in reversed(before) if wish.part), "")
        colour = found["colour"].lower().replace(" ", "").replace("grey", "gray")
        if part and (colour in COLOURS or re.fullmatch(r"#(?:[0-9a-f]{3}){1,2}", colour)):
            return wish_for_colour(part, colour)
    elif found := _SET_TEXT.fullmatch(sentence):
        return wish_for_text(found["element"].lower(), _unquoted(found["text"]))
    elif found := _REPLACE.fullmatch(sentence):
        old, new = _unquoted(found["old"]), _unquoted(found["new"])
        if old and new:
            return wish_for_words(old, new)
    raise NotUnderstood(f"I do not understand: {sentence}")


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


# ----------------------------------------------------------------------------- doing


@dataclass(frozen=True, slots=True)
class Step:
    """One file to be written."""

    file: str
    content: str
    wish: Wish


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, known before anything is.

    ``replaced`` are older wishes that a newer one contradicts.
    """

    steps: tuple[Step, ...]
    wishes: tuple[Wish, ...]
    replaced: tuple[Wish, ...]
    remarks: tuple[str, ...]

    def answer(self) -> str:
        """Say what is so now."""
        changed = {step.wish.about for step in self.steps}
        lines = [
            f"- {wish.done}" + ("" if wish.about in changed else " (it was so already)")
            for wish in self.wishes
        ]
        lines += [f"Your newer word counts for {wish.about}." for wish in self.replaced]
        return "\n".join(["Done:", *lines, *self.remarks])


def make_plan(
    instruction: str, folded: Sequence[str], files: Mapping[str, str], *, is_resumed: bool
) -> Plan:
    """Plan *instruction*, and before it what the *folded* ones, oldest first, still ask for.

    What they ask for may have been done before they were interrupted; if it *is_resumed*,
    so may what *instruction* asks for.

    Raises:
        NotUnderstood: It cannot be done as it is said. Of the folded ones it is only noted.
    """
    earlier: list[Wish] = []
    remarks: list[str] = []
    for each in folded:
        try:
            earlier += understand(each, earlier)
        except NotUnderstood as problem:
            remarks.append(f"Of an earlier instruction nothing was done. {problem}")
    newer = understand(instruction, earlier)
    begun = [*earlier, *(newer if is_resumed else ())]
    latest = {wish.about: wish for wish in (*earlier, *newer)}
    if not latest:
        raise NotUnderstood("There is nothing to do in this instruction.")
    steps: list[Step] = []
    contents = dict(files)
    for wish in latest.values():
        edits = {name: wish.edit(name, content) for name, content in contents.items()}
        places = {name: edit for name, edit in edits.items() if edit is not None}
        was_done = wish in begun and any(wish.remains in text for text in contents.values())
        if not places and not (wish.remains and was_done):
            raise NotUnderstood(f"I cannot find this on the site: {wish.about}")
        steps += [Step(n, edit, wish) for n, edit in places.items() if edit != contents[n]]
        contents |= places
    replaced = tuple(wish for wish in earlier if wish.done != latest[wish.about].done)
    return Plan(tuple(steps), tuple(latest.values()), replaced, tuple(remarks))


class Stop:
    """Whether SIGINT came; it never stops a step halfway."""

    def __init__(self) -> None:
        self._came, self._coming = socket.socketpair()
        self._coming.settimeout(0)  # Not to block is what set_wakeup_fd demands.
        signal.set_wakeup_fd(self._coming.fileno())
        signal.signal(signal.SIGINT, lambda *_: None)

    def within(self, seconds: float) -> bool:
        """Wait, at most so long, and say whether it came."""
        return bool(select.select([self._came], [], [], seconds)[0])


class Witness:
    """Who is told, while it happens, which job is worked on; or nobody.

    The connection lasts as long as this process: its end shows the process's end, whatever
    ended it.
    """

    def __init__(self, address: str, job: Mapping[str, object]) -> None:
        host, _, port = address.rpartition(":")
        self._job = job
        self._connection = socket.create_connection((host, int(port)), 5) if address else None

    def tell(self, what: str, text: str = "") -> None:
        """Say that the program, or a step of it, begins."""
        if self._connection is not None:
            line = json.dumps({"what": what, "text": text, **self._job})
            self._connection.sendall(line.encode() + b"\n")


def carry_out(plan: Plan, stop: Stop, pace: float, witness: Witness) -> bool:
    """Write one file after the other, *pace* seconds apart; return whether all is done."""
    for number, step in enumerate(plan.steps, start=1):
        progress = f"[{number}/{len(plan.steps)}] {step.file}: {step.wish.done}"
        say(progress)
        witness.tell("step", progress)
        if stop.within(pace):
            say(f"Interrupted after {number - 1} of {len(plan.steps)} steps.")
            return False
        Path(step.file).write_text(step.content, encoding="utf-8")
    return True


def read_site() -> dict[str, str]:
    """Return the pages and style sheets of the current folder."""
    paths = sorted([*Path().glob("*.html"), *Path().glob("*.css")])
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def say(text: str) -> None:
    """Write a line of the log at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Carry out one instruction; return the exit status."""
    options = argparse.ArgumentParser(description="Change a website by plain instructions.")
    options.add_argument("--pace", type=float, default=0.0, help="seconds for each step")
    options.add_argument("--trace", default="", help="host:port that is told of each step")
    chosen = options.parse_args()
    stop = Stop()
    variables = os.environ  # noqa: TID251 - a program of its own, which is told nothing otherwise
    job_file, result_file = (variables.get(f"HOTDESK_{name}_FILE") for name in ("JOB", "RESULT"))
    job = json.loads(Path(job_file).read_text(encoding="utf-8")) if job_file else {}
    witness = Witness(chosen.trace, {"job": job.get("id"), "desk": job.get("desk")})
    witness.tell("start")
    try:
        plan = make_plan(
            sys.stdin.read(),
            [each["instruction"] for each in job.get("folded", ())],
            read_site(),
            is_resumed=bool(job.get("partial_commit")),
        )
    except NotUnderstood as problem:
        say(f"{problem}\n\n{CAN}")
        return NOT_DONE
    if not carry_out(plan, stop, chosen.pace, witness):
        return STOPPED
    say(plan.answer())
    if result_file:
        Path(result_file).write_text(plan.answer(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
