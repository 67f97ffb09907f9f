"""Commands that publish: after the push, with secrets, and again after a loss."""

import shutil
from datetime import timedelta
from typing import Any

import pytest

from hotdesk.errors import AttemptFailed, ClaimLost
from hotdesk.runners.step import StepFailed, StepPlan
from tests.runners.attempts import DESK
from tests.runners.site import NOW, SECRET, Site
from tests.workspaces.origins import BareOrigin

pytestmark = pytest.mark.anyio


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


async def test_secrets_that_every_command_has_are_in_no_log_and_no_reason(site: Site) -> None:
    plan: dict[str, Any] = {"env": {"NPM_TOKEN": SECRET}, "secrets": (SECRET,)}

    built = await site.after('echo "<$NPM_TOKEN>"', **plan)
    failed = await site.after('echo "<$NPM_TOKEN>"; exit 1', **plan)
    commit = await site.push()
    with pytest.raises(AttemptFailed) as unpublished:
        await site.publish(commit, publish=('echo "<$NPM_TOKEN>"; exit 1',), **plan)

    log = await site.attempt.log()
    assert built is None
    assert isinstance(failed, StepFailed)
    assert log.count("]\n<***>\n") == 3
    assert SECRET not in f"{log} {failed.reason} {unpublished.value}"


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
    site: Site, upstream: BareOrigin
) -> None:
    await site.after("cat index.html >dist")
    await site.workspace.commit("all of it", now=NOW)
    upstream.person_pushes(
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
    (ended,) = [e for e in await site.attempt.backend.events() if e.kind == "StepEnded"]
    assert ended.details["command"] == 'printf "\\033[1mno $TOKEN\\n"; test ***; exit 4'


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
