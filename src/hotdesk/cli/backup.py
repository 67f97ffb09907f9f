"""``hotdesk backup``: copy the database while it is in use."""

from pathlib import Path

import click

from hotdesk.cli.invocation import Connected, Invocation
from hotdesk.cli.options import Command, pass_invocation
from hotdesk.desks import Json
from hotdesk.wiring import open_database


@click.command(cls=Command)
@click.argument("target", type=click.Path(path_type=Path))
@pass_invocation
def backup(invocation: Invocation, *, target: Path) -> None:
    """Copy the database while it is in use.

    TARGET must not exist. It becomes one file that can be opened, or put in the place of
    a damaged one. A stack on AWS has no such file.
    """

    async def work(connected: Connected) -> None:
        with open_database(connected.config.backend) as database:
            database.back_up(target)

    invocation.connect(work)
    size = target.stat().st_size
    record: dict[str, Json] = {"file": str(target.absolute()), "bytes": size}
    invocation.output.result(record, f"copied the database to {target}: {size} bytes")
