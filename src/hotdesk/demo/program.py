"""An agent of Python as a program that confined agents can start.

Walls hide home directories and /tmp, and root's agents run as another user, so neither the
agent in an installed package nor the interpreter of this process need be there for it.
"""

import shutil
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from hotdesk.confinement import Confinement
from hotdesk.demo import agent
from hotdesk.errors import ConfigError
from hotdesk.runners.process import PROGRAM_PATH

NAME = "agent.py"
READABLE = 0o755


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How to start the agent, and what of the machine it must be shown for that."""

    argv: tuple[str, ...]
    shown: tuple[Path, ...]


def install(folder: Path, confinement: Confinement, *, source: str = agent.__file__) -> Program:
    """Put the agent at *source*, the demo's own, into *folder*; find a Python to run it with.

    Raises:
        ConfigError: There is none; the message says what to do.
    """
    script = folder / NAME
    shutil.copyfile(source, script)
    script.chmod(READABLE)
    # -I: nothing of the folder where it works, which anybody may write to, is imported.
    argv = (str(_python(confinement)), "-I", str(script))
    return Program(argv=argv, shown=(script, Path(sys.base_prefix)))


def _python(confinement: Confinement) -> Path:
    own = Path(sys.executable).resolve()
    system = shutil.which("python3", path=PROGRAM_PATH)
    for python in (own, *([Path(system).resolve()] if system else [])):
        # What walls hide they can show; who runs as another user needs the rights as well.
        if confinement.hides_files or confinement.uid is None or _is_open(python):
            return python
    raise ConfigError(
        "projects.amelia.command",
        f"an agent of another user cannot run {own}",
        f"install python3 in one of {PROGRAM_PATH}",
    )


def _is_open(program: Path) -> bool:
    """Whether everybody may run it."""
    return all(path.stat().st_mode & stat.S_IXOTH for path in (program, *program.parents))
