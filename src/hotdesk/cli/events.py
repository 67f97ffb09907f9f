"""``hotdesk events``: what happened, from the events that are kept; the audit of decisions."""

from collections import deque

import click

from hotdesk import events as kinds
from hotdesk.cli.invocation import Connected, Invocation
from hotdesk.cli.options import Command, pass_invocation
from hotdesk.cli.records import event_json, event_line
from hotdesk.desks import Desk
from hotdesk.events import StoredEvent

LIST_MAX = 10_000
KINDS = [each.__name__ for each in kinds.Event.__subclasses__()]


@click.command(cls=Command)
@click.option("--kind", "wanted", type=click.Choice(KINDS), multiple=True, help="Only these.")
@click.option("--desk", metavar="PROJECT/USER", help="Only those of this desk.")
@click.option("--after", default="", metavar="CURSOR", help="Only those behind this cursor.")
@click.option("--limit", type=click.IntRange(1, LIST_MAX), default=50, show_default=True)
@pass_invocation
def events(
    invocation: Invocation, *, wanted: tuple[str, ...], desk: str | None, after: str, limit: int
) -> None:
    """List what happened, and who decided it.

    The latest are listed, oldest first. They are kept as long as jobs are.
    """
    key = None if desk is None else Desk.parse(desk).key

    async def work(connected: Connected) -> deque[StoredEvent]:
        # All that are kept by now are read; of what is wanted only the latest are held.
        latest: deque[StoredEvent] = deque(maxlen=limit)
        newest, cursor, is_over = await connected.backend.latest_cursor(), after, False
        while not is_over and (found := await connected.backend.events(after=cursor)):
            cursor = found[-1].cursor
            is_over = newest in {each.cursor for each in found}
            latest.extend(
                each
                for each in found
                if each.kind in (wanted or KINDS) and key in (None, each.desk)
            )
        return latest

    output = invocation.output
    found = invocation.connect(work)
    for event in found:
        place = f" {Desk.from_key(event.desk)}" if event.desk else ""
        line = f"{event.at:%Y-%m-%d} {event_line(event)}{place} {event.job_id}".rstrip()
        output.result(event_json(event), line)
    if not found:
        output.note("Nothing of that kind is known.")
