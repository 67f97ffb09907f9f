"""What AWS refuses is decided anew only where somebody else was faster, and named otherwise."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from hotdesk.backends.aws import change
from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls
from hotdesk.errors import StoreError, Unavailable
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import SCOTT, Scene, a_job
from tests.emulators.server import Emulator

pytestmark = pytest.mark.anyio


class Raw:
    """What urllib3 would hand over of an answer."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Any:  # noqa: ANN401 - as urllib3 has it
        """The body, in one piece."""
        yield self._body


class Refusing:
    """Answers each call in the place of AWS, and counts them."""

    def __init__(self, error: dict[str, object]) -> None:
        self._body = json.dumps(error).encode()
        self.count = 0

    def __call__(self, request: Any, **_: object) -> AWSResponse:  # noqa: ANN401 - of botocore
        """Refuse."""
        self.count += 1
        return AWSResponse(request.url, 400, {}, Raw(self._body))


def cancelled(*codes: str) -> dict[str, object]:
    return {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": f"Transaction cancelled, please refer to the reasons {[*codes]}",
        "CancellationReasons": [{"Code": code} for code in codes],
    }


@pytest.fixture
def refused(
    emulator: Emulator, stack: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Scene, Refusing]]:
    """A stack where one kind of call is refused below boto3."""
    monkeypatch.setattr(change, "PAUSE_SECONDS", 0)

    def make(
        error: dict[str, object], operation: str = "dynamodb.TransactWriteItems"
    ) -> tuple[Scene, Refusing]:
        session = boto3.session.Session(
            aws_access_key_id="emulated",
            aws_secret_access_key="emulated",
            region_name=emulator.region,
        )
        refusing = Refusing(error)
        session.events.register(f"before-send.{operation}", refusing)
        calls = Calls(emulator.region, endpoint=emulator.endpoint, session=session)
        clock = FakeClock()
        return Scene(AwsBackend(calls, stack, clock), clock), refusing

    return make


Refused = Callable[..., tuple[Scene, Refusing]]


@pytest.mark.parametrize("reason", ["ConditionalCheckFailed", "TransactionConflict"])
async def test_a_lost_race_is_decided_anew_and_given_up_in_the_end(
    refused: Refused, reason: str
) -> None:
    scene, refusing = refused(cancelled("None", "ThrottlingError", reason))

    with pytest.raises(Unavailable, match="too many others") as failure:
        await scene.submit(a_job("a"))

    assert failure.value.committed is False
    assert refusing.count == change.TRIES_MAX


@pytest.mark.parametrize("reason", ["ThrottlingError", "ProvisionedThroughputExceeded"])
async def test_a_throttled_transaction_is_left_to_its_caller(refused: Refused, reason: str) -> None:
    scene, refusing = refused(cancelled("None", reason))

    with pytest.raises(Unavailable, match=reason) as failure:
        await scene.submit(a_job("a"))

    assert failure.value.committed is False
    assert refusing.count == 1


@pytest.mark.parametrize(
    "error",
    [
        cancelled("None", "ValidationError", "ConditionalCheckFailed"),
        cancelled("ItemCollectionSizeLimitExceeded"),
        {"__type": "com.amazon.coral.validate#ValidationException", "message": "secret"},
    ],
    ids=["invalid", "too large a collection", "too large"],
)
async def test_what_is_not_valid_is_not_tried_again(
    refused: Refused, error: dict[str, object]
) -> None:
    scene, refusing = refused(error)

    with pytest.raises(StoreError) as failure:
        await scene.submit(a_job("a"))

    assert refusing.count == 1
    assert "secret" not in str(failure.value)
    assert await scene.backend.jobs() == []


async def test_who_may_not_start_workflows_is_told_so_once_however_many_jobs_there_are(
    refused: Refused,
) -> None:
    error = {"__type": "AccessDeniedException", "message": "secret"}
    scene, refusing = refused(error, "sfn.StartExecution")

    with pytest.raises(StoreError, match="start_execution"):
        await scene.submit(a_job("a"), a_job("b", SCOTT), a_job("c"))

    assert refusing.count == 3
