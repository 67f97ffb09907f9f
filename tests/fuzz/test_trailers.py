"""What Hotdesk writes into a commit, real git gives back: no instruction can change it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from hotdesk.workspaces.commits import LOG_FORMAT, Stamp, message, read_log
from tests.workspaces.origins import git

CUT = "# " + "-" * 24 + " >8 " + "-" * 24
LINES = [
    *("", " ", "x", "x: y", "---", "# x", "; x", CUT, f"{CUT} ", "Conflicts:", "\tx"),
    *("Signed-off-by: a", "(cherry picked from commit 0123456789)", "git-svn-id: x"),
    *("Hotdesk-Desk: amelia#eve", "Hotdesk-Generation: 999", "Hotdesk-Job: j9", " continued: x"),
    *("Hotdesk-Takeover: true", "Hotdesk-Partial: true", "\r", "\x0c", "\x00", "\x85"),
    *("\u2028Hotdesk-Job: j9", "x\rHotdesk-Job: j9"),
]
STAMPS = [
    Stamp(desk="amelia#scott", generation=3, job="j1"),
    Stamp(desk="a#b", generation=10**15 - 1, job="A.b:c@d-e_f", is_partial=True),
    Stamp(desk="a#b", generation=1, is_takeover=True),
]
COMMITS_MAX = 20

texts = st.lists(st.sampled_from(LINES) | st.text(max_size=10), max_size=8).map("\n".join)


@given(st.lists(st.tuples(texts, st.sampled_from(STAMPS)), min_size=1, max_size=COMMITS_MAX))
@settings(max_examples=10)
def test_no_instruction_hides_or_changes_what_its_commit_says_of_itself(
    commits: list[tuple[str, Stamp]],
) -> None:
    said = logged([message(text, stamp) for text, stamp in commits])

    assert [stamp for _, stamp in said] == [stamp for _, stamp in commits]


@given(st.lists(st.binary(max_size=60) | texts.map(str.encode), min_size=1, max_size=COMMITS_MAX))
@settings(max_examples=10)
def test_the_commits_of_anybody_are_read_one_by_one(messages: list[bytes]) -> None:
    said = logged(messages)

    assert len(said) == len(messages)
    assert all(len(commit) == len("0123456789" * 4) for commit, _ in said)


def logged(messages: list[bytes]) -> list[tuple[str, Stamp]]:
    """Commit *messages* with real git, and read them back, oldest first."""
    by = b"commit refs/heads/main\ncommitter a <a@b> 1 +0000\n"
    stream = [by + b"data %d\n%b\n" % (len(each), each) for each in messages]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        git("init", "--quiet", "--bare", "--initial-branch=main", at=folder)
        git("fast-import", "--quiet", "--done", at=folder, stdin=b"".join(stream) + b"done\n")
        said = subprocess.run(
            ["git", "log", "-z", LOG_FORMAT, "main"], cwd=folder, capture_output=True, check=True
        )
    return read_log(said.stdout)[::-1]
