"""``hotdesk top``: the overview, live."""

import sys
from collections import deque
from collections.abc import Callable
from datetime import timedelta

import anyio
import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from hotdesk.cli import terminal
from hotdesk.cli.invocation import Connected, Invocation
from hotdesk.cli.options import Command, pass_invocation
from hotdesk.cli.overview import overview_json
from hotdesk.cli.records import event_line
from hotdesk.cli.status import screen
from hotdesk.errors import Rejected
from hotdesk.overview import Overview, look

# Ages and leases move while nothing is written.
LOOK_AT_LEAST = timedelta(seconds=1)
LOOK_AT_MOST_SECONDS = 0.25
EVENTS_SHOWN_MAX = 10


@click.command(cls=Command)
@pass_invocation
def top(invocation: Invocation) -> None:
    """Watch everything, live.

    Ctrl-C ends it. With --json there is one object for each change.
    """
    output = invocation.output
    if not output.is_json and not sys.stdout.isatty():
        raise Rejected("top needs a terminal; use --json, or: hotdesk status")
    latest: deque[Text] = deque(maxlen=EVENTS_SHOWN_MAX)

    async def follow(connected: Connected, show: Callable[[Overview], None]) -> None:
        cursor = await connected.backend.latest_cursor()
        mark: int | None = None
        while True:
            mark = await connected.backend.changed(mark, wait=LOOK_AT_LEAST)
            overview = await look(connected.backend, invocation.now())
            for event in await connected.backend.events(after=cursor):
                cursor = event.cursor
                latest.append(Text(terminal.line(f"{event_line(event)} {event.desk}")))
            show(overview)
            await anyio.sleep(LOOK_AT_MOST_SECONDS)

    async def work(connected: Connected) -> None:
        backend = connected.config.backend
        if output.is_json:
            await follow(connected, lambda overview: output.data(overview_json(overview, backend)))
        with Live(console=output.console(), auto_refresh=False, screen=True) as live:

            def show(overview: Overview) -> None:
                live.update(Group(screen(overview, backend), Text(), *latest), refresh=True)

            await follow(connected, show)

    invocation.connect(work)
