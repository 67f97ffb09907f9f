"""``backup``: a copy that can take the place of the database."""

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Run

Send = Callable[..., str]


def test_a_backup_holds_the_jobs_and_can_be_used(run: Run, send: Send, here: Path) -> None:
    send("one", "--id", "j1")

    copied = run("backup", "copy.db", "--json")
    send("two", "--id", "j2")

    listed = run("job", "list", "--json", "--backend", "sqlite:///copy.db").records
    assert copied.record == {
        "file": str(here / "copy.db"),
        "bytes": (here / "copy.db").stat().st_size,
    }
    assert [job["job"] for job in listed] == ["j1"]


def test_a_backup_replaces_no_file(run: Run, send: Send, here: Path) -> None:
    send("one")
    (here / "copy.db").write_text("mine")

    ran = run("backup", "copy.db")

    assert ran.code == 1
    assert "copy.db exists; choose another name" in ran.err
    assert (here / "copy.db").read_text() == "mine"
    assert run("backup", "fine.db").out.startswith("copied the database to fine.db: ")
