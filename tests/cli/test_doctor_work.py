"""``doctor`` on what agents work with: pictures, and the commands after them."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from hotdesk.runners import images
from hotdesk.runners.interpreter import interpreter
from hotdesk.wiring import uids
from tests.cli.conftest import Run
from tests.cli.test_doctor import by_level
from tests.runners.programs import UIDS

PROJECT = "[projects.amelia]\nrepo = 'none.git'\ncommand = ['none']\n"


@pytest.mark.needs("bwrap")
def test_pictures_are_shown_where_walls_let_agents_run_this_python(run: Run, here: Path) -> None:
    (here / "hotdesk.toml").write_text(f"{PROJECT}[confinement]\nmode = 'bubblewrap'\n")

    assert "agents are shown the pictures" in by_level(run("doctor", "--json"), "ok")


def test_python_in_a_closed_home_is_a_warning_where_walls_do_not_show_it(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without namespaces all that runs under a number is ended together: not that of others.
    monkeypatch.setattr(uids, "UID_DEFAULT", next(UIDS))
    (here / "hotdesk.toml").write_text(f"{PROJECT}[confinement]\nmode = 'groups'\n")
    with tempfile.TemporaryDirectory() as closed:
        # Whoever is not root is not kept out of a folder of their own: so it cannot be run.
        python = Path(closed) / "python"
        python.touch()
        monkeypatch.setattr(images, "interpreter", lambda: replace(interpreter(), program=python))

        warned = by_level(run("doctor", "--json"), "warn")

    assert "agents are not shown the pictures of mails" in warned
    assert "install Python and Hotdesk outside of home directories" in warned


@pytest.mark.parametrize(
    ("command", "is_told"),
    [
        ("npm ci", True),
        ("cd web && npm ci --no-audit", True),
        ("pip install -r requirements.txt", True),
        ("go mod download", True),
        ("curl -O https://example.org/x", True),
        ("npm ci --offline", False),
        ("npm run install-icons", False),
        ("./curl", False),
        ("make curl-free", False),
        ("npm run build", False),
    ],
)
def test_a_command_that_fetches_without_a_network_is_a_warning(
    run: Run, here: Path, command: str, *, is_told: bool
) -> None:
    project = f"{PROJECT}base_url = 'http://127.0.0.1:1'\nnetwork = 'model-only'\n"
    (here / "hotdesk.toml").write_text(f'{project}after = ["{command}"]\n')

    warned = by_level(run("doctor", "--json"), "warn")

    assert (f"project amelia: {command} seems to fetch something" in warned) is is_told


@pytest.mark.parametrize(
    "settings", ["", "network = 'none'\nafter_network = 'open'\n", "after_network = 'none'\n"]
)
def test_a_network_that_is_there_or_was_taken_away_on_purpose_is_no_warning(
    run: Run, here: Path, settings: str
) -> None:
    (here / "hotdesk.toml").write_text(f"{PROJECT}after = ['npm ci']\n{settings}")

    assert "seems to fetch" not in by_level(run("doctor", "--json"), "warn")
