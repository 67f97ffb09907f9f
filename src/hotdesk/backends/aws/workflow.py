"""The workflow of a stack: one execution carries a job until its outcome is called back.

Nothing here decides: the desk's record says what is true, and an execution that is gone,
or a token that is dead, is told to the caller and is no error.
"""

import json
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import Any

from hotdesk.backends.aws.calls import Calls, Refused
from hotdesk.backends.aws.names import Names, digest
from hotdesk.desks import Desk
from hotdesk.errors import StoreError, Unavailable

# Step Functions, SendTaskSuccess and SendTaskHeartbeat: what is answered for a dead token.
DEAD_TOKEN = {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}
# Below the 14 days that SQS keeps a message at most: whoever was not touched is sent again.
WATCHDOG_SECONDS = 13 * 24 * 3600
LONGEST_RUN_SECONDS = 360 * 24 * 3600  # A Standard execution lives for a year at most.
# SQS, CreateQueue: "you must wait at least one second after the queue is created".
QUEUE_WAIT_SECONDS = 1


class Carriage(StrEnum):
    """What has become of an execution."""

    NEVER = "never started"
    RUNNING = "running"
    ABORTED = "stopped"
    OVER = "over"
    LOST = "running, with its message nowhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What an execution is started with: the job, and how its desk stood when it was announced.

    ``queue`` is empty as long as the desk has none; ``name`` is what it is to be called.
    """

    execution: str
    desk: Desk
    job_id: str
    send: int
    policy: str
    queue: str
    name: str

    def to_input(self) -> str:
        """The input of the execution."""
        return json.dumps(
            {
                "pk": f"desk {self.desk.key}",
                "desk": self.desk.key,
                "job": self.job_id,
                "send": self.send,
                "policy": self.policy,
                "queue": self.queue,
                "name": self.name,
                "round": 0,
                "lost": 0,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an execution is told: its send is over, or is to be sent again as ``send``."""

    send: int = 0
    is_answered: bool = False

    def to_output(self) -> str:
        """The output of the task that waited."""
        verdict = "REQUEUED" if self.send else "OVER"
        return json.dumps({"verdict": verdict, "send": self.send, "is_answered": self.is_answered})


def new_execution_name(job_id: str, send: int) -> str:
    """A name for the execution that is to carry a job from this send on.

    Step Functions takes 80 letters, digits, hyphens and underscores, once in 90 days. So the
    name of what was carried under a job's id before, and is removed by now, must not come again.
    """
    return f"{digest(job_id)}-{send}-{secrets.token_hex(4)}"


def source() -> str:
    """The definition with its ``${Name}`` placeholders, as CloudFormation's Fn::Sub takes it."""
    return files("hotdesk.backends.aws").joinpath("workflow.asl.json").read_text()


def definition(
    names: Names,
    *,
    unclaimed_url: str,
    queue_wait_seconds: int = QUEUE_WAIT_SECONDS,
    watchdog_seconds: int = WATCHDOG_SECONDS,
    longest_run_seconds: int = LONGEST_RUN_SECONDS,
) -> str:
    """The definition for the stack *names* without a pool that starts from zero."""
    values: dict[str, object] = {
        "AWS::Partition": names.partition,
        "Table": names.table,
        "Unclaimed": unclaimed_url,
        "AfterAsk": "Send",
        "Cluster": names.stack,
        "Service": f"{names.stack}-pool",
        "AnswerFunction": f"{names.stack}-answer",
        "QueueWait": queue_wait_seconds,
        "Watchdog": watchdog_seconds,
        "LongestRun": longest_run_seconds,
    }
    # As Fn::Sub does: a `$` that opens no brace is the workflow's own.
    return re.sub(r"\$\{([A-Za-z:]+)\}", lambda found: str(values[found[1]]), source())


class Workflow:
    """The executions of the stack *stack*."""

    def __init__(self, calls: Calls, stack: str) -> None:
        """Start them through *calls*."""
        self._calls = calls
        self._stack = stack

    async def start(self, parcel: Parcel) -> None:
        """Start an execution; one of its name that runs, or has run, is enough."""
        names = await self._calls.names(self._stack)
        try:
            await self._calls.states(
                "start_execution",
                stateMachineArn=names.state_machine_arn,
                name=parcel.execution,
                input=parcel.to_input(),
            )
        except Refused as refused:
            if refused.code != "ExecutionAlreadyExists":
                why = f"the workflow could not be started: {refused.code}"
                raise Unavailable(why, committed=None) from refused

    async def stop(self, execution: str) -> None:
        """Stop an execution whose job is over, if it still runs; try it once.

        One that goes on finds its send over when its message has its turn.
        """
        names = await self._calls.names(self._stack)
        with suppress(Refused, StoreError, Unavailable):
            await self._calls.states(
                "stop_execution",
                executionArn=names.execution_arn(execution),
                error="Hotdesk.Over",
                cause="The job ended without it.",
            )

    async def carriage(self, execution: str) -> Carriage:
        """What has become of an execution."""
        names = await self._calls.names(self._stack)
        try:
            answer: dict[str, Any] = await self._calls.states(
                "describe_execution", executionArn=names.execution_arn(execution)
            )
        except Refused as refused:
            if refused.code != "ExecutionDoesNotExist":
                raise _unclear("describe_execution", refused) from refused
            return Carriage.NEVER
        if answer["status"] in ("RUNNING", "PENDING_REDRIVE"):
            return Carriage.RUNNING
        return Carriage.ABORTED if answer["status"] == "ABORTED" else Carriage.OVER

    async def tell(self, token: str, verdict: Verdict) -> bool:
        """Call back; whether somebody still waited for it."""
        try:
            await self._calls.states(
                "send_task_success", taskToken=token, output=verdict.to_output()
            )
        except Refused as refused:
            if refused.code not in DEAD_TOKEN:
                raise _unclear("send_task_success", refused) from refused
            return False
        return True

    async def is_waiting(self, token: str) -> bool:
        """Whether the execution behind *token* still waits; that also resets its watchdog."""
        try:
            await self._calls.states("send_task_heartbeat", taskToken=token)
        except Refused as refused:
            if refused.code not in DEAD_TOKEN:
                raise _unclear("send_task_heartbeat", refused) from refused
            return False
        return True


def _unclear(operation: str, refused: Refused) -> Unavailable:
    """Nobody is taken for dead by an answer that does not say so."""
    return Unavailable(f"AWS did not do {operation}: {refused.code}", committed=None)
