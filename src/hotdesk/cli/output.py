"""What a command prints: data to stdout, progress to stderr, nothing that steers a terminal."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hotdesk.cli import terminal
from hotdesk.desks import Json
from hotdesk.errors import HotdeskError, Rejected

T = TypeVar("T")

# A pipe has no width: nothing is cut short there.
WIDTH_OF_A_PIPE = 10_000

STYLES = {
    "queued": "cyan",
    "waiting": "cyan",
    "running": "blue",
    "busy": "blue",
    "succeeded": "green",
    "ok": "green",
    "failed": "red",
    "dead": "red",
    "FAIL": "bold red",
    "preempted": "magenta",
    "cancelled": "yellow",
    "draining": "yellow",
    "paused": "yellow",
    "warn": "yellow",
}
"""The colours of states; the word stands there as well."""


class Declined(HotdeskError):
    """A person was asked whether to do it, and said no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where a command prints to, and how it was asked to."""

    is_json: bool = False
    is_quiet: bool = False
    is_verbose: bool = False
    has_color: bool = True
    says_yes: bool = False

    def data(self, record: Mapping[str, Json]) -> None:
        """Print one JSON object on one line."""
        # ASCII: control characters are written as escapes, so this steers nothing either.
        click.echo(json.dumps(record, ensure_ascii=True))

    def text(self, text: str) -> None:
        """Print text, with its lines."""
        click.echo(terminal.block(text))

    def raw(self, text: str) -> None:
        """Print text that has its own line ends."""
        click.echo(terminal.block(text), nl=False)

    def result(self, record: Mapping[str, Json], text: str) -> None:
        """Print what came of a command: *record* for a program, *text* for a person."""
        if self.is_json:
            self.data(record)
        else:
            self.text(text)

    def note(self, text: str) -> None:
        """Tell a person how it goes, on stderr."""
        if not self.is_quiet:
            click.echo(terminal.block(text), err=True)

    def detail(self, text: str) -> None:
        """Tell a person who asked for more, on stderr."""
        if self.is_verbose:
            self.note(text)

    def listing(
        self,
        records: Iterable[T],
        as_json: Callable[[T], Mapping[str, Json]],
        columns: Mapping[str, Callable[[T], str]],
        *,
        empty: str,
    ) -> None:
        """Print *records*, one a line; *empty* says what follows from there being none."""
        found = list(records)
        if self.is_json:
            for record in found:
                self.data(as_json(record))
        elif found:
            rows = [[cell(record) for cell in columns.values()] for record in found]
            self.console().print(table(list(columns), rows))
        else:
            self.note(empty)

    def console(self) -> Console:
        """A console for stdout; what it prints must be ``Text`` or come from ``table``."""
        return Console(
            no_color=None if self.has_color else True,
            highlight=False,
            markup=False,
            emoji=False,
            width=None if sys.stdout.isatty() else WIDTH_OF_A_PIPE,
        )

    def confirm(self, question: str) -> None:
        """Ask a person; return if the answer is yes.

        Raises:
            Rejected: Nobody is there to answer.
            Declined: The answer is no.
            click.Abort: Ctrl-C was the answer.
        """
        if self.says_yes:
            return
        if not sys.stdin.isatty():
            raise Rejected(f"{question} Nobody is there to answer; repeat it with --yes")
        if not click.confirm(terminal.line(question), err=True):
            raise Declined("nothing was done; to have it done, repeat it and answer y")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Lay out a table without lines; the last column gives way where there is no room."""
    grid = Table(
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="dim",
        show_header=any(headings),
    )
    for number, heading in enumerate(headings, start=1):
        # Only a column that may be wrapped gives way; its cells are cut instead.
        is_last = number == len(headings)
        grid.add_column(heading, no_wrap=not is_last, overflow="ellipsis" if is_last else "fold")
    for *cells, last in rows:
        text = cell_of(last)
        text.no_wrap = True
        grid.add_row(*(cell_of(value) for value in cells), text)
    return grid


def cell_of(value: str) -> Text:
    """One cell: a line that is safe to print, coloured if it is a state."""
    return Text(terminal.line(value), style=STYLES.get(value, ""))
