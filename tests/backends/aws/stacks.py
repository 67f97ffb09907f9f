"""Stacks for tests: what a template would make of one, as far as the backend needs it."""

import json
import secrets
from itertools import count
from typing import Any

import boto3

from hotdesk.backends.aws import table, workflow
from hotdesk.backends.aws.names import Names, digest
from tests.emulators.server import Emulator

# Of this process: an emulator lives as long, and several of these may share it.
_NUMBERS = count(1)


class Stacks:
    """Makes empty stacks on one AWS, and removes them."""

    def __init__(self, emulator: Emulator) -> None:
        """Ask *emulator* who we are; make nothing yet."""
        self.emulator = emulator
        # One for all clients, because it reads long descriptions of AWS.
        self.session = _session(emulator)
        self._clients: dict[str, Any] = {}
        self._account = str(self.client("sts").get_caller_identity()["Account"])
        # Two runs on one account must not meet, and an emulator is of this process alone.
        self._prefix = emulator.stack + ("" if emulator.endpoint else secrets.token_hex(2))
        self._role = self._make_role()
        # Only SQS itself takes a moment until a new queue can be used.
        self._queue_wait_seconds = 0 if emulator.endpoint else workflow.QUEUE_WAIT_SECONDS

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time.
        """A client of ours for a service, to look behind the backend's back."""
        if service not in self._clients:
            self._clients[service] = self.session.client(
                service, endpoint_url=self.emulator.endpoint or None
            )
        return self._clients[service]

    def names(self, stack: str) -> Names:
        """What a stack's resources are called."""
        return Names(stack=stack, region=self.emulator.region, account=self._account)

    def make(self) -> str:
        """Make one more empty stack; return its name."""
        names = self.names(f"{self._prefix}{next(_NUMBERS)}")
        self.client("dynamodb").create_table(**table.definition(names.table))
        unclaimed = self.client("sqs").create_queue(QueueName=names.unclaimed)["QueueUrl"]
        self.client("stepfunctions").create_state_machine(
            name=names.state_machine_arn.rpartition(":")[2],
            definition=workflow.definition(
                names, unclaimed_url=unclaimed, queue_wait_seconds=self._queue_wait_seconds
            ),
            roleArn=self._role,
        )
        self.client("s3").create_bucket(
            Bucket=names.bucket,
            CreateBucketConfiguration={"LocationConstraint": names.region},
        )
        if not self.emulator.endpoint:
            self.client("dynamodb").get_waiter("table_exists").wait(TableName=names.table)
        return names.stack

    def queues(self, stack: str) -> list[str]:
        """The queues that a stack has."""
        found: list[str] = (
            self.client("sqs").list_queues(QueueNamePrefix=f"{stack}-").get("QueueUrls", [])
        )
        return found

    def execution(self, stack: str, job_id: str) -> str:
        """The name of the newest execution that carries a job."""
        answer = self.client("stepfunctions").list_executions(
            stateMachineArn=self.names(stack).state_machine_arn
        )
        found = [
            each for each in answer["executions"] if each["name"].startswith(f"{digest(job_id)}-")
        ]
        return str(max(found, key=lambda each: each["startDate"])["name"])

    def remove(self, stack: str) -> None:
        """Remove a stack with all that is in it. An emulator forgets it by itself, at its end."""
        if self.emulator.endpoint:
            return
        names = self.names(stack)
        for url in self.queues(stack):
            self.client("sqs").delete_queue(QueueUrl=url)
        self.client("stepfunctions").delete_state_machine(stateMachineArn=names.state_machine_arn)
        bucket = self.session.resource("s3").Bucket(names.bucket)
        bucket.objects.all().delete()
        bucket.delete()
        self.client("dynamodb").delete_table(TableName=names.table)

    def _make_role(self) -> str:
        """Let the workflows of these stacks call what they call; an emulator asks nobody."""
        if self.emulator.endpoint:
            return f"arn:aws:iam::{self._account}:role/tests"
        own = self.names(f"{self._prefix}*")
        rights: list[dict[str, object]] = [
            {"Action": actions, "Resource": f"arn:{own.partition}:{resource}"}
            for actions, resource in (
                (["dynamodb:GetItem", "dynamodb:UpdateItem"], f"dynamodb:*:*:table/{own.table}"),
                (["sqs:CreateQueue", "sqs:SendMessage"], f"sqs:*:*:{own.stack}"),
                (["lambda:InvokeFunction"], f"lambda:*:*:function:{own.stack}"),
            )
        ]
        trust = {"Service": "states.amazonaws.com"}
        role = self.client("iam").create_role(
            RoleName=self._prefix,
            AssumeRolePolicyDocument=_policy({"Action": "sts:AssumeRole", "Principal": trust}),
        )
        self.client("iam").put_role_policy(
            RoleName=self._prefix,
            PolicyName="tests",
            PolicyDocument=_policy(*rights),
        )
        return str(role["Role"]["Arn"])

    def close(self) -> None:
        """Close the connections."""
        if not self.emulator.endpoint:
            self.client("iam").delete_role_policy(RoleName=self._prefix, PolicyName="tests")
            self.client("iam").delete_role(RoleName=self._prefix)
        for client in self._clients.values():
            client.close()


def _policy(*statements: dict[str, object]) -> str:
    allowed = [{"Effect": "Allow", **each} for each in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": allowed})


def _session(emulator: Emulator) -> boto3.session.Session:
    if not emulator.endpoint:
        return boto3.session.Session(region_name=emulator.region)
    return boto3.session.Session(
        aws_access_key_id=emulator.environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=emulator.environment["AWS_SECRET_ACCESS_KEY"],
        region_name=emulator.region,
    )
