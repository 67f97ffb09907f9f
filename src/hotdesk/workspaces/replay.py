"""Puts the commits of a job on top of what somebody else did to the branch meanwhile.

One commit after the other is merged as a change against its own parent, so what a person
took out of the branch stays out. Only trees are merged, in the mirror: nothing is checked
out and nothing of the repository runs. Authors, dates and messages stay as they were.
"""

from __future__ import annotations

from dataclasses import dataclass

from hotdesk.workspaces.mirror import Mirror
from hotdesk.workspaces.snapshot import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """The commit that came out, or the files that two sides changed in conflict."""

    commit: str = ""
    conflicts: tuple[str, ...] = ()


async def replay(mirror: Mirror, *, since: str, head: str, onto: str) -> Replayed:
    """Repeat the commits after *since* up to *head* on top of *onto*."""
    said = await mirror.git.run("rev-list", "--reverse", f"{since}..{head}", at=mirror.place)
    for commit in said.text.splitlines():
        tree, conflicts = await _merge(mirror, commit, onto)
        if conflicts:
            return Replayed(conflicts=conflicts)
        onto = await mirror.write_commit(tree, onto, await _rest(mirror, commit))
    return Replayed(commit=onto)


async def _merge(mirror: Mirror, commit: str, onto: str) -> tuple[str, tuple[str, ...]]:
    """Return the tree of *onto* with the change that *commit* made to its parent."""
    run, place = mirror.git.run, mirror.place
    trees = await run("rev-parse", f"{commit}^", f"{onto}^{{tree}}", at=place)
    parent, tree = trees.text.splitlines()
    # merge-tree finds the base of a merge by ancestry. A stand-in for *onto* whose parent is
    # that of *commit* makes this parent the base. (`--merge-base` came with git 2.40 only.)
    stand_in = await mirror.write_commit(tree, parent, await _rest(mirror, onto))
    said = await run(
        "merge-tree",
        "--write-tree",
        "-z",
        "--name-only",
        "--no-messages",
        stand_in,
        commit,
        at=place,
        statuses=(0, 1),
        is_long=True,
    )
    merged, *paths = said.output.rstrip(b"\0").split(b"\0")
    return merged.decode(), tuple(shown(path) for path in paths) if said.status else ()


async def _rest(mirror: Mirror, commit: str) -> bytes:
    """Return what follows the parents in a commit object, without a signature."""
    said = await mirror.git.run("cat-file", "commit", commit, at=mirror.place)
    header, _, text = said.output.partition(b"\n\n")
    who = [line for line in header.split(b"\n") if line.startswith((b"author ", b"committer "))]
    return b"\n".join(who) + b"\n\n" + text
