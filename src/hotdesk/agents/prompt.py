"""What an agent is asked: short templates, filled in, and those of the user instead of them.

What people and programs wrote stands between fences that it cannot close. A template that
cannot be filled in is found when it is read, and not by the first job.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

from jinja2 import DictLoader, Environment, StrictUndefined, Template, TemplateError

from hotdesk.errors import ConfigError

TASK = "task.md"
FIX = "fix.md"
NAMES = (TASK, FIX)
TEMPLATE_BYTES_MAX = 100_000

_TILDES = re.compile("~+")
_OWN_CLASS = re.compile(r"'[\w.]+\.(\w+) object'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One instruction of a thread, as a prompt tells of it.

    ``is_known`` says that the agent's conversation holds its text. ``commit`` is what has been
    done of it, empty if nothing was kept, and ``answer`` what the user was told.
    """

    job_id: str
    text: str
    is_known: bool = False
    commit: str = ""
    answer: str = ""

    @property
    def mark(self) -> str:
        """What stands beside its text in every prompt, so that a conversation can be searched."""
        return mark_of(self.job_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A command that failed on what the agent did: the command, how it ended, its last lines."""

    command: str
    end: str
    lines: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """All that a prompt may say: what is asked now, and what it follows on.

    ``interrupted`` still counts, ``earlier`` is what the agent does not remember of the thread,
    ``withdrawn`` what it remembers but must not go on with; all oldest first. ``is_again`` says
    that the request was begun before.
    """

    request: Request
    interrupted: Sequence[Request] = ()
    earlier: Sequence[Request] = ()
    withdrawn: Sequence[Request] = ()
    attachments: Sequence[str] = ()
    is_again: bool = False


def mark_of(job_id: str) -> str:
    """The words that name a job in a conversation."""
    return f"[hotdesk job {job_id}]"


def quoted(text: str) -> str:
    """*text* between two lines of tildes, more of them than it has anywhere itself."""
    longest = max(map(len, _TILDES.findall(text)), default=0)
    fence = "~" * max(3, longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """The templates of a project, ready to be filled in."""

    task_template: Template = field(repr=False)
    fix_template: Template = field(repr=False)

    @classmethod
    def load(cls, folder: Path | None = None, *, key: str = "prompts") -> Self:
        """Read the templates; those in *folder* count instead of ours of the same name.

        Raises:
            ConfigError: A template cannot be read or filled in; it names file and line.
        """
        texts = {name: files(__package__).joinpath("prompts", name).read_text() for name in NAMES}
        if folder is not None:
            texts |= {path.name: _text(path, key) for path in _templates(folder, key)}
        environment = Environment(
            loader=DictLoader(texts),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701 - a text for a model, and never for a browser
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["quoted"] = quoted
        made = {}
        for name in NAMES:
            try:
                made[name] = environment.get_template(name)
                _try(made[name])
            except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
                place = f"{folder / name if folder else name}:{_line(error, name)}"
                raise ConfigError(key, f"{place}: {_reason(error)}") from error
        return cls(task_template=made[TASK], fix_template=made[FIX])

    def task(self, task: Task) -> str:
        """Say what is asked now."""
        text = self.task_template.render(
            request=task.request,
            interrupted=task.interrupted,
            earlier=task.earlier,
            withdrawn=task.withdrawn,
            attachments=task.attachments,
            is_again=task.is_again,
        )
        return _marked(task.request, text)

    def fix(self, request: Request, failure: Failure) -> str:
        """Say what failed on what was done for *request*."""
        text = self.fix_template.render(
            request=request, command=failure.command, end=failure.end, lines=failure.lines
        )
        return _marked(request, text)


@cache
def standard() -> Prompts:
    """Our own prompts."""
    return Prompts.load()


def _marked(request: Request, text: str) -> str:
    # Not left to the templates: without it an instruction would be told twice, or never.
    return f"{request.mark}\n\n{text.strip()}\n"


def _templates(folder: Path, key: str) -> list[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix == ".md")
    except OSError as error:
        raise ConfigError(key, f"{folder} cannot be read: {error.strerror}") from error
    for path in found:
        if path.name not in NAMES:
            raise ConfigError(key, f"{path}: there is no such prompt", f"use {' or '.join(NAMES)}")
    return found


def _text(path: Path, key: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(TEMPLATE_BYTES_MAX + 1)
        if len(content) > TEMPLATE_BYTES_MAX:
            raise ConfigError(key, f"{path} has more than {TEMPLATE_BYTES_MAX} bytes")
        return content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(key, f"{path} cannot be read: {error}") from error


def _try(template: Template) -> None:
    """Fill *template* in with everything there is, and with as little as there can be."""
    full = Request(job_id="j1", text="text", is_known=True, commit="c1", answer="answer")
    bare = Request(job_id="j2", text="text")
    for request, others in ((full, (full, bare)), (bare, ()), (replace(full, commit=""), ())):
        template.render(
            request=request,
            interrupted=others,
            earlier=others,
            withdrawn=others,
            attachments=[each.text for each in others],
            is_again=bool(others),
            command="command",
            end="exit status 1",
            lines="lines",
        )


def _line(error: Exception, name: str) -> int:
    """The line of template *name* where *error* comes from; jinja keeps it in the traceback."""
    line: int = getattr(error, "lineno", None) or 0
    at: TracebackType | None = error.__traceback__
    while at is not None:
        if at.tb_frame.f_code.co_filename in (name, "<template>"):
            line = at.tb_lineno
        at = at.tb_next
    return line


def _reason(error: Exception) -> str:
    # Who writes templates knows the names in them, and not our classes.
    said = _OWN_CLASS.sub(lambda found: f"a {found[1].lower()}", str(error))
    return said.partition("\n")[0] or type(error).__name__
