from __future__ import annotations

import json
from typing import Any

import pytest

from hotdesk.desks import JobState
from hotdesk.errors import Rejected
from hotdesk.lambdas.sweep import handler
from tests.lambdas.conftest import Invocation, Office
from tests.lambdas.test_answer import a_job_that_ended, due
from tests.mail.samples import a_mail

ON_TIME = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


def ended(office: Office, name: str, given: object, **changes: object) -> dict[str, Any]:
    """The event of an execution that was stopped."""
    detail = {
        "executionArn": office.names.execution_arn(name),
        "stateMachineArn": office.names.state_machine_arn,
        "name": name,
        "status": "ABORTED",
        "input": given if isinstance(given, str) else json.dumps(given),
        "inputDetails": {"included": True},
        **changes,
    }
    kind = "Step Functions Execution Status Change"
    return {"source": "aws.states", "detail-type": kind, "detail": detail}


def test_the_sweep_sends_every_answer_that_is_due(office: Office) -> None:
    for name in ("m1", "m2"):
        a_job_that_ended(office, name)
    handler(ON_TIME, Invocation())

    assert len(office.sent()) == 2
    assert due(office) == []
    said = {line["event"]: line for line in office.log()}
    assert said["answers_tried"]["answers"] == 2
    assert said["swept"]["jobs_removed"] == 0


def test_the_sweep_of_a_stack_without_mail_sweeps_its_desks(office: Office) -> None:
    office.store("config/hotdesk.toml", b"")
    handler(ON_TIME, Invocation())

    assert [line["event"] for line in office.log()] == ["swept"]


def test_a_workflow_that_ended_without_an_outcome_is_handed_to_the_backend(office: Office) -> None:
    office.deliver(a_mail())
    job = office.the_job()
    (execution,) = office.stacks.client("stepfunctions").list_executions(
        stateMachineArn=office.names.state_machine_arn
    )["executions"]
    handler(ended(office, execution["name"], {"desk": job.desk.key, "job": job.id}), Invocation())

    line = office.log()[-1]
    assert (line["event"], line["job_id"], line["status"]) == ("workflow_over", job.id, "ABORTED")
    assert office.the_job().state in (JobState.QUEUED, JobState.CANCELLED)


@pytest.mark.parametrize(
    "given", ["", "no JSON", "[]", {"desk": "amelia"}, {"desk": 1, "job": "a"}, {"job": "a"}]
)
def test_an_execution_whose_input_is_not_ours_is_refused(office: Office, given: object) -> None:
    with pytest.raises(Rejected, match="input"):
        handler(ended(office, "a-1-0", given), Invocation())

    assert office.log()[-1]["event"] == "sweep_failed"


def test_an_execution_of_another_workflow_is_refused(office: Office) -> None:
    with pytest.raises(Rejected, match="another workflow"):
        handler(ended(office, "a", {}, stateMachineArn="arn:aws:states:x"), Invocation())


@pytest.mark.parametrize("event", [{}, {"detail-type": "Object Created"}, {"Records": []}], ids=str)
def test_an_event_of_another_kind_is_refused(office: Office, event: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match="neither"):
        handler(event, Invocation())
