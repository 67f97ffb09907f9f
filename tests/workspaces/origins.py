"""A real bare repository for tests, and the people who push to it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

GIT_SECONDS_MAX = 15
_PERSON = "Ann Person <ann@example.org> 1700000000 +0000"


def git(
    *arguments: str | Path,
    at: Path,
    stdin: bytes = b"",
    check: bool = True,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run git as a person or an agent would, with hooks and filters and all."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=at,
        input=stdin,
        capture_output=True,
        check=False,
        timeout=GIT_SECONDS_MAX,
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            **(environment or {}),
        },
    )
    assert not check or done.returncode == 0, done.stderr.decode()
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def wipe(folder: Path, *, keep_folder: bool = False) -> None:
    """Remove a folder as an agent would, or only what is in it."""
    subprocess.run(["find", folder, "-mindepth", str(int(keep_folder)), "-delete"], check=True)


@dataclass(frozen=True)
class BareOrigin:
    """A bare repository that a project is cloned from and pushed to."""

    path: Path

    @classmethod
    def make(cls, path: Path, *, branch: str = "main") -> BareOrigin:
        path.mkdir()
        git("init", "--quiet", "--bare", f"--initial-branch={branch}", at=path)
        return cls(path)

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    def person_pushes(
        self,
        files: Mapping[str, str | None],
        *,
        branch: str = "main",
        start: str = "",
        message: str = "by hand",
        mode: str = "100644",
    ) -> str:
        """Put a commit with *files* (``None`` removes one) on a branch; return its id.

        The branch starts at *start*, or goes on from where it is.
        """
        ref = f"refs/heads/{branch}"
        parent = git("rev-parse", "--verify", "--quiet", start or ref, at=self.path, check=False)
        stream = [f"commit {ref}", f"author {_PERSON}", f"committer {_PERSON}"]
        stream += [f"data {len(message.encode())}", message]
        stream += [f"from {parent}"] if parent else []
        for name, text in files.items():
            if text is None:
                stream += [f'D "{name}"']
            else:
                data = text.encode()
                stream += [f'M {mode} inline "{name}"', f"data {len(data)}", text]
        text = "\n".join([*stream, "", "done", ""])
        git("fast-import", "--quiet", "--done", "--force", at=self.path, stdin=text.encode())
        return self.head(branch)

    def head(self, branch: str) -> str:
        """Return the commit of a branch, "" if it does not exist."""
        ref = f"refs/heads/{branch}"
        return git("rev-parse", "--verify", "--quiet", ref, at=self.path, check=False)

    def names(self, branch: str) -> list[str]:
        """Return the paths of the files of a branch."""
        listed = git("ls-tree", "-r", "-z", "--name-only", branch, at=self.path)
        return [name for name in listed.split("\0") if name]

    def read(self, branch: str, name: str) -> str:
        """Return the content of a file of a branch, to the byte but for the last newline."""
        return git("cat-file", "blob", f"{branch}:{name}", at=self.path)

    def messages(self, branch: str) -> list[str]:
        """Return the messages of a branch, newest first."""
        logged = git("log", "-z", "--format=%B", branch, at=self.path)
        return [entry.strip() for entry in logged.split("\0") if entry]

    def hook(self, name: str, script: str) -> None:
        """Install a hook on the server's side."""
        path = self.path / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
