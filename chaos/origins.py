"""The bare repositories of the projects: made, hidden and shown again, and read at the end."""

from dataclasses import dataclass
from pathlib import Path

from hotdesk.workspaces.commits import LOG_FORMAT, Stamp, read_log
from hotdesk.workspaces.git import Git, Place

BASE = "main"
# A server far away: the branch has moved, and the one who pushed does not know yet.
_HOOK = """#!/bin/sh
sleep 0.3
"""
_AUTHOR = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Chaos"), ("EMAIL", "chaos@desk.example"))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """The branch of a thread: the stamps of its commits, oldest first; the files at its head."""

    project: str
    name: str
    stamps: tuple[Stamp, ...]
    files: frozenset[str]


@dataclass(frozen=True, slots=True)
class Origins:
    """Bare repositories below *folder*, one for each project."""

    folder: Path
    git: Git = Git()  # noqa: RUF009 - a frozen value

    def path(self, project: str) -> Path:
        """Where the repository of a project is."""
        return self.folder / f"{project}.git"

    async def make(self, project: str) -> None:
        """Make a repository with one commit.

        Raises:
            GitFailed: git is missing or could not do it.
        """
        bare = self._bare(project)
        bare.git_dir.mkdir(parents=True)
        await self.git.run("init", "--quiet", "--bare", f"--initial-branch={BASE}", at=bare)
        for name in ("pre-receive", "post-receive"):
            hook = bare.git_dir / "hooks" / name
            hook.parent.mkdir(exist_ok=True)
            hook.write_text(_HOOK, encoding="ascii")
            hook.chmod(0o755)
        tree = await self.git.run("mktree", at=bare, stdin=b"")
        words = ("commit-tree", "-m", "Begin", tree.text.strip())
        commit = await self.git.run(*words, at=bare, environment=_AUTHOR)
        await self.git.run("update-ref", f"refs/heads/{BASE}", commit.text.strip(), at=bare)

    def hide(self, project: str) -> None:
        """Let the repository be unreachable."""
        self.path(project).rename(self._hidden(project))

    def show(self, project: str) -> None:
        """Undo ``hide``; nothing happens to one that is there."""
        if self._hidden(project).exists():
            self._hidden(project).rename(self.path(project))

    async def branches(self, project: str) -> list[Branch]:
        """Return the branches of threads.

        Raises:
            GitFailed: The repository cannot be read.
        """
        bare = self._bare(project)
        listed = await self.git.run(
            "for-each-ref", "--format=%(refname:short)", "refs/heads", at=bare
        )
        found = []
        for name in listed.text.split():
            if name == BASE:
                continue
            log = await self.git.run("log", "-z", LOG_FORMAT, f"{BASE}..{name}", at=bare)
            files = await self.git.run("ls-tree", "-r", "-z", "--name-only", name, at=bare)
            found.append(
                Branch(
                    project=project,
                    name=name,
                    stamps=tuple(stamp for _, stamp in reversed(read_log(log.output))),
                    files=frozenset(files.text.split("\0")),
                )
            )
        return found

    def _bare(self, project: str) -> Place:
        return Place(git_dir=self.path(project))

    def _hidden(self, project: str) -> Path:
        return self.folder / f"{project}.hidden"
