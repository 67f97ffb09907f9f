"""What jobs changed, out of the repositories of this machine: bounded, and kept for a while.

Nothing is fetched and nothing is written. A commit never changes, so that what was read of
it is as good a minute later.
"""

import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta

import anyio
from anyio import to_thread

from hotdesk.desks import Desk, Job
from hotdesk.errors import NotFound
from hotdesk.web.diff import Diff, read_diff
from hotdesk.workspaces import GitFailed, Workspaces

KEPT_MAX = 32
AT_ONCE = 2
TIME_MAX = timedelta(seconds=5)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

NOT_HERE = (
    "This machine has no copy of the repository with this commit: the job ran elsewhere. "
    "Look at it where the branch is."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a commit changed; without ``diff`` the sentence ``why`` says why it is not shown."""

    commit: str
    is_partial: bool = False
    diff: Diff | None = None
    why: str = ""


class Patches:
    """Reads the commits of jobs in *workspaces*; without any it finds none."""

    def __init__(self, workspaces: Workspaces | None = None) -> None:
        """Nothing is read before it is asked for."""
        self._workspaces = workspaces
        self._kept: OrderedDict[tuple[str, str], Diff] = OrderedDict()
        self._slots = anyio.CapacityLimiter(AT_ONCE)

    def branch(self, desk: Desk, thread: str) -> str:
        """The branch of a thread; empty where its project has no repository here."""
        if self._workspaces is None or desk.project not in self._workspaces.repositories:
            return ""
        return self._workspaces.branch(desk, thread)

    async def of(self, job: Job) -> Changes | None:
        """What *job* changed, or has changed so far; ``None`` if it has no commit."""
        commit = job.result.commit if job.result else ""
        is_partial = not commit and bool(job.partial_commit)
        commit = commit or job.partial_commit
        if not _COMMIT.fullmatch(commit):
            return None
        found = await self._read(job.desk.project, commit)
        if isinstance(found, Diff):
            return Changes(commit=commit, is_partial=is_partial, diff=found)
        return Changes(commit=commit, is_partial=is_partial, why=found)

    async def _read(self, project: str, commit: str) -> Diff | str:
        if found := self._kept.get((project, commit)):
            self._kept.move_to_end((project, commit))
            return found
        if self._workspaces is None:
            return NOT_HERE
        with anyio.move_on_after(TIME_MAX.total_seconds()):
            try:
                async with self._slots:
                    patch = await self._workspaces.patch(project, commit)
            except (GitFailed, NotFound) as error:
                return f"The changes cannot be shown: {error}."
            if patch is None:
                return NOT_HERE
            diff = await to_thread.run_sync(read_diff, patch)
            self._kept[project, commit] = diff
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
            return diff
        return "The repository takes too long to answer; the changes are shown when it does."
