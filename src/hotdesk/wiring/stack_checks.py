"""What ``doctor`` looks at on AWS: whose credentials, the clock, and what a stack is made of."""

from collections.abc import Iterator
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
from hotdesk.errors import HotdeskError
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
    region, stack = stack_of(config.backend)
    try:
        calls = import_aws("calls").Calls(region)
    except HotdeskError as error:
        yield partial(_unusable, error)
        return
    with closing(calls):
        for check in (_identity, _clock, _table, _queue, _workflow, _bucket):
            yield partial(check, calls, stack)
    if AGENT_VARIABLE in variables():
        yield partial(_stopping, config)


async def _unusable(error: HotdeskError) -> Finding:
    raise error


async def _identity(calls: Any, _: str) -> Finding:  # noqa: ANN401 - boto3 may be missing
    answer = await calls.call("sts", "get_caller_identity", {})
    return ok(f"credentials of {answer['Arn']}")


async def _clock(calls: Any, _: str) -> Finding:  # noqa: ANN401 - as above
    before = SystemClock().now()
    answer = await calls.call("sts", "get_caller_identity", {})
    after = SystemClock().now()
    theirs = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    off = max(before - theirs, theirs - after, timedelta(0))
    what = f"this clock is {off.total_seconds():.0f} s off AWS's"
    if off > CLOCK_SKEW:
        return fail(what, "set it: leases are compared across machines")
    return warn(what, "let a time service set it") if off > CLOCK_OFF_MAX else ok("clock is right")


async def _table(calls: Any, stack: str) -> Finding:  # noqa: ANN401 - as above
    name = (await calls.names(stack)).table
    answer = await calls.call("dynamodb", "describe_table", {"TableName": name})
    status = answer["Table"]["TableStatus"]
    if status in {"ACTIVE", "UPDATING"}:
        return ok(f"table {name} is there")
    return fail(f"table {name} is {status}", "see: hotdesk aws status")


async def _queue(calls: Any, stack: str) -> Finding:  # noqa: ANN401 - as above
    name = (await calls.names(stack)).unclaimed
    return await _there(calls, f"queue {name}", "sqs", "get_queue_url", QueueName=name)


async def _workflow(calls: Any, stack: str) -> Finding:  # noqa: ANN401 - as above
    arn = (await calls.names(stack)).state_machine_arn
    what = f"state machine {arn.rpartition(':')[2]}"
    return await _there(calls, what, "stepfunctions", "describe_state_machine", stateMachineArn=arn)


async def _bucket(calls: Any, stack: str) -> Finding:  # noqa: ANN401 - as above
    name = (await calls.names(stack)).bucket
    return await _there(calls, f"bucket {name}", "s3", "head_bucket", Bucket=name)


async def _there(
    calls: Any,  # noqa: ANN401 - as above
    what: str,
    service: str,
    operation: str,
    **arguments: str,
) -> Finding:
    try:
        await calls.call(service, operation, arguments)
    except import_aws("calls").Refused:
        return fail(f"{what} is not there", DEPLOY)
    return ok(f"{what} is there")


async def _stopping(config: Config) -> Finding:
    takes = leaving_time(config)
    what = f"a worker leaves within {takes.total_seconds():.0f} s"
    if takes > STOPPING_MAX:
        return warn(
            f"{what}; Fargate kills it after {STOPPING_MAX.total_seconds():.0f} s",
            "set a shorter [worker] grace_seconds",
        )
    return ok(what)
