"""Answers out: called by a job's workflow when it is over, with ``{"job": ID}``."""

from collections.abc import Mapping
from typing import Any

from hotdesk.errors import HotdeskError, Rejected
from hotdesk.lambdas.invocation import Context, run, say, say_failure
from hotdesk.wiring.stack import Stack

# A job has an answer for each outcome, and more than one only if a person sent it again.
ROUNDS_MAX = 10


def handler(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Send what is due of one job; what cannot be sent now stays due, and is noted with it.

    Raises:
        HotdeskError: The event is not ours, or the stack did not answer.
    """

    async def send(stack: Stack) -> int:
        return await _send(stack, event)

    try:
        tried = run(send, context)
    except HotdeskError as error:
        say_failure("answer_failed", error, job_id=str(event.get("job", ""))[:200])
        raise
    return {"tried": tried}


async def _send(stack: Stack, event: Mapping[str, Any]) -> int:
    job_id = event.get("job")
    if not isinstance(job_id, str) or not job_id:
        raise Rejected('the event is not {"job": ID}')
    outbox = stack.outbox()
    tried = 0
    for _ in range(ROUNDS_MAX if outbox else 0):
        assert outbox is not None
        if not (found := await outbox.send_due(job_id=job_id)):
            break
        tried += found
    say("answers_tried", job_id=job_id, answers=tried)
    return tried
