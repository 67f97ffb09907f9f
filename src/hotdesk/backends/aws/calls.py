"""Calls to AWS: in threads, each with a bound; no ``botocore`` error leaves this module."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import anyio.to_thread
import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    LoginError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from hotdesk.backends.aws.abandoning import Call
from hotdesk.backends.aws.names import Names
from hotdesk.errors import StoreError, Unavailable

# Together with the retries well inside a third of the lease (30 s). A long poll adds its span.
CONNECT_SECONDS = 2
READ_SECONDS = 4
TRIES_MAX = 3
LONG_POLL_SECONDS_MAX = 20  # SQS ReceiveMessage: WaitTimeSeconds, 0 to 20.
# Each waiting worker occupies a thread for its long poll.
THREADS_MAX = 64

_RIGHTS = "the rights of these credentials do not allow it; see whose they are: hotdesk doctor"
_INVALID = "the credentials are not valid; log in again, or see whose they are: hotdesk doctor"
_EXPIRED = "the credentials have expired; log in again"
_NO_STACK = "the stack does not exist there, or is half made; make it: hotdesk aws deploy"
_CLOCK = "the clock of this machine is wrong; set it"
_WRONG_SET_UP = {
    "AccessDeniedException": _RIGHTS,
    "AccessDenied": _RIGHTS,
    "UnrecognizedClientException": _INVALID,
    "InvalidClientTokenId": _INVALID,
    "InvalidAccessKeyId": _INVALID,
    "InvalidSignatureException": _INVALID,
    "SignatureDoesNotMatch": _INVALID,
    "ExpiredTokenException": _EXPIRED,
    "ExpiredToken": _EXPIRED,
    "RequestExpired": _CLOCK,
    "RequestTimeTooSkewed": _CLOCK,
    "ResourceNotFoundException": _NO_STACK,
    "NoSuchBucket": _NO_STACK,
    "StateMachineDoesNotExist": _NO_STACK,
}
_NO_CREDENTIALS = (
    ConfigParseError,
    LoginError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)


class Refused(Exception):
    """AWS answered that a condition does not hold, or that the thing named is not there."""

    def __init__(self, code: str, answer: Mapping[str, Any]) -> None:
        super().__init__(code)
        self.code = code
        self.answer = answer


_REFUSALS = {
    "ConditionalCheckFailedException",
    "TransactionCanceledException",
    "TransactionConflictException",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.QueueDeletedRecently",
    "ReceiptHandleIsInvalid",
    "InvalidParameterValue",
    "MessageNotInflight",
    "AWS.SimpleQueueService.MessageNotInflight",
    "ExecutionAlreadyExists",
    "ExecutionDoesNotExist",
    "InvalidToken",
    "TaskDoesNotExist",
    "TaskTimedOut",
    "304",
    "404",  # S3, HeadObject: an answer without a body has no other code.
    "NoSuchKey",
    "BadRequestException",
    "MessageRejected",
}

# DynamoDB, TransactWriteItems: why one was cancelled. Only these two are worth a new decision
# at once; throttling is not, and what is not valid never becomes so.
_LOST_RACES = {"ConditionalCheckFailed", "TransactionConflict"}
_TOO_LARGE = {"ValidationException", "ValidationError", "ItemCollectionSizeLimitExceeded"}


_POLLING = "sqs for long polls"


class Calls:
    """The clients of one process for one region."""

    def __init__(
        self,
        region: str,
        *,
        endpoint: str | None = None,
        session: boto3.session.Session | None = None,
    ) -> None:
        """Talk to *region*, or to the emulator at *endpoint*, with the credentials of *session*.

        Raises:
            StoreError: The configuration of AWS on this machine cannot be used.
        """
        try:
            session = session or boto3.session.Session()
            # What is wrong with a profile is found with the first client.
            session.get_credentials()
        except _NO_CREDENTIALS as error:
            raise _no_credentials(error) from error
        self._limiter = anyio.CapacityLimiter(THREADS_MAX)
        # Each reads a long description of its service, so it is made when it is first used.
        self._make = partial(session.client, region_name=region, endpoint_url=endpoint)
        self._clients: dict[str, Any] = {}
        self._polls: dict[str, Call[dict[str, Any]]] = {}
        self._region = region
        self._account = ""

    async def dynamodb(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Call DynamoDB."""
        return await self.call("dynamodb", operation, arguments)

    async def sqs(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Call SQS."""
        return await self.call("sqs", operation, arguments)

    async def states(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Call Step Functions."""
        return await self.call("stepfunctions", operation, arguments)

    async def call(
        self, service: str, operation: str, arguments: Mapping[str, object]
    ) -> dict[str, Any]:
        """Call a service and wait for the answer, also when cancelled: it may be a write.

        A body in it was read, as ``bytes``.

        Raises:
            Refused: A condition does not hold, or what is named is not there.
            StoreError: The credentials, their rights or the stack are not as they must be.
            Unavailable: There was no answer, or AWS could not do it now.
        """
        client = self._client(service, service, _config(READ_SECONDS, TRIES_MAX))
        return await self._run(client, operation, arguments)

    async def names(self, stack: str) -> Names:
        """What the resources of *stack* are called; asks for the account, once."""
        if not self._account:
            answer = await self.call("sts", "get_caller_identity", {})
            self._account = str(answer["Account"])
        return Names(stack=stack, region=self._region, account=self._account)

    async def poll(self, url: str, *, is_ours: bool, **arguments: object) -> list[dict[str, Any]]:
        """Receive messages of the queue at *url* by a long poll, which may be abandoned.

        What an abandoned poll receives stays invisible for its visibility timeout. From a
        queue that nobody else reads (*is_ours*) the next poll has it instead.
        """
        poll = self._polls.pop(url, None)
        if poll is None:
            # A long poll is not repeated below us: whoever waits calls again.
            client = self._client(_POLLING, "sqs", _config(LONG_POLL_SECONDS_MAX + READ_SECONDS, 1))
            poll = Call(partial(_answer, client, "receive_message", arguments | {"QueueUrl": url}))
        try:
            with _told("receive_message"):
                answer = await poll.result()
        except anyio.get_cancelled_exc_class():
            if is_ours:
                self._polls[url] = poll
            raise
        return list(answer.get("Messages", ()))

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    def _client(self, name: str, service: str, config: Config) -> Any:  # noqa: ANN401 - boto3's
        if name not in self._clients:
            try:
                with _told(f"a call of {service}"):
                    self._clients[name] = self._make(service, config=config)
            except ValueError as error:
                # Its text may hold the address, and that a password.
                raise StoreError(
                    "AWS cannot be called as this machine is set up: look at AWS_ENDPOINT_URL"
                ) from error
        return self._clients[name]

    async def _run(
        self,
        client: Any,  # noqa: ANN401 - boto3 makes its clients at run time.
        operation: str,
        arguments: Mapping[str, object],
    ) -> dict[str, Any]:
        with _told(operation):
            return await anyio.to_thread.run_sync(
                partial(_answer, client, operation, arguments), limiter=self._limiter
            )


@contextmanager
def _told(operation: str) -> Iterator[None]:
    """Tell what an error of botocore's means; none of them leaves this module."""
    try:
        yield
    except ClientError as error:
        raise _refusal(operation, error) from error
    except _NO_CREDENTIALS as error:
        raise _no_credentials(error) from error
    except BotoCoreError as error:
        # Its text may name an address, never a secret; its class says enough.
        raise Unavailable(
            f"AWS did not answer {operation}: {type(error).__name__}; see: hotdesk doctor",
            committed=None,
        ) from error


def _refusal(operation: str, error: ClientError) -> Exception:
    """What an answer of AWS that is an error means here."""
    answer: Mapping[str, Any] = error.response
    code = answer.get("Error", {}).get("Code", "")
    reasons = {each.get("Code") for each in answer.get("CancellationReasons", ())} - {"None"}
    if code in _TOO_LARGE or reasons & _TOO_LARGE:
        return StoreError(
            f"AWS does not take what {operation} writes: a desk with too much of everything, or a "
            "fault of Hotdesk; please report it"
        )
    if reasons and not reasons & _LOST_RACES:
        return Unavailable(f"AWS did not do {operation}: {min(reasons)}", committed=False)
    if code in _REFUSALS:
        return Refused(code, answer)
    if code in _WRONG_SET_UP:
        return StoreError(f"AWS refused {operation}: {_WRONG_SET_UP[code]}")
    return Unavailable(f"AWS did not do {operation}: {code}", committed=None)


def _no_credentials(error: BotoCoreError) -> StoreError:
    return StoreError(
        f"no credentials for AWS ({type(error).__name__}): log in, set AWS_PROFILE, or give this "
        "machine a role"
    )


def _answer(
    client: Any,  # noqa: ANN401 - boto3 makes its clients at run time.
    operation: str,
    arguments: Mapping[str, object],
) -> dict[str, Any]:
    answer: dict[str, Any] = getattr(client, operation)(**arguments)
    if "Body" in answer:
        # Where it may be waited for.
        with closing(answer["Body"]) as body:
            answer["Body"] = body.read()
    return answer


def _config(read_seconds: float, tries: int) -> Config:
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": tries},
        max_pool_connections=THREADS_MAX,
        user_agent_extra="hotdesk",
    )
