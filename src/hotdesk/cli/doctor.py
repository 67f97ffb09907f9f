"""``hotdesk doctor``: check everything that Hotdesk needs, and say how to mend it."""

import click
from rich.text import Text

from hotdesk.cli import terminal
from hotdesk.cli.invocation import Invocation
from hotdesk.cli.options import Command, pass_invocation
from hotdesk.cli.output import STYLES
from hotdesk.wiring.checks import examine
from hotdesk.wiring.finding import Level

FAILED = 1


@click.command(cls=Command)
@pass_invocation
def doctor(invocation: Invocation) -> int:
    """Check everything that Hotdesk needs.

    Exits with 1 if anything fails; warnings do not count.
    """
    loaded = invocation.load()
    output = invocation.output
    console = output.console()
    levels: list[Level] = []

    async def work() -> None:
        async for found in examine(loaded):
            levels.append(found.level)
            if output.is_json:
                output.data({"level": found.level, "what": found.what, "fix": found.fix})
                continue
            fix = f"fix: {found.fix}" if found.fix else ""
            what = terminal.line(found.what)
            console.print(
                Text.assemble(
                    (f"{found.level:<6}", STYLES.get(found.level, "")),
                    f"{what:<50}  {terminal.line(fix)}".rstrip(),
                ),
                soft_wrap=True,
            )

    invocation.run(work)
    return FAILED if Level.FAIL in levels else 0
