"""Jobs over HTTP: submitted, looked at, and acted upon."""

import json
from datetime import datetime
from typing import Any

import httpx
import pytest

from hotdesk.cli.records import job_json, log_json
from tests.web.conftest import Web

pytestmark = pytest.mark.anyio

JOBS = "/api/v1/jobs"


async def submit(web: Web, instruction: str = "blue", **more: object) -> dict[str, Any]:
    answer = await web.operator.post(
        JOBS, json={"desk": "amelia/scott", "instruction": instruction, **more}
    )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def same(left: object, right: object) -> bool:
    """Whether two records say the same; instants may be written in two ways."""
    if isinstance(left, str) and isinstance(right, str) and "T" in left and left != right:
        return datetime.fromisoformat(left) == datetime.fromisoformat(right)
    return left == right


async def test_a_job_is_submitted_and_shown_as_the_command_line_shows_it(web: Web) -> None:
    sent = await submit(web, thread="t")

    shown = (await web.viewer.get(f"{JOBS}/{sent['job']}")).json()
    known = job_json(await web.client.job(sent["job"]))

    assert sent["position"] == 0
    assert sent["state"] == "queued"
    assert shown.keys() == known.keys()
    assert all(same(shown[name], known[name]) for name in known)
    assert (shown["thread"], shown["source"]) == ("t", "http")


async def test_the_same_key_again_changes_nothing(web: Web) -> None:
    new = {"desk": "a/b", "instruction": "x"}
    headers = {"Idempotency-Key": "key-1"}

    first = await web.operator.post(JOBS, json=new, headers=headers)
    again = await web.operator.post(JOBS, json=new, headers=headers)
    other = await web.operator.post(JOBS, json={**new, "instruction": "y"}, headers=headers)
    elsewhere = await web.operator.post(JOBS, json={**new, "desk": "a/c"}, headers=headers)

    assert first.headers["location"] == f"{JOBS}/key-1"
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert (other.status_code, elsewhere.status_code) == (409, 422)
    assert len(await web.client.jobs()) == 1


async def test_jobs_are_listed_by_desk_thread_and_state_newest_first(web: Web) -> None:
    one, two = await submit(web, "1", thread="t"), await submit(web, "2")
    await web.operator.post(f"{JOBS}/{one['job']}/cancel")

    async def listed(**query: str | int) -> list[str]:
        found = (await web.viewer.get(JOBS, params=query)).json()
        return [job["job"] for job in found["items"]]

    assert await listed() == [two["job"], one["job"]]
    assert await listed(desk="amelia/scott", thread="t") == [one["job"]]
    assert await listed(state="queued") == [two["job"]]
    assert await listed(limit=1) == [two["job"]]
    assert await listed(desk="nobody/here") == []


async def test_texts_are_cut_in_a_list_and_whole_in_the_record(web: Web) -> None:
    sent = await submit(web, "x" * 5000)

    [listed] = (await web.viewer.get(JOBS)).json()["items"]
    whole = (await web.viewer.get(f"{JOBS}/{sent['job']}")).json()

    assert len(listed["instruction"]) == 1000
    assert len(whole["instruction"]) == 5000


async def test_a_job_is_cancelled_and_sent_again(web: Web) -> None:
    sent = await submit(web)

    cancelled = await web.operator.post(f"{JOBS}/{sent['job']}/cancel")
    retried = await web.operator.post(f"{JOBS}/{sent['job']}/retry")
    twice = await web.operator.post(f"{JOBS}/{sent['job']}/retry")

    assert cancelled.json()["state"] == "cancelled"
    assert twice.status_code == 409
    assert retried.json()["state"] == "queued"


async def test_an_interrupt_is_a_new_job_of_the_thread_that_stops_it(web: Web) -> None:
    sent = await submit(web, thread="t")

    answer = await web.operator.post(f"{JOBS}/{sent['job']}/interrupt", json={"instruction": "red"})
    job = await web.client.job(answer.json()["job"])

    assert answer.status_code == 201
    assert (job.thread, job.interrupt, job.instruction) == ("t", "thread", "red")


async def test_output_is_read_in_parts_by_the_number_of_its_chunks(web: Web) -> None:
    sent = await submit(web)
    job = await web.client.job(sent["job"])
    for number in range(25):
        await web.backend.append_log(job.id, 1, f"line {number}\n", now=job.submitted_at)

    first = (await web.viewer.get(f"{JOBS}/{job.id}/log", params={"limit": 15})).json()
    rest = (await web.viewer.get(f"{JOBS}/{job.id}/log", params={"after": first["after"]})).json()

    known = [log_json(chunk) for chunk in await web.client.log(job.id)]
    shown = [*first["items"], *rest["items"]]
    assert [each["text"] for each in shown] == [each["text"] for each in known]
    assert (first["has_more"], rest["has_more"], rest["is_ended"]) == (True, False, False)
    assert (await web.viewer.get(f"{JOBS}/{job.id}/log?after=25")).json()["items"] == []


async def test_much_output_comes_in_answers_of_bounded_size(web: Web) -> None:
    sent = await submit(web)
    job = await web.client.job(sent["job"])
    for _ in range(30):
        await web.backend.append_log(job.id, 1, "x" * 200_000, now=job.submitted_at)

    answer = await web.viewer.get(f"{JOBS}/{job.id}/log")

    assert len(answer.content) < 4_000_000
    assert answer.json()["has_more"]


async def test_actions_are_kept_in_the_events_with_the_name_of_the_token(web: Web) -> None:
    sent = await submit(web)
    await web.operator.post(f"{JOBS}/{sent['job']}/cancel")

    taken = [
        each.details
        for each in await web.client.timeline(sent["job"])
        if each.kind == "ActionTaken"
    ]

    assert taken == [
        {"by": "otto", "action": "submit", "target": sent["job"]},
        {"by": "otto", "action": "cancel", "target": sent["job"]},
    ]


async def test_what_is_not_there_is_a_problem_that_names_the_next_step(web: Web) -> None:
    for path in ("/api/v1/jobs/nope", "/api/v1/jobs/nope/log", "/nothing"):
        answer = await web.viewer.get(path)

        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json().keys() == {"type", "title", "status", "detail", "next", "errors"}
        assert answer.json()["next"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"desk": "../b", "instruction": "x"},
        {"desk": "a/b/c", "instruction": "x"},
        {"desk": "a/b.lock", "instruction": "x"},
        {"desk": "a/b", "instruction": ""},
        {"desk": "a/b", "instruction": " \n"},
        {"desk": "a/b", "instruction": "x" * 1_000_001},
        {"desk": "a/b", "instruction": 5},
        {"desk": "a/b", "instruction": "\ud800"},
        {"desk": "a/b", "instruction": "x", "interrupt": "always"},
        {"desk": "a/b", "instruction": "x", "thread": "T/.."},
        {"desk": "a/b", "instruction": "x", "sender": "boss@example.org"},
        {"instruction": "x"},
        ["a"],
        None,
    ],
)
async def test_an_instruction_that_is_not_usable_is_refused(web: Web, wrong: object) -> None:
    # Written as ASCII: half of a surrogate pair can be told in no other way.
    answer = await web.operator.post(
        JOBS, content=json.dumps(wrong), headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 422, answer.text
    assert await web.client.jobs() == []


async def test_a_key_that_is_no_id_is_refused(web: Web) -> None:
    for key in ("", "a b", "../x", "é" * 3, "x" * 129, "a..b"):
        answer = await web.operator.post(
            JOBS,
            json={"desk": "a/b", "instruction": "x"},
            headers=httpx.Headers({b"Idempotency-Key": key.encode("latin-1")}),
        )

        assert answer.status_code == 422


async def test_a_misspelled_parameter_is_refused(web: Web) -> None:
    sent = await submit(web)

    for path in (f"{JOBS}?statee=dead", f"{JOBS}?limit=0", f"{JOBS}?limit=1e9", f"{JOBS}?state=x"):
        assert (await web.viewer.get(path)).status_code == 422
    assert (await web.viewer.get(f"{JOBS}/{sent['job']}?x=1")).status_code == 422
