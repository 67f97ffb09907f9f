"""What one commit changed, for people to look at: read from the mirror, and never fetched."""

from __future__ import annotations

from hotdesk.workspaces.mirror import Mirror

PATCH_BYTES_MAX = 16 * 2**20


async def patch_of(mirror: Mirror, commit: str) -> bytes | None:
    """Return what *commit*, a full id, changed from its parent, as git writes it.

    ``None`` says that the mirror does not have it, or that there is no mirror yet.

    Raises:
        GitFailed: The patch has more than ``PATCH_BYTES_MAX``, or git could not do it.
    """
    if not mirror.path.exists():
        return None
    found = await mirror.git.run(
        "cat-file", "-e", f"{commit}^{{commit}}", at=mirror.place, statuses=(0, 1, 128)
    )
    if found.status:
        return None
    said = await mirror.git.run(
        "diff-tree",
        "--patch",
        "--root",
        "-r",
        "--no-commit-id",
        "--no-renames",
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "--submodule=short",
        "--src-prefix=a/",
        "--dst-prefix=b/",
        commit,
        at=mirror.place,
        config=[("core.quotePath", "false")],
        bytes_max=PATCH_BYTES_MAX,
    )
    return said.output
