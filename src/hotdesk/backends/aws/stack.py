"""Making and changing a stack: CloudFormation is given the template and is waited for.

A new stack is made in two steps: without workers, then, once its bucket holds their
configuration, with them. Every wait has a bound; CloudFormation goes on without us.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls
from hotdesk.backends.aws.template import BODY_BYTES_MAX, desks_of, parameters, render
from hotdesk.errors import NotAllowed, Rejected, StoreError, Unavailable
from hotdesk.ports import Clock

SETTINGS_KEY = "config/hotdesk.toml"
TEMPLATE_KEY = "config/template.yaml"
# ECS gives up on a service whose workers do not start within minutes; a deployment waits for
# jobs that run, too.
DEPLOYMENT_MAX = timedelta(hours=2)
CHANGES_MAX = timedelta(minutes=5)  # Comparing the templates takes seconds.
PACE = timedelta(seconds=3)
_PAGES_MAX = 50
_REASON_MAX = 500
_NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")
_DONE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"}
_CHANGEABLE = _DONE | {"UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
_UNMADE = "REVIEW_IN_PROGRESS"  # Only ever compared, never made.
_WHOLE = "AWS::CloudFormation::Stack"
# CloudFormation: what it answers to a call that is not valid, whoever makes it.
_NOT_VALID = {
    "AlreadyExistsException",
    "ChangeSetNotFound",
    "InsufficientCapabilitiesException",
    "InvalidChangeSetStatus",
    "LimitExceededException",
    "ValidationError",
}
# Follows from the failure of another resource.
_CONSEQUENCE = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What CloudFormation did to one resource, or to the whole stack."""

    at: datetime
    resource: str
    kind: str
    status: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What came of a deployment. ``outputs`` are those of the template."""

    status: str
    is_changed: bool
    outputs: Mapping[str, str]


class Stack:
    """The stack *name* as whoever makes and changes it sees it."""

    def __init__(self, calls: Calls, clock: Clock, name: str, *, pace: timedelta = PACE) -> None:
        """Ask through *calls*; look again after *pace* while something is under way."""
        self.name = name
        self._calls = calls
        self._clock = clock
        self._pace = pace

    async def described(self) -> dict[str, Any] | None:
        """What CloudFormation says of the stack, or ``None`` if there is none."""
        try:
            answer = await self._ask("describe_stacks", StackName=self.name)
        except Rejected as error:
            if "does not exist" in str(error):
                return None
            raise
        found: dict[str, Any] = answer["Stacks"][0]
        return found

    async def deploy(
        self,
        wanted: Mapping[str, str],
        *,
        tags: Mapping[str, str],
        settings: bytes | None,
        tell: Callable[[Step], None],
    ) -> Deployed:
        """Make the stack, or change it, so that these parameters hold; others stay as they are.

        *settings* are put into its bucket before anything reads them there; with other ones
        workers start anew.

        Raises:
            Rejected: A parameter is not valid, or CloudFormation refuses the template.
            NotAllowed: The stack is in a state that has to be mended first.
            StoreError: It failed and was rolled back, or the rights do not suffice.
            Unavailable: It is still under way, or AWS did not answer.
        """
        known = await self.described()
        values = {**_parameters_of(known), **wanted}
        if settings is not None:
            values["Settings"] = hashlib.sha256(settings).hexdigest()[:16]
        render(values)  # Says what is wrong before anything is made.
        if not (values["Image"] or values["LambdaKey"]):
            raise Rejected(
                "there is no code for the Lambdas: give --set Image=… (docs/aws.md builds one), or "
                "--set LambdaBucket=… and --set LambdaKey=…"
            )
        if known is None or known["StackStatus"] == _UNMADE:
            await self._apply(
                {**values, "Serving": "false", "DedicatedDesks": ""}, tags, tell, is_new=True
            )
        else:
            _check(self.name, str(known["StackStatus"]))
        if settings is not None:
            await self._put(SETTINGS_KEY, settings)
        is_changed = await self._apply(values, tags, tell, is_new=False)
        # Otherwise the workers of the pool take them as well.
        pinned = [each.desk for each in desks_of(values["DedicatedDesks"])]
        backend = AwsBackend(self._calls, self.name, self._clock)
        await backend.pin(pinned, now=self._clock.now())
        stands = await self.described()
        if stands is None:
            raise StoreError(f"stack {self.name} was removed while it was deployed")
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stands.get("Outputs", ())}
        return Deployed(
            status=str(stands["StackStatus"]),
            is_changed=is_changed or known is None,
            outputs=outputs,
        )

    async def _apply(
        self,
        values: Mapping[str, str],
        tags: Mapping[str, str],
        tell: Callable[[Step], None],
        *,
        is_new: bool,
    ) -> bool:
        """Carry out what it takes to come to these parameters; whether it took anything."""
        token = f"hotdesk-{secrets.token_hex(8)}"
        if is_new:
            # Names that are taken by what an earlier stack of this name has left: its table
            # and its bucket go on with this one.
            kind: dict[str, object] = {"ChangeSetType": "CREATE", "ImportExistingResources": True}
        else:
            kind = {"ChangeSetType": "UPDATE"}
        await self._ask(
            "create_change_set",
            StackName=self.name,
            ChangeSetName=token,
            ClientToken=token,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in values.items()
            ],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            **await self._body(values),
            **kind,
        )
        if not await self._has_changes(token):
            return False
        seen = set() if is_new else {each["EventId"] for each in await self._events(set())}
        await self._ask("execute_change_set", StackName=self.name, ChangeSetName=token)
        await self._follow(seen, tell)
        return True

    async def _body(self, values: Mapping[str, str]) -> dict[str, str]:
        names = await self._calls.names(self.name)
        text = render(values, names=names, is_packed=True)
        if len(text.encode()) <= BODY_BYTES_MAX:
            return {"TemplateBody": text}
        await self._put(TEMPLATE_KEY, text.encode())
        domain = "amazonaws.com.cn" if names.partition == "aws-cn" else "amazonaws.com"
        return {"TemplateURL": f"https://s3.{names.region}.{domain}/{names.bucket}/{TEMPLATE_KEY}"}

    async def _put(self, key: str, content: bytes) -> None:
        names = await self._calls.names(self.name)
        await self._calls.call(
            "s3", "put_object", {"Bucket": names.bucket, "Key": key, "Body": content}
        )

    async def _has_changes(self, change_set: str) -> bool:
        """Wait until CloudFormation has compared; whether anything is to be done."""
        arguments = {"StackName": self.name, "ChangeSetName": change_set}
        end = self._clock.monotonic() + CHANGES_MAX.total_seconds()
        while self._clock.monotonic() < end:
            found = await self._ask("describe_change_set", **arguments)
            reason = str(found.get("StatusReason") or "")
            if found["Status"] == "CREATE_COMPLETE":
                return True
            if found["Status"] == "FAILED":
                await self._ask("delete_change_set", **arguments)
                if any(each in reason for each in _NOTHING_TO_DO):
                    return False
                raise Rejected(f"CloudFormation refuses the template: {reason[:_REASON_MAX]}")
            await self._clock.sleep(self._pace)
        raise Unavailable(f"CloudFormation has not compared the templates of {self.name} in time")

    async def _follow(self, seen: set[str], tell: Callable[[Step], None]) -> None:
        """Tell of every step until the deployment is over."""
        failures: list[Step] = []
        end = self._clock.monotonic() + DEPLOYMENT_MAX.total_seconds()
        while self._clock.monotonic() < end:
            # The state of the stack may still be the one before; its events say when it is over.
            for event in await self._events(seen):
                seen.add(event["EventId"])
                step = _step(event)
                tell(step)
                if step.status.endswith("_FAILED") and _CONSEQUENCE not in step.reason:
                    failures.append(step)
                if step.kind != _WHOLE:
                    continue
                if step.status in _DONE:
                    return
                if not step.status.endswith("_IN_PROGRESS"):
                    raise StoreError(_failure(self.name, step.status, failures))
            await self._clock.sleep(self._pace)
        raise Unavailable(
            f"the deployment of {self.name} is still under way; look again: hotdesk aws status"
        )

    async def _events(self, seen: set[str]) -> list[dict[str, Any]]:
        """The events that were not *seen*, the oldest first."""
        fresh: list[dict[str, Any]] = []
        page: dict[str, object] = {"StackName": self.name}
        for _ in range(_PAGES_MAX):
            answer = await self._ask("describe_stack_events", **page)
            found = [each for each in answer["StackEvents"] if each["EventId"] not in seen]
            fresh += found
            if len(found) < len(answer["StackEvents"]) or not answer.get("NextToken"):
                break
            page["NextToken"] = answer["NextToken"]
        return fresh[::-1]

    async def _ask(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Call CloudFormation.

        Raises:
            Rejected: It says that the call is not valid; with its words.
        """
        try:
            return await self._calls.call("cloudformation", operation, arguments)
        except (StoreError, Unavailable) as error:
            cause = error.__cause__
            said = cause.response.get("Error", {}) if isinstance(cause, ClientError) else {}
            if said.get("Code") not in _NOT_VALID:
                raise
            # What it says of a call that is not valid holds names, and no secret.
            reason = str(said.get("Message", ""))[:_REASON_MAX]
            raise Rejected(f"CloudFormation refuses: {reason}") from cause


def _parameters_of(known: dict[str, Any] | None) -> dict[str, str]:
    """Every parameter as it stands; one that this template no longer has is left out."""
    values = parameters()
    for each in (known or {}).get("Parameters", ()):
        if each["ParameterKey"] in values:
            values[each["ParameterKey"]] = each["ParameterValue"]
    return values


def _check(name: str, status: str) -> None:
    """Refuse a stack that cannot be changed as it is, and say what to do."""
    if status in _CHANGEABLE:
        return
    if status.endswith("_IN_PROGRESS"):
        raise NotAllowed(
            f"stack {name} is being changed already ({status}); wait, and look: hotdesk aws status"
        )
    if status == "UPDATE_ROLLBACK_FAILED":
        raise NotAllowed(
            f"stack {name} is half rolled back; go on with it, then deploy again: "
            f"aws cloudformation continue-update-rollback --stack-name {name}"
        )
    raise NotAllowed(
        f"stack {name} was never whole ({status}); remove what is left of it, then deploy again: "
        f"aws cloudformation delete-stack --stack-name {name}"
    )


def _step(event: Mapping[str, Any]) -> Step:
    return Step(
        at=event["Timestamp"],
        resource=str(event.get("LogicalResourceId", "")),
        kind=str(event.get("ResourceType", "")),
        status=str(event.get("ResourceStatus", "")),
        reason=str(event.get("ResourceStatusReason") or "")[:_REASON_MAX],
    )


def _failure(name: str, status: str, failures: list[Step]) -> str:
    causes = [f"{each.resource}: {each.reason}" for each in failures if each.kind != _WHOLE]
    return (
        f"the deployment of {name} failed ({status}): {'; '.join(causes[:3]) or 'see its events'}"
    )
