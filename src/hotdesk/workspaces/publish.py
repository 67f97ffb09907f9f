"""Brings the commits of a job to the origin, past the fence, or keeps them.

The order is what makes the fence hold: the branch is looked at, then the claim is proved,
then the push names what was seen. Whoever took the desk over after the proof has put a
commit on the branch since (``fence.take_over``), and the server refuses the push. Whoever
took it over before would have made the proof fail.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from hotdesk.desks import Desk
from hotdesk.errors import AttemptFailed
from hotdesk.workspaces.errors import MergeConflict, PushRefused
from hotdesk.workspaces.fence import is_race, refuse_later_generation
from hotdesk.workspaces.mirror import Mirror
from hotdesk.workspaces.replay import replay

Confirm = Callable[[], Awaitable[object]]
"""Proves that the claim is held, by renewing it; raises ``ClaimLost`` when it is not."""

_PUSHES_MAX = 4  # The first, and three on top of what others pushed meanwhile.


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """Where a thread's branch stands, here and at the origin.

    ``head`` is the newest commit here; those after ``start`` are not published yet.
    ``seen`` is where the origin's branch stood when it was last looked at ("": it did not
    exist). ``base`` is the commit that a new branch starts from ("": unknown).
    """

    branch: str
    base: str
    start: str
    head: str
    seen: str

    @property
    def is_published(self) -> bool:
        """Whether there is nothing to push: not even a new branch without a commit."""
        return self.head == (self.seen or self.start)

    def moved_to(self, commit: str) -> Tip:
        """Return the tip with a new commit on top."""
        return replace(self, head=commit)


async def publish(
    mirror: Mirror, tip: Tip, *, desk: Desk, generation: int, kept: str, confirm: Confirm
) -> Tip:
    """Push the commits of *tip*; return where the branch stands then.

    Doing it again after a lost answer changes nothing. When others moved the branch, the
    commits are repeated on top of theirs and get new ids. When they cannot be published they
    stay in the mirror as *kept*.

    Raises:
        ClaimLost: Another generation was on the branch, or *confirm* said so.
        MergeConflict: Somebody changed the same lines.
        PushRefused: A rule of the origin forbids it, or the branch moved too often.
        OriginUnreachable: The origin did not answer. The push may have reached it.
        GitFailed: git could not do it.
    """
    if tip.is_published:
        return tip
    try:
        published = await _publish(
            mirror, tip, desk=desk, generation=generation, kept=kept, confirm=confirm
        )
    except AttemptFailed:
        await mirror.keep(kept, tip.head)
        raise
    await mirror.forget([kept])
    return published


async def _publish(
    mirror: Mirror, tip: Tip, *, desk: Desk, generation: int, kept: str, confirm: Confirm
) -> Tip:
    for _ in range(_PUSHES_MAX):
        await confirm()
        refusal = await mirror.push(tip.branch, tip.head, expected=tip.seen)
        if not refusal:
            return replace(tip, start=tip.head, seen=tip.head)
        await mirror.fetch()
        found = await mirror.head(tip.branch)
        if found:
            known = tip.seen or tip.base
            await refuse_later_generation(mirror, desk, generation, found, known=known)
            if await mirror.is_ancestor(tip.head, found):
                # A push before this one got there and its answer was lost. Others may have
                # come since: `seen` stays ours, so that the next push does not undo theirs.
                return replace(tip, start=tip.head, seen=tip.head)
        if found == tip.seen:
            if not is_race(refusal):
                raise PushRefused(tip.branch, refusal, kept=kept)
        elif not found:
            # Somebody deleted the branch: the job goes on from what it had seen.
            tip = replace(tip, seen="")
        else:
            # A commit of an earlier generation is like one of a person here. Behind a
            # takeover commit there can be none that a worker pushed; without one (the former
            # owner had left by itself) its work is as good as any.
            replayed = await replay(mirror, since=tip.start, head=tip.head, onto=found)
            if replayed.conflicts:
                raise MergeConflict(tip.branch, replayed.conflicts, kept=kept)
            tip = replace(tip, start=found, head=replayed.commit, seen=found)
    raise PushRefused(tip.branch, f"it was moved by others {_PUSHES_MAX} times", kept=kept)
