"""Mails and attachments in a bucket, named by their content; ``s3://BUCKET/KEY`` points there.

What was stored stays until the bucket's own rules remove it by age: another delivery of the
same content may refer to it, and storing it again makes it as new as that delivery.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from anyio import to_thread

from hotdesk.backends.aws.bucket import Bucket
from hotdesk.intakes.mailroom import Kept
from hotdesk.mail.letter import Attachment

ATTACHMENTS = "attachments/"


class BucketMail:
    """``MailStore`` for one mail that is in the bucket already."""

    def __init__(self, bucket: Bucket, mail_key: str) -> None:
        """The mail itself is at *mail_key*, durable before anybody heard of it."""
        self._bucket = bucket
        self._mail_key = mail_key

    @asynccontextmanager
    async def keep(
        self, raw: bytes, attachments: Sequence[Attachment], *, now: datetime
    ) -> AsyncIterator[Kept]:
        """Store the attachments.

        Raises:
            Unavailable: They cannot be stored now; some may have been.
        """
        del raw, now
        keys = []
        for each in attachments:
            digest = await to_thread.run_sync(_digest, each.content)
            keys.append(f"{ATTACHMENTS}{digest}/{each.name}")
            await self._bucket.put(keys[-1], each.content)
        place = f"s3://{await self._bucket.name()}/"
        yield Kept(
            raw=place + self._mail_key,
            attachments=tuple(place + key for key in dict.fromkeys(keys)),
        )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
