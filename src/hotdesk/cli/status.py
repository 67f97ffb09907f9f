"""``hotdesk status``: everything on one screen."""

from itertools import islice

import click
from rich.console import Group, RenderableType
from rich.text import Text

from hotdesk.cli.invocation import Connected, Invocation
from hotdesk.cli.options import Command, pass_invocation
from hotdesk.cli.output import table
from hotdesk.cli.overview import Overview, look
from hotdesk.cli.records import worker_columns

SHOWN_MAX = 20


@click.command(cls=Command)
@pass_invocation
def status(invocation: Invocation) -> None:
    """Show everything on one screen."""

    async def work(connected: Connected) -> Overview:
        return await look(connected, invocation.now())

    overview = invocation.connect(work)
    if invocation.output.is_json:
        invocation.output.data(overview.as_json())
    else:
        invocation.output.console().print(screen(overview))


def screen(overview: Overview) -> RenderableType:
    """Lay out an overview; long lists are cut short and say so."""
    columns = worker_columns(overview.at)
    workers = [[cell(worker) for cell in columns.values()] for worker in overview.workers]
    waiting = [[str(d.desk), str(d.pending), overview.why(d)] for d in overview.waiting]
    parts: list[RenderableType] = [table(["", ""], list(overview.facts().items()))]
    for headings, rows in ((list(columns), workers), (["WAITING", "PENDING", "WHY"], waiting)):
        if rows:
            parts += [Text(), table(headings, islice(rows, SHOWN_MAX))]
        if len(rows) > SHOWN_MAX:
            parts.append(Text(f"and {len(rows) - SHOWN_MAX} more", style="dim"))
    return Group(*parts)
