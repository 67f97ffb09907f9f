"""Commands that must succeed on what the agent left: real git, real processes."""

import os
import socket
from dataclasses import replace
from datetime import timedelta

import anyio
import pytest

from chaos.disk import small_disk
from hotdesk.confinement import Confinement, Network
from hotdesk.desks import Interrupted
from hotdesk.errors import AttemptFailed
from hotdesk.runners.step import StepFailed, StepPlan, StepsStopped
from tests.runners.attempts import DESK
from tests.runners.programs import living
from tests.runners.site import Site
from tests.workspaces.origins import BareOrigin

pytestmark = pytest.mark.anyio


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
    site: Site, upstream: BareOrigin
) -> None:
    ended = await site.after(
        "echo built >made; echo kept >~/cache; rm index.html",
        "cat made ~/cache; pwd",
        env={"COLOUR": "blue"},
    )
    await site.push()

    assert ended is None
    assert "built\nkept\n" in await site.attempt.log()
    assert upstream.names("hotdesk/scott/t1") == [".gitignore", "index.html", "work"]


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
