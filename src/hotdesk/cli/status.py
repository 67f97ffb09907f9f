"""``hotdesk status``: everything on one screen."""

from itertools import islice

import click
from rich.console import Group, RenderableType
from rich.text import Text

from hotdesk.cli.invocation import Connected, Invocation
from hotdesk.cli.options import Command, pass_invocation
from hotdesk.cli.output import table
from hotdesk.cli.overview import facts, overview_json, why
from hotdesk.cli.records import worker_columns
from hotdesk.overview import Overview, look

SHOWN_MAX = 20


@click.command(cls=Command)
@pass_invocation
def status(invocation: Invocation) -> None:
    """Show everything on one screen."""

    async def work(connected: Connected) -> tuple[Overview, str]:
        overview = await look(connected.backend, invocation.now())
        return overview, connected.config.backend

    overview, backend = invocation.connect(work)
    if invocation.output.is_json:
        invocation.output.data(overview_json(overview, backend))
    else:
        invocation.output.console().print(screen(overview, backend))


def screen(overview: Overview, backend: str) -> RenderableType:
    """Lay out an overview; long lists are cut short and say so."""
    columns = worker_columns(overview.at)
    workers = [[cell(worker) for cell in columns.values()] for worker in overview.workers]
    waiting = [
        [str(each.desk.desk), str(each.queued), why(each, overview)] for each in overview.waiting
    ]
    parts: list[RenderableType] = [table(["", ""], list(facts(overview, backend).items()))]
    for headings, rows in ((list(columns), workers), (["WAITING", "QUEUED", "WHY"], waiting)):
        if rows:
            parts += [Text(), table(headings, islice(rows, SHOWN_MAX))]
        if len(rows) > SHOWN_MAX:
            parts.append(Text(f"and {len(rows) - SHOWN_MAX} more", style="dim"))
    return Group(*parts)
