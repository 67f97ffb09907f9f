"""Which of several values counts, and where it is said to come from."""

from pathlib import Path

import pytest

from hotdesk.config import Config, Loaded, load
from hotdesk.errors import ConfigError
from tests.config.conftest import Write


def origin(loaded: Loaded, key: str) -> tuple[object, str]:
    return next((value, by) for at, value, by in loaded.values() if ".".join(at) == key)


def test_without_any_settings_everything_is_the_default() -> None:
    loaded = load()

    assert loaded.config.pool.min_workers == 2
    assert loaded.config.backend == "sqlite:///hotdesk.db"
    assert {by for _, _, by in loaded.values()} == {"default"}
    assert loaded.files == ()


def test_the_header_of_a_table_is_no_origin_of_the_settings_that_it_leaves_out(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("[pool]\n# min_workers = 2\n\n[worker]\nlease_seconds = 20\n[limits]\nattempts_max = 4\n")
    monkeypatch.setenv("HOTDESK_LIMITS", "{ preemptions_max = 7 }")

    loaded = load()

    assert origin(loaded, "pool.min_workers") == (2, "default")
    assert origin(loaded, "worker.grace_seconds")[1] == "default"
    assert origin(loaded, "worker.lease_seconds") == (20, "hotdesk.toml:5")
    assert origin(loaded, "limits.preemptions_max") == (7, "HOTDESK_LIMITS")


def test_each_place_is_stronger_than_the_next(
    write: Write, write_users: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_users("[worker]\nlease_seconds = 20\nlinger_seconds = 20\ngrace_seconds = 20\n")
    write("[worker]\nlinger_seconds = 30\ngrace_seconds = 30\n\n[pool]\nmin_workers = 1\n")
    monkeypatch.setenv("HOTDESK_WORKER__GRACE_SECONDS", "40")
    monkeypatch.setenv("HOTDESK_BACKEND", "sqlite:///environment.db")

    loaded = load(flags={"backend": "sqlite:///flag.db"})

    assert origin(loaded, "backend") == ("sqlite:///flag.db", "--backend")
    assert origin(loaded, "worker.grace_seconds") == (40, "HOTDESK_WORKER__GRACE_SECONDS")
    assert origin(loaded, "worker.linger_seconds") == (30, "hotdesk.toml:2")
    assert origin(loaded, "pool.min_workers") == (1, "hotdesk.toml:6")
    assert origin(loaded, "worker.lease_seconds") == (20, f"{loaded.files[0]}:2")
    assert origin(loaded, "worker.job_time_seconds") == (14_400, "default")


def test_a_file_that_is_named_stands_in_for_the_one_here(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("data_dir = 'here'")
    (tmp_path / "a.toml").write_text("data_dir = 'a'")
    (tmp_path / "b.toml").write_text("data_dir = 'b'")
    monkeypatch.setenv("HOTDESK_CONFIG", str(tmp_path / "b.toml"))

    by_variable = load()
    by_flag = load(tmp_path / "a.toml")

    assert by_variable.config.data_dir == Path("b")
    assert by_flag.config.data_dir == Path("a")


def test_a_variable_can_hold_a_list_and_reach_into_a_project(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("[projects.amelia]\nrepo = 'a.git'\ncommand = ['one']\n")
    monkeypatch.setenv("HOTDESK_PROJECTS__AMELIA__COMMAND", '["two", "words"]')
    monkeypatch.setenv("HOTDESK_POOL__PINNED", '[{desk = "amelia/scott", always_on = false}]')

    config = load().config

    assert config.projects["amelia"].repo == "a.git"
    assert config.projects["amelia"].command == ("two", "words")
    assert [(str(pin.desk), pin.always_on) for pin in config.pool.pinned] == [
        ("amelia/scott", False)
    ]


def test_what_an_agent_finds_in_its_environment_is_no_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOTDESK_JOB_FILE", "/x/job.json")
    monkeypatch.setenv("HOTDESK_RESULT_FILE", "/x/result.txt")

    assert load().config == Config()


def test_tables_in_two_places_are_one_table(write: Write, write_users: Write) -> None:
    write_users("[projects.a]\nrepo = 'a.git'\ncommand = ['a']\nusers = { x = ['x@example.org'] }")
    write("[projects.b]\nrepo = 'b.git'\ncommand = ['b']\n[projects.a]\nusers = {}\n")

    projects = load().config.projects

    assert sorted(projects) == ["a", "b"]
    assert projects["a"].users == {"x": ("x@example.org",)}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"[pool\nmin_workers = 1", "is not TOML"),
        (b"backend = 1\nbackend = 2", "is not TOML"),
        (b"\xff\xfe\x00", "is not a text in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_understood_is_named(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=complaint) as caught:
        load(path)

    assert caught.value.key == str(path)


def test_a_file_that_was_asked_for_and_is_missing_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
        load(tmp_path / "none.toml")


def test_a_folder_in_place_of_a_file_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)
