"""What is wrong with credentials, rights, clocks and stacks is said to the one who can mend it."""

from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls
from hotdesk.clock import SystemClock
from hotdesk.errors import HotdeskError, StoreError, Unavailable
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import Scene, a_job
from tests.backends.aws.faults import answer

pytestmark = pytest.mark.anyio

SECRET = "wJalrXUtnFEMI-secret"


class Refusing:
    """A session of boto3 whose clients are answered *code* by a service that never hears of it."""

    def __init__(self, status: int, code: str) -> None:
        """Answer every call with the same."""
        self._status = status
        self._code = code
        self._session = boto3.session.Session(
            aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key=SECRET, region_name="eu-west-1"
        )

    def client(self, *arguments: object, **options: object) -> Any:  # noqa: ANN401 - boto3 ships no types.
        """A client that is answered so."""
        client = self._session.client(*arguments, **options)

        def refuse(request: AWSPreparedRequest, **_: object) -> AWSResponse:
            return answer(request, self._status, self._code)

        client.meta.events.register("before-send", refuse)
        return client

    def get_credentials(self) -> object:
        """Some."""
        return SimpleNamespace()


async def refused(status: int, code: str) -> HotdeskError:
    """What a caller is told whose stack answers every call with *code*."""
    clock = FakeClock(SystemClock().now())
    scene = Scene(AwsBackend(Calls("eu-west-1", session=Refusing(status, code)), "x", clock), clock)
    with pytest.raises(HotdeskError) as refusal:
        await scene.submit(a_job("a"))
    await scene.backend.close()
    return refusal.value


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("AccessDeniedException", "rights"),
        ("UnrecognizedClientException", "log in again"),
        ("InvalidSignatureException", "log in again"),
        ("ExpiredTokenException", "log in again"),
        ("RequestTimeTooSkewed", "clock of this machine"),
        ("ResourceNotFoundException", "hotdesk aws deploy"),
    ],
)
async def test_what_somebody_must_mend_is_an_error_of_the_store_with_advice(
    code: str, advice: str
) -> None:
    told = await refused(400, code)

    assert isinstance(told, StoreError)
    assert advice in str(told)
    assert SECRET not in str(told)


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "ThrottlingException"), (400, "RequestLimitExceeded"), (503, "ServiceUnavailable")],
)
async def test_what_passes_by_itself_is_unavailable(
    status: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))

    told = await refused(status, code)

    assert isinstance(told, Unavailable)
    assert code in str(told)
    assert SECRET not in str(told)
