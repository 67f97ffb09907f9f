"""All workspaces of one machine: opening them, fencing them, and what is left when they end."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from anyio import to_thread

from hotdesk.desks import Desk, checked_job_id, checked_name
from hotdesk.errors import NotFound
from hotdesk.ports import Archive
from hotdesk.workspaces import fence, processes, removal
from hotdesk.workspaces.clone import Start, check_out
from hotdesk.workspaces.commits import Identity
from hotdesk.workspaces.errors import GitFailed
from hotdesk.workspaces.export import export
from hotdesk.workspaces.git import Git
from hotdesk.workspaces.layout import Layout, Room
from hotdesk.workspaces.mirror import Mirror
from hotdesk.workspaces.origin import Origin
from hotdesk.workspaces.patch import patch_of
from hotdesk.workspaces.publish import Tip
from hotdesk.workspaces.workspace import Workspace

T = TypeVar("T")

HOTDESK = Identity(name="Hotdesk", email="hotdesk@localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """Where a project's commits go. *base* "" stands for the branch of the origin's HEAD."""

    origin: Origin
    base: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspaces:
    """The workspaces below *root*, of the projects in *repositories*.

    Worker processes of one machine share the root. Threads live on branches
    ``<branch_prefix>/<user>/<thread>``; *identity* makes the commits. On a disk that does
    not last, commits that cannot be pushed are kept in *archive* as well.
    """

    root: Path
    repositories: Mapping[str, Repository]
    git: Git = Git()  # noqa: RUF009 - a frozen value
    identity: Identity = HOTDESK
    branch_prefix: str = "hotdesk"
    archive: Archive | None = None

    def branch(self, desk: Desk, thread: str) -> str:
        """Return the branch of a thread."""
        return f"{self.branch_prefix}/{desk.user}/{checked_name('thread', thread)}"

    async def open(
        self,
        desk: Desk,
        thread: str,
        generation: int,
        *,
        job_id: str,
        now: datetime,
        owner_uid: int | None = None,
    ) -> Workspace:
        """Make the folder of a thread ready for a job, at the head of its branch.

        A thread without a branch starts at the base. A new generation starts in a new
        folder; within one, files that the repository ignores are still there. With
        *owner_uid* the folder belongs to that user, who may be the agent's.

        Raises:
            ClaimLost: A later generation was on the branch.
            OriginUnreachable: The origin did not answer.
            ConfigError: The origin is empty, or has no branch to start from.
            GitFailed: git could not do it.
        """
        checked_job_id(job_id)
        room = self._layout.room(desk, thread, generation)
        branch = self.branch(desk, thread)

        async def open_it(mirror: Mirror) -> Workspace:
            await mirror.fetch()
            seen = await mirror.head(branch)
            base_name, base = await mirror.base(self._base(desk), is_needed=not seen)
            if seen:
                await fence.refuse_later_generation(mirror, desk, generation, seen, known=base)
            head = seen or base
            start = Start(
                branch=branch,
                head=head,
                base_name=base_name,
                base=base,
                identity=self.identity,
                owner_uid=owner_uid,
            )
            await _prepare(room, mirror, start, now)
            return Workspace(
                desk=desk,
                generation=generation,
                job_id=job_id,
                found=head,
                tip=Tip(branch=branch, base=base, start=head, head=head, seen=seen),
                room=room,
                mirror=mirror,
                identity=self.identity,
                archive=self.archive,
            )

        return await self._with_mirror(desk, open_it)

    async def take_over(self, desk: Desk, thread: str, generation: int, *, now: datetime) -> str:
        """Shut every earlier generation out of a thread's branch; return where it stands then.

        Call it for each unfenced thread after an unclean takeover, before anything is opened
        or run there. Calling it again changes nothing.

        Raises:
            ClaimLost: A later generation was there.
            OriginUnreachable: The origin did not answer; the fence may be up or not.
            PushRefused: The origin's rules forbid it, or it lost the race too often.
            ConfigError: There is no branch yet and none to start from.
        """
        branch = self.branch(desk, thread)

        async def take_it(mirror: Mirror) -> str:
            return await fence.take_over(
                mirror,
                desk,
                generation,
                branch=branch,
                base=self._base(desk),
                identity=self.identity,
                now=now,
            )

        return await self._with_mirror(desk, take_it)

    async def published(self, desk: Desk, thread: str, job_id: str) -> str:
        """Return the final commit of a job if its branch carries one, else "".

        Such a job is not run again: only its outcome is still to be reported.

        Raises:
            OriginUnreachable: The origin did not answer.
        """
        branch = self.branch(desk, thread)
        return await self._with_mirror(
            desk, lambda mirror: fence.find_published(mirror, desk, job_id, branch=branch)
        )

    async def tree(self, desk: Desk, commit: str) -> str:
        """Return the tree of a commit of the desk's project."""
        return await self._with_mirror(desk, lambda mirror: mirror.tree(commit))

    async def patch(self, project: str, commit: str) -> bytes | None:
        """Return what *commit* of a project changed; ``None`` if it is not on this machine.

        Raises:
            NotFound: There is no such project.
            GitFailed: The patch is too long, or git could not do it.
        """
        return await patch_of(self._mirror(project), commit)

    async def export(
        self, desk: Desk, tree: str, folder: Path, *, owner_uid: int | None = None
    ) -> None:
        """Write the files of *tree* into the new *folder*, and give it to *owner_uid*.

        Nothing of git is in it, links are as the tree has them, and a submodule is an empty
        folder. Nobody else may be able to write where the folder is made.

        Raises:
            TooMuchToCommit: The files are more than ``EXPORT_BYTES_MAX``.
            GitFailed: git could not do it.
        """
        await self._with_mirror(
            desk, lambda mirror: export(mirror, tree, folder, owner_uid=owner_uid)
        )

    async def end_processes(self, desk: Desk, generation: int) -> tuple[int, ...]:
        """Kill what earlier generations of a desk left running here; return who survived."""
        return await processes.end([room.processes for room in self._old(desk, generation)])

    async def remove_old(self, desk: Desk, generation: int) -> int:
        """Remove the folders of earlier generations of a desk; return how many there were."""
        await self.end_processes(desk, generation)
        old = self._old(desk, generation)
        return sum([await to_thread.run_sync(_discard, room) for room in old])

    async def tidy(
        self,
        *,
        unused_since: datetime,
        keep: Collection[tuple[str, int]],
        now: datetime,
        rooms_max: int = 20,
    ) -> int:
        """Remove folders that were not opened after *unused_since*; return how many.

        *keep* holds the desk keys and generations that are served now. At most *rooms_max*
        are removed in one call. Commits kept since before that time are forgotten, and the
        repositories are put in order.
        """
        removed = 0
        for project in self._layout.projects():
            for room in self._layout.rooms(project):
                if removed >= rooms_max:
                    return removed
                if (room.desk.key, room.generation) in keep or not room.is_unused(unused_since):
                    continue
                await processes.end([room.processes])
                removed += await to_thread.run_sync(_discard, room)
            await to_thread.run_sync(removal.empty, Layout.trash(project))
            if project.name in self.repositories:
                await self._mirror(project.name).tidy(kept_since=unused_since, now=now)
        return removed

    async def _with_mirror(self, desk: Desk, action: Callable[[Mirror], Awaitable[T]]) -> T:
        """Run *action* with the project's mirror, once more if the mirror was damaged."""
        mirror = self._mirror(desk.project)
        try:
            return await action(mirror)
        except GitFailed:
            if not await mirror.mend():
                raise
            return await action(mirror)

    def _mirror(self, project: str) -> Mirror:
        return Mirror(self._layout.mirror(project), self._repository(project).origin, self.git)

    def _repository(self, project: str) -> Repository:
        try:
            return self.repositories[project]
        except KeyError:
            raise NotFound("project", project) from None

    def _base(self, desk: Desk) -> str:
        return self._repository(desk.project).base

    @property
    def _layout(self) -> Layout:
        return Layout(self.root)

    def _old(self, desk: Desk, generation: int) -> list[Room]:
        rooms = self._layout.rooms(self._layout.project(desk.project), desk.user)
        return [room for room in rooms if room.generation < generation]


async def _prepare(room: Room, mirror: Mirror, start: Start, now: datetime) -> None:
    is_new = not room.clone.exists()
    room.make_folders()
    os.utime(room.used, (now.timestamp(), now.timestamp()))
    if await processes.end([room.processes]):
        # Somebody writes there whom we cannot end: leave that folder to them.
        is_new = await to_thread.run_sync(_start_anew, room)
    try:
        await check_out(room, mirror, start)
    except (GitFailed, OSError):
        # Whatever the last agent did to the folder, a new one has none of it.
        if is_new:
            raise
        await to_thread.run_sync(_start_anew, room)
        await check_out(room, mirror, start)


def _start_anew(room: Room) -> bool:
    """Put the clone and its index away and make empty folders; return True."""
    for parent, name in ((room.clone.parent, room.clone.name), (room.state, "index")):
        removal.remove(parent, os.fsencode(name), room.trash)
    removal.remove(room.state, b"index.lock", room.trash)
    room.make_folders()
    return True


def _discard(room: Room) -> bool:
    """Remove a room; return whether its clone is out of the way."""
    name = str(room.generation).encode()
    removal.remove(room.clone.parent, name, room.trash)
    if os.path.lexists(room.clone):
        return False
    removal.remove(room.state.parent, name, room.trash)
    room.leave()
    return True
