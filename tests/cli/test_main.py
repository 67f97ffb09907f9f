"""The frame of every command: options, help, errors and exit codes."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import click
import pytest

from hotdesk import errors
from hotdesk.cli.main import COMMANDS, command_of, exit_code
from hotdesk.cli.main import hotdesk as root
from hotdesk.cli.options import GLOBALS
from tests.cli.conftest import Run

PAGE = Path(__file__).parents[2] / "docs/command-line.md"
HEAVY = {"rich.console", "pydantic", "structlog", "aiosmtplib", "aiosmtpd", "hotdesk.config"}


def every_command() -> list[tuple[str, click.Command]]:
    found = []
    for name in COMMANDS:
        command = command_of(name)
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {each}", inner) for each, inner in command.commands.items()]
    return found


def test_the_version_is_printed_without_importing_what_commands_need() -> None:
    code = (
        "import sys; from hotdesk.cli.main import run; code = run(['--version']);"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), code)"
    )

    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout

    assert printed == "hotdesk 0.1.0\n[] 0\n"


def test_help_and_completion_import_no_command() -> None:
    code = (
        "import sys; from hotdesk.cli.main import run; run(['--help']);"
        "print([n for n in sys.modules if n.startswith('hotdesk.cli.')], file=sys.stderr)"
    )

    imported = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stderr

    assert "hotdesk.cli.options" in imported
    assert "hotdesk.cli.send" not in imported


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_says_of_itself(name: str) -> None:
    assert command_of(name).get_short_help_str(limit=100) == COMMANDS[name]


@pytest.mark.parametrize("name", [name for name, _ in every_command()])
def test_every_command_is_explained_on_its_page(name: str) -> None:
    assert f"`hotdesk {name}" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "option",
    # --parent is between Hotdesk and its own children.
    sorted(
        {o for _, c in every_command() for p in c.params for o in p.opts if o[:2] == "--"}
        - {"--parent"}
    ),
)
def test_every_option_is_explained_on_its_page(option: str) -> None:
    assert f"`{option}" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    [n for n, each in vars(errors).items() if isinstance(each, type) and n != "HotdeskError"],
)
def test_every_error_has_an_exit_code_on_the_page(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text(encoding="utf-8")


def test_the_exit_code_tells_what_kind_of_error_it_was() -> None:
    assert exit_code(errors.StoreError("x")) == 1
    assert exit_code(errors.Rejected("x")) == 2
    assert exit_code(errors.ConfigError("x", "y")) == 2
    assert exit_code(errors.NotFound("job", "x")) == 3
    assert exit_code(errors.NotAllowed("x")) == 4
    assert exit_code(errors.Unavailable("x")) == 5


def test_an_option_may_stand_before_or_behind_the_command(run: Run) -> None:
    before = run("--json", "config", "path")
    behind = run("config", "path", "--json")
    run("init")

    assert before == behind
    assert run("--json", "config", "path").record == run("config", "path", "--json").record


def test_the_last_of_two_values_counts(run: Run) -> None:
    shown = run("--backend", "sqlite:///a.db", "config", "show", "--backend", "sqlite:///b.db")

    assert 'backend = "sqlite:///b.db"' in shown.out


def test_a_command_that_does_not_exist_is_a_usage_error_with_a_way_on(run: Run) -> None:
    ran = run("sned")

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "error: No such command 'sned'.\nsee: hotdesk --help\n"


def test_without_a_command_the_help_is_shown(run: Run) -> None:
    ran = run()

    assert ran.code == 2
    assert "doctor" in ran.err
    assert "error:" not in ran.err


def test_a_missing_database_is_not_made_by_looking_for_it(run: Run, here: Path) -> None:
    ran = run("job", "list")

    assert ran.code == 5
    assert ran.err.startswith("error: there is no database hotdesk.db; go to the folder")
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("command", ["send --desk a/b -m x", "job list", "up --handler m:f"])
def test_every_mistake_in_the_configuration_stops_a_command_at_the_start(
    run: Run, here: Path, command: str
) -> None:
    (here / "hotdesk.toml").write_text("[pool]\nmin_worker = 1\n[mail]\nkey = 'hunter2'\n")

    ran = run(*command.split())

    assert ran.code == 2
    assert "error: pool.min_worker: is not a setting, in hotdesk.toml:2 (did you mean" in ran.err
    assert "error: mail.domain: is missing" in ran.err
    assert "hunter2" not in ran.err
    assert not (here / "hotdesk.db").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--config", "none.toml", "status"], "error: none.toml: cannot be read: No such file"),
        (["--backend", "postgres://me:hunter2@x/y", "status"], "error: backend: is not the URL"),
        (["--backend", "sqlite:///none/x.db", "send", "--desk", "a/b", "-m", "x"], "error: folder"),
    ],
)
def test_a_bad_place_is_named_without_a_secret(
    run: Run, arguments: list[str], complaint: str
) -> None:
    ran = run(*arguments)

    assert ran.code in (1, 2)
    assert ran.err.startswith(complaint)
    assert "hunter2" not in ran.err


def test_a_database_of_a_newer_hotdesk_is_left_alone(run: Run, here: Path) -> None:
    run("send", "--desk", "a/b", "-m", "x")
    database = sqlite3.connect(here / "hotdesk.db")
    database.executescript(
        "PRAGMA user_version = 99; UPDATE meta SET value = 99 WHERE key = 'compatible_with'"
    )
    database.close()

    ran = run("job", "list")

    assert ran.code == 1
    assert "was written by a newer Hotdesk" in ran.err


def test_a_file_that_is_no_database_is_named(run: Run, here: Path) -> None:
    (here / "hotdesk.db").write_bytes(b"no database at all" * 500)

    ran = run("job", "list")

    assert ran.code == 1
    assert ran.err.startswith("error: hotdesk.db is damaged or is not a Hotdesk database")


def test_a_traceback_is_shown_only_when_it_was_asked_for_twice(here: Path) -> None:
    command = [sys.executable, "-m", "hotdesk", "job", "show", "nope"]
    (here / "tasks.py").write_text("")
    environment = {"PATH": os.defpath, "HOME": str(here)}

    def said(*more: str) -> str:
        ran = subprocess.run(
            [*command, *more], env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 5
        return ran.stderr

    assert said() == "error: there is no database" + said().partition("database")[2]
    assert said("-v").startswith("configuration: no file; backend: sqlite:///hotdesk.db\n")
    assert "Traceback" not in said("-v")
    assert "Traceback" in said("-v", "-v")


def test_an_unexpected_error_is_one_line_without_its_message(here: Path) -> None:
    (here / "tasks.py").write_text("raise ValueError('hunter2')")
    command = [sys.executable, "-m", "hotdesk", "worker", "run", "--handler", "tasks:handle"]
    environment = {"PATH": os.defpath, "HOME": str(here)}

    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert ran.returncode == 1
    assert ran.stderr.startswith("error: unexpected ValueError in ")
    assert "tasks.py, line 1; run it again with -v -v" in ran.stderr
    assert "hunter2" not in ran.stderr


def test_a_reader_that_leaves_early_is_no_traceback(here: Path) -> None:
    command = f"( {sys.executable} -m hotdesk config show; echo $? >&2 ) | true"
    environment = {"PATH": os.defpath, "HOME": str(here)}

    ran = subprocess.run(
        ["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, check=True
    )

    assert ran.stderr == "1\n"


def test_completion_knows_commands_and_options(here: Path) -> None:
    variables = {"_HOTDESK_COMPLETE": "bash_complete", "COMP_CWORD": "1", "COMP_WORDS": "hotdesk d"}
    environment = {"PATH": os.defpath, "HOME": str(here), **variables}

    ran = subprocess.run(
        [Path(sys.executable).with_name("hotdesk")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "plain,desk\nplain,dead\n" in ran.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_completion_script(run: Run, shell: str) -> None:
    script = run("completion", shell)

    assert "_HOTDESK_COMPLETE" in script.out
    assert run("completion", shell, "--json").record["script"] + "\n" == script.out


def test_every_command_takes_the_global_options() -> None:
    wanted = {option.name for option in GLOBALS}

    for _, command in every_command():
        if not isinstance(command, click.Group):
            assert wanted <= {param.name for param in command.params}
    assert wanted <= {param.name for param in root.params}
