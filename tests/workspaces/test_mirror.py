"""The mirror: made whole or not at all, mended when damaged, and silent about credentials."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anyio
import pytest

from hotdesk.workspaces import (
    Confirm,
    Git,
    GitFailed,
    MergeConflict,
    Origin,
    OriginUnreachable,
    Repository,
    Workspaces,
)
from tests.workspaces.conftest import BRANCH, DESK, NOW, Opens, work
from tests.workspaces.origins import BareOrigin, git, wipe

pytestmark = pytest.mark.anyio


async def test_a_mirror_that_was_left_half_made_is_made_again(
    tmp_path: Path, open_workspace: Opens
) -> None:
    half = tmp_path / "root/amelia/new.git"
    half.mkdir(parents=True)
    (half / "HEAD").write_text("half")

    await open_workspace()

    assert not half.exists()


async def test_a_mirror_that_cannot_be_fetched_is_not_left_half_made(
    tmp_path: Path, origin: BareOrigin, open_workspace: Opens
) -> None:
    away = origin.path.rename(tmp_path / "away")
    with pytest.raises(OriginUnreachable):
        await open_workspace()
    assert not (tmp_path / "root/amelia/mirror.git").exists()

    away.rename(origin.path)

    await open_workspace()


@pytest.mark.parametrize("damage", ["HEAD", "objects", "config", "everything"])
async def test_a_damaged_mirror_is_made_anew(
    origin: BareOrigin, workspaces: Workspaces, open_workspace: Opens, damage: str
) -> None:
    mirror = (await open_workspace()).mirror.path
    match damage:
        case "everything":
            wipe(mirror, keep_folder=True)
        case "objects":
            wipe(mirror / "objects", keep_folder=True)
        case name:
            (mirror / name).write_text("\0")

    workspace = await open_workspace(job_id="job-2")

    assert (workspace.path / "README.md").read_text() == "hello\n"
    assert git("status", "--porcelain", at=workspace.path) == ""


async def test_kept_commits_outlive_the_mending_of_a_mirror(
    tmp_path: Path, origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    workspace = await open_workspace()
    origin.person_pushes({"work": "theirs"}, branch=BRANCH, start="main")
    commit = await work(workspace, "ours")
    with pytest.raises(MergeConflict) as caught:
        await workspace.push(confirm=confirm)
    mirror = workspace.mirror.path
    (mirror / "refs/remotes/origin/gone").write_text("1" * 40)
    away = origin.path.rename(tmp_path / "away")

    with pytest.raises(OriginUnreachable):
        await workspace.mirror.mend()
    away.rename(origin.path)
    await open_workspace(job_id="job-2")

    assert git("rev-parse", caught.value.kept, at=mirror) == commit
    assert git("for-each-ref", "refs/remotes/origin/gone", at=mirror) == ""


async def test_a_sound_mirror_is_not_made_anew(open_workspace: Opens) -> None:
    workspace = await open_workspace()
    before = workspace.mirror.path.stat().st_ino

    assert not await workspace.mirror.mend()

    assert workspace.mirror.path.stat().st_ino == before


async def test_a_failure_that_is_not_the_mirrors_is_not_hidden_by_mending(
    tmp_path: Path, workspaces: Workspaces
) -> None:
    program = tmp_path / "git"
    program.write_text('#!/bin/sh\n[ "$1" = read-tree ] && exit 9\nexec git "$@"\n')
    program.chmod(0o755)
    broken = replace(workspaces, git=Git(program=str(program)))

    with pytest.raises(GitFailed, match="read-tree ended with 9"):
        await broken.open(DESK, "t1", 1, job_id="j", now=NOW)

    assert not (tmp_path / "root/amelia/damaged.git").exists()


async def test_workers_that_need_the_mirror_at_once_wait_for_each_other(
    tmp_path: Path, workspaces: Workspaces
) -> None:
    log = tmp_path / "log"
    program = tmp_path / "upload-pack"
    program.write_text(f'#!/bin/sh\necho in >> {log}\ngit-upload-pack "$@"\necho out >> {log}\n')
    program.chmod(0o755)
    config = (("remote.origin.uploadpack", str(program)),)
    seen = replace(workspaces, git=Git(config=config))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(seen.published, DESK, "t1", "job")

    assert log.read_text().split() == ["in", "out"] * 4


async def test_packs_are_joined_when_there_are_many_and_nothing_is_thrown_away(
    origin: BareOrigin, workspaces: Workspaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hotdesk.workspaces.mirror._PACKS_MAX", 3)
    # Every fetch leaves a pack, as large ones do.
    many = replace(workspaces, git=Git(config=(("fetch.unpackLimit", "1"),)))
    workspace = await many.open(DESK, "t1", 1, job_id="job-1", now=NOW)
    (workspace.path / "x").write_text("never published")
    commit = await workspace.commit("x", now=NOW)
    for number in range(4):
        origin.person_pushes({"x": f"{number}\n"})
        await workspace.mirror.fetch()

    await many.tidy(unused_since=NOW, keep=(), now=NOW)

    mirror = workspace.mirror.path
    assert len([*mirror.glob("objects/pack/*.pack")]) == 1
    assert git("cat-file", "blob", f"{commit.id}:x", at=mirror) == "never published"
    assert git("status", "--porcelain", at=workspace.path) == "?? x"


async def test_kept_commits_are_forgotten_when_they_are_old(
    origin: BareOrigin, workspaces: Workspaces, open_workspace: Opens
) -> None:
    workspace = await open_workspace()
    (workspace.path / "x").write_text("1")
    commit = await workspace.commit("x", now=NOW)
    await workspace.mirror.keep("refs/hotdesk/kept/old", origin.head("main"))
    await workspace.mirror.keep("refs/hotdesk/kept/new", commit.id)

    await workspaces.tidy(unused_since=NOW, keep=(), now=NOW)

    kept = git("for-each-ref", "--format=%(refname)", "refs/hotdesk", at=workspace.mirror.path)
    assert kept == "refs/hotdesk/kept/new"


async def test_what_a_killed_git_left_in_the_mirror_does_not_stay(
    origin: BareOrigin, workspaces: Workspaces, open_workspace: Opens
) -> None:
    mirror = (await open_workspace()).mirror
    objects = mirror.path / "objects"
    (objects / "17").mkdir(exist_ok=True)
    left = [objects / "pack/tmp_pack_x", objects / "17/tmp_obj_x", objects / "pack/.tmp-1-pack-x"]
    # git waits for nobody: as long as the lock is there, each fetch of this branch fails.
    left += [mirror.path / "refs/remotes/origin/main.lock", mirror.path / "packed-refs.lock"]
    fresh = objects / "pack/tmp_pack_y"
    for path in [*left, fresh]:
        path.touch()
        os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    later = NOW + timedelta(hours=1)
    os.utime(fresh, (later.timestamp(), later.timestamp()))

    await workspaces.tidy(unused_since=NOW, keep=(), now=later)

    assert not any(path.exists() for path in left)
    assert fresh.exists()
    origin.person_pushes({"x": "1"})
    await mirror.fetch()
    assert await mirror.head("main") == origin.head("main")


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Answer GET requests on a free port; yield the server's address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def web_origin(origin: BareOrigin) -> Iterator[tuple[str, list[str]]]:
    """Serve the origin over HTTP to those who know the password; note who came."""
    git("update-server-info", at=origin.path)
    visits: list[str] = []
    right = "Basic " + base64.b64encode(b"robot:pa55word").decode()

    def answer(request: BaseHTTPRequestHandler) -> None:
        visits.append(request.headers.get("Authorization", ""))
        path = origin.path / request.path.removeprefix("/x.git/").partition("?")[0]
        status = 401 if visits[-1] != right else 200 if path.is_file() else 404
        request.send_response(status)
        if status == 401:
            request.send_header("WWW-Authenticate", 'Basic realm="x"')
        request.end_headers()
        if status == 200:
            request.wfile.write(path.read_bytes())

    with serving(answer) as address:
        yield f"{address}/x.git", visits


async def test_a_password_opens_the_origin_and_stands_nowhere_afterwards(
    tmp_path: Path, workspaces: Workspaces, web_origin: tuple[str, list[str]]
) -> None:
    address, visits = web_origin
    origin = Origin.parse(f"http://robot:pa55word@{address}")
    there = replace(
        workspaces,
        repositories={"amelia": Repository(origin=origin, base="main")},
        git=Git(protocols=("http",)),
    )

    workspace = await there.open(DESK, "t1", 1, job_id="j", now=NOW)

    assert (workspace.path / "README.md").exists()
    assert set(visits) == {"Basic " + base64.b64encode(b"robot:pa55word").decode()}
    files = [path for path in (tmp_path / "root").rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert b"pa55word" not in path.read_bytes()
        assert b"cGE1NXdvcmQ" not in path.read_bytes()


async def test_a_wrong_password_gives_the_attempt_back_and_is_not_repeated_to_anyone(
    workspaces: Workspaces, web_origin: tuple[str, list[str]]
) -> None:
    address, _ = web_origin
    origin = Origin.parse(f"http://robot:wr0ng@{address}")
    there = replace(
        workspaces,
        repositories={"amelia": Repository(origin=origin, base="main")},
        git=Git(protocols=("http",)),
    )

    with pytest.raises(OriginUnreachable) as caught:
        await there.open(DESK, "t1", 1, job_id="j", now=NOW)

    assert "wr0ng" not in str(caught.value)
    assert base64.b64encode(b"robot:wr0ng").decode() not in str(caught.value)


async def test_a_password_is_not_carried_to_where_a_redirect_leads(
    workspaces: Workspaces, web_origin: tuple[str, list[str]]
) -> None:
    elsewhere, visits = web_origin

    def redirect(request: BaseHTTPRequestHandler) -> None:
        path = request.path.removeprefix("/x.git")
        request.send_response(302)
        request.send_header("Location", f"http://{elsewhere}{path}")
        request.end_headers()

    with serving(redirect) as address:
        there = replace(
            workspaces,
            repositories={
                "amelia": Repository(origin=Origin.parse(f"http://robot:pa55word@{address}/x.git"))
            },
            git=Git(protocols=("http",)),
        )
        with pytest.raises(OriginUnreachable):
            await there.open(DESK, "t1", 1, job_id="j", now=NOW)

    assert visits == []
