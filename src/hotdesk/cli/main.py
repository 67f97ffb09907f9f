"""``hotdesk``: the commands by name, and what becomes of their errors.

A command's module is imported when it is run, so that the program starts quickly. An
error is one line and the next step, never a traceback unless it was asked for twice.
"""

import sys
import traceback
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from types import TracebackType

import click

from hotdesk.cli.options import GLOBALS, Given, wants_tracebacks
from hotdesk.cli.terminal import block
from hotdesk.errors import HotdeskError, NotAllowed, NotFound, Rejected, Unavailable

# The summaries stand here too, so that help and completion import no command.
COMMANDS = {
    "demo": "Show real mails, an interrupt, two users, a stranger and a worker killed with -9.",
    "init": "Write a commented hotdesk.toml.",
    "up": "Run everything: intake, workers, sweep, answers and the HTTP API.",
    "send": "Submit one instruction.",
    "job": "Look at jobs, and cancel, retry or interrupt them.",
    "desk": "Look at desks, and pause, resume or release them.",
    "thread": "Look at conversations, and approve or drop mails that wait.",
    "worker": "Run, look at and stop workers.",
    "dead": "Look at dead letters, and retry or discard them.",
    "events": "List what happened, and who decided it.",
    "dashboard": "Open the dashboard of a running hotdesk up.",
    "top": "Watch everything, live.",
    "status": "Show everything on one screen.",
    "doctor": "Check everything that Hotdesk needs.",
    "config": "Show and check the configuration.",
    "aws": "Make, change and look at a stack on AWS.",
    "plan": "Compare placements on a traffic, and say which to take.",
    "simulate": "Run the whole system in virtual time, with faults from a seed.",
    "backup": "Copy the database while it is in use.",
    "completion": "Print the completion script for a shell.",
}

OK = 0
ERROR = 1
USAGE = 2
NOT_FOUND = 3
NOT_ALLOWED = 4
UNREACHABLE = 5
TIMED_OUT = 124  # As timeout(1) of GNU coreutils has it.
INTERRUPTED = 130  # 128 + SIGINT, as shells have it.


class Commands(click.Group):
    """The group of all commands, which imports the one that is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Every command, in the order of the help."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's
        cmd_name: str,
    ) -> click.Command | None:
        """What help and completion need to know of a command."""
        summary = COMMANDS.get(cmd_name)
        return None if summary is None else click.Command(cmd_name, help=summary)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Import the command that is named first in *args*."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, found and command_of(str(name)), rest


def command_of(name: str) -> click.Command:
    """Import the command *name*."""
    command: click.Command = getattr(import_module(f"hotdesk.cli.{name}"), name)
    return command


@click.group(
    cls=Commands,
    params=[*GLOBALS],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="These options may also stand behind the command.",
)
@click.version_option(package_name="hotdesk", message="hotdesk %(version)s")
def hotdesk() -> None:
    """One warm pool of agent workers for all desks: in order, interruptible, never lost."""


def main() -> None:
    """Run the command line of this process and exit."""
    given: Given = {}
    sys.excepthook = partial(_own_up, given)
    sys.exit(run(sys.argv[1:], given))


def run(arguments: Sequence[str], given: Given | None = None) -> int:
    """Run one command; return the exit code, having said on stderr what went wrong.

    The global options are put into *given*.
    """
    given = {} if given is None else given
    try:
        code = hotdesk.main([*arguments], "hotdesk", standalone_mode=False, obj=given)
        return code if isinstance(code, int) else OK
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return USAGE
    except click.ClickException as error:
        _say(_usage_of(error))
        return USAGE
    except TimeoutError:
        _say("the time given with --timeout is over; jobs that were submitted go on")
        return TIMED_OUT
    except HotdeskError as error:
        if wants_tracebacks(given):
            traceback.print_exc()
        _say(str(error))
        return exit_code(error)


def exit_code(error: HotdeskError) -> int:
    """The exit code that says what kind of error it was."""
    match error:
        case NotFound():
            return NOT_FOUND
        case NotAllowed():
            return NOT_ALLOWED
        case Rejected():
            return USAGE
        case Unavailable():
            return UNREACHABLE
    return ERROR


def _usage_of(error: click.ClickException) -> str:
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{error.format_message()}\nsee: {error.ctx.command_path} --help"
    return error.format_message()


def _say(what: str) -> None:
    for line in block(what).splitlines():
        click.echo(line if line.startswith("see: ") else f"error: {line}", err=True)


def _own_up(
    given: Given, kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Report an error that nobody expected, without its message, which may hold anything."""
    if wants_tracebacks(given):
        sys.__excepthook__(kind, error, trace)
        return
    frames = traceback.extract_tb(trace)
    place = f" in {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
    _say(f"unexpected {kind.__name__}{place}; run it again with -v -v to see all of it")
