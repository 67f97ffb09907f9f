"""``hotdesk config``: show the configuration in force, where it comes from, and what is wrong."""

from pathlib import Path

import click

from hotdesk.cli.invocation import Invocation
from hotdesk.cli.options import Group, pass_invocation
from hotdesk.config.layers import dotted
from hotdesk.config.writing import plain, toml
from hotdesk.desks import Json
from hotdesk.wiring.checks import check_settings


@click.group(cls=Group)
def config() -> None:
    """Show and check the configuration."""


@config.command()
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@pass_invocation
def show(invocation: Invocation, *, origin: bool) -> None:
    """Print every setting in force; secrets are places, and only those are shown."""
    output = invocation.output
    for key, value, by in invocation.load().values():
        shown = plain(value)
        record: dict[str, Json] = {"key": dotted(key), "value": shown, "origin": by}
        setting = f"# {dotted(key)} is not set"
        if shown is not None:
            setting = f"{dotted(key)} = {toml(shown)}" + (f"  # {by}" if origin else "")
        output.result(record, setting)


@config.command()
@pass_invocation
def path(invocation: Invocation) -> None:
    """Print the files that are read, the strongest last."""
    files = [
        str(file.absolute() if isinstance(file, Path) else file) for file in invocation.load().files
    ]
    if not files:
        invocation.output.note("There is no file: the defaults hold. Write one: hotdesk init")
    for file in files:
        invocation.output.result({"file": file}, file)


@config.command()
@pass_invocation
def check(invocation: Invocation) -> None:
    """Check every setting and every prompt, and read every secret once."""
    loaded = invocation.load()
    check_settings(loaded)
    count = sum(1 for _ in loaded.values())
    invocation.output.result({"ok": True, "settings": count}, f"ok: {count} settings")
