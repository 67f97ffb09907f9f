"""A stack is made out of the template, on each emulator, and is what the template says."""

import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest

from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls
from hotdesk.backends.aws.names import Names, digest
from hotdesk.backends.aws.stack import SETTINGS_KEY, Deployed, Stack, Step
from hotdesk.backends.aws.standing import standing
from hotdesk.backends.aws.table import definition
from hotdesk.backends.aws.template import parameters, render
from hotdesk.clock import SystemClock
from hotdesk.desks import Delivery, Desk, NewJob, Outcome
from hotdesk.errors import NotAllowed, Rejected, StoreError, Unavailable
from hotdesk.ports import WorkerCard
from hotdesk.testing import FakeClock
from tests.backends.aws.conftest import ConnectCalls
from tests.backends.aws.stacks import Stacks
from tests.emulators.gaps import GAPS
from tests.emulators.plugin import GetEmulator
from tests.emulators.server import Emulator

pytestmark = pytest.mark.anyio

CODE_BUCKET = "code-of-lambdas"
SETTINGS = b'[projects.amelia]\nrepo = "https://git.example.org/amelia.git"\ncommand = ["agent"]\n'
GIVEN = {
    "Image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/hotdesk:1",
    "LambdaBucket": CODE_BUCKET,
    "LambdaKey": "hotdesk.zip",
    "DedicatedDesks": "amelia/scott",
    "MailDomain": "desk.example.org",
    "Secrets": "MAIL_KEY",
    "Workspaces": "efs",
    # What one of the emulators refuses.
    "Scaling": "false",
    "MailReceiving": "false",
}


@pytest.fixture(params=[*GAPS])
def emulator(request: pytest.FixtureRequest, get_emulator: GetEmulator) -> Emulator:
    """Each emulator in turn; on an account this would take minutes, money and an image."""
    return get_emulator(request.param)


@pytest.fixture
async def calls(connect_calls: ConnectCalls, stacks: Stacks) -> AsyncIterator[Calls]:
    """Our calls, to an AWS that has the code of the Lambdas."""
    s3 = stacks.client("s3")
    if CODE_BUCKET not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(
            Bucket=CODE_BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as package:
        package.writestr("handler.py", "")
    s3.put_object(Bucket=CODE_BUCKET, Key="hotdesk.zip", Body=code.getvalue())
    calls = connect_calls()
    yield calls
    calls.close()


def stack_of(calls: Calls, name: str) -> Stack:
    """A stack that is looked at often, so that no test waits."""
    return Stack(calls, SystemClock(), name, pace=timedelta(milliseconds=20))


async def deploy(calls: Calls, name: str, **given: str) -> list[Step]:
    """Make a stack, or change it; return what was told of it."""
    steps: list[Step] = []
    await stack_of(calls, name).deploy(
        given, tags={"team": "web"}, settings=SETTINGS, tell=steps.append
    )
    return steps


def make(stacks: Stacks, name: str) -> Names:
    """Make a stack in one step, as without our command."""
    cloudformation = stacks.client("cloudformation")
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=render(GIVEN, is_packed=True),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in GIVEN.items()],
    )
    waiter = cloudformation.get_waiter("stack_create_complete")
    waiter.wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    return stacks.names(name)


async def test_a_stack_has_the_resources_that_the_backend_looks_for(
    calls: Calls, stacks: Stacks
) -> None:
    names = make(stacks, "whole")

    table = stacks.client("dynamodb").describe_table(TableName=names.table)["Table"]
    wanted: Any = definition(names.table)
    assert table["KeySchema"] == wanted["KeySchema"]
    assert {each["IndexName"]: each["KeySchema"] for each in table["GlobalSecondaryIndexes"]} == {
        each["IndexName"]: each["KeySchema"] for each in wanted["GlobalSecondaryIndexes"]
    }
    machine = stacks.client("stepfunctions").describe_state_machine(
        stateMachineArn=names.state_machine_arn
    )
    definition_made = machine["definition"]
    assert machine["type"] == "STANDARD"
    assert "${" not in definition_made
    states = json.loads(definition_made)["States"]
    assert states["AskOnce"]["Parameters"]["TableName"] == names.table
    assert states["Ask"]["Parameters"]["QueueUrl"] == queue_url(stacks, names.unclaimed)


def queue_url(stacks: Stacks, name: str) -> str:
    """Where a queue is."""
    url: str = stacks.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    return url


def settings_in(stacks: Stacks, names: Names) -> bytes:
    """What workers read as their configuration."""
    found = stacks.client("s3").get_object(Bucket=names.bucket, Key=SETTINGS_KEY)
    content: bytes = found["Body"].read()
    found["Body"].close()
    return content


async def test_a_stack_carries_a_job(calls: Calls, stacks: Stacks) -> None:
    make(stacks, "carries")
    clock = SystemClock()
    backend = AwsBackend(calls, "carries", clock)
    desk, lease, wait = Desk("amelia", "scott"), timedelta(seconds=90), timedelta(seconds=5)
    await backend.register(WorkerCard(id="w1", pid=1), now=clock.now())

    (job,) = await backend.submit(
        [NewJob(id="job1", desk=desk, thread="t1", instruction="go")], now=clock.now()
    )
    claim = await backend.claim("w1", wait=wait, lease=lease, now=clock.now())
    assert claim is not None
    delivery = None
    for _ in range(10):
        found = await backend.next_job(claim, wait=wait, now=clock.now())
        if isinstance(found, Delivery):
            delivery = found
            break
    assert delivery is not None
    await backend.settle(delivery, Outcome.succeeded(), and_next=False, now=clock.now())

    assert (await backend.job(job.id)).state.value == "succeeded"
    await backend.deregister("w1", now=clock.now())


async def test_workers_lambdas_and_rules_know_their_stack(calls: Calls, stacks: Stacks) -> None:
    names = make(stacks, "knows")

    variables = stacks.client("lambda").get_function(FunctionName="knows-intake")["Configuration"][
        "Environment"
    ]["Variables"]
    assert variables == {
        "HOTDESK_BACKEND": "aws://eu-west-1/knows",
        "HOTDESK_CONFIG_S3": f"s3://{names.bucket}/{SETTINGS_KEY}",
    }
    task = stacks.client("ecs").describe_task_definition(
        taskDefinition=f"knows-desk-{digest('amelia#scott')}"
    )["taskDefinition"]
    (worker,) = task["containerDefinitions"]
    # One gives back what the template says, the other what ECS would.
    told = [
        dict(zip(("name", "value"), each.values(), strict=True)) for each in worker["environment"]
    ]
    assert {each["name"]: each["value"] for each in told} == {
        **variables,
        "HOTDESK_DESK": "amelia/scott",
    }
    rules = stacks.client("events").list_rules(NamePrefix="knows-")["Rules"]
    assert {each["Name"] for each in rules} == {"knows-sweep", "knows-ended", "knows-mail"}
    assert {each["State"] for each in rules} == {"ENABLED"}


async def test_what_is_kept_is_encrypted(calls: Calls, stacks: Stacks) -> None:
    names = make(stacks, "safe")

    attributes = stacks.client("sqs").get_queue_attributes(
        QueueUrl=queue_url(stacks, names.unclaimed), AttributeNames=["SqsManagedSseEnabled"]
    )["Attributes"]
    assert attributes["SqsManagedSseEnabled"] == "true"
    rules = stacks.client("s3").get_bucket_encryption(Bucket=names.bucket)
    assert rules["ServerSideEncryptionConfiguration"]["Rules"]


async def test_workers_start_once_their_settings_are_in_the_bucket(
    calls: Calls, stacks: Stacks
) -> None:
    seen: list[tuple[str, bool]] = []

    def tell(step: Step) -> None:
        if step.status.endswith("_COMPLETE"):
            keys = stacks.client("s3").list_objects_v2(Bucket=stacks.names("early").bucket)
            seen.append((step.resource, bool(keys["KeyCount"])))

    await stack_of(calls, "early").deploy(GIVEN, tags={}, settings=SETTINGS, tell=tell)

    assert settings_in(stacks, stacks.names("early")) == SETTINGS
    assert ("Table", False) in seen
    assert ("Pool", True) in seen
    assert ("Pool", False) not in seen
    rules = stacks.client("events").list_rules(NamePrefix="early-")["Rules"]
    assert {each["State"] for each in rules} == {"ENABLED"}


async def test_a_dedicated_desk_is_left_to_its_own_worker(calls: Calls) -> None:
    await deploy(calls, "pins", **GIVEN)
    clock = SystemClock()
    backend = AwsBackend(calls, "pins", clock)
    await backend.register(WorkerCard(id="generic", pid=1), now=clock.now())
    jobs = [
        NewJob(id=f"job-{user}", desk=Desk("amelia", user), thread="t1", instruction="go")
        for user in ("scott", "ana")
    ]

    await backend.submit(jobs, now=clock.now())
    lease = timedelta(seconds=90)
    claim = await backend.claim("generic", wait=timedelta(0), lease=lease, now=clock.now())

    assert claim is not None
    assert claim.desk == Desk("amelia", "ana")
    await backend.deregister("generic", now=clock.now())


async def test_a_deployment_without_changes_says_so(calls: Calls) -> None:
    await deploy(calls, "same", **GIVEN)

    again = await stack_of(calls, "same").deploy(
        {}, tags={"team": "web"}, settings=None, tell=print
    )

    assert not again.is_changed


async def test_a_deployment_keeps_the_parameters_that_it_does_not_name(calls: Calls) -> None:
    await deploy(calls, "keeps", **GIVEN, PoolMax="7")

    await deploy(calls, "keeps", PoolMin="1")

    described = await stack_of(calls, "keeps").described()
    assert described is not None
    values = {each["ParameterKey"]: each["ParameterValue"] for each in described["Parameters"]}
    settings = hashlib.sha256(SETTINGS).hexdigest()[:16]
    named = {"PoolMax": "7", "PoolMin": "1", "Settings": settings}
    assert values == {**parameters(), **GIVEN, **named}


async def test_a_stack_is_shown_part_by_part(calls: Calls) -> None:
    await deploy(calls, "shown", **GIVEN)

    found = await standing(calls, stack_of(calls, "shown"), now=SystemClock().now())

    assert found.status.endswith("_COMPLETE")
    groups = {each.name: each for each in found.groups}
    assert groups["record"].count == 1
    assert not any(each.unready for each in found.groups)
    assert [each.name for each in found.services] == ["pool", "amelia/scott"]
    assert [(each.name, each.waiting) for each in found.queues] == [("unclaimed", 0), ("dead", 0)]
    assert found.problems == ()


async def test_a_parameter_that_does_not_exist_is_refused_before_anything_is_made(
    calls: Calls,
) -> None:
    with pytest.raises(Rejected, match="PoolMinimum"):
        await deploy(calls, "unknown", PoolMinimum="1")

    assert await stack_of(calls, "unknown").described() is None


async def test_a_stack_that_is_not_there_is_said_with_what_makes_it(calls: Calls) -> None:
    with pytest.raises(StoreError, match="hotdesk aws deploy"):
        await standing(calls, stack_of(calls, "nowhere"), now=SystemClock().now())


# ---------------------------------------------------------------- What goes wrong


async def test_a_deployment_that_fails_says_why_and_the_next_one_goes_on(
    calls: Calls,
) -> None:
    nowhere = {"Vpc": "vpc-00000000", "SubnetA": "subnet-00000000", "SubnetB": "subnet-00000001"}

    with pytest.raises(StoreError, match=r"fails failed .*: .*-00000000"):
        await deploy(calls, "fails", **GIVEN, **nowhere)

    await deploy(calls, "fails", **GIVEN)
    assert (await stack_of(calls, "fails").described() or {})["StackStatus"] == "UPDATE_COMPLETE"


NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
STACK = """<Stacks><member><StackName>hd</StackName><StackStatus>{}</StackStatus>
<CreationTime>2026-11-22T12:00:00Z</CreationTime></member></Stacks>"""
STANDING = {
    "DescribeStacks": STACK.format("CREATE_COMPLETE"),
    "GetCallerIdentity": "<Account>123456789012</Account>",
    "CreateChangeSet": "<Id>c</Id>",
    "DescribeStackEvents": "<StackEvents/>",
    "ExecuteChangeSet": "",
    "DeleteChangeSet": "",
}
CODE = {"LambdaBucket": CODE_BUCKET, "LambdaKey": "hotdesk.zip"}


class HurriedClock(FakeClock):
    """Time passes for those who wait, at once."""

    async def sleep(self, span: timedelta) -> None:
        """Let *span* pass."""
        self.jump(span)


@contextmanager
def an_aws_that_says(results: dict[str, str]) -> Iterator[Calls]:
    """A server that gives one answer to each kind of call; to one that it does not know, none."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            (action,) = asked["Action"]
            result = results.get(action)
            answer = (
                "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
                if result is None
                else f'<{action}Response xmlns="{NAMESPACE}"><{action}Result>{result}'
                f"</{action}Result></{action}Response>"
            )
            self.send_response(403 if result is None else 200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        host, port = server.server_address[:2]
        session = boto3.session.Session("made-up", "made-up")
        calls = Calls("eu-west-1", endpoint=f"http://{host!s}:{port}", session=session)
        try:
            yield calls
        finally:
            calls.close()
            server.shutdown()
            thread.join()


async def deploy_in_no_time(calls: Calls) -> Deployed:
    """Change a stack; waiting takes no time."""
    stack = Stack(calls, HurriedClock(), "hd")
    return await stack.deploy(CODE, tags={}, settings=None, tell=print)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("UPDATE_IN_PROGRESS", "being changed already"),
        ("ROLLBACK_COMPLETE", "delete-stack --stack-name hd"),
        ("CREATE_FAILED", "delete-stack --stack-name hd"),
        ("DELETE_FAILED", "delete-stack --stack-name hd"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name hd"),
    ],
)
async def test_a_stack_that_is_half_made_is_left_alone_with_advice(
    status: str, advice: str
) -> None:
    with (
        an_aws_that_says({**STANDING, "DescribeStacks": STACK.format(status)}) as calls,
        pytest.raises(NotAllowed, match=advice),
    ):
        await deploy_in_no_time(calls)


async def test_rights_that_do_not_suffice_are_said_with_the_call() -> None:
    with (
        an_aws_that_says({"DescribeStacks": STACK.format("CREATE_COMPLETE")}) as calls,
        pytest.raises(StoreError, match=r"get_caller_identity: the rights"),
    ):
        await deploy_in_no_time(calls)


@pytest.mark.parametrize(
    ("change_set", "problem"),
    [
        ("<Status>CREATE_IN_PROGRESS</Status>", "has not compared"),
        ("<Status>CREATE_COMPLETE</Status>", "still under way"),
    ],
)
async def test_a_wait_that_never_ends_is_given_up(change_set: str, problem: str) -> None:
    with (
        an_aws_that_says({**STANDING, "DescribeChangeSet": change_set}) as calls,
        pytest.raises(Unavailable, match=problem),
    ):
        await deploy_in_no_time(calls)


async def test_a_template_that_aws_refuses_is_refused_with_its_reason() -> None:
    refusal = "<Status>FAILED</Status><StatusReason>Cpu is not right</StatusReason>"

    with (
        an_aws_that_says({**STANDING, "DescribeChangeSet": refusal}) as calls,
        pytest.raises(Rejected, match="Cpu is not right"),
    ):
        await deploy_in_no_time(calls)


async def test_a_stack_without_code_is_refused_before_anything_is_made() -> None:
    with (
        an_aws_that_says(STANDING) as calls,
        pytest.raises(Rejected, match="--set Image="),
    ):
        await stack_of(calls, "hd").deploy({}, tags={}, settings=None, tell=print)
