"""The Python that runs a program of ours within walls, and the files that it needs there.

Both may lie in a home directory, which is hidden; only this much of it is shown: the program,
Python's own library, and Pillow. Neither Hotdesk nor anything else that is installed.
"""

import importlib.util
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """How to start Python with nothing but Pillow; ``site`` is the folder to find that in."""

    program: Path
    site: Path
    needed: tuple[Path, ...]

    def argv(self, code: str, *arguments: str) -> tuple[str, ...]:
        """Return the command that runs *code*, without settings of a user or a folder."""
        return (str(self.program), "-I", "-S", "-B", "-c", code, str(self.site), *arguments)


@cache
def interpreter() -> Interpreter:
    """Return the Python that runs this, out of its virtual environment."""
    program = Path(sys.executable).resolve()
    # Asked for the environment, the second would be the folder with everything installed.
    base = {"platbase": sys.base_exec_prefix}
    library = {
        Path(sysconfig.get_path("stdlib")).resolve(),
        Path(sysconfig.get_path("platstdlib", vars=base)).resolve(),
    }
    shared = {path for folder in library for path in folder.parent.glob("libpython*.so*")}
    found = importlib.util.find_spec("PIL")
    assert found is not None, "Pillow is installed with Hotdesk"
    assert found.submodule_search_locations
    pillow = Path(found.submodule_search_locations[0])
    # Where wheels for Linux keep their libraries; Pillow of the system has them elsewhere.
    libraries = {path for path in (pillow.with_name("pillow.libs"),) if path.is_dir()}
    return Interpreter(
        program=program,
        site=pillow.parent,
        needed=(program, *library, *shared, pillow, *libraries),
    )
