"""How a stack stands, group by group: what is there, who works, what waits, what is wrong.

Each part is read by itself: one that cannot be read is named, and the others are shown.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hotdesk.backends.aws.calls import Calls, Refused
from hotdesk.backends.aws.stack import Stack
from hotdesk.backends.aws.template import desks_of, service_of
from hotdesk.errors import StoreError, Unavailable

GROUPS = {
    "DynamoDB": "record",
    "S3": "files",
    "EFS": "files",
    "SQS": "queues",
    "StepFunctions": "workflow",
    "Lambda": "lambdas",
    "Events": "events",
    "SES": "mail",
    "ECS": "workers",
    "ApplicationAutoScaling": "scaling",
    "EC2": "network",
    "IAM": "rights",
    "CloudWatch": "alarms",
    "SNS": "alarms",
    "Logs": "logs",
}
_PAGES_MAX = 20
_SERVICES_MAX = 10  # ECS DescribeServices: up to 10.
_LOOK_BACK = timedelta(minutes=10)  # SQS gives a value each minute to CloudWatch, a few late.


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Resources of one kind; ``unready`` names those that are not complete, with their state."""

    name: str
    count: int
    unready: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Workers: those that run, those that should, those that start."""

    name: str
    running: int
    wanted: int
    starting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """What waits in a queue, and what was received and is not done."""

    name: str
    waiting: int
    received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm: ``ok``, ``ALARM``, or ``no data``."""

    name: str
    state: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All of it. ``oldest_request`` is unknown as long as CloudWatch has no value."""

    stack: str
    status: str
    changed_at: datetime | None
    groups: tuple[Group, ...] = ()
    services: tuple[Service, ...] = ()
    queues: tuple[Depth, ...] = ()
    oldest_request: timedelta | None = None
    alarms: tuple[Alarm, ...] = ()
    problems: tuple[str, ...] = ()


async def standing(calls: Calls, stack: Stack, *, now: datetime) -> Standing:
    """Look at *stack*.

    Raises:
        StoreError: There is no such stack, or the rights do not allow to look.
        Unavailable: AWS did not answer.
    """
    described = await stack.described()
    if described is None:
        raise StoreError(f"there is no stack {stack.name} there; make it: hotdesk aws deploy")
    values = {each["ParameterKey"]: each["ParameterValue"] for each in described["Parameters"]}
    found: dict[str, Any] = {}
    problems: list[str] = []
    parts: Mapping[str, Callable[[], Awaitable[Any]]] = {
        "groups": lambda: _groups(calls, stack.name),
        "services": lambda: _services(calls, stack.name, values),
        "queues": lambda: _queues(calls, stack.name),
        "oldest_request": lambda: _oldest_request(calls, stack.name, now),
        "alarms": lambda: _alarms(calls, stack.name),
    }
    for name, read in parts.items():
        try:
            found[name] = await read()
        except (StoreError, Unavailable) as error:
            problems.append(f"{name.replace('_', ' ')}: {error}")
        except Refused as refused:
            problems.append(f"{name.replace('_', ' ')}: {refused.code}")
    return Standing(
        stack=stack.name,
        status=str(described["StackStatus"]),
        changed_at=described.get("LastUpdatedTime") or described.get("CreationTime"),
        problems=tuple(problems),
        **found,
    )


async def _groups(calls: Calls, stack: str) -> tuple[Group, ...]:
    counts: dict[str, int] = {}
    unready: dict[str, list[str]] = {}
    page: dict[str, object] = {"StackName": stack}
    for _ in range(_PAGES_MAX):
        answer = await calls.call("cloudformation", "list_stack_resources", page)
        for each in answer["StackResourceSummaries"]:
            # An emulator lists what a condition leaves out, without a kind.
            kind = str(each.get("ResourceType") or "").split("::")
            if len(kind) < len(("AWS", "service", "resource")):
                continue
            group = GROUPS.get(kind[1], kind[1])
            counts[group] = counts.get(group, 0) + 1
            if not each["ResourceStatus"].endswith("_COMPLETE"):
                state = f"{each['LogicalResourceId']} {each['ResourceStatus']}"
                unready.setdefault(group, []).append(state)
        if not answer.get("NextToken"):
            break
        page["NextToken"] = answer["NextToken"]
    return tuple(
        Group(name=name, count=counts[name], unready=tuple(unready.get(name, ())))
        for name in dict.fromkeys(GROUPS.values())
        if name in counts
    )


async def _services(calls: Calls, stack: str, values: Mapping[str, str]) -> tuple[Service, ...]:
    if not values.get("Image") or values.get("Serving") == "false":
        return ()
    labels = {f"{stack}-pool": "pool"}
    for pinned in desks_of(values.get("DedicatedDesks", "")):
        labels[service_of(stack, pinned.desk)] = str(pinned.desk)
    names, found = list(labels), []
    for start in range(0, len(names), _SERVICES_MAX):
        part = {"cluster": stack, "services": names[start : start + _SERVICES_MAX]}
        answer = await calls.call("ecs", "describe_services", part)
        found += [
            Service(
                name=labels[each["serviceName"]],
                running=each["runningCount"],
                wanted=each["desiredCount"],
                starting=each["pendingCount"],
            )
            for each in answer["services"]
        ]
    return tuple(found)


async def _queues(calls: Calls, stack: str) -> tuple[Depth, ...]:
    found = []
    for name in ("unclaimed", "dead"):
        url = (await calls.sqs("get_queue_url", QueueName=f"{stack}-{name}"))["QueueUrl"]
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = await calls.sqs("get_queue_attributes", QueueUrl=url, AttributeNames=wanted)
        waiting, received = (int(answer["Attributes"][each]) for each in wanted)
        found.append(Depth(name=name, waiting=waiting, received=received))
    return tuple(found)


async def _oldest_request(calls: Calls, stack: str, now: datetime) -> timedelta | None:
    answer = await calls.call(
        "cloudwatch",
        "get_metric_statistics",
        {
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateAgeOfOldestMessage",
            "Dimensions": [{"Name": "QueueName", "Value": f"{stack}-unclaimed"}],
            "StartTime": now - _LOOK_BACK,
            "EndTime": now,
            "Period": 60,
            "Statistics": ["Maximum"],
        },
    )
    points = sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])
    return timedelta(seconds=points[-1]["Maximum"]) if points else None


async def _alarms(calls: Calls, stack: str) -> tuple[Alarm, ...]:
    states = {"OK": "ok", "INSUFFICIENT_DATA": "no data"}
    found: list[Alarm] = []
    page: dict[str, object] = {"AlarmNamePrefix": f"{stack}-", "AlarmTypes": ["MetricAlarm"]}
    for _ in range(_PAGES_MAX):
        answer = await calls.call("cloudwatch", "describe_alarms", page)
        found += [
            Alarm(
                name=each["AlarmName"].removeprefix(f"{stack}-"),
                state=states.get(each["StateValue"], each["StateValue"]),
                meaning=each.get("AlarmDescription", ""),
            )
            for each in answer["MetricAlarms"]
            # The others go off all the time: they scale the pool.
            if any(told.endswith(f":{stack}-alarms") for told in each.get("AlarmActions", ()))
        ]
        if not answer.get("NextToken"):
            break
        page["NextToken"] = answer["NextToken"]
    return tuple(found)
