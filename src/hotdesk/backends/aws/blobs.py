"""Texts that are too long for an item: kept in the bucket, with a pointer in their place.

An object is written before the item that points to it, under a key of its own that
begins with ``large/JOB/``, and never changed. It goes when another text takes its place,
or with its job. What nobody came to point to is found by walking through the prefix: no
rule that goes by age alone may remove anything there, since a dead letter is kept until a
person has decided.
"""

import secrets
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from hotdesk.backends.aws.bucket import KEYS_MAX, Bucket
from hotdesk.backends.aws.calls import Refused
from hotdesk.backends.aws.values import Item
from hotdesk.errors import Unavailable

PREFIX = "large/"
# A transaction of DynamoDB has at most 4 MB. The largest drops 30 jobs of five texts each at
# a desk of 400 KB: 2.8 MB in all. And each change of a job is paid by the KB, twice.
INLINE_BYTES_MAX = 16 * 1024
# No change lasts nearly as long, so that what is older has its item, or never gets one.
UNSURE = timedelta(days=1)
# Of a thousand objects each: a log of 10 MB, the longest that is kept, is 160.
PAGES_MAX = 10

Kept = MutableMapping[tuple[str, str], str]
"""The keys of texts that stand in the bucket, by job and text."""


class Blobs:
    """The long texts of the jobs of one stack."""

    def __init__(self, bucket: Bucket) -> None:
        """Keep them in *bucket*."""
        self._bucket = bucket

    async def pack(self, job_id: str, item: Item, kept: Kept) -> Item:
        """*item* with pointers for its long texts; those that are not *kept* yet are put."""
        packed = dict(item)
        for name, text in item.items():
            # Four bytes at most for a character: most texts need not be encoded to be measured.
            if not isinstance(text, str) or len(text) * 4 <= INLINE_BYTES_MAX:
                continue
            content = text.encode()
            if len(content) <= INLINE_BYTES_MAX:
                continue
            if (job_id, text) not in kept:
                key = f"{PREFIX}{job_id}/{secrets.token_hex(12)}"
                await self._bucket.put(key, content)
                kept[job_id, text] = key
            packed[name] = {"s3": kept[job_id, text]}
        return packed

    async def unpack(self, job_id: str, item: Item, kept: Kept) -> Item:
        """The inverse of ``pack``; what was fetched is in *kept* then.

        Raises:
            Refused: An object is gone: its job is being removed, or somebody removed it.
        """
        whole = dict(item)
        for name, pointer in item.items():
            if (key := pointed(pointer)) is None:
                continue
            content = await self._bucket.get(key)
            if content is None:
                raise Refused("NoSuchKey", {"Key": key})
            text = content.decode()
            kept[job_id, text] = key
            whole[name] = text
        return whole

    async def remove(self, job_id: str) -> bool:
        """Remove the texts of a job that is gone, a bounded number; whether these were all."""
        for _ in range(PAGES_MAX):
            keys = await self._bucket.keys(f"{PREFIX}{job_id}/")
            if keys:
                await self._bucket.remove_all(keys)
            if len(keys) < KEYS_MAX:
                return True
        return False

    async def unsure(self, after: str, now: datetime) -> tuple[Mapping[str, list[str]], str]:
        """The keys of objects older than a day, by whose they are, behind the key *after*.

        And where to go on, empty when these were the last.
        """
        ages = await self._bucket.ages(PREFIX, after=after)
        found: dict[str, list[str]] = {}
        for key, put_at in ages.items():
            if now - put_at > UNSURE:
                found.setdefault(key.split("/")[1], []).append(key)
        return found, [*ages][-1] if len(ages) == KEYS_MAX else ""

    async def discard(self, keys: Sequence[str]) -> None:
        """Remove objects that nothing points to, at most 1,000, if the bucket answers now."""
        with suppress(Unavailable):
            await self._bucket.remove_all(keys)


def pointed(value: object) -> str | None:
    """The key that a value of an item points to, if it does."""
    if isinstance(value, dict) and set(value) == {"s3"}:
        return str(value["s3"])
    return None
