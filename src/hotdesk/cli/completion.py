"""``hotdesk completion``: the script that lets a shell complete commands and options."""

import click
from click.shell_completion import get_completion_class

from hotdesk.cli.invocation import Invocation
from hotdesk.cli.options import Command, pass_invocation

VARIABLE = "_HOTDESK_COMPLETE"


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@pass_invocation
def completion(invocation: Invocation, *, shell: str) -> None:
    """Print the completion script for a shell.

    For bash, add to ~/.bashrc: eval "$(hotdesk completion bash)"
    """
    kind = get_completion_class(shell)
    assert kind is not None
    root = click.get_current_context().find_root().command
    script = kind(root, {}, "hotdesk", VARIABLE).source()
    invocation.output.result({"shell": shell, "script": script}, script)
