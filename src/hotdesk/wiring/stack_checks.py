"""What ``doctor`` looks at on AWS: whose credentials, the clock, and what a stack is made of."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from hotdesk.backends.aws.address import stack_of
from hotdesk.backends.aws.protection import AGENT_VARIABLE
from hotdesk.clock import SystemClock
from hotdesk.config import Config
from hotdesk.config.environment import variables
from hotdesk.lifecycle import CLOCK_SKEW
from hotdesk.wiring.deployment import leaving_time
from hotdesk.wiring.extras import import_aws
from hotdesk.wiring.finding import Check, Finding, fail, ok, warn

# The Date of an answer has whole seconds, and the answer takes a moment.
CLOCK_OFF_MAX = timedelta(seconds=3)
STOPPING_MAX = timedelta(seconds=120)  # Fargate: stopTimeout, at most 120 s.
DEPLOY = "make it: hotdesk aws deploy"


def stack_checks(config: Config) -> Iterator[Check]:
    """The checks of a stack, in an order in which the first that fails says why."""
    yield partial(_identity, config)
    yield partial(_clock, config)
    yield partial(_table, config)
    yield partial(_queue, config)
    yield partial(_workflow, config)
    yield partial(_bucket, config)
    if AGENT_VARIABLE in variables():
        yield partial(_stopping, config)


async def _identity(config: Config) -> Finding:
    answer = await _ask(config, "sts", "get_caller_identity", {})
    return ok(f"credentials of {answer['Arn']}")


async def _clock(config: Config) -> Finding:
    before = SystemClock().now()
    answer = await _ask(config, "sts", "get_caller_identity", {})
    after = SystemClock().now()
    theirs = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    off = max(before - theirs, theirs - after, timedelta(0))
    what = f"this clock is {off.total_seconds():.0f} s off AWS's"
    if off > CLOCK_SKEW:
        return fail(what, "set it: leases are compared across machines")
    return warn(what, "let a time service set it") if off > CLOCK_OFF_MAX else ok("clock is right")


async def _table(config: Config) -> Finding:
    name = (await _names(config)).table
    answer = await _ask(config, "dynamodb", "describe_table", {"TableName": name})
    status = answer["Table"]["TableStatus"]
    if status in {"ACTIVE", "UPDATING"}:
        return ok(f"table {name} is there")
    return fail(f"table {name} is {status}", "see: hotdesk aws status")


async def _queue(config: Config) -> Finding:
    name = (await _names(config)).unclaimed
    return await _there(config, f"queue {name}", "sqs", "get_queue_url", {"QueueName": name})


async def _workflow(config: Config) -> Finding:
    arn = (await _names(config)).state_machine_arn
    name = arn.rpartition(":")[2]
    arguments = {"stateMachineArn": arn}
    return await _there(
        config, f"state machine {name}", "stepfunctions", "describe_state_machine", arguments
    )


async def _bucket(config: Config) -> Finding:
    name = (await _names(config)).bucket
    return await _there(config, f"bucket {name}", "s3", "head_bucket", {"Bucket": name})


async def _stopping(config: Config) -> Finding:
    takes = leaving_time(config)
    what = f"a worker leaves within {takes.total_seconds():.0f} s"
    if takes > STOPPING_MAX:
        return warn(
            f"{what}; Fargate kills it after {STOPPING_MAX.total_seconds():.0f} s",
            "set a shorter [worker] grace_seconds",
        )
    return ok(what)


async def _there(
    config: Config, what: str, service: str, operation: str, arguments: Mapping[str, object]
) -> Finding:
    try:
        await _ask(config, service, operation, arguments)
    except import_aws("calls").Refused:
        return fail(f"{what} is not there", DEPLOY)
    return ok(f"{what} is there")


async def _names(config: Config) -> Any:  # noqa: ANN401 - boto3 may be missing: see extras
    region, stack = stack_of(config.backend)
    with closing(import_aws("calls").Calls(region)) as calls:
        return await calls.names(stack)


async def _ask(
    config: Config, service: str, operation: str, arguments: Mapping[str, object]
) -> Any:  # noqa: ANN401 - as above
    with closing(import_aws("calls").Calls(stack_of(config.backend)[0])) as calls:
        return await calls.call(service, operation, arguments)
