"""Who did what here, out of the events, and the command that would have done the same."""

from dataclasses import dataclass
from datetime import datetime

from hotdesk.desks import Desk
from hotdesk.events import StoredEvent
from hotdesk.ports import Backend

KINDS = frozenset({"ActionTaken", "MailApproved", "MailDropped"})
READ_AT_ONCE = 500
READ_MAX = 2000

_DECIDED = {"MailApproved": "approve", "MailDropped": "drop"}
_COMMANDS = {
    "approve": "thread approve {target}",
    "cancel": "job cancel {target}",
    "check": "doctor",
    "discard": "dead discard {target}",
    "drain": "worker drain {target}",
    "drop": "thread drop {target}",
    "interrupt": "job interrupt {target} -m …",
    "pause": "desk pause {target}",
    "release": "desk release {target}",
    "resume": "desk resume {target}",
    "retry": "job retry {target}",
    "retry edited": "job interrupt {target} -m …",
    "stop": "worker stop {target}",
    "submit": "send --desk {desk} -m …",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that somebody did. ``command`` is empty where no command does it."""

    cursor: str
    at: datetime
    by: str
    action: str
    target: str
    desk: Desk | None
    job_id: str
    command: str


async def actions(backend: Backend, *, limit: int, before: str = "") -> tuple[list[Action], str]:
    """The newest actions, the latest first, and the cursor behind which there may be more.

    Only so many events are looked through, so there may be fewer than *limit* and more behind.

    Raises:
        Rejected: *before* is no cursor of an event.
    """
    found: list[Action] = []
    for _ in range(READ_MAX // READ_AT_ONCE):
        events = await backend.latest_events(limit=READ_AT_ONCE, before=before)
        for event in events:
            before = event.cursor
            if event.kind in KINDS:
                found.append(_action(event))
                if len(found) == limit:
                    return found, before
        if len(events) < READ_AT_ONCE:
            return found, ""
    return found, before


def _action(event: StoredEvent) -> Action:
    action = str(event.details.get("action", _DECIDED.get(event.kind, "")))
    target = str(event.details.get("target", event.job_id))
    desk = Desk.from_key(event.desk) if event.desk else None
    command = _COMMANDS.get(action, "")
    return Action(
        cursor=event.cursor,
        at=event.at,
        by=str(event.details.get("by", "")),
        action=action,
        target=target,
        desk=desk,
        job_id=event.job_id,
        command=f"hotdesk {command.format(target=target, desk=desk)}" if command else "",
    )
