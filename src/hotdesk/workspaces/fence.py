"""The fence on a thread's branch: no worker of an earlier generation can publish on it.

A push names the value of the branch that it expects, and the origin's server compares it.
Whoever takes a desk over from an owner that did not leave puts a commit on the branch
first, so the value that the former owner expects is gone, in whatever order the two arrive.

The trailers tell who moved a branch. They are what tells workers apart when a push was
refused; the guarantee does not rest on them, because people can rewrite a branch: before
each push the claim is proved *after* the expected value was seen (``publish.py``).
"""

from __future__ import annotations

import re
from datetime import datetime

from hotdesk.desks import Desk
from hotdesk.errors import ClaimLost
from hotdesk.workspaces.commits import Identity, Stamp
from hotdesk.workspaces.errors import PushRefused
from hotdesk.workspaces.mirror import Mirror

_COMMITS_MAX = 1000
_TAKEOVERS_MAX = 10
# How servers say that the branch moved, or was being moved, at that instant.
_RACE = re.compile(
    r"stale info|cannot lock ref|failed to (?:update|lock) ref|fetch first|non-fast-forward"
    r"|incorrect old value|reference already exists",
    re.IGNORECASE,
)


def is_race(refusal: str) -> bool:
    """Return whether a refused push may pass when it is repeated with what is there now."""
    return bool(_RACE.search(refusal))


async def latest_generation(mirror: Mirror, desk: Desk, head: str, *, known: str) -> int:
    """Return the latest generation of *desk* that stamped a commit in *head*, 0 for none.

    Commits that *known* contains ("" for none) do not count, except *head* itself: the base
    branch may hold commits of another Hotdesk that served a desk of the same name.
    """
    found = await mirror.log(head, count_max=1)
    found += await mirror.log(head, *([f"^{known}"] if known else []), count_max=_COMMITS_MAX)
    return max((stamp.generation for _, stamp in found if stamp.desk == desk.key), default=0)


async def refuse_later_generation(
    mirror: Mirror, desk: Desk, generation: int, head: str, *, known: str
) -> int:
    """Return the latest generation in *head*, as ``latest_generation`` does.

    Raises:
        ClaimLost: It is later than *generation*.
    """
    latest = await latest_generation(mirror, desk, head, known=known)
    if latest > generation:
        raise ClaimLost(desk.key, generation, seen=latest)
    return latest


async def take_over(
    mirror: Mirror,
    desk: Desk,
    generation: int,
    *,
    branch: str,
    base: str,
    identity: Identity,
    now: datetime,
) -> str:
    """Shut every earlier generation out of *branch*; return the commit it stands at then.

    Call it after an unclean takeover, before anything is opened or run. A branch that
    carries this generation already is left as it is. A branch that does not exist is made
    on *base* ("" for the origin's HEAD), or the former owner could still make it.

    Raises:
        ClaimLost: A later generation was there.
        OriginUnreachable: The origin did not answer.
        PushRefused: The origin's rules forbid it, or it lost the race too often.
        ConfigError: There is no branch yet and no base.
    """
    refusal = ""
    for _ in range(_TAKEOVERS_MAX):
        await mirror.fetch()
        head = await mirror.head(branch)
        _, start = await mirror.base(base, is_needed=not head)
        if head:
            latest = await refuse_later_generation(mirror, desk, generation, head, known=start)
            if latest == generation:
                return head
        stamp = Stamp(desk=desk.key, generation=generation, is_takeover=True)
        commit = await mirror.commit_takeover(head or start, stamp, by=identity, now=now)
        refusal = await mirror.push(branch, commit, expected=head)
        if not refusal:
            return commit
        if not is_race(refusal):
            break
    raise PushRefused(branch, refusal)


async def find_published(mirror: Mirror, desk: Desk, job_id: str, *, branch: str) -> str:
    """Return the final commit of a job on the branch at the origin, "" if there is none.

    Takeover commits may lie on top of it, and commits of people as well.

    Raises:
        OriginUnreachable: The origin did not answer.
    """
    await mirror.fetch()
    head = await mirror.head(branch)
    for commit, stamp in await mirror.log(head, count_max=_COMMITS_MAX) if head else []:
        if (stamp.desk, stamp.job) == (desk.key, job_id) and not stamp.is_partial:
            return commit
    return ""
