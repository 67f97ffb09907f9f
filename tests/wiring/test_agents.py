"""What projects become: origins, walls, and a user number for each worker."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.config import Config
from hotdesk.confinement import UID_DEFAULT, find_confinement
from hotdesk.errors import ConfigError
from hotdesk.wiring.agents import open_agents, origin_of, own_uid

CHOSEN = {"confinement": {"mode": "groups"}}


def project(**settings: object) -> Config:
    return Config.model_validate({"projects": {"a": {"command": ["agent"], **settings}}, **CHOSEN})


@pytest.mark.parametrize(
    ("repo", "url"),
    [
        ("a.git", "{here}/a.git"),
        ("../a:b.git", "{here}/../a:b.git"),
        ("/srv/a.git", "/srv/a.git"),
        ("https://example.org/a.git", "https://example.org/a.git"),
        ("ssh://git@example.org/a.git", "ssh://git@example.org/a.git"),
        ("git@example.org:a.git", "git@example.org:a.git"),
    ],
)
def test_a_path_becomes_absolute_and_an_address_stays(here: Path, repo: str, url: str) -> None:
    origin = origin_of(project(repo=repo).projects["a"])

    assert origin.url == url.format(here=here)
    assert origin.authorization == ""


def test_a_token_travels_beside_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2/@")

    origin = origin_of(project(repo="https://example.org/a", token="env:TOKEN").projects["a"])

    assert origin.url == "https://example.org/a"
    assert origin.authorization.startswith("Authorization: Basic ")
    assert "hunter2" not in repr(origin)


@pytest.mark.parametrize("repo", ["a.git", "git@example.org:a.git", "http://example.org/a.git"])
def test_a_token_is_sent_over_https_only(monkeypatch: pytest.MonkeyPatch, repo: str) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")

    with pytest.raises(ConfigError, match="only for a repository at https") as caught:
        origin_of(project(repo=repo, token="env:TOKEN").projects["a"])

    assert "hunter2" not in str(caught.value)


def test_two_workers_of_root_never_share_a_user_number(here: Path) -> None:
    confinement = replace(find_confinement().best, uid=UID_DEFAULT)
    config = project(repo="a.git")
    (here / "hotdesk-data").mkdir()

    with ExitStack() as first, ExitStack() as second:
        one = first.enter_context(own_uid(config, confinement))
        two = second.enter_context(own_uid(config, confinement))
        first.close()
        with own_uid(config, confinement) as again:
            numbers = (one.uid, two.uid, again.uid)

    assert numbers == (UID_DEFAULT, UID_DEFAULT + 1, UID_DEFAULT)


@pytest.mark.anyio
async def test_agents_do_not_see_the_database_nor_the_files_with_secrets(here: Path) -> None:
    (here / "token").write_text("hunter2")
    config = project(repo="https://example.org/a", token=f"file:{here / 'token'}")

    backend = SqliteBackend(here / "hotdesk.db", SystemClock())

    with open_agents(config, backend) as runner:
        hidden = {str(path) for path in runner._walls.hidden}
    await backend.close()

    names = "hotdesk-data hotdesk.db hotdesk.db-wal hotdesk.db-shm hotdesk.db-bell token".split()
    assert hidden == {str(here / name) for name in names}
