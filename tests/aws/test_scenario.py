"""The whole story on a stack: two workers with disks of their own, and what AWS saw of it.

Real command lines, real git, real agents behind walls. No emulator starts tasks of ECS: the
two processes share nothing but the stack and the origin, as two tasks do.
"""

import json
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from hotdesk.confinement import find_confinement
from tests.aws.conftest import Start
from tests.aws.office import AGENT, LEASE_SECONDS, Cloud, Office
from tests.backends.aws.stacks import Stacks
from tests.cli.conftest import Run
from tests.workspaces.origins import BareOrigin, git

DAY_SECONDS = 86_400


@pytest.fixture
def office(folder: Path, url: str, ask: Run, start: Start) -> Office:
    origin = BareOrigin.make(folder / "origin.git")
    origin.person_pushes({"index.html": "<h1>hello</h1>\n"})
    command = json.dumps(["sh", "-c", AGENT])
    (folder / "hotdesk.toml").write_text(
        f"""\
        [worker]
        lease_seconds = {LEASE_SECONDS}
        [confinement]
        mode = "{find_confinement().best.mode}"
        [projects.amelia]
        repo = "{origin.url}"
        command = {command}
        """
    )
    return Office(url=url, folder=folder, origin=origin, ask=ask, start=start)


@pytest.fixture
def cloud(stacks: Stacks, stack: str) -> Cloud:
    return Cloud(stacks=stacks, stack=stack)


def test_a_task_that_is_stopped_hands_over_its_job_with_what_it_has_done(office: Office) -> None:
    first = office.worker("first")
    job = office.send("amelia/scott", "slow: make it blue", "t1")
    office.until_begun(job)

    code, _, err = first.signal(signal.SIGTERM).finish()
    second = office.worker("second")
    end = office.ended(job)
    second.signal(signal.SIGTERM).finish()

    assert (code, err) == (0, "draining; once more stops at once\n")
    assert (end["state"], end["worker"], end["attempt"]) == ("succeeded", "second", 1)
    assert end["partial_commit"]
    # On another disk: the commit came from the origin, the memory from the bucket.
    assert git("show", "hotdesk/scott/t1:done.txt", at=office.origin.path).count("blue") == 2
    assert end["text"].count("blue") == 2


def test_a_worker_that_lives_for_days_removes_the_clones_of_desks_that_it_left(
    office: Office,
) -> None:
    left, fresh = (office.folder / "only/workspaces/amelia" / f"{{}}/{user}/t1/1" for user in "ab")
    for room in (left, fresh):
        for kind in ("clones", "state"):
            Path(str(room).format(kind)).mkdir(parents=True)
        (Path(str(room).format("state")) / "processes").mkdir()
        (Path(str(room).format("state")) / "used").touch()
    used = Path(str(left).format("state")) / "used"
    days_ago = used.stat().st_mtime - 2 * DAY_SECONDS
    os.utime(used, (days_ago, days_ago))

    office.worker("only")

    office.until("the old one goes", lambda: not Path(str(left).format("clones")).exists())
    assert Path(str(fresh).format("clones")).exists()


@pytest.mark.long
@pytest.mark.timeout(240)
def test_a_correction_a_second_desk_and_a_killed_worker(office: Office, cloud: Cloud) -> None:
    workers = {"first": office.worker("first")}
    begun = office.send("amelia/scott", "slow: make it blue", "t1")
    office.until_begun(begun)
    workers["second"] = office.worker("second")

    # Another user's desk is served beside it, and a correction stops the first job.
    hers = office.send("amelia/ana", "make it tomato", "t9")
    corrected = office.send("amelia/scott", "slow: no, green", "t1")
    her_end = office.ended(hers)
    office.until_begun(corrected)
    stopped = office.record("job", "show", begun)

    # The worker dies with its agent; the other one has neither its disk nor its memory.
    owner = office.record("job", "show", corrected)["worker"]
    workers[owner].signal(signal.SIGKILL)
    survivor = next(name for name in workers if name != owner)
    office.until("a takeover", lambda: _worker_of(office, corrected) == survivor)
    office.until("it begins again", lambda: _times_begun(office, corrected) == 2)
    last = office.send("amelia/scott", "now yellow", "t1")
    end = office.ended(last)
    code, _, _ = workers[survivor].signal(signal.SIGTERM).finish()

    assert (her_end["state"], her_end["worker"]) == ("succeeded", survivor)
    assert (stopped["state"], bool(stopped["partial_commit"])) == ("preempted", True)
    assert (end["state"], end["worker"]) == ("succeeded", survivor)
    assert code == 0
    _check_work(office, begun, corrected, last)
    _check_record(office, [begun, hers, corrected, last])
    _check_cloud(office, cloud, [begun, hers, corrected, last])


def _worker_of(office: Office, job: str) -> str:
    return str(office.record("job", "show", job)["worker"])


def _times_begun(office: Office, job: str) -> int:
    text = "".join(each["text"] for each in office.records("job", "logs", job))
    return text.count("begun")


def _check_work(office: Office, begun: str, corrected: str, last: str) -> None:
    """What the three jobs of the thread have done, on its branch."""

    def shown(path: str) -> str:
        return git("show", f"hotdesk/scott/t1:{path}", at=office.origin.path)

    told = json.loads(shown("told.json"))
    # What the killed one had not committed is gone; it ran again from the partial commit.
    assert shown("done.txt").splitlines() == ["slow: make it blue", "slow: no, green", "now yellow"]
    assert [each["job_id"] for each in told["folded"]] == [begun, corrected]
    assert told["id"] == last
    log = git("log", "--format=%(trailers:only=true)", "hotdesk/scott/t1", at=office.origin.path)
    assert Counter(log.split()).get("Hotdesk-Takeover:") == 1
    # What the agent remembered came along, except what the killed one had not handed in.
    talk = office.record("job", "show", last)["text"].splitlines()
    assert talk == ["slow: make it blue", "slow: no, green", "now yellow"]


def _check_record(office: Office, jobs: list[str]) -> None:
    """One outcome each, and nothing left behind."""
    for job in jobs:
        events = office.records("job", "watch", job)
        kinds = Counter(each.get("event", "") for each in events)
        assert kinds["JobEnded"] == 1, job
    status = office.record("status")
    assert (status["pending"], status["running"], status["dead"]) == (0, 0, 0)
    assert all(desk["worker"] == "" for desk in office.records("desk", "list"))


def _check_cloud(office: Office, cloud: Cloud, jobs: list[str]) -> None:
    """The workflow's own history says the same."""
    office.until("no message is left", lambda: cloud.messages() == 0)
    histories = cloud.histories()
    assert sorted(histories) == sorted(jobs)
    for job, executions in histories.items():
        assert len(executions) == 1, job
        (events,) = executions
        assert (events[0], events[-1]) == ("ExecutionStarted", "ExecutionSucceeded"), job
        assert events.count("ExecutionSucceeded") == 1
    assert cloud.queues_of_workers() <= 1, "the survivor has removed its own"
