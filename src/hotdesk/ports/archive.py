"""Where files are kept that must outlive the machine they were made on."""

from __future__ import annotations

from typing import Protocol


class Archive(Protocol):
    """Contents by key. A key is made of names with slashes between them.

    Contents are replaced as a whole, and read as they were written last.
    """

    async def put(self, key: str, content: bytes) -> None:
        """Keep *content*.

        Raises:
            Unavailable: The archive did not answer; it may be kept.
            StoreError: The archive cannot be used as it is set up.
            OSError: The disk is full, or cannot be written.
        """
        ...

    async def get(self, key: str) -> bytes | None:
        """What is kept, or ``None``.

        Raises:
            Unavailable: The archive did not answer.
            StoreError: The archive cannot be used as it is set up.
            OSError: The disk cannot be read.
        """
        ...

    async def keys(self, prefix: str) -> list[str]:
        """The keys that begin with *prefix*, in order; at most 1,000.

        Raises:
            Unavailable: The archive did not answer.
            StoreError: The archive cannot be used as it is set up.
        """
        ...

    async def remove(self, key: str) -> None:
        """Forget what is kept, if anything is.

        Raises:
            Unavailable: The archive did not answer.
            StoreError: The archive cannot be used as it is set up.
            OSError: The disk cannot be written.
        """
        ...
