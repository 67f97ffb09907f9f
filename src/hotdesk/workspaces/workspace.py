"""One thread of a desk, opened for one job: its folder, its commits and their publication.

A workspace serves one job. The next job of the thread opens its own, in the same folder.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from hotdesk.desks import Desk
from hotdesk.errors import AttemptFailed, StoreError, Unavailable
from hotdesk.ports import Archive
from hotdesk.workspaces import processes
from hotdesk.workspaces.changes import Changes, changes_between
from hotdesk.workspaces.commits import Identity, Stamp, message
from hotdesk.workspaces.errors import GitFailed
from hotdesk.workspaces.layout import Room, kept_ref
from hotdesk.workspaces.mirror import Mirror
from hotdesk.workspaces.publish import Confirm, Tip, publish
from hotdesk.workspaces.saving import Commit, save, write_tree


@dataclass(slots=True, kw_only=True)
class Workspace:
    """A clone that is ready for an agent.

    ``found`` is the commit that the job found, and that ``changes`` counts from. ``tip``
    moves with ``commit`` and ``push``.
    """

    desk: Desk
    generation: int
    job_id: str
    found: str
    tip: Tip
    room: Room = field(repr=False)
    mirror: Mirror = field(repr=False)
    identity: Identity = field(repr=False)
    archive: Archive | None = field(default=None, repr=False)
    _is_behind: bool = field(default=False, repr=False)

    @property
    def path(self) -> Path:
        """The folder that the agent works in and may write to."""
        return self.room.clone

    @property
    def objects(self) -> Path:
        """The folder outside of it that the agent's git must be able to read."""
        return self.mirror.path / "objects"

    @property
    def branch(self) -> str:
        """The branch of the thread, at the origin and in the clone."""
        return self.tip.branch

    async def note_process(self, pid: int) -> None:
        """Remember a process that works here, so that a later owner can end it."""
        await processes.note(self.room.processes, pid)

    async def commit(
        self,
        text: str,
        *,
        now: datetime,
        is_partial: bool = False,
        author: Identity | None = None,
    ) -> Commit:
        """Commit what the agent left. The agent must have ended.

        *text* becomes the message, above the trailers. Files that the repository ignores
        stay out; what cannot be committed is named in ``skipped``.

        Raises:
            WorkspaceLost: The folder is gone.
            TooMuchToCommit: There is more than one commit may carry.
            GitFailed: git could not do it.
        """
        assert not self._is_behind, "the folder lacks what others pushed: open it again"
        stamp = Stamp(
            desk=self.desk.key,
            generation=self.generation,
            job=self.job_id,
            is_partial=is_partial,
        )
        commit = await save(
            self.room,
            self.mirror,
            parent=self.tip.head,
            text=message(text, stamp),
            author=author or self.identity,
            committer=self.identity,
            now=now,
        )
        if commit.id:
            self.tip = self.tip.moved_to(commit.id)
        return commit

    async def tree(self) -> str:
        """Return the tree that ``commit`` would commit now. The agent must have ended.

        Raises:
            WorkspaceLost: The folder is gone.
            TooMuchToCommit: There is more than one commit may carry.
            GitFailed: git could not do it.
        """
        assert not self._is_behind, "the folder lacks what others pushed: open it again"
        return await write_tree(self.room, self.mirror, parent=self.tip.head)

    async def push(self, *, confirm: Confirm) -> str:
        """Publish the commits; return the one that stands for the job at the origin.

        *confirm* is called before each push and must prove the claim by renewing it. When
        others moved the branch, the commits are repeated on top of theirs: the id is another
        one then, and the workspace takes no more commits.

        Raises:
            ClaimLost: Another generation was on the branch, or *confirm* said so.
            MergeConflict: Somebody changed the same lines. The commits are kept.
            PushRefused: A rule of the origin forbids it. The commits are kept.
            OriginUnreachable: The origin did not answer. The commits are kept.
            GitFailed: git could not do it.
        """
        before = self.tip.head
        try:
            self.tip = await publish(
                self.mirror,
                self.tip,
                desk=self.desk,
                generation=self.generation,
                kept=kept_ref(self.job_id),
                confirm=confirm,
            )
        except AttemptFailed:
            await self._archive_kept()
            raise
        self._is_behind = self._is_behind or self.tip.head != before
        return self.tip.head

    async def _archive_kept(self) -> None:
        """Put the kept commits where they outlive this machine, if there is such a place."""
        if self.archive is None:
            return
        kept = kept_ref(self.job_id)
        key = f"kept/{self.desk.project}/{kept.rpartition('/')[2]}.bundle"
        # They are in the mirror all the same, and why they were kept is what has to be told.
        with suppress(GitFailed, Unavailable, StoreError, OSError):
            await self.archive.put(key, await self.mirror.bundle(kept))

    async def changes(self) -> Changes:
        """Return what the job's commits changed; what others pushed meanwhile is not in it."""
        return await changes_between(self.mirror, self.found, self.tip.head)
