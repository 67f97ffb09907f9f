"""Secrets are named by their place, read late, and shown nowhere."""

from pathlib import Path

import pytest

from hotdesk.config import ConfigMistakes, SecretRef, load
from hotdesk.errors import ConfigError
from tests.config.conftest import Write

MAIL = "[mail]\ndomain = 'desk.example.org'\nkey = 'env:MAIL_KEY'\n"
PROJECT = "[projects.amelia]\nrepo = 'a.git'\ncommand = ['agent']\n"


@pytest.mark.parametrize(
    "text",
    [
        "[mail]\ndomain = 'desk.example.org'\nkey = 'hunter2'\n",
        MAIL + "[mail.relay]\nhost = 'x'\npassword = 'hunter2'",
        MAIL + "[mail.relay]\nhost = 'x'\npasword = 'hunter2'",
        PROJECT + "token = 'hunter2'",
        PROJECT + "env = { API_KEY = 'hunter2' }",
        PROJECT + "env = { api_token = 'hunter2' }",
        "[projects.amelia]\nrepo = 'https://me:hunter2@example.org/a.git'\ncommand = ['a']",
        "[projects.amelia]\nrepo = 'https://:hunter2@example.org/a.git'\ncommand = ['a']",
        "backend = 'postgres://me:hunter2@example.org/x'",
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(write: Write, text: str) -> None:
    write(text)

    with pytest.raises(ConfigMistakes) as caught:
        load()

    assert "hunter2" not in str(caught.value)


def test_a_secret_is_read_from_its_variable_or_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_KEY", "hunter2")
    (tmp_path / "key").write_text("hunter3\n")

    assert SecretRef("env:MAIL_KEY").read() == "hunter2"
    assert SecretRef(f"file:{tmp_path / 'key'}").read() == "hunter3"


def test_what_stands_for_a_secret_never_shows_it(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_KEY", "hunter2")
    write(MAIL + PROJECT)

    loaded = load()

    assert "hunter2" not in repr(loaded.config) + str(list(loaded.values()))
    assert str(loaded.config.mail and loaded.config.mail.key) == "env:MAIL_KEY"


def test_every_missing_secret_is_named_at_once(write: Write, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xff")
    relay = "[mail.relay]\nhost = 'x'\nusername = 'me'\npassword = 'file:/nowhere'\n"
    write(f"{MAIL}{relay}{PROJECT}token = 'file:{tmp_path / 'binary'}'\n")
    loaded = load()

    with pytest.raises(ConfigMistakes) as caught:
        loaded.check_secrets()

    assert [each.key for each in caught.value.mistakes] == [
        "mail.key",
        "mail.relay.password",
        "projects.amelia.token",
    ]
    assert "env:MAIL_KEY: there is no secret, in hotdesk.toml:3 (set the variable)" in str(
        caught.value
    )


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")

    with pytest.raises(ConfigError, match="there is no secret"):
        SecretRef(f"file:{tmp_path / 'key'}").read()
