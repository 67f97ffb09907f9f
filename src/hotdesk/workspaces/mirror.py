"""The worker's own repository of a project: a copy of the origin that no agent writes to.

It follows the origin's branches under ``refs/remotes/origin/`` and is the only git
directory that a worker ever uses, with a work tree and an index of the clone at hand. The
clones of agents borrow its objects, so nothing in it is thrown away. Workers of one machine
share it: it appears by a rename, and a file lock keeps two of them from fetching at once.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import anyio
from anyio import to_thread

from hotdesk.errors import ConfigError
from hotdesk.workspaces.commits import LOG_FORMAT, Identity, Stamp, message, read_log
from hotdesk.workspaces.errors import GitFailed, OriginUnreachable
from hotdesk.workspaces.git import Git, Place
from hotdesk.workspaces.layout import Layout
from hotdesk.workspaces.origin import Origin, redact
from hotdesk.workspaces.removal import remove

_TRACKED = "refs/remotes/origin/"
_HEAD_NAMES = "ref: refs/heads/"
_LOCK_POLL_SECONDS = 0.02
_PACKS_MAX = 50
_LOOSE_MAX = 6700  # What git's own gc.auto takes as its bound.
# What git calls the files that it is still writing.
_UNFINISHED = ("*.lock", "refs/**/*.lock", "objects/*/tmp_*", "objects/pack/.tmp-*")

# Content is never converted: no line endings, no keywords, no encodings, and no filter even
# if one were configured. This file has the last word over those in the repository.
ATTRIBUTES = "* -text -ident !filter !eol !working-tree-encoding !merge !diff\n"


@dataclass(frozen=True, slots=True)
class Mirror:
    """The worker's own repository of one project."""

    path: Path
    origin: Origin
    git: Git

    @property
    def place(self) -> Place:
        """What git works on, without a work tree."""
        return Place(git_dir=self.path)

    @property
    def _damaged(self) -> Path:
        return self.path.with_name("damaged.git")

    async def fetch(self) -> None:
        """Bring the origin's branches here; make the mirror if there is none yet.

        Raises:
            OriginUnreachable: The origin did not answer.
            GitFailed: The mirror may be damaged: see ``mend``.
        """
        async with self._locked():
            if self.path.exists():
                await self._fetch_into(self.path)
            else:
                await self._make()

    async def mend(self) -> bool:
        """Make the mirror anew if it is damaged; return whether it was.

        The damaged one is put beside it, once, for a person to look at; what can be read of
        the kept commits is taken over.

        Raises:
            OriginUnreachable: The origin did not answer.
        """
        async with self._locked():
            if self.path.exists():
                try:
                    await self.git.run(
                        "fsck", "--connectivity-only", "--no-dangling", at=self.place, is_long=True
                    )
                except GitFailed:
                    await self._discard(self._damaged)
                    self.path.rename(self._damaged)
                else:
                    return False
            await self._make()
            return True

    async def entries(self, *arguments: str, at: Place) -> list[bytes]:
        """Run a git command that prints entries ended by NUL, and return them."""
        said = await self.git.run(*arguments, at=at)
        return said.output.split(b"\0")[:-1]

    async def head(self, branch: str) -> str:
        """Return the commit of a branch of the origin as of the last fetch, "" for none."""
        said = await self.git.run(
            "rev-parse", "--quiet", "--verify", _TRACKED + branch, at=self.place, statuses=(0, 1)
        )
        return said.text

    async def base(self, branch: str, *, is_needed: bool) -> tuple[str, str]:
        """Return the branch that new threads start from, and its commit.

        "" stands for the branch that the origin's HEAD names. Unless it *is_needed*, the
        origin is not asked again what that is, and both may be "".

        Raises:
            ConfigError: It is needed, and the origin is empty or has no such branch.
        """
        name = branch or await self._default_branch(ask=is_needed)
        head = await self.head(name) if name else ""
        if head or not is_needed:
            return name, head
        count = await self.git.run("for-each-ref", "--count=1", _TRACKED, at=self.place)
        project = self.path.parent.name
        if not count.output:
            hint = "push a first commit to it"
            raise ConfigError(f"projects.{project}.origin", "the repository is empty", hint)
        raise ConfigError(
            f"projects.{project}.base",
            f"the origin has no branch {name!r}" if name else "the origin's HEAD names no branch",
            "name a branch that exists",
        )

    async def log(self, *commits: str, count_max: int) -> list[tuple[str, Stamp]]:
        """Return the newest commits with their stamps; ``^commit`` excludes, as git does."""
        said = await self.git.run(
            "log", "-z", LOG_FORMAT, f"--max-count={count_max}", *commits, "--", at=self.place
        )
        return read_log(said.output)

    async def tree(self, commit: str) -> str:
        """Return the tree of a commit."""
        said = await self.git.run("rev-parse", "--verify", f"{commit}^{{tree}}", at=self.place)
        return said.text

    async def is_ancestor(self, older: str, newer: str) -> bool:
        """Return whether *newer* contains *older*."""
        said = await self.git.run(
            "merge-base", "--is-ancestor", older, newer, at=self.place, statuses=(0, 1)
        )
        return said.status == 0

    async def commit_takeover(
        self, parent: str, stamp: Stamp, *, by: Identity, now: datetime
    ) -> str:
        """Make a commit that changes nothing but says who comes next, and return its id."""
        who = by.line(now)
        text = message(f"Generation {stamp.generation} takes over", stamp)
        return await self.write_commit(
            await self.tree(parent), parent, b"author %b\ncommitter %b\n\n%b" % (who, who, text)
        )

    async def write_commit(self, tree: str, parent: str, rest: bytes) -> str:
        """Make a commit of a tree that is here already, and return its id.

        *rest* is what follows the parents in a commit object: who made it, and the message.
        """
        said = await self.git.run(
            "hash-object",
            "-t",
            "commit",
            "-w",
            "--stdin",
            at=self.place,
            stdin=f"tree {tree}\nparent {parent}\n".encode() + rest,
        )
        return said.text

    async def push(self, branch: str, commit: str, *, expected: str) -> str:
        """Set a branch of the origin, if it stands at *expected* ("": if it does not exist).

        Returns "" when the origin did it or had done it before, else its reason for
        refusing. What the origin does is decided by its server at one instant: it compares
        *expected* again under its own lock.

        Raises:
            OriginUnreachable: The origin did not answer; the branch may be set or not.
        """
        ref = f"refs/heads/{branch}"
        said = await self.git.run(
            "push",
            "--porcelain",
            "--no-verify",
            "--no-signed",
            "--no-follow-tags",
            "--recurse-submodules=no",
            f"--force-with-lease={ref}:{expected}",
            "origin",
            f"{commit}:{ref}",
            at=self.place,
            config=self.origin.config(),
            statuses=(0, 1),
            is_remote=True,
        )
        if said.status == 0:
            return ""
        refused = [line for line in said.text.splitlines() if line.startswith("!")]
        if not any("rejected]" in line for line in refused):
            # A server that dies half-way makes git end with 1, as a refusal does.
            raise OriginUnreachable(said.errors)
        why = [redact(line.rpartition("\t")[2]) for line in refused]
        why += [line for line in said.errors.splitlines() if line.startswith("remote:")]
        return "; ".join(why)

    async def keep(self, ref: str, commit: str) -> None:
        """Keep *commit* under a ref here, so that nothing of it is lost."""
        await self.git.run("update-ref", ref, commit, at=self.place)

    async def bundle(self, ref: str) -> bytes:
        """Return what *ref* holds and the origin does not, as a file that ``git fetch`` takes."""
        said = await self.git.run(
            *("bundle", "create", "--quiet", "-", ref, "--not", f"--glob={_TRACKED}*"),
            at=self.place,
            is_long=True,
        )
        return said.output

    async def forget(self, refs: Iterable[str]) -> None:
        """Remove refs; one that does not exist is removed already."""
        lines = "".join(f"delete {ref}\n" for ref in refs)
        await self.git.run("update-ref", "--stdin", at=self.place, stdin=lines.encode())

    async def tidy(self, *, kept_since: datetime, now: datetime) -> None:
        """Forget kept commits from before *kept_since*, and join packs when there are many.

        Remove what a git left that was killed: half a pack takes space, and a lock keeps
        every later git from its branch.
        """
        if not self.path.exists():
            return
        # Older than any git of ours can be: each is ended after its long time.
        await to_thread.run_sync(self._remove_abandoned, now - 2 * self.git.long_time)
        form = "--format=%(committerdate:unix) %(refname)"
        said = await self.git.run("for-each-ref", form, "refs/hotdesk/kept/", at=self.place)
        kept = [line.partition(" ") for line in said.text.splitlines()]
        await self.forget(ref for made, _, ref in kept if int(made) < kept_since.timestamp())
        objects = self.path / "objects"
        packs = sum(1 for _ in objects.glob("pack/*.pack"))
        # Object names are spread evenly, so one folder of 256 stands for all.
        loose = sum(256 for _ in objects.glob("17/*"))
        if packs > _PACKS_MAX or loose > _LOOSE_MAX:
            async with self._locked():
                # -k: what no ref holds may be borrowed by a clone.
                await self.git.run("repack", "-a", "-d", "-k", "-q", at=self.place, is_long=True)

    def _remove_abandoned(self, since: datetime) -> None:
        for pattern in _UNFINISHED:
            for path in self.path.glob(pattern):
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < since.timestamp():
                        path.unlink()

    async def _default_branch(self, *, ask: bool) -> str:
        """Return what the origin's HEAD names, or named when it was asked last."""
        symbolic = f"{_TRACKED}HEAD"
        if ask:
            said = await self.git.run(
                "ls-remote",
                "--symref",
                "origin",
                "HEAD",
                at=self.place,
                config=self.origin.config(),
                is_remote=True,
            )
            line = said.text.partition("\t")[0]
            if not line.startswith(_HEAD_NAMES):
                return ""
            name = line.removeprefix(_HEAD_NAMES)
            await self.git.run("symbolic-ref", symbolic, _TRACKED + name, at=self.place)
            return name
        said = await self.git.run(
            "symbolic-ref", "--quiet", symbolic, at=self.place, statuses=(0, 1)
        )
        return said.text.removeprefix(_TRACKED)

    async def _make(self) -> None:
        """Clone into a folder that is not the mirror yet; only a complete one takes its name."""
        new = self.path.with_name("new.git")
        await self._discard(new)
        # Readable for all: agents that run as another user borrow the objects.
        await self.git.run(
            "init", "--quiet", "--bare", "--template=", "--shared=0644", at=Place(git_dir=new)
        )
        (new / "info").mkdir(exist_ok=True)
        (new / "info" / "attributes").write_text(ATTRIBUTES)
        await self._fetch_into(new)
        if self._damaged.exists():
            # What was kept is nowhere else. As much as can still be read is better than nothing.
            kept = "+refs/hotdesk/*:refs/hotdesk/*"
            with suppress(GitFailed):
                await self.git.run(
                    "fetch",
                    "--quiet",
                    "--no-write-fetch-head",
                    str(self._damaged),
                    kept,
                    at=Place(git_dir=new),
                )
        new.rename(self.path)

    async def _fetch_into(self, path: Path) -> None:
        await self.git.run(
            "fetch",
            "--quiet",
            "--prune",
            "--no-tags",
            "--no-write-fetch-head",
            "origin",
            f"+refs/heads/*:{_TRACKED}*",
            at=Place(git_dir=path),
            config=self.origin.config(),
            is_remote=True,
        )

    async def _discard(self, path: Path) -> None:
        heap = Layout.trash(self.path.parent)
        await to_thread.run_sync(remove, path.parent, os.fsencode(path.name), heap)

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[None]:
        """Hold the mirror's file lock, which the kernel frees when its holder dies.

        It is held across a fetch, on purpose: whoever waits for it needs that fetch, too.
        """
        folder = self.path.parent
        Layout.trash(folder)  # Makes the folders on the way to it.
        file = os.open(folder / "mirror.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            wait = self.git.long_time + timedelta(seconds=10)
            with anyio.move_on_after(wait.total_seconds()) as scope:
                while not _try_lock(file):  # noqa: ASYNC110 - another process lets go of it
                    await anyio.sleep(_LOCK_POLL_SECONDS)
            if scope.cancelled_caught:
                raise OriginUnreachable("another process has been fetching from it for too long")
            yield
        finally:
            os.close(file)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
