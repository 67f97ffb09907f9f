"""The sweep: called on a schedule, and when a workflow ended without an outcome."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from hotdesk.clock import SystemClock
from hotdesk.desks import Desk
from hotdesk.errors import HotdeskError, Rejected
from hotdesk.lambdas.invocation import Context, NotDone, run, say, say_failure
from hotdesk.wiring.stack import Stack

# Of a few answers each; the next sweep goes on.
ROUNDS_MAX = 50

_ENDED = "Step Functions Execution Status Change"
_SCHEDULE = "Scheduled Event"


def handler(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Sweep and send every answer that is due, or go on with a job whose workflow is over.

    Raises:
        NotDone: A part of it could not be done; the next sweep does it.
        HotdeskError: The event is not ours, or the stack cannot be used.
    """

    async def work(stack: Stack) -> None:
        match event:
            case {"detail-type": str(kind), "detail": dict(detail)} if kind == _ENDED:
                await _go_on(stack, detail)
            case {"detail-type": str(kind)} if kind == _SCHEDULE:
                await _sweep_all(stack)
            case _:
                raise Rejected("the event is neither a schedule nor the end of a workflow")

    try:
        run(work, context)
    except HotdeskError as error:
        say_failure("sweep_failed", error)
        raise
    return {}


async def _sweep_all(stack: Stack) -> None:
    parts: list[tuple[str, Callable[[Stack], Awaitable[None]]]] = [
        ("desks", _sweep),
        ("answers", _send_answers),
    ]
    failed = []
    for name, part in parts:
        try:
            await part(stack)
        except HotdeskError as error:
            say_failure("part_failed", error, part=name)
            failed.append(name)
    if failed:
        raise NotDone(f"this part of the sweep was not done: {', '.join(failed)}")


async def _sweep(stack: Stack) -> None:
    retention = stack.config.limits.retention
    report = await stack.backend.sweep(retention=retention, now=SystemClock().now())
    say("swept", **asdict(report))


async def _send_answers(stack: Stack) -> None:
    outbox = stack.outbox()
    tried = 0
    for _ in range(ROUNDS_MAX if outbox else 0):
        assert outbox is not None
        if not (found := await outbox.send_due()):
            break
        tried += found
    if tried:
        say("answers_tried", answers=tried)


async def _go_on(stack: Stack, detail: Mapping[str, Any]) -> None:
    """Hand a workflow that is over to the backend, with the desk and the job of its input.

    The detail's fields: Step Functions, "Execution status change" events of EventBridge.
    """
    names = await stack.calls.names(stack.name)
    if detail.get("stateMachineArn") != names.state_machine_arn:
        raise Rejected("the execution is of another workflow")
    execution, given = detail.get("name"), detail.get("input")
    try:
        said = json.loads(given if isinstance(given, str) else "")
        desk, job_id = Desk.from_key(said["desk"]), said["job"]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError, Rejected) as error:
        raise Rejected("the input of the execution names no desk and no job") from error
    if not isinstance(execution, str) or not isinstance(job_id, str):
        raise Rejected("the event names no execution and no job")
    await stack.backend.workflow_over(execution, desk, job_id, now=SystemClock().now())
    status = str(detail.get("status", ""))
    say("workflow_over", execution=execution, status=status, desk=str(desk), job_id=job_id)
