"""git: a mirror of each project, a clone of each thread and generation, fenced publication."""

from hotdesk.workspaces.changes import ChangedFile, Changes
from hotdesk.workspaces.commits import Identity
from hotdesk.workspaces.errors import (
    GitFailed,
    MergeConflict,
    OriginUnreachable,
    PushRefused,
    TooMuchToCommit,
    WorkspaceLost,
)
from hotdesk.workspaces.git import VERSION_MIN, Git
from hotdesk.workspaces.origin import Origin, redact
from hotdesk.workspaces.publish import Confirm, Tip
from hotdesk.workspaces.saving import Commit
from hotdesk.workspaces.snapshot import Skipped
from hotdesk.workspaces.workspace import Workspace
from hotdesk.workspaces.workspaces import Repository, Workspaces

__all__ = [
    "VERSION_MIN",
    "ChangedFile",
    "Changes",
    "Commit",
    "Confirm",
    "Git",
    "GitFailed",
    "Identity",
    "MergeConflict",
    "Origin",
    "OriginUnreachable",
    "PushRefused",
    "Repository",
    "Skipped",
    "Tip",
    "TooMuchToCommit",
    "Workspace",
    "WorkspaceLost",
    "Workspaces",
    "redact",
]
