"""The emulators run workflows as AWS does, as far as the tests of the AWS backend rely on it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.emulators.gaps import GAPS
from tests.emulators.server import Emulator

SECONDS_MAX = 10
MANY = 30
BODY = "States.Array($$.Execution.Id, $$.Task.Token)"
_NUMBERS = count(1)


@dataclass(slots=True, kw_only=True)
class Workflow:
    """One state that sends its token to a queue and waits for the answer."""

    steps: Any
    sqs: Any
    queue: str
    arn: str
    names: Iterator[int] = field(default_factory=lambda: count(1))

    def begin(self, number: int) -> None:
        """Start executions."""
        for _ in range(number):
            name = f"e{next(self.names)}"
            self.steps.start_execution(stateMachineArn=self.arn, name=name, input="{}")

    def sent(self) -> tuple[str, str]:
        """The next execution that has sent its token, and the token."""
        [message] = self.sqs.receive_message(QueueUrl=self.queue, WaitTimeSeconds=SECONDS_MAX)[
            "Messages"
        ]
        self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        execution, token = json.loads(message["Body"])
        return execution, token

    def start(self) -> tuple[str, str]:
        """Start an execution; return it, and the token that it has sent."""
        self.begin(1)
        return self.sent()

    def status(self, execution: str) -> str:
        """How an execution ends."""
        for _ in range(100 * SECONDS_MAX):
            found: str = self.steps.describe_execution(executionArn=execution)["status"]
            if found != "RUNNING":
                return found
        return "RUNNING"

    def has_happened(self, execution: str, kind: str) -> bool:
        """Whether an event of *kind* comes into the history of an execution."""
        for _ in range(100 * SECONDS_MAX):
            history = self.steps.get_execution_history(executionArn=execution)["events"]
            if kind in {event["type"] for event in history}:
                return True
        return False


@pytest.fixture(params=[*GAPS])
def emulator(request: pytest.FixtureRequest, get_emulator: Callable[[str], Emulator]) -> Emulator:
    """Each emulator, and no account: that one is as AWS is."""
    return get_emulator(request.param)


@pytest.fixture
def workflow(emulator: Emulator) -> Iterator[Workflow]:
    """A workflow of its own on each emulator."""
    session = boto3.session.Session(
        aws_access_key_id="emulated",
        aws_secret_access_key="emulated",
        region_name=emulator.region,
    )
    name = f"workflow{next(_NUMBERS)}"
    steps, sqs = (
        session.client(each, endpoint_url=emulator.endpoint) for each in ("stepfunctions", "sqs")
    )
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    definition = {
        "StartAt": "Wait",
        "States": {
            "Wait": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                "Parameters": {"QueueUrl": queue, "MessageBody.$": BODY},
                "TimeoutSeconds": 60,
                "HeartbeatSeconds": 1,
                "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Late"}],
                "End": True,
            },
            "Late": {"Type": "Wait", "Seconds": SECONDS_MAX, "End": True},
        },
    }
    arn = steps.create_state_machine(
        name=name, definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/x"
    )["stateMachineArn"]
    yield Workflow(steps=steps, sqs=sqs, queue=queue, arn=arn)
    steps.close()
    sqs.close()


def test_an_answer_that_comes_at_once_is_not_lost(workflow: Workflow) -> None:
    # Several at once, so that some are answered before they wait.
    workflow.begin(MANY)
    executions = []
    for _ in range(MANY):
        execution, token = workflow.sent()
        workflow.steps.send_task_heartbeat(taskToken=token)
        workflow.steps.send_task_success(taskToken=token, output="{}")
        executions.append(execution)

    assert {workflow.status(each) for each in executions} == {"SUCCEEDED"}


def test_the_token_of_a_task_that_is_over_is_refused(workflow: Workflow) -> None:
    execution, token = workflow.start()
    workflow.steps.send_task_success(taskToken=token, output="{}")
    workflow.status(execution)

    with pytest.raises(ClientError) as refusal:
        workflow.steps.send_task_success(taskToken=token, output="{}")

    code = refusal.value.response["Error"]["Code"]
    assert code in {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}


def test_a_task_whose_heartbeats_stop_times_out(workflow: Workflow) -> None:
    execution, token = workflow.start()

    assert workflow.has_happened(execution, "WaitStateEntered")
    with pytest.raises(ClientError):
        workflow.steps.send_task_success(taskToken=token, output="{}")


def test_an_execution_that_is_stopped_is_over(workflow: Workflow) -> None:
    execution, _ = workflow.start()

    workflow.steps.stop_execution(executionArn=execution)

    assert workflow.status(execution) == "ABORTED"


def test_the_token_of_a_stopped_execution_is_refused(workflow: Workflow) -> None:
    execution, token = workflow.start()

    workflow.steps.stop_execution(executionArn=execution)

    workflow.status(execution)
    with pytest.raises(ClientError):
        workflow.steps.send_task_success(taskToken=token, output="{}")
