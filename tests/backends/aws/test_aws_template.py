"""The template as text: what it makes, what it is called, and who may do what with it."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import botocore.session
import cfnlint.data.AdditionalSpecs
import pytest
from botocore import xform_name
from cfnlint.api import ManualArgs, lint
from cfnlint.decode import decode_str

from hotdesk.backends.aws import workflow
from hotdesk.backends.aws.names import Names, of_desk
from hotdesk.backends.aws.table import definition
from hotdesk.backends.aws.template import (
    BODY_BYTES_MAX,
    desks_of,
    parameters,
    render,
    service_of,
    value_of,
)
from hotdesk.desks import Desk
from hotdesk.errors import Rejected
from hotdesk.placement import PinnedDesk

ROOT = Path(__file__).parents[3]
NAMES = Names(stack="hd", region="eu-west-1", account="123456789012")
FILLED = {"DedicatedDesks": "amelia/scott,web/ana:0", "Secrets": "MAIL_KEY,AMELIA_TOKEN"}

Template = dict[str, Any]


@cache
def template(*, is_filled: bool = False) -> Template:
    """The template, decoded."""
    decoded, mistakes = decode_str(render(FILLED if is_filled else {}))
    assert not mistakes
    return dict(decoded)


def properties(name: str) -> dict[str, Any]:
    """What a resource of the template is given."""
    return dict(template()["Resources"][name]["Properties"])


def of_type(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The resources of one kind, and what each is given."""
    for name, resource in template(is_filled=True)["Resources"].items():
        if resource["Type"] == kind:
            yield name, resource["Properties"]


def text_of(value: str | Mapping[str, str]) -> str:
    """A value, or ``Fn::Sub`` or ``Ref`` of what CloudFormation knows by itself, as its text."""
    known = {
        "AWS::Partition": "aws",
        "AWS::Region": NAMES.region,
        "AWS::AccountId": NAMES.account,
        "AWS::StackName": NAMES.stack,
    }
    if isinstance(value, str):
        return value
    (form, inner), *_ = value.items()
    return known[inner] if form == "Ref" else re.sub(r"\$\{(.+?)\}", lambda m: known[m[1]], inner)


@pytest.mark.timeout(120)  # Two seconds where nothing else runs.
@pytest.mark.parametrize("given", [{}, FILLED])
def test_the_linter_of_aws_finds_no_mistake(given: dict[str, str]) -> None:
    found = lint(render(given, is_packed=True), config=ManualArgs(regions=["eu-west-1"]))

    assert [str(each) for each in found] == []


def test_a_template_for_a_new_stack_fits_into_the_call_that_makes_it() -> None:
    packed = render({}, is_packed=True)

    assert len(packed.encode()) <= BODY_BYTES_MAX


def test_packing_a_template_leaves_out_what_is_for_people_only() -> None:
    whole, mistakes = decode_str(render(FILLED))
    packed, _ = decode_str(render(FILLED, is_packed=True))

    assert not mistakes
    definitions = []
    for each in (whole, packed):
        text = each["Resources"]["Workflow"]["Properties"].pop("DefinitionString")["Fn::Sub"][0]
        definitions.append(json.loads(re.sub(r": ?(\$\{\w+\})", r': "\1"', text)))
    for each in (*whole["Parameters"].values(), *whole["Outputs"].values()):
        del each["Description"]
    assert packed == whole
    for each in (definitions[0], *definitions[0]["States"].values()):
        each.pop("Comment", None)
    assert definitions[1] == definitions[0]


def test_resources_are_called_what_the_backend_calls_them() -> None:
    assert text_of(properties("Table")["TableName"]) == NAMES.table
    assert text_of(properties("Bucket")["BucketName"]) == NAMES.bucket
    assert text_of(properties("Unclaimed")["QueueName"]) == NAMES.unclaimed
    machine = text_of(properties("Workflow")["StateMachineName"])
    assert NAMES.state_machine_arn.endswith(f":stateMachine:{machine}")
    for name in ("Intake", "Sweep", "Answer"):
        assert text_of(properties(name)["FunctionName"]) == f"hd-{name.lower()}"


def test_what_outlives_a_stack_is_named_without_expressions_so_that_another_can_take_it_up() -> (
    None
):
    made, _ = decode_str(render({}, names=NAMES))
    resources = made["Resources"]

    assert resources["Table"]["Properties"]["TableName"] == NAMES.table
    assert resources["Bucket"]["Properties"]["BucketName"] == NAMES.bucket


def test_the_table_has_the_keys_and_indexes_of_the_backend() -> None:
    made = properties("Table")
    wanted = definition(NAMES.table)

    for key in wanted.keys() - {"TableName"}:
        assert made[key] == wanted[key], key


def test_the_workflow_of_the_template_is_the_one_that_the_backend_knows() -> None:
    text, values = properties("Workflow")["DefinitionString"]["Fn::Sub"]
    named = set(re.findall(r"\$\{(\w+)\}", text))

    assert named == set(values)
    assert values["QueueWait"] == workflow.QUEUE_WAIT_SECONDS
    assert values["Watchdog"] == workflow.WATCHDOG_SECONDS
    assert values["LongestRun"] == workflow.LONGEST_RUN_SECONDS
    assert {each.strip() for each in text.splitlines()} == {
        each.strip() for each in workflow.source().splitlines()
    }


def test_only_what_says_when_expires_from_the_table() -> None:
    ttl = properties("Table")["TimeToLiveSpecification"]

    # Tallies have it as a number of seconds, and nothing else has it: DynamoDB lets that be.
    assert ttl == {"AttributeName": "expires", "Enabled": True}


def test_what_is_kept_is_encrypted_and_outlives_the_stack() -> None:
    table, bucket = properties("Table"), properties("Bucket")

    assert table["SSESpecification"]["SSEEnabled"]
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    for name in ("Table", "Bucket"):
        # A first deployment that fails must not leave what stands in the way of the next.
        assert template()["Resources"][name]["DeletionPolicy"] == "RetainExceptOnCreate"
    queues = [made for _, made in of_type("AWS::SQS::Queue")]
    assert queues
    assert all(made["SqsManagedSseEnabled"] for made in queues)


def test_the_bucket_refuses_what_is_not_encrypted_on_its_way() -> None:
    denied, allowed = properties("BucketPolicy")["PolicyDocument"]["Statement"]

    assert denied["Effect"] == "Deny"
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert allowed["Resource"] == {"Fn::Sub": "${Bucket.Arn}/mail/*"}
    assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


def test_only_what_no_job_points_to_is_removed_by_age() -> None:
    rules = properties("Bucket")["LifecycleConfiguration"]["Rules"]
    by_age = {each["Prefix"] for each in rules if "ExpirationInDays" in each}
    written = {
        each["Fn::Sub"].removeprefix("${Bucket.Arn}/").removesuffix("*")
        for statement in statements("Client")
        if statement["Action"] == ["s3:DeleteObject", "s3:PutObject"]
        for each in statement["Resource"]
    }

    assert by_age == written - {"large/"} | {"mail/"}
    assert written == {"attachments/", "kept/", "large/", "refused/", "sessions/"}


def test_logs_are_kept_for_as_long_as_was_said_and_never_hold_what_jobs_say() -> None:
    groups = dict(of_type("AWS::Logs::LogGroup"))

    assert len(groups) == 3
    assert all(made["RetentionInDays"] == {"Ref": "LogDays"} for made in groups.values())
    assert properties("Workflow")["LoggingConfiguration"]["IncludeExecutionData"] is False


def test_every_lambda_has_dead_letters_and_a_bound() -> None:
    functions = dict(of_type("AWS::Lambda::Function"))

    assert set(functions) == {"Intake", "Sweep", "Answer"}
    for made in functions.values():
        assert made["DeadLetterConfig"] == {"TargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}}
        assert "ReservedConcurrentExecutions" in made
        assert made["Environment"]["Variables"].keys() == {"HOTDESK_BACKEND", "HOTDESK_CONFIG_S3"}


def test_every_alarm_that_scales_nothing_tells_somebody() -> None:
    for name, made in of_type("AWS::CloudWatch::Alarm"):
        scales = template(is_filled=True)["Resources"][name].get("Condition") == "Scales"
        assert (made["AlarmActions"] == [{"Ref": "Alarms"}]) is not scales, name


def test_a_dedicated_desk_has_a_service_and_on_demand_one_that_its_own_queue_starts() -> None:
    amelia, web = Desk("amelia", "scott"), Desk("web", "ana")
    services = {text_of(made["ServiceName"]): made for _, made in of_type("AWS::ECS::Service")}
    queues = {
        text_of(each["Value"])
        for _, made in of_type("AWS::CloudWatch::Alarm")
        for each in made.get("Dimensions", ())
        if each["Name"] == "QueueName" and "Fn::Sub" in each["Value"]
    }
    environments = [
        each["Value"]
        for _, made in of_type("AWS::ECS::TaskDefinition")
        for each in made["ContainerDefinitions"][0]["Environment"]
        if each["Name"] == "HOTDESK_DESK"
    ]

    assert set(services) == {"hd-pool", service_of("hd", amelia), service_of("hd", web)}
    assert services[service_of("hd", amelia)]["DesiredCount"] == {"Fn::If": ["Scales", 1, 0]}
    assert services[service_of("hd", web)]["DesiredCount"] == {"Fn::If": ["Scales", 0, 0]}
    assert queues == {of_desk("hd", web, 0)}
    assert sorted(environments) == ["amelia/scott", "web/ana"]


def test_secrets_reach_containers_by_their_names_only() -> None:
    for name, made in of_type("AWS::ECS::TaskDefinition"):
        secrets = made["ContainerDefinitions"][0]["Secrets"]
        assert [each["Name"] for each in secrets] == ["MAIL_KEY", "AMELIA_TOKEN"], name
        arn = text_of(secrets[0]["ValueFrom"])
        assert arn == "arn:aws:ssm:eu-west-1:123456789012:parameter/hd/MAIL_KEY"


@pytest.mark.parametrize(
    "given",
    [
        {"Nothing": "1"},
        {"DedicatedDesks": "amelia"},
        {"DedicatedDesks": 'amelia/scott"}, x: {"'},
        {"DedicatedDesks": "amelia/scott:1"},
        {"Secrets": "MAIL_KEY}\n"},
        {"Secrets": "mail key"},
    ],
)
def test_what_cannot_be_filled_in_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(Rejected):
        render(given)


def test_dedicated_desks_are_written_as_they_are_read() -> None:
    pinned = (
        PinnedDesk(desk=Desk("amelia", "scott")),
        PinnedDesk(desk=Desk("web", "ana"), is_always_on=False),
    )

    assert tuple(desks_of(value_of(pinned))) == pinned


@pytest.mark.parametrize("name", parameters())
def test_every_parameter_is_explained(name: str) -> None:
    assert f"| `{name}` |" in (ROOT / "docs/aws.md").read_text("utf-8")


@pytest.mark.parametrize("name", [name for name, _ in of_type("AWS::CloudWatch::Alarm")])
def test_every_alarm_that_tells_somebody_is_in_the_runbook(name: str) -> None:
    made = dict(of_type("AWS::CloudWatch::Alarm"))[name]
    if made["AlarmActions"] != [{"Ref": "Alarms"}]:
        return
    label = text_of(made["AlarmName"]).removeprefix("hd-")
    assert f"**{label}**" in (ROOT / "docs/aws.md").read_text("utf-8")


def test_the_image_is_what_the_template_takes_it_for() -> None:
    recipe = (ROOT / "Dockerfile").read_text("utf-8")
    sources = [
        source
        for line in recipe.splitlines()
        if line.startswith("COPY ")
        for source in line.split()[1:-1]
    ]

    assert all((ROOT / source).exists() for source in sources)
    assert {f"!{each}" for each in sources} <= set((ROOT / ".dockerignore").read_text().split())
    assert (
        f"FROM {properties('Sweep')['Runtime']['Fn::If'][1].replace('python', 'python:')}-slim"
        in recipe
    )
    mounts = properties("PoolTask")["ContainerDefinitions"][0]["MountPoints"]["Fn::If"][1]
    assert f"HOTDESK_DATA_DIR={mounts[0]['ContainerPath']} " in recipe
    assert "USER hotdesk" in recipe


def test_agents_get_a_user_of_their_own_in_every_task() -> None:
    for name, made in of_type("AWS::ECS::TaskDefinition"):
        # Only root can give them one; see hotdesk.confinement.
        assert made["ContainerDefinitions"][0]["User"] == "0", name


# ---------------------------------------------------------------- Rights

# The services that the backend calls, and their names in IAM.
SERVICES = {
    "dynamodb": "dynamodb",
    "s3": "s3",
    "sesv2": "ses",
    "sqs": "sqs",
    "ssm": "ssm",
    "stepfunctions": "states",
}
# Where one call is another action, or several: IAM's names, from the service authorization
# reference of AWS.
ACTIONS = {
    "transact_write_items": [
        f"dynamodb:{each}Item" for each in ("ConditionCheck", "Delete", "Put", "Update")
    ],
    "list_objects_v2": ["s3:ListBucket"],
    "delete_objects": ["s3:DeleteObject"],
    "head_bucket": ["s3:ListBucket"],
    "head_object": ["s3:GetObject"],
    "send_email": ["ses:SendEmail", "ses:SendRawEmail"],
}
# What an operator does, with rights of their own.
OPERATORS = {ROOT / "src/hotdesk/backends/aws" / name for name in ("stack.py", "standing.py")}


def statements(*names: str) -> Iterator[dict[str, Any]]:
    """What the policies and roles of the template allow."""
    resources = template(is_filled=True)["Resources"]
    for name, resource in resources.items():
        if resource["Type"].startswith("AWS::IAM::") and (not names or name in names):
            given = resource["Properties"]
            documents = [given["PolicyDocument"]] if "PolicyDocument" in given else []
            documents += [each["PolicyDocument"] for each in given.get("Policies", ())]
            for document in documents:
                yield from document["Statement"]


def actions(*names: str) -> set[str]:
    """The actions that are allowed."""
    return {each for statement in statements(*names) for each in listed(statement["Action"])}


def listed(value: Any) -> list[Any]:  # noqa: ANN401 - as CloudFormation has it
    """One or several, as a list."""
    return value if isinstance(value, list) else [value]


def called() -> set[str]:
    """The actions behind the calls of boto3 in the code, by the names of its operations."""
    session = botocore.session.get_session()
    operations = {
        xform_name(operation): f"{prefix}:{operation}"
        for service, prefix in SERVICES.items()
        for operation in session.get_service_model(service).operation_names
    }
    found: set[str] = set()
    for file in (ROOT / "src/hotdesk").rglob("*.py"):
        if file in OPERATORS or "aws" not in (text := file.read_text("utf-8")):
            continue
        for node in ast.walk(ast.parse(text)):
            arguments = node.args if isinstance(node, ast.Call) else ()
            for each in arguments:
                if isinstance(each, ast.Constant) and each.value in operations:
                    name = str(each.value)
                    found.update(ACTIONS.get(name, [operations[name]]))
    return found


def test_workers_and_lambdas_may_do_what_the_code_calls_and_nothing_else() -> None:
    given = actions("Client", "FunctionsRole", "SendPolicy", "WorkerPolicy", "FilesPolicy")
    # Done for them by Lambda's log, by EFS's client, and by the agent of ECS.
    for_them = {
        "ecs:UpdateTaskProtection",
        "elasticfilesystem:ClientMount",
        "elasticfilesystem:ClientRootAccess",
        "elasticfilesystem:ClientWrite",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }

    assert given - for_them == called()


def test_the_workflow_may_do_what_its_states_do_and_nothing_else() -> None:
    states = set()
    for service, name in re.findall(r":states:::(?:aws-sdk:)?(\w+):(\w+)", workflow.source()):
        states.add(f"{service}:{name[0].upper()}{name[1:]}")
    given = {each for each in actions("WorkflowPolicy") if not each.startswith("logs:")}

    assert given == {each.replace("lambda:Invoke", "lambda:InvokeFunction") for each in states}


def test_no_right_is_for_everything_where_aws_can_tell_things_apart() -> None:
    known = json.loads(files(cfnlint.data.AdditionalSpecs).joinpath("Policies.json").read_text())
    everywhere = {
        action
        for each in statements()
        for action in listed(each["Action"])
        if "*" in listed(each["Resource"])
    }

    assert everywhere
    assert not {action for action in actions() if "*" in action}
    for action in everywhere:
        service, name = action.lower().split(":")
        assert not known[service]["Actions"][name].get("Resources"), action
