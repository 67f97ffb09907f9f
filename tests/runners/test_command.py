"""Programs as agents: a worker, real git, real processes, from instruction to commit."""

import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from chaos.disk import small_disk
from hotdesk import Desk, JobState
from hotdesk.clock import SystemClock
from hotdesk.desks import Origin as MailOrigin
from hotdesk.session import WorkerLimits
from hotdesk.workspaces import Confirm, Workspaces
from tests.runners.stage import SOON, Serve, logged
from tests.workspaces.origins import BareOrigin, git

pytestmark = pytest.mark.anyio


def shown(origin: BareOrigin, what: str) -> str:
    """A commit or file of the origin, as git shows it."""
    return git("show", what, at=origin.path)


def files_below(folder: Path) -> list[Path]:
    """Every file in a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]


def working_in(folder: Path) -> list[str]:
    """The processes whose current folder lies in *folder*."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(process.joinpath("cwd").readlink()).startswith(str(folder)):
                found.append(process.name)
    return found


async def test_what_a_program_leaves_is_committed_and_pushed_to_the_branch_of_its_thread(
    serve: Serve, origin: BareOrigin
) -> None:
    script = 'sed -i "s/hello/$(cat)/" index.html; echo working; echo "$COLOUR" > colour'
    async with serve(script) as client:
        job = await client.submit("amelia/scott", "welcome", thread="t1")
        done = await client.result(job.id, timeout=SOON)
        log = "".join(chunk.text for chunk in await client.log(job.id))

    assert done.state is JobState.SUCCEEDED, done.text
    assert done.result is not None
    assert done.result.changes == ("colour +1 -0", "index.html +1 -1")
    assert shown(origin, "hotdesk/scott/t1:index.html") == "<h1>welcome</h1>"
    assert shown(origin, "hotdesk/scott/t1:colour") == "blue"
    head = git("rev-parse", "hotdesk/scott/t1", at=origin.path)
    assert done.result.commit == head
    assert f"Hotdesk-Job: {job.id}" in shown(origin, "hotdesk/scott/t1")
    assert log == "working\n"
    assert done.text == "working"


async def test_a_program_that_changes_nothing_pushes_nothing(
    serve: Serve, origin: BareOrigin
) -> None:
    async with serve("echo nothing to do") as client:
        job = await client.submit("amelia/scott", "look", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert (done.state, done.text) == (JobState.SUCCEEDED, "nothing to do")
    assert done.result is not None
    assert done.result.commit == ""
    assert git("branch", "--list", "hotdesk/*", at=origin.path) == ""


async def test_an_interrupted_program_leaves_a_partial_commit_that_the_next_one_starts_from(
    serve: Serve, origin: BareOrigin
) -> None:
    script = """
    read line; echo "$line" >> done.txt; cp "$HOTDESK_JOB_FILE" told.json
    case "$line" in slow*)
        trap 'echo stopping; exit 0' INT; echo begun
        while :; do sleep 0.05; done;;
    esac
    echo finished > "$HOTDESK_RESULT_FILE"
    """
    async with serve(script) as client:
        first = await client.submit("amelia/scott", "slow one", thread="t1")
        await logged(client, first, "begun")
        second = await client.submit("amelia/scott", "correction", thread="t1")
        done = await client.result(second.id, timeout=SOON)
        preempted = await client.job(first.id)

    assert (done.state, done.text) == (JobState.SUCCEEDED, "finished")
    assert shown(origin, "hotdesk/scott/t1:done.txt") == "slow one\ncorrection"
    told = json.loads(shown(origin, "hotdesk/scott/t1:told.json"))
    assert [each["instruction"] for each in told["folded"]] == ["slow one"]
    assert told["folded"][0]["partial_commit"] == preempted.partial_commit
    assert preempted.state is JobState.PREEMPTED
    assert "Hotdesk-Partial: true" in shown(origin, preempted.partial_commit)


async def test_an_agent_finds_its_session_again_in_the_next_job_of_its_thread(serve: Serve) -> None:
    script = """
    cd "$HOTDESK_SESSION_DIR"
    read line; echo "$line" >> talk; cat talk > "$HOTDESK_RESULT_FILE"
    case "$line" in no*) exit 65;; esac
    """
    async with serve(script) as client:
        texts = []
        for instruction, thread in (("one", "t1"), ("no", "t1"), ("two", "t1"), ("three", "t2")):
            job = await client.submit("amelia/scott", instruction, thread=thread)
            texts.append((await client.result(job.id, timeout=SOON)).text)

    assert texts[2:] == ["one\nno\ntwo", "three"]


@pytest.mark.parametrize(
    ("script", "state", "text"),
    [
        ("echo cannot; exit 3", JobState.DEAD, "sh failed (exit status 3): cannot"),
        ("echo no; exit 65", JobState.FAILED, "sh cannot do this: no"),
        ("exit 75", JobState.DEAD, "sh asks to be run again (exit status 75): "),
        ("ln -s /etc/shadow $HOTDESK_RESULT_FILE; echo mine", JobState.SUCCEEDED, "mine"),
        ("mkfifo $HOTDESK_RESULT_FILE; echo mine", JobState.SUCCEEDED, "mine"),
        ("mkdir $HOTDESK_RESULT_FILE; echo mine", JobState.SUCCEEDED, "mine"),
    ],
)
async def test_a_program_ends_its_job_by_exit_status_and_output(
    serve: Serve, script: str, state: JobState, text: str
) -> None:
    async with serve(script) as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert (done.state, done.text) == (state, text)


async def test_a_folder_that_the_system_refuses_fails_the_attempt_and_not_the_worker(
    serve: Serve, folder: Path
) -> None:
    (folder / "workspaces").touch()

    async with serve("echo never") as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert done.state is JobState.DEAD
    assert "Not a directory" in done.text or "File exists" in done.text
    assert str(folder) not in done.text


async def test_an_origin_without_any_commit_fails_the_job_with_the_reason(
    serve: Serve, origin: BareOrigin
) -> None:
    git("update-ref", "-d", "refs/heads/main", at=origin.path)

    async with serve("echo never") as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert done.state is JobState.FAILED
    assert "the repository is empty" in done.text


async def test_what_is_kept_with_a_job_for_ourselves_is_not_shown_to_its_program(
    serve: Serve,
) -> None:
    script = """[ -e once ] || { touch once; exit 1; }; grep '"partial"' "$HOTDESK_JOB_FILE" """
    async with serve(script) as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert done.partial is not None
    assert done.text == '"partial": null,'


async def test_a_job_whose_commit_is_on_its_branch_is_not_run_again(
    serve: Serve, workspaces: Workspaces, confirm: Confirm
) -> None:
    # As if the worker had been lost between the push and the settling.
    now = SystemClock().now()
    desk = Desk("amelia", "scott")
    workspace = await workspaces.open(desk, "t1", 1, job_id="j1", now=now)
    (workspace.path / "done").touch()
    await workspace.commit("do it", now=now)
    pushed = await workspace.push(confirm=confirm)

    async with serve("touch done-again") as client:
        job = await client.submit(desk, "do it", thread="t1", id="j1")
        done = await client.result(job.id, timeout=SOON)

    assert done.result is not None
    assert (done.state, done.result.commit) == (JobState.SUCCEEDED, pushed)
    assert done.text == "This was done before a worker was lost."


async def test_a_project_that_is_not_configured_fails_its_job_with_the_next_step(
    serve: Serve,
) -> None:
    async with serve("true") as client:
        job = await client.submit("nowhere/scott", "try")
        failed = await client.result(job.id, timeout=SOON)

    assert failed.state is JobState.FAILED
    assert "[projects.nowhere]" in failed.text


async def test_an_origin_that_is_away_gives_the_attempt_back(
    serve: Serve, origin: BareOrigin
) -> None:
    away = origin.path.with_name("away.git")
    origin.path.rename(away)
    async with serve("echo x > x") as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        with anyio.fail_after(SOON):
            async for event in client.events(after=""):
                if event.kind == "AttemptGivenBack":
                    break
        away.rename(origin.path)
        done = await client.result(job.id, timeout=SOON)

    assert (done.state, done.attempt) == (JobState.SUCCEEDED, 1)
    assert done.given_back > 0


@pytest.mark.parametrize("place", ["homes", "workspaces"])
async def test_a_full_disk_gives_the_attempt_back(serve: Serve, folder: Path, place: str) -> None:
    with small_disk(folder / place) as disk:
        if disk.cannot_be_filled:
            pytest.skip(disk.cannot_be_filled)
        disk.fill()
        async with serve("echo x > x") as client:
            job = await client.submit("amelia/scott", "try", thread="t1")
            with anyio.fail_after(SOON):
                async for event in client.events(after=""):
                    assert event.kind not in ("AttemptFailed", "JobEnded")
                    if event.kind == "AttemptGivenBack":
                        break
            disk.free()
            done = await client.result(job.id, timeout=SOON)

    assert done.state is JobState.SUCCEEDED
    assert done.given_back > 0


async def test_nothing_of_an_attempt_is_left_but_the_clone_of_its_thread(
    serve: Serve, folder: Path
) -> None:
    async with serve("(setsid sleep 1000 &) ; echo $$ > pid; touch $HOME/mine") as client:
        job = await client.submit("amelia/scott", "leave something", thread="t1")
        await client.result(job.id, timeout=SOON)

    assert files_below(folder / "homes") == []
    assert working_in(folder) == []


async def test_a_database_that_was_restored_from_a_backup_goes_on_behind_the_branch(
    serve: Serve, origin: BareOrigin, workspaces: Workspaces, confirm: Confirm
) -> None:
    # Generation 7 was here; the record of the desk, from a backup, starts at 1 again.
    now = SystemClock().now()
    desk = Desk("amelia", "scott")
    workspace = await workspaces.open(desk, "t1", 7, job_id="before", now=now)
    (workspace.path / "before").touch()
    await workspace.commit("before the backup", now=now)
    await workspace.push(confirm=confirm)

    async with serve("touch after") as client:
        job = await client.submit(desk, "go on", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert (done.state, done.generation) == (JobState.SUCCEEDED, 8)
    files = git("ls-tree", "--name-only", "hotdesk/scott/t1", at=origin.path).split()
    assert files == ["after", "before", "index.html"]


async def test_a_home_deeper_than_python_can_recurse_is_removed_and_harms_nobody(
    serve: Serve, folder: Path
) -> None:
    deep = "cd ~; for i in 1 2; do p=$(printf 'd/%.0s' $(seq 700)); mkdir -p $p; cd $p; done; pwd"
    async with serve(deep) as client:
        job = await client.submit("amelia/scott", "dig", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert done.state is JobState.SUCCEEDED
    assert done.text.count("/d") >= 1400
    assert list((folder / "homes" / "amelia" / "scott").iterdir()) == []
    assert list((folder / "homes" / ".trash").iterdir()) == []


async def test_a_program_that_has_to_be_killed_leaves_no_secret_in_a_home(
    serve: Serve, folder: Path
) -> None:
    script = "trap '' INT TERM; echo made-up >~/secret; echo begun; while :; do sleep 1; done"
    async with serve(script, WorkerLimits(grace=timedelta(milliseconds=200))) as client:
        job = await client.submit("amelia/scott", "keep a secret", thread="t1")
        await logged(client, job, "begun")
        await client.cancel(job.id)
        done = await client.result(job.id, timeout=SOON)

        assert done.state is JobState.CANCELLED
        assert files_below(folder / "homes") == []


async def test_an_attachment_that_is_gone_does_not_keep_its_job_from_running(
    serve: Serve, folder: Path
) -> None:
    kept = folder / "plan.txt"
    kept.write_text("a plan")
    origin = MailOrigin(attachments=(str(kept), str(folder / "gone.txt")))
    async with serve("cat ~/attachments/*/*") as client:
        job = await client.submit("amelia/scott", "look", thread="t1", origin=origin)
        done = await client.result(job.id, timeout=SOON)

    assert (done.state, done.text) == (JobState.SUCCEEDED, "a plan")
