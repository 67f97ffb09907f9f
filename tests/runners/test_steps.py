"""Commands after the agent: real git, real processes, on what will be committed."""

import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from chaos.disk import small_disk
from hotdesk.confinement import Confinement, Network
from hotdesk.desks import Interrupted
from hotdesk.errors import AttemptFailed, ClaimLost
from hotdesk.runners.agent import AgentWalls
from hotdesk.runners.step import StepFailed, StepPlan, StepsStopped
from hotdesk.runners.steps import Steps
from hotdesk.workspaces import Origin, Repository, Workspace, Workspaces
from tests.runners.attempts import DESK, Attempt, attempt
from tests.runners.programs import living
from tests.workspaces.origins import BareOrigin

pytestmark = pytest.mark.anyio
NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
SECRET = "made-up-t0ken"
GRACE = timedelta(seconds=2)


@dataclass(kw_only=True)
class Site:
    """A desk at work: its clone, its attempt, and the folder of the steps."""

    root: Path
    data: Path
    attempt: Attempt
    workspaces: Workspaces
    workspace: Workspace
    new_steps: Callable[[], Steps]
    steps: Steps

    @property
    def place(self) -> Path:
        return self.root / "steps/amelia/scott/1"

    def write(self, name: str, text: str = "x") -> None:
        """Let the agent write a file."""
        path = self.workspace.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    async def after(self, *commands: str, **plan: Any) -> StepFailed | StepsStopped | None:  # noqa: ANN401
        self.write("work")
        return await self.steps.after(
            StepPlan(after=commands, **plan),
            self.workspace,
            self.attempt.delivery,
            self.attempt.context,
        )

    async def push(self) -> str:
        await self.workspace.commit("all of it", now=NOW)
        return await self.workspace.push(confirm=self.attempt.confirm)

    async def publish(self, commit: str, **plan: Any) -> None:  # noqa: ANN401
        await self.steps.publish(
            StepPlan(publish_env={"TOKEN": SECRET}, **plan),
            commit,
            self.attempt.delivery,
            self.attempt.context,
            workspace=self.workspace,
        )


@pytest.fixture
def origin(passable: Path) -> BareOrigin:
    made = BareOrigin.make(passable / "origin.git")
    made.person_pushes({"index.html": "<h1>hello</h1>\n", ".gitignore": "dist\n"})
    return made


@pytest.fixture
def data() -> Iterator[Path]:
    """Where Hotdesk keeps what is not for agents; not in /tmp, which is theirs anyway."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        Path(name, "secret").write_text("made-up")
        yield Path(name)


@pytest.fixture
async def site(
    passable: Path, data: Path, origin: BareOrigin, confinement: Confinement
) -> AsyncIterator[Site]:
    workspaces = Workspaces(
        root=passable / "workspaces",
        repositories={"amelia": Repository(origin=Origin.parse(origin.url))},
    )
    walls = AgentWalls(
        homes=passable / "homes",
        steps=passable / "steps",
        hidden=(data,),
        grace=GRACE,
    )

    def new_steps() -> Steps:
        return Steps(confinement, walls, workspaces, walls.steps)

    async with attempt(passable) as one:
        workspace = await workspaces.open(
            DESK, "t1", 1, job_id="j1", now=NOW, owner_uid=confinement.uid
        )
        yield Site(
            root=passable,
            data=data,
            attempt=one,
            workspaces=workspaces,
            workspace=workspace,
            new_steps=new_steps,
            steps=new_steps(),
        )


# --------------------------------------------------------------------------- after


async def test_commands_run_on_what_will_be_committed_and_on_nothing_else(site: Site) -> None:
    site.write("dist/old.js")
    site.write("page.html", "new\n")
    site.write(".git/hooks/post-checkout", "#!/bin/sh\necho hooked\n")
    (site.workspace.path / ".git/hooks/post-checkout").chmod(0o755)

    ended = await site.after("ls -A; cat page.html", 'echo "$HOTDESK_BRANCH $HOTDESK_JOB"')

    assert ended is None
    assert await site.attempt.log() == (
        "\n[after 1/2: ls -A; cat page.html]\n.gitignore\nindex.html\npage.html\nwork\nnew\n"
        '\n[after 2/2: echo "$HOTDESK_BRANCH $HOTDESK_JOB"]\nhotdesk/scott/t1 j1\n'
    )
    assert await site.attempt.steps() == [("after", 1, 0), ("after", 2, 0)]


async def test_commands_share_a_folder_and_a_home_and_change_nothing_of_the_commit(
    site: Site, origin: BareOrigin
) -> None:
    ended = await site.after(
        "echo built >made; echo kept >~/cache; rm index.html",
        "cat made ~/cache; pwd",
        env={"COLOUR": "blue"},
    )
    await site.push()

    assert ended is None
    assert "built\nkept\n" in await site.attempt.log()
    assert origin.names("hotdesk/scott/t1") == [".gitignore", "index.html", "work"]


async def test_commands_run_as_the_agents_user_with_the_projects_environment(
    site: Site, confinement: Confinement
) -> None:
    ended = await site.after("id -u; env; touch here", env={"COLOUR": "blue"})

    log = await site.attempt.log()
    assert ended is None
    assert f"]\n{os.getuid() if confinement.uid is None else confinement.uid}\n" in log
    assert "\nCOLOUR=blue\n" in log
    assert (site.place / "tree/here").stat().st_mode


async def test_a_command_that_fails_ends_the_steps_and_is_told_with_its_last_lines(
    site: Site,
) -> None:
    lines = "for i in $(seq 40); do printf '\\033[31mline %s\\033[0m\\n' $i; done; exit 3"

    ended = await site.after("true", lines, "echo never")

    assert isinstance(ended, StepFailed)
    assert (ended.command, ended.number, ended.exit_code) == (lines, 2, 3)
    assert ended.tail == "\n".join(f"line {number}" for number in range(11, 41))
    assert "]\nnever" not in await site.attempt.log()
    assert await site.attempt.steps() == [("after", 1, 0), ("after", 2, 3)]
    assert not site.place.exists()


async def test_a_command_that_takes_too_long_is_ended_and_the_reason_says_so(site: Site) -> None:
    ended = await site.after(
        "trap 'echo tidied; exit 0' INT; echo begun; while :; do sleep 0.05; done",
        after_time=timedelta(milliseconds=300),
    )

    assert isinstance(ended, StepFailed)
    assert "was not finished within 0.3 s:\nbegun\ntidied" in ended.reason
    assert not site.place.exists()


async def test_an_interrupt_ends_a_command_gently_and_runs_no_other(site: Site) -> None:
    script = "trap 'echo tidied; exit 0' INT; echo begun; while :; do sleep 0.05; done"

    async with anyio.create_task_group() as tasks:

        async def interrupt() -> None:
            await site.attempt.logged("]\nbegun")
            site.attempt.interrupt()

        tasks.start_soon(interrupt)
        ended = await site.after(script, "echo never")

    log = await site.attempt.log()
    assert isinstance(ended, StepsStopped)
    assert "begun\ntidied\n" in log
    assert "]\nnever" not in log
    assert not site.place.exists()


async def test_nothing_is_run_when_the_interrupt_came_before(site: Site) -> None:
    site.attempt.interrupt()

    assert isinstance(await site.after("echo never"), StepsStopped)
    assert await site.attempt.log() == ""


async def test_a_cancelled_step_leaves_no_process_and_no_folder(site: Site) -> None:
    mark = f"sleep 98765.{os.getpid()}"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(site.after, f"echo begun; (setsid {mark} &) ; {mark}")
        await site.attempt.logged("]\nbegun")
        tasks.cancel_scope.cancel()

    assert living(mark) == []
    assert not site.place.exists()


async def test_nothing_is_run_where_nothing_was_changed(site: Site) -> None:
    plan = StepPlan(after=("echo ran",))

    ended = await site.steps.after(
        plan, site.workspace, site.attempt.delivery, site.attempt.context
    )

    assert ended is None
    assert await site.attempt.log() == ""


@pytest.mark.parametrize("what", ["folded", "own"])
async def test_what_an_interrupted_run_has_changed_is_tried_with_the_run_that_goes_on(
    site: Site, what: str
) -> None:
    delivery = site.attempt.delivery
    if what == "folded":
        delivery = replace(delivery, folded=(Interrupted(job_id="j0", instruction="begin"),))
    else:
        delivery = replace(delivery, job=replace(delivery.job, partial_commit="1" * 40))

    ended = await site.steps.after(
        StepPlan(after=("echo ran",)), site.workspace, delivery, site.attempt.context
    )

    assert ended is None
    assert "]\nran\n" in await site.attempt.log()


@pytest.mark.needs("bwrap")
@pytest.mark.parametrize(
    ("network", "reaches"),
    [(Network.OPEN, True), (Network.NONE, False), (Network.MODEL_ONLY, False)],
)
async def test_commands_get_no_more_of_the_network_than_the_agent(
    site: Site, network: Network, *, reaches: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect = f"bash -c 'echo </dev/tcp/127.0.0.1/{port}'"
        after = await site.after(connect, network=network)
        if after is None:
            await site.steps.discard(DESK, 1)
        # What publishes has to reach the world, whatever the agent may.
        await site.publish(await site.push(), publish=(connect,), network=network)

    assert (after is None) is reaches


@pytest.mark.needs("bwrap")
async def test_commands_see_nothing_of_hotdesk_and_no_other_place(site: Site) -> None:
    (site.root / "steps/amelia/dorothy/1").mkdir(parents=True)

    await site.after(
        f"cat {site.data}/secret; ls {site.data} {site.workspace.path} {site.root}/steps"
    )

    log = await site.attempt.log()
    assert "made-up" not in log
    assert "index.html" not in log
    assert "dorothy" not in log


async def test_what_a_command_leaves_is_removed_without_following_a_link(site: Site) -> None:
    outside = site.root / "outside"
    outside.mkdir()
    (outside / "kept").touch()

    await site.after(f"ln -s {outside} out; mkdir -p shut/inner; chmod 0 shut")
    await site.steps.discard(DESK, 1)

    assert not site.place.exists()
    assert (outside / "kept").exists()
    assert list((site.root / "steps/.trash").iterdir()) == []


async def test_places_of_earlier_generations_are_removed_and_no_others(site: Site) -> None:
    places = [site.root / "steps" / name for name in ("amelia/scott/1", "amelia/dorothy/1")]
    for place in (*places, site.root / "steps/amelia/scott/2"):
        (place / "tree").mkdir(parents=True)
    (site.root / "steps/.trash/left").mkdir(parents=True)

    await site.steps.remove_older(DESK, 2)

    assert list((site.root / "steps/.trash").iterdir()) == []
    assert [place.exists() for place in places] == [False, True]
    assert (site.root / "steps/amelia/scott/2").exists()


async def test_what_runs_is_noted_for_a_later_owner(site: Site) -> None:
    await site.after("true")

    assert list(site.workspace.room.processes.iterdir())


async def test_a_full_disk_gives_the_attempt_back(site: Site) -> None:
    site.write("big", "x" * 200_000)
    with small_disk(site.root / "steps") as disk:
        if disk.cannot_be_filled:
            pytest.skip(disk.cannot_be_filled)
        disk.fill()
        with pytest.raises(AttemptFailed) as caught:
            await site.after("true")

    assert caught.value.is_given_back


# ------------------------------------------------------------------------- publish


async def test_only_publish_has_the_secrets_and_the_log_never(site: Site) -> None:
    after = await site.after('echo "<$TOKEN>"', publish_env={"TOKEN": SECRET})
    commit = await site.push()

    cut = f"{SECRET[:5]}\\c"
    await site.publish(
        commit,
        publish=(
            'test "$TOKEN" = made-up-t0ken; echo "status $?, <$TOKEN>, $HOTDESK_COMMIT"',
            f"echo '{cut}'; sleep 0.1; printf %s '{SECRET[5:]} {SECRET[:7]}'",
        ),
    )

    log = await site.attempt.log()
    assert after is None
    assert "]\n<>\n" in log
    assert f"status 0, <***>, {commit}\n" in log
    assert log.endswith("]\n*** made-up")
    assert SECRET not in log


async def test_publish_runs_where_after_has_built_and_the_place_is_gone_then(site: Site) -> None:
    await site.after("mkdir dist; echo built >dist/page")

    await site.publish(await site.push(), after=("echo again",), publish=("cat dist/page",))

    log = await site.attempt.log()
    assert "]\nbuilt\n" in log
    assert "]\nagain\n" not in log
    assert not site.place.exists()


async def test_another_worker_publishes_by_building_again(site: Site) -> None:
    await site.after("echo built >dist; echo first")
    commit = await site.push()
    shutil.rmtree(site.place)
    site.steps = site.new_steps()

    await site.publish(commit, after=("echo again >dist",), publish=("cat dist index.html",))

    assert "]\nagain\n<h1>hello</h1>\n" in await site.attempt.log()


async def test_what_others_have_pushed_meanwhile_is_built_before_it_is_published(
    site: Site, origin: BareOrigin
) -> None:
    await site.after("cat index.html >dist")
    await site.workspace.commit("all of it", now=NOW)
    origin.person_pushes(
        {"index.html": "<h1>theirs</h1>\n"}, branch="hotdesk/scott/t1", start="main"
    )
    commit = await site.workspace.push(confirm=site.attempt.confirm)

    await site.publish(commit, after=("cat index.html >dist",), publish=("cat dist",))

    assert (await site.attempt.log()).endswith("[publish 1/1: cat dist]\n<h1>theirs</h1>\n")


async def test_nothing_is_published_where_building_again_fails(site: Site) -> None:
    site.write("work")
    commit = await site.push()

    with pytest.raises(AttemptFailed, match="not published: echo broken; exit 2 failed") as caught:
        await site.publish(commit, after=("echo broken; exit 2",), publish=("echo never",))

    assert caught.value.is_retryable
    assert "]\nnever" not in await site.attempt.log()


async def test_what_cannot_be_published_says_why_without_the_secret_and_may_be_tried_again(
    site: Site,
) -> None:
    site.write("work")
    commit = await site.push()

    with pytest.raises(AttemptFailed) as caught:
        await site.publish(
            commit, publish=(f'printf "\\033[1mno $TOKEN\\n"; test {SECRET}; exit 4', "echo never")
        )

    assert caught.value.is_retryable
    assert caught.value.reason.endswith("test ***; exit 4 failed (exit status 4):\nno ***")
    assert "]\nnever" not in await site.attempt.log()
    assert not site.place.exists()


async def test_a_secret_that_is_cut_at_the_beginning_of_the_tail_is_not_in_the_reason(
    site: Site,
) -> None:
    site.write("work")
    commit = await site.push()
    # Half of the first secret lies before what is kept of the output.
    count = 64_000 // len(SECRET)
    script = f'for i in $(seq {count + 1}); do printf %s "$TOKEN"; done; printf 123456; exit 4'

    with pytest.raises(AttemptFailed) as caught:
        await site.publish(commit, publish=(script,))

    assert SECRET[1:] not in caught.value.reason
    assert all(SECRET[-size:] + "*" not in caught.value.reason for size in range(4, len(SECRET)))


async def test_publishing_ends_when_its_time_is_over(site: Site) -> None:
    site.write("work")
    commit = await site.push()

    with pytest.raises(AttemptFailed, match=r"not finished within 0\.2 s"):
        await site.publish(
            commit, publish=("exec sleep 1000",), publish_time=timedelta(milliseconds=200)
        )


async def test_no_interrupt_ends_what_has_begun_to_be_published(site: Site) -> None:
    site.write("work")
    commit = await site.push()
    site.attempt.interrupt()

    await site.publish(commit, after=("echo built",), publish=("echo published",))

    assert "]\npublished\n" in await site.attempt.log()


async def test_settings_that_a_build_left_in_its_home_are_not_those_of_publishing(
    site: Site,
) -> None:
    await site.after("echo evil >~/.netrc; ls -A ~")

    await site.publish(await site.push(), publish=("ls -A ~ ~/../after; echo done",))

    log = await site.attempt.log()
    assert "]\n.netrc\n" in log
    assert log.count(".netrc\n") == 1


async def test_the_claim_is_proved_before_each_command_that_publishes(site: Site) -> None:
    site.write("work")
    commit = await site.push()
    site.attempt.confirmed = 0

    await site.publish(commit, publish=("true", "true"))

    assert site.attempt.confirmed == 2


async def test_a_lost_claim_publishes_nothing(site: Site) -> None:
    site.write("work")
    commit = await site.push()

    async def lost() -> None:
        raise ClaimLost(DESK.key, 1)

    site.attempt.context._confirm = lost
    with pytest.raises(ClaimLost):
        await site.publish(commit, publish=("echo never",))

    assert "]\nnever" not in await site.attempt.log()
    assert not site.place.exists()


async def test_without_anything_to_publish_only_the_place_is_removed(site: Site) -> None:
    await site.after("true")
    assert site.place.exists()

    await site.publish(await site.push())

    assert not site.place.exists()


async def test_no_secret_is_in_what_a_plan_or_a_step_says_of_itself() -> None:
    plan = StepPlan(publish=("true",), publish_env={"TOKEN": SECRET}, env={"KEY": SECRET})

    assert SECRET not in repr(plan) + repr(plan.steps_publish) + repr(plan.steps_after)
