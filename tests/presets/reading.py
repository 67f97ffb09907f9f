"""What the tests of every preset need: a turn, and a whole output read at once."""

from collections.abc import Sequence
from pathlib import Path

from hotdesk.agents.dialect import Dialect, Report, Said, Sign, Turn, Used

SEEN = Path(__file__).parent / "seen"
"""What the real programs printed, asked with a scripted model; see their modules for versions."""
WORKSPACE = Path("/srv/space")
TURN = Turn(prompt="[hotdesk job j1]\n\nmake it blue", workspace=WORKSPACE, session=Path("/s"))
ID = "01a20543-a80c-7c81-92d1-1b677efd2b02"


def seen(name: str) -> bytes:
    return (SEEN / f"{name}.txt").read_bytes()


def read(
    dialect: Dialect,
    output: bytes,
    *,
    exit_code: int = 0,
    was_stopped: bool = False,
    size: int = 65_536,
) -> tuple[Sequence[Sign], Report]:
    """Read *output* in pieces of *size* bytes."""
    reader = dialect.reader(TURN)
    pieces = [output[at : at + size] for at in range(0, len(output), size)]
    signs = [sign for piece in pieces for sign in reader.feed(piece)]
    return signs, reader.report(exit_code=exit_code, was_stopped=was_stopped)


def said(signs: Sequence[Sign]) -> str:
    return "".join(sign.text for sign in signs if isinstance(sign, Said))


def used(signs: Sequence[Sign]) -> list[tuple[str, str]]:
    return [(sign.tool, sign.target) for sign in signs if isinstance(sign, Used)]
