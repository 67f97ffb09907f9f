"""The real Codex, driven by its dialect within walls, asked with a scripted model."""

import json

import anyio
import pytest

from hotdesk.agents.codex import Codex
from hotdesk.agents.dialect import ProblemKind
from tests.presets.model_api import Answer, Model, scripted
from tests.presets.real.conftest import MakeRoom
from tests.presets.real.room import KEY, Room

pytestmark = [pytest.mark.anyio, pytest.mark.agents, pytest.mark.needs("bwrap", "git")]

ASKED = "[hotdesk job j1]\n\nmake it blue"
PATCH = """apply_patch <<'END'
*** Begin Patch
*** Update File: index.html
@@
-<h1>red</h1>
+<h1>blue</h1>
*** End Patch
END"""


def shell(command: str) -> Answer:
    return Answer(tool="exec_command", arguments={"cmd": command})


def said_to(model: Model) -> str:
    """All that the model was asked last."""
    return json.dumps(model.requests[-1])


async def test_it_edits_a_file_and_says_so(room: Room) -> None:
    page = room.write("index.html", "<h1>red</h1>\n")

    with scripted(shell(PATCH), Answer(text="It is blue now.")) as model:
        ran = await room.run(ASKED, model)

    assert page.read_text() == "<h1>blue</h1>\n"
    assert ran.report.problem is None
    assert ran.report.text == "It is blue now."
    assert ran.used == [("edit", "index.html")]
    assert model.keys == [f"Bearer {KEY}"] * 2


async def test_a_conversation_goes_on_elsewhere_and_holds_each_prompt_once(
    make_room: MakeRoom,
) -> None:
    first, second = make_room(), make_room()
    with scripted(Answer(text="Done.")) as model:
        ran = await first.run(ASKED, model)
    assert Codex().remembers(first.session, ran.report.session_id, "[hotdesk job j1]")

    second.take_over(first)
    with scripted(Answer(text="Green.")) as model:
        resumed = await second.run(
            "[hotdesk job j2]\n\ngreen", model, session_id=ran.report.session_id
        )

    assert resumed.report.text == "Green."
    assert resumed.report.session_id == ran.report.session_id
    assert said_to(model).count("[hotdesk job j1]") == 1
    assert said_to(model).count("[hotdesk job j2]") == 1


async def test_what_was_asked_before_an_interrupt_is_remembered(make_room: MakeRoom) -> None:
    first, second = make_room(), make_room()
    with scripted(shell("echo begun > page.txt"), Answer(hangs=True)) as model:

        async def stop() -> None:
            assert await anyio.to_thread.run_sync(model.is_asked.wait, 10)

        stopped = await first.run(ASKED, model, stop=stop)
    assert (first.workspace / "page.txt").read_text() == "begun\n"
    assert stopped.report.problem is None

    second.take_over(first)
    with scripted(Answer(text="Green.")) as model:
        resumed = await second.run("green", model, session_id=stopped.report.session_id)

    assert resumed.report.text == "Green."
    assert said_to(model).count("[hotdesk job j1]") == 1


@pytest.mark.parametrize("is_repository", [True, False])
async def test_a_repository_cannot_change_its_settings(room: Room, *, is_repository: bool) -> None:
    if is_repository:
        await anyio.run_process(["git", "init", "-q", str(room.workspace)])
    room.write(
        ".codex/config.toml",
        'model = "other"\nmodel_provider = "theirs"\n'
        '[model_providers.theirs]\nname = "theirs"\nbase_url = "http://127.0.0.1:9/v1"\n'
        '[mcp_servers.theirs]\ncommand = "touch"\nargs = ["started"]\n',
    )
    hook = {"type": "command", "command": "touch hooked"}
    room.write(".codex/hooks.json", json.dumps({"hooks": {"SessionStart": [{"hooks": [hook]}]}}))

    with scripted(Answer(text="Done.")) as model:
        ran = await room.run(ASKED, model)

    assert ran.report.text == "Done."
    assert model.requests[-1]["model"] == "m1"
    assert {path.name for path in room.workspace.iterdir()} <= {".codex", ".git"}


async def test_it_is_told_once_what_the_repository_tells_agents(room: Room) -> None:
    room.write("AGENTS.md", "Use tabs, never blanks.")

    with scripted(Answer(text="Done.")) as model:
        await room.run(ASKED, model)

    assert said_to(model).count("Use tabs, never blanks.") == 1


async def test_what_its_shell_starts_has_no_key_in_its_environment(room: Room) -> None:
    with scripted(shell("env > env.txt"), Answer(text="Done.")) as model:
        await room.run(ASKED, model)

    assert KEY not in (room.workspace / "env.txt").read_text()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, ProblemKind.INVALID), (401, ProblemKind.LOGIN), (429, ProblemKind.RATE_LIMIT)],
)
async def test_an_error_of_the_model_is_told_by_its_kind(
    room: Room, status: int, kind: ProblemKind
) -> None:
    with scripted(*[Answer(status=status, text="no")] * 20) as model:
        ran = await room.run(ASKED, model)

    assert ran.report.problem is not None
    assert ran.report.problem.kind is kind
