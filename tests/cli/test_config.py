"""``config`` and ``init``: what is in force, where it comes from, and a file to begin with."""

import re
import tomllib
from pathlib import Path

import pytest

from hotdesk.cli.init import template
from hotdesk.config import settings
from tests.cli.conftest import Run

MAIL = "[mail]\ndomain = 'desk.example.org'\nkey = 'env:MAIL_KEY'\n"
PROJECT = "[projects.amelia]\nrepo = 'a.git'\ncommand = ['agent', '-x']\n"


def test_every_value_is_shown_with_its_origin(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "hotdesk.toml").write_text("[pool]\nmin_workers = 1\n")
    monkeypatch.setenv("HOTDESK_POOL__MAX_WORKERS", "7")

    shown = run("config", "show", "--origin", "--backend", "sqlite:///x.db").out.splitlines()
    records = {each["key"]: each for each in run("config", "show", "--json").records}

    assert 'backend = "sqlite:///x.db"  # --backend' in shown
    assert "pool.min_workers = 1  # hotdesk.toml:2" in shown
    assert "pool.max_workers = 7  # HOTDESK_POOL__MAX_WORKERS" in shown
    assert "worker.lease_seconds = 90  # default" in shown
    assert "# worker.handler is not set" in shown
    assert records["pool.max_workers"] == {
        "key": "pool.max_workers",
        "value": 7,
        "origin": "HOTDESK_POOL__MAX_WORKERS",
    }


def test_what_is_shown_is_the_same_configuration_as_toml(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_KEY", "hunter2")
    (here / "hotdesk.toml").write_text(
        MAIL + PROJECT + "users = { '*' = ['example.org'] }\nenv = { A = \"q'\\\"\\u00e4\" }\n"
        "[pool]\npinned = [{desk = 'amelia/scott', always_on = false}]\n"
    )

    shown = run("config", "show").out
    (here / "hotdesk.toml").write_text(shown)

    assert "hunter2" not in shown
    assert tomllib.loads(shown)["projects"]["amelia"]["users"] == {"*": ["example.org"]}
    assert run("config", "show").out == shown


def test_a_check_reads_every_secret(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "hotdesk.toml").write_text(MAIL + PROJECT)

    missing = run("config", "check")
    monkeypatch.setenv("MAIL_KEY", "short")
    short = run("config", "check")
    monkeypatch.setenv("MAIL_KEY", "hunter2" * 3)
    there = run("config", "check", "--json")

    assert missing.code == 2
    assert "mail.key: env:MAIL_KEY: there is no secret" in missing.err
    assert short.code == 2
    assert "mail.key: has fewer than 16 bytes" in short.err
    assert there.record["ok"] is True
    assert run("config", "check").out.startswith("ok: ")


def test_the_files_that_are_read_are_named(run: Run, here: Path) -> None:
    nothing = run("config", "path")
    (here / "hotdesk.toml").write_text("")

    assert (nothing.out, nothing.err) == (
        "",
        "There is no file: the defaults hold. Write one: hotdesk init\n",
    )
    assert run("config", "path").out == f"{here / 'hotdesk.toml'}\n"
    assert run("config", "path", "--json").record == {"file": str(here / "hotdesk.toml")}


def test_a_new_file_changes_nothing_and_names_every_setting(run: Run, here: Path) -> None:
    defaults = run("config", "show").out

    wrote = run("init")

    text = (here / "hotdesk.toml").read_text()
    assert wrote.out == (
        "wrote hotdesk.toml\nnext: describe a project in it, then run: hotdesk up\n"
    )
    assert run("config", "show").out == defaults
    for key, _ in settings():
        if key[:2] != ("pool", "pinned"):
            assert re.search(rf"^#{key[-1]} = ", text, re.MULTILINE), key


def test_what_is_appended_to_a_new_file_is_not_part_of_its_last_comment(
    run: Run, here: Path
) -> None:
    run("init")
    with (here / "hotdesk.toml").open("a") as file:
        file.write(PROJECT)

    checked = run("config", "check")

    assert checked.code == 0, checked.err


def test_a_new_file_is_right_with_every_comment_taken_away(run: Run, here: Path) -> None:
    text = re.sub(r"^#(?! )", "", template(), flags=re.MULTILINE)
    # A handler would stand in for the projects.
    (here / "hotdesk.toml").write_text(re.sub(r"^handler.*\n", "", text, flags=re.MULTILINE))

    shown = run("config", "show")

    assert shown.code == 0, shown.err
    assert 'projects.amelia.command = ["./agent.sh"]' in shown.out


def test_a_file_that_is_there_is_replaced_only_by_force(run: Run, here: Path) -> None:
    (here / "hotdesk.toml").write_text("data_dir = 'mine'\n")

    refused = run("init")
    kept = (here / "hotdesk.toml").read_text()
    forced = run("init", "--force", "--json")

    assert refused.code == 4
    assert "replace it with --force" in refused.err
    assert kept == "data_dir = 'mine'\n"
    assert forced.record == {"file": str(here / "hotdesk.toml")}
    assert "mine" not in (here / "hotdesk.toml").read_text()


def test_a_file_that_cannot_be_written_is_named(run: Run) -> None:
    ran = run("init", "--config", "none/x.toml")

    assert ran.code == 2
    assert "none/x.toml cannot be written: No such file or directory" in ran.err
