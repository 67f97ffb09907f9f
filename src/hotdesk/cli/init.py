"""``hotdesk init``: write a commented ``hotdesk.toml``, made from the settings themselves."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_origin

import click
from pydantic.fields import FieldInfo

from hotdesk.cli.invocation import Invocation
from hotdesk.cli.options import Command, pass_invocation
from hotdesk.config import Config, Section
from hotdesk.config.loading import FILE
from hotdesk.config.sections import section_of
from hotdesk.config.writing import plain, toml
from hotdesk.errors import NotAllowed, Rejected

EXAMPLE = "amelia"
EMPTY: tuple[object, ...] = (None, "", (), {})
HEADING = """\
# Hotdesk's configuration. What stands behind a # is the default, or an example.
# See docs/configuration.md, and what is in force with: hotdesk config show --origin
"""


@click.command(cls=Command)
@click.option("--force", is_flag=True, help="Replace the file that is there.")
@pass_invocation
def init(invocation: Invocation, *, force: bool) -> None:
    """Write a commented hotdesk.toml."""
    path = invocation.config_file or FILE
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(template())
    except FileExistsError:
        raise NotAllowed(f"{path} is there already; replace it with --force") from None
    except OSError as error:
        raise Rejected(f"{path} cannot be written: {error.strerror}") from error
    invocation.output.result(
        {"file": str(Path(path).absolute())},
        f"wrote {path}\nnext: describe a project in it, then run: hotdesk up",
    )


def template() -> str:
    """A file that changes nothing, with every setting there is as a comment."""
    return "\n".join([HEADING, *_table(Config, ""), ""])


def _table(section: type[Section], name: str, *, is_there: bool = True) -> Iterator[str]:
    tables: list[tuple[str, FieldInfo]] = []
    for key, field in section.model_fields.items():
        # A list of tables fits on one line.
        if section_of(field.annotation) is None or get_origin(field.annotation) is tuple:
            yield f"# {field.description}"
            yield f"#{key} = {toml(plain(_shown(field)))}"
        else:
            tables.append((key, field))
    for key, field in tables:
        inner = section_of(field.annotation)
        assert inner is not None
        is_list = get_origin(field.annotation) is dict
        path = ".".join(part for part in (name, key, EXAMPLE if is_list else "") if part)
        yield ""
        yield f"# {(inner.__doc__ or '').splitlines()[0]}"
        # A table that may be left out has settings that it must not lack.
        is_whole = is_there and isinstance(field.default, Section)
        yield f"[{path}]" if is_whole else f"#[{path}]"
        yield from _table(inner, path, is_there=is_whole)


def _shown(field: FieldInfo) -> object:
    """The default, or where it says nothing, an example."""
    says_nothing = field.is_required() or field.get_default(call_default_factory=True) in EMPTY
    return field.examples[0] if field.examples and says_nothing else field.get_default()
