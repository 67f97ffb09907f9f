"""Calls to AWS: in threads, each with a bound; no ``botocore`` error leaves this module."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio.to_thread
import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from hotdesk.errors import StoreError, Unavailable

# Together with the retries well inside a third of the lease (30 s). A long poll adds its span.
CONNECT_SECONDS = 2
READ_SECONDS = 4
TRIES_MAX = 3
LONG_POLL_SECONDS_MAX = 20  # SQS ReceiveMessage: WaitTimeSeconds, 0 to 20.
# Each waiting worker occupies a thread for its long poll.
THREADS_MAX = 64

_WRONG_SET_UP = {
    "AccessDeniedException": "its rights do not allow this call",
    "AccessDenied": "its rights do not allow this call",
    "UnrecognizedClientException": "the credentials are not valid",
    "InvalidClientTokenId": "the credentials are not valid",
    "ExpiredTokenException": "the credentials have expired",
    "ResourceNotFoundException": "the stack does not exist there, or is half made",
}


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
}


class Calls:
    """The clients of one process for one region."""

    def __init__(
        self,
        region: str,
        *,
        endpoint: str | None = None,
        session: boto3.session.Session | None = None,
    ) -> None:
        """Talk to *region*, or to the emulator at *endpoint*, with the credentials of *session*."""
        session = session or boto3.session.Session()
        self._limiter = anyio.CapacityLimiter(THREADS_MAX)
        self._clients = {
            name: session.client(name, region_name=region, endpoint_url=endpoint, config=config)
            for name, config in (
                ("dynamodb", _config(READ_SECONDS, TRIES_MAX)),
                ("sqs", _config(READ_SECONDS, TRIES_MAX)),
            )
        }
        # A long poll is not repeated below us: whoever waits calls again.
        self._polling = session.client(
            "sqs",
            region_name=region,
            endpoint_url=endpoint,
            config=_config(LONG_POLL_SECONDS_MAX + READ_SECONDS, 1),
        )

    async def dynamodb(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Call DynamoDB and wait for the answer, also when cancelled: it may be a write."""
        return await self._run(self._clients["dynamodb"], operation, arguments)

    async def sqs(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Call SQS and wait for the answer, also when cancelled."""
        return await self._run(self._clients["sqs"], operation, arguments)

    async def poll(self, **arguments: object) -> list[dict[str, Any]]:
        """Receive messages by a long poll, which may be abandoned.

        What an abandoned poll receives stays invisible for its visibility timeout: poll
        so only where that does no harm.
        """
        answer = await self._run(
            self._polling, "receive_message", arguments, is_abandoned_when_cancelled=True
        )
        return list(answer.get("Messages", ()))

    def close(self) -> None:
        """Close the connections."""
        for client in (*self._clients.values(), self._polling):
            client.close()

    async def _run(
        self,
        client: Any,  # noqa: ANN401 - boto3 makes its clients at run time.
        operation: str,
        arguments: Mapping[str, object],
        *,
        is_abandoned_when_cancelled: bool = False,
    ) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await anyio.to_thread.run_sync(
                partial(getattr(client, operation), **arguments),
                abandon_on_cancel=is_abandoned_when_cancelled,
                limiter=self._limiter,
            )
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _REFUSALS:
                raise Refused(code, error.response) from error
            if code in _WRONG_SET_UP:
                raise StoreError(f"AWS refused {operation}: {_WRONG_SET_UP[code]}") from error
            raise Unavailable(f"AWS did not do {operation}: {code}", committed=None) from error
        except BotoCoreError as error:
            # Its text may name an address, never a secret; its class says enough.
            raise Unavailable(
                f"AWS did not answer {operation}: {type(error).__name__}", committed=None
            ) from error
        return answer


def _config(read_seconds: float, tries: int) -> Config:
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": tries},
        max_pool_connections=THREADS_MAX,
        user_agent_extra="hotdesk",
    )
