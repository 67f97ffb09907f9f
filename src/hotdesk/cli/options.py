"""The options of every command, before or behind its name, and what a command gets of them."""

from collections.abc import Callable
from functools import partial, update_wrapper
from pathlib import Path
from typing import Any

import click

Given = dict[str, Any]
"""The global options that were given, by name; the object of click's context."""

TRACEBACK_VERBOSITY = 2


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:  # noqa: ANN401 - click's
    """Keep what was given, wherever it stood; what stands last counts."""
    name = param.name
    assert name is not None
    given: Given = ctx.obj
    if ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
        given[name] = value + given.get(name, 0) if name == "verbose" else value


_option = partial(click.Option, expose_value=False, callback=_keep)

GLOBALS: tuple[click.Option, ...] = (
    _option(
        ["--config"],
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Read this file instead of hotdesk.toml.",
    ),
    _option(["--backend"], metavar="URL", help="Use these desks, as sqlite:///hotdesk.db."),
    _option(["--json"], is_flag=True, help="Print one JSON object a line."),
    _option(["--no-color"], is_flag=True, help="Print no colours; NO_COLOR does the same."),
    _option(["-q", "--quiet"], is_flag=True, help="Print no progress, only data and errors."),
    _option(
        ["-v", "--verbose"], count=True, help="Say what is read and opened; twice shows tracebacks."
    ),
    _option(
        ["--timeout"],
        type=click.FloatRange(min=0, max=31_536_000),
        metavar="SECONDS",
        help="Give up after this long, with exit code 124.",
    ),
    _option(["--yes"], is_flag=True, help="Answer every question with yes."),
)


def wants_tracebacks(given: Given) -> bool:
    """Whether ``-v`` was given twice."""
    return int(given.get("verbose", 0)) >= TRACEBACK_VERBOSITY


class Command(click.Command):
    """A command that takes the global options too; its help leaves them to ``hotdesk --help``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - click's
        """Add the global options, hidden."""
        super().__init__(*args, **kwargs)
        self.params += [_hidden(option) for option in GLOBALS]


class Group(click.Group):
    """A group of commands, such as ``hotdesk job``."""

    command_class = Command


def _hidden(option: click.Option) -> click.Option:
    copy = click.Option.__new__(click.Option)
    copy.__dict__.update(option.__dict__, hidden=True)
    return copy


def pass_invocation(function: Callable[..., object]) -> Callable[..., object]:
    """Give the command its ``Invocation`` as the first argument."""

    def call(*args: object, **kwargs: object) -> object:
        # Imported with the command that runs, not for help or completion.
        from hotdesk.cli.invocation import Invocation  # noqa: PLC0415 - see above

        return function(Invocation.of(click.get_current_context().obj), *args, **kwargs)

    return update_wrapper(call, function)
