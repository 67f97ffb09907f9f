"""The bucket of a stack: objects by key, whole; ``ports.Archive``, and more for mail."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from hotdesk.backends.aws.calls import Calls, Refused
from hotdesk.errors import Unavailable

KEYS_MAX = 1000  # S3, ListObjectsV2: at most so many in one answer.


class Bucket:
    """``ports.Archive`` in the bucket of the stack *stack*."""

    def __init__(self, calls: Calls, stack: str) -> None:
        """Reach it through *calls*."""
        self._calls = calls
        self._stack = stack

    async def name(self) -> str:
        """What the bucket is called."""
        return (await self._calls.names(self._stack)).bucket

    async def put(self, key: str, content: bytes) -> None:
        """Keep *content*; the same content again makes it as new as now."""
        await self._s3("put_object", Key=key, Body=content)

    async def get(self, key: str) -> bytes | None:
        """What is kept, or ``None``."""
        try:
            answer = await self._s3("get_object", Key=key)
        except Refused:
            return None
        content: bytes = answer["Body"]
        return content

    async def keys(self, prefix: str) -> list[str]:
        """The keys that begin with *prefix*, in order; at most 1,000."""
        return [*await self.ages(prefix)]

    async def ages(self, prefix: str, *, after: str = "") -> dict[str, datetime]:
        """When what is kept below *prefix* was put there, by key, behind the key *after*.

        At most 1,000, in order.
        """
        answer = await self._s3(
            "list_objects_v2", Prefix=prefix, MaxKeys=KEYS_MAX, StartAfter=after
        )
        return {str(each["Key"]): each["LastModified"] for each in answer.get("Contents", ())}

    async def remove(self, key: str) -> None:
        """Forget what is kept."""
        await self._s3("delete_object", Key=key)

    async def remove_all(self, keys: Sequence[str]) -> None:
        """Forget several, at most 1,000."""
        objects = [{"Key": key} for key in keys]
        answer = await self._s3("delete_objects", Delete={"Objects": objects, "Quiet": True})
        if answer.get("Errors"):
            code = answer["Errors"][0].get("Code", "")
            raise Unavailable(f"the bucket did not remove everything: {code}", committed=None)

    async def size(self, key: str) -> int | None:
        """How many bytes are kept; ``None`` if there is nothing."""
        try:
            answer = await self._s3("head_object", Key=key)
        except Refused:
            return None
        return int(answer["ContentLength"])

    async def head(self, key: str, bytes_max: int) -> bytes:
        """The first *bytes_max* bytes of what is kept, which is not empty.

        Raises:
            Unavailable: There is nothing, or the bucket did not answer.
        """
        try:
            answer = await self._s3("get_object", Key=key, Range=f"bytes=0-{bytes_max - 1}")
        except Refused as error:
            raise Unavailable(f"{key} was removed while it was read") from error
        content: bytes = answer["Body"]
        return content[:bytes_max]

    async def _s3(self, operation: str, **arguments: object) -> dict[str, Any]:
        return await self._calls.call("s3", operation, {"Bucket": await self.name(), **arguments})
