"""Faults of AWS, put in below boto3: each call of the library passes here on its way out.

A fault strikes one call of a stretch that a test marks, with all its tries, as AWS sees it.
"""

import threading
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError


class Kind(StrEnum):
    """What becomes of the call that is struck."""

    HICCUPS = "its first try fails"
    FAILS = "each try fails"
    THROTTLED = "AWS is asked too often"
    REPEATED = "it is carried out twice"
    UNANSWERED = "it is carried out, and nothing is heard of it"
    LATE = "it is carried out long after the caller has given up"
    DIES = "the process dies before it"
    DIES_AFTER = "the process dies after it"


class Killed(BaseException):
    """The process is gone; no code of it catches that."""


class Faults:
    """The faults of one process: *kind* strikes one call of each stretch that is begun."""

    def __init__(self, kind: Kind) -> None:
        """Strike nothing before a stretch begins."""
        self.is_dead = False
        self._kind = kind
        self._number = 0
        self._lock = threading.Lock()
        self._seen: list[str] = []
        self._target = ""
        self._late: list[Callable[[], object]] = []

    def begin(self, number: int) -> None:
        """Count calls from here on, and strike the one of this number."""
        with self._lock:
            self._seen, self._target, self._number = [], "", number

    def end(self) -> bool:
        """Strike no more; whether a call was struck in this stretch."""
        with self._lock:
            self._number = 0
            return bool(self._target)

    def deliver_late(self) -> None:
        """Carry out what was held back."""
        with self._lock:
            late, self._late = self._late, []
        for deliver in late:
            deliver()

    def meet(
        self,
        client: Any,  # noqa: ANN401 - boto3 ships no types.
        request: AWSPreparedRequest,
    ) -> AWSResponse | None:
        """What a try of a call is answered; ``None`` lets it through to AWS.

        Raises:
            ReadTimeoutError: Nothing is heard of it.
            Killed: The process is gone.
        """
        if self.is_dead:
            raise Killed
        number = self._tries_of_target(request)
        if not number:
            return None

        def deliver() -> object:
            # What is sent is a stream: whoever sends it once more has to find its beginning.
            answered = client._endpoint.http_session.send(request)
            request.reset_stream()
            return answered

        return self._strike(number, deliver, request)

    def _tries_of_target(self, request: AWSPreparedRequest) -> int:
        """How often the call that is to be struck has been tried, if this is a try of it."""
        # All tries of one call carry the same.
        call = str(request.headers["amz-sdk-invocation-id"])
        with self._lock:
            if not self._number:
                return 0
            self._seen.append(call)
            if not self._target and len(dict.fromkeys(self._seen)) == self._number:
                self._target = call
            return self._seen.count(call) if call == self._target else 0

    def _strike(
        self, number: int, deliver: Callable[[], object], request: AWSPreparedRequest
    ) -> AWSResponse | None:
        match self._kind:
            case Kind.HICCUPS if number > 1:
                return None
            case Kind.HICCUPS | Kind.FAILS:
                return answer(request, 500, "InternalServerError")
            case Kind.THROTTLED:
                return answer(request, 400, "ThrottlingException")
            case Kind.REPEATED:
                deliver()
                return None
            case Kind.DIES_AFTER | Kind.DIES:
                self.is_dead = True
                if self._kind is Kind.DIES_AFTER:
                    deliver()
                raise Killed
            case Kind.UNANSWERED if number == 1:
                deliver()
            case Kind.LATE if number == 1:
                self._late.append(deliver)
        raise ReadTimeoutError(endpoint_url=request.url)


def answer(request: AWSPreparedRequest, status: int, code: str) -> AWSResponse:
    """An answer of AWS that says what went wrong."""
    made = AWSResponse(request.url, status, {}, None)
    # As JSON for most services, as XML for STS.
    is_query = "form-urlencoded" in str(request.headers.get("Content-Type"))
    made._content = (
        f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"
        if is_query
        else f'{{"__type": "{code}", "message": ""}}'
    ).encode()
    return made


class FaultySession:
    """A session of boto3 whose clients meet the faults of the process that lives now.

    A client takes longer to make than a process of the tests lives, so they are handed on.
    """

    def __init__(self, session: boto3.session.Session, *, spared_below: float = 0) -> None:
        """Make clients as *session* does; those that read for less seconds meet no faults."""
        self.faults = Faults(Kind.HICCUPS)
        self._spared_below = spared_below
        self._session = session
        self._clients: dict[tuple[str, float], Any] = {}

    def client(self, service: str, *, config: Config, **options: object) -> Any:  # noqa: ANN401 - boto3 ships no types.
        """A client that meets the faults."""
        key = service, config.read_timeout
        if key not in self._clients:
            client = self._session.client(service, config=config, **options)
            if config.read_timeout >= self._spared_below:
                client.meta.events.register("before-send", partial(self._meet, client))
            self._clients[key] = client
        return self._clients[key]

    def get_credentials(self) -> object:
        """Those of the session."""
        return self._session.get_credentials()

    def _meet(self, client: Any, request: AWSPreparedRequest, **_: object) -> AWSResponse | None:  # noqa: ANN401 - boto3 ships no types.
        return self.faults.meet(client, request)
