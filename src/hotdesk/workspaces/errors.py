"""What can go wrong between an attempt and its repository, sorted by who can act on it.

All of them are failed attempts, so the engine needs no rule for git. What a person must
mend in the settings (an empty repository, no base branch) is a ``ConfigError``, and another
generation on the branch is ``ClaimLost``.

AttemptFailed
├── OriginUnreachable   given back: network, authentication, or no such repository
├── GitFailed           retryable: git ended with an error nobody foresaw, or took too long;
│                       given back when the disk is full
├── WorkspaceLost       retryable: the agent removed or replaced the folder it worked in
├── TooMuchToCommit     final: more files or bytes than one commit may carry
├── PushRefused         final: the origin's rules forbid the push; a person must act
└── MergeConflict       final: a person changed the same lines; the commits are kept

No message holds a credential: what git says is redacted before it gets here.
"""

from __future__ import annotations

import os

from hotdesk.errors import DISK_FULL, AttemptFailed

_FILES_SHOWN_MAX = 10


class OriginUnreachable(AttemptFailed):
    """The origin did not answer, did not let us in, or has no such repository."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"origin cannot be reached: {reason}", is_given_back=True)


class GitFailed(AttemptFailed):
    """git ended with an error. ``status`` is ``None`` when it was stopped by a bound."""

    def __init__(self, command: str, status: int | None, last_lines: str) -> None:
        ended = "was stopped" if status is None else f"ended with {status}"
        super().__init__(
            f"git {command} {ended}: {last_lines or 'it said nothing'}",
            # It runs with LC_ALL=C, and no exit status tells this apart.
            is_given_back=any(os.strerror(number) in last_lines for number in DISK_FULL),
        )
        self.command = command
        self.status = status
        self.last_lines = last_lines


class WorkspaceLost(AttemptFailed):
    """The folder that the agent worked in is gone, or is no folder any more."""


class TooMuchToCommit(AttemptFailed):
    """The agent left more files or bytes than one commit may carry."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: tell the agent to add what does not belong there to .gitignore",
            is_retryable=False,
        )


class PushRefused(AttemptFailed):
    """The origin refuses the push by a rule of its own; ``kept`` is where the commits are."""

    def __init__(self, branch: str, reason: str, *, kept: str = "") -> None:
        super().__init__(
            f"origin refuses commits on {branch}: {reason}"
            + (f" (kept as {kept})" if kept else ""),
            is_retryable=False,
        )
        self.branch = branch
        self.kept = kept


class MergeConflict(AttemptFailed):
    """Somebody changed the same lines on the branch meanwhile.

    ``files`` are the paths in conflict; ``kept`` is the ref in the mirror that holds the
    commits.
    """

    def __init__(self, branch: str, files: tuple[str, ...], *, kept: str) -> None:
        shown = ", ".join(files[:_FILES_SHOWN_MAX])
        shown += " and others" if files[_FILES_SHOWN_MAX:] else ""
        super().__init__(
            f"{branch} was changed meanwhile, in conflict with this job: {shown} (kept as {kept})",
            is_retryable=False,
        )
        self.branch = branch
        self.files = files
        self.kept = kept
