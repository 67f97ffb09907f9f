"""Mail in: called by SES, by S3, by EventBridge for S3, or by a queue of any of these events.

Each mail stands alone: what is wrong with one is said and left for the next invocation, and
for the dead letters at last, when all others are taken.
"""

import json
from collections.abc import Mapping
from typing import Any

from hotdesk.errors import HotdeskError
from hotdesk.intakes.ses import Arrival, NotOurs, SesIntake, arrivals
from hotdesk.lambdas.invocation import Context, NotDone, run, say, say_failure
from hotdesk.wiring.stack import Stack


def handler(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Take the mails that *event* means; for a queue say which of its messages come again.

    Raises:
        NotDone: At least one mail was not taken. The event may come again as a whole.
        HotdeskError: The event is not ours, or the stack cannot be used.
    """

    async def take(stack: Stack) -> dict[str, Any]:
        return await _take_event(stack, event)

    try:
        return run(take, context)
    except HotdeskError as error:
        say_failure("intake_failed", error)
        raise


async def _take_event(stack: Stack, event: Mapping[str, Any]) -> dict[str, Any]:
    intake, bucket = stack.intake(), await stack.bucket.name()
    messages = _messages(event)
    if messages is not None:
        failed = [
            message_id
            for message_id, body in messages
            if not await _take_message(intake, bucket, message_id, body)
        ]
        return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
    found = arrivals(event, bucket=bucket)
    if not found:
        say("no_mail", level="warning")
    taken = [await _take(intake, arrival) for arrival in found]
    if not all(taken):
        raise NotDone(f"{taken.count(False)} of {len(taken)} mails were not taken")
    return {"taken": len(taken)}


def _messages(event: Mapping[str, Any]) -> list[tuple[str, str]] | None:
    """The messages of a queue with their ids; ``None`` if the event is not of a queue."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or not records:
        return None
    if not all(isinstance(each, dict) and each.get("eventSource") == "aws:sqs" for each in records):
        return None
    return [(str(each.get("messageId", "")), str(each.get("body", ""))) for each in records]


async def _take_message(intake: SesIntake, bucket: str, message_id: str, body: str) -> bool:
    try:
        found = arrivals(json.loads(body), bucket=bucket)
    except (ValueError, RecursionError, NotOurs) as error:
        say_failure("message_not_ours", error, message_id=message_id)
        return False
    # All of them, though one has failed.
    return all([await _take(intake, arrival) for arrival in found])


async def _take(intake: SesIntake, arrival: Arrival) -> bool:
    try:
        reception = await intake.take(arrival)
    except Exception as error:  # noqa: BLE001 - a mail that we cannot read must not hold up others.
        say_failure("mail_not_taken", error, mail=arrival.key)
        return False
    say(
        "mail_taken" if reception.taken else "mail_refused",
        level="warning" if reception.refused else "info",
        mail=arrival.key,
        jobs=reception.taken,
        refused=reception.refused,
        reason=reception.reason,
        is_told=reception.is_told,
    )
    return True
