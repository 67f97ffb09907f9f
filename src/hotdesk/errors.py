"""Every error Hotdesk raises, sorted by who can act on it.

HotdeskError
├── Rejected          the caller asked for something invalid; retrying is useless
│   ├── NotFound      no job, desk, worker or thread of that name
│   ├── NotAllowed    it exists, but its state forbids what was asked
│   └── ConfigError   a setting is wrong; names its key and a hint
├── ClaimLost         another worker may hold this desk; stop work, write nothing
├── Unavailable       the backend or the origin did not answer; retrying may help
├── StoreError        an operator must act: the store is damaged or too new
└── AttemptFailed     raised by handlers and runners: this attempt came to nothing

A message names the next step for the one who reads it, and never holds a secret,
an instruction or the text of a mail.
"""

from __future__ import annotations

import errno

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""The numbers of an ``OSError`` that no job is to blame for: it may be tried again later."""


class HotdeskError(Exception):
    """Anything that Hotdesk raises on purpose."""


class Rejected(HotdeskError):
    """The caller asked for something invalid; asking again is useless."""


class NotFound(Rejected):
    """There is no job, desk, worker or thread of that name."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"no {what} {name!r}")
        self.what = what
        self.name = name


class NotAllowed(Rejected):
    """The thing exists, but its state forbids what was asked."""


class ConfigError(Rejected):
    """A setting is wrong. ``key`` is its dotted path, ``hint`` the way to mend it."""

    def __init__(self, key: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{key}: {problem}" + (f" ({hint})" if hint else ""))
        self.key = key
        self.problem = problem
        self.hint = hint


class ClaimLost(HotdeskError):
    """Another worker may hold this desk: stop the work, write and push nothing.

    ``seen`` is the later generation that was met outside the desk's record, on a
    branch; 0 when the record itself said so.
    """

    def __init__(self, desk: str, generation: int, *, seen: int = 0) -> None:
        super().__init__(f"generation {generation} no longer holds desk {desk}")
        self.desk = desk
        self.generation = generation
        self.seen = seen


class Unavailable(HotdeskError):
    """The backend did not answer, or could not do it now.

    ``committed`` says what is known of the call: ``False`` when nothing was
    written, ``None`` when the answer was lost and it may have been.
    """

    def __init__(self, problem: str, *, committed: bool | None = False) -> None:
        super().__init__(problem)
        self.committed = committed


class StoreError(HotdeskError):
    """The store cannot be used as it is: damaged, or written by a newer Hotdesk."""


class AttemptFailed(HotdeskError):
    """This attempt came to nothing; raised by handlers and by runners.

    ``is_retryable=False`` ends the job as ``failed`` at once. ``is_given_back``
    says that the attempt never had a chance (an origin that cannot be reached, a full
    disk): it is repeated after the backoff and, within bounds, not counted.
    """

    def __init__(
        self, reason: str, *, is_retryable: bool = True, is_given_back: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_retryable = is_retryable
        self.is_given_back = is_given_back
