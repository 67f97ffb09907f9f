"""What comes with a job reaches its agent as files of its home, and what harms does not."""

import os
from pathlib import Path

import anyio
import pytest

from hotdesk.backends.folder import FolderArchive
from hotdesk.confinement import Confinement
from hotdesk.errors import AttemptFailed, Unavailable
from hotdesk.runners import attachments
from hotdesk.runners.agent import AgentWalls
from hotdesk.runners.attachments import Attachments, Offer
from hotdesk.runners.images import Images
from tests.runners.attempts import attempt
from tests.runners.pictures import drawing, opened, photo, png, saved

pytestmark = pytest.mark.anyio


class Unreachable(FolderArchive):
    """An archive that does not answer."""

    async def get(self, key: str) -> bytes | None:
        """Fail."""
        raise Unavailable(f"no answer for {key}")


class Desk:
    """A worker with an archive, a folder of mail, and the home of its agent."""

    def __init__(self, root: Path, confinement: Confinement) -> None:
        self.root = root
        self.confinement = confinement
        self.archive = FolderArchive(root / "archive")
        self.home = root / "home"
        self.home.mkdir(mode=0o700)

    def mailed(self, name: str, content: bytes, *, folder: str = "mail") -> str:
        """Keep a file of a mail."""
        path = self.root / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return str(path)

    async def offer(self, *names: str) -> Offer:
        walls = AgentWalls(homes=self.root / "homes", steps=self.root / "steps")
        offers = Attachments(
            self.archive, Images(self.confinement, walls), owner_uid=self.confinement.uid
        )
        async with attempt(self.root, *names) as one:
            return await offers.offer(one.delivery, self.home, stop=anyio.sleep_forever)

    def read(self, path: str) -> bytes:
        """What is in a file of the home."""
        assert Path(path).resolve().is_relative_to(self.home)
        return Path(path).read_bytes()


@pytest.fixture
def desk(passable: Path, confinement: Confinement) -> Desk:
    return Desk(passable, confinement)


async def test_documents_are_offered_as_they_are_wherever_they_were_kept(desk: Desk) -> None:
    await desk.archive.put("attachments/a1/text.pdf", b"%PDF-1.7 one")
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"

    offer = await desk.offer("s3://b/attachments/a1/text.pdf", desk.mailed("logo.svg", svg))

    assert offer.notes == ()
    assert [desk.read(file.path) for file in offer.files] == [b"%PDF-1.7 one", svg]
    assert [Path(file.path).name for file in offer.files] == ["text.pdf", "logo.svg"]
    assert [file.line for file in offer.files] == [file.path for file in offer.files]


async def test_two_files_of_one_name_are_two_and_one_that_came_twice_is_one(desk: Desk) -> None:
    one = desk.mailed("a.txt", b"one", folder="mail1")
    two = desk.mailed("a.txt", b"two", folder="mail2")

    offer = await desk.offer(one, two, desk.mailed("a.txt", b"one", folder="mail3"))

    assert [desk.read(file.path) for file in offer.files] == [b"one", b"two"]


async def test_a_picture_is_offered_itself_and_as_a_copy_to_be_looked_at(desk: Desk) -> None:
    large = saved(photo(3136, 1000), "JPEG")

    offer = await desk.offer(desk.mailed("garden.jpg", large))

    (file,) = offer.files
    assert desk.read(file.path) == large
    assert opened(desk.read(file.shown)).size == (1568, 500)
    assert file.line == (
        f"{file.path} (a picture of 3136 x 1000 pixels; to look at it, read {file.shown})"
    )


async def test_one_picture_under_two_names_has_one_copy(desk: Desk) -> None:
    content = saved(drawing(), "PNG")

    offer = await desk.offer(desk.mailed("a.png", content), desk.mailed("b.png", content))

    assert [Path(file.path).name for file in offer.files] == ["a.png", "b.png"]
    assert len({file.shown for file in offer.files}) == 1


@pytest.mark.parametrize(
    ("name", "form", "becomes"),
    [
        ("logo.jpg", "PNG", "logo.jpg.png"),
        ("logo", "GIF", "logo.gif"),
        ("LOGO.PNG", "PNG", "LOGO.PNG"),
        ("photo.JPEG", "JPEG", "photo.JPEG"),
        ("notes.txt", "WEBP", "notes.txt.webp"),
    ],
)
async def test_a_picture_is_what_its_content_says_and_so_is_its_name(
    desk: Desk, name: str, form: str, becomes: str
) -> None:
    offer = await desk.offer(desk.mailed(name, saved(drawing(), form)))

    assert [Path(file.path).name for file in offer.files] == [becomes]
    assert offer.files[0].shown


async def test_a_bad_picture_is_left_out_with_a_word_and_the_others_are_not(desk: Desk) -> None:
    good = saved(drawing(), "PNG")

    offer = await desk.offer(
        desk.mailed("broken.jpg", saved(photo(), "JPEG")[:999]),
        desk.mailed("bomb.png", png(50_000, 50_000)),
        desk.mailed("page.png", b"<html>no picture</html>"),
        desk.mailed("good.png", good),
    )

    assert offer.notes == (
        "broken.jpg was not shown to the agent: it is damaged.",
        "bomb.png was not shown to the agent: it has more than 50 million pixels.",
        "page.png was not shown to the agent: it is not a picture, though its name says so.",
    )
    assert [desk.read(file.path) for file in offer.files] == [good]
    assert len([path for path in desk.home.rglob("*") if path.is_file()]) == 2


async def test_a_picture_that_nobody_here_can_open_is_a_document_with_a_word(desk: Desk) -> None:
    heic = b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(100)

    offer = await desk.offer(desk.mailed("foto.heic", heic))

    assert offer.notes == ("foto.heic is a HEIC picture, which the agent cannot look at.",)
    assert [desk.read(file.path) for file in offer.files] == [heic]


async def test_more_pictures_than_are_good_are_left_out(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "PICTURES_MAX", 1)

    offer = await desk.offer(
        desk.mailed("a.png", png(1, 1)),
        desk.mailed("b.png", png(2, 2)),
        desk.mailed("c.png", png(1, 1)),
        desk.mailed("d.txt", b"text"),
    )

    assert [Path(file.path).name for file in offer.files] == ["a.png", "c.png", "d.txt"]
    assert offer.notes == ("b.png was not shown to the agent: more than 1 pictures came with it.",)


async def test_all_pictures_share_a_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "PICTURES_SECONDS_MAX", 0)

    offer = await desk.offer(desk.mailed("a.png", png(1, 1)), desk.mailed("b.txt", b"text"))

    assert [Path(file.path).name for file in offer.files] == ["b.txt"]
    assert offer.notes == ("a.png was not shown to the agent: there was no time for it.",)


async def test_a_file_that_is_too_large_is_left_out(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "FILE_BYTES_MAX", 10)
    await desk.archive.put("attachments/a1/far.txt", b"x" * 11)

    offer = await desk.offer(
        desk.mailed("near.txt", b"x" * 11),
        "s3://b/attachments/a1/far.txt",
        desk.mailed("small.txt", b"x" * 10),
    )

    assert [Path(file.path).name for file in offer.files] == ["small.txt"]
    assert offer.notes == (
        "near.txt is too large, so the agent did not get it.",
        "far.txt is too large, so the agent did not get it.",
    )


async def test_what_retention_has_removed_is_left_out_with_a_word(desk: Desk) -> None:
    os.mkfifo(desk.root / "pipe")

    offer = await desk.offer(
        "s3://b/attachments/a1/plan.txt",
        str(desk.root / "mail/gone.txt"),
        str(desk.root / "pipe"),
        str(desk.root),
    )

    assert offer.files == ()
    assert offer.notes[:2] == (
        "plan.txt is not kept any more, so the agent did not get it.",
        "gone.txt is not kept any more, so the agent did not get it.",
    )
    assert len(offer.notes) == 4


@pytest.mark.parametrize(
    "hostile",
    [
        "s3://b/sessions/a/b/t1/1",
        "s3://b/attachments/..",
        "s3://b/attachments/../sessions/a",
        "s3://b/attachments//x",
        "s3://b/attachments/a1/.x",
        "s3://b",
        "s3://b/attachments/",
        "s3://b/attachments",
        "s3://b/attachments/a\0b",
    ],
)
async def test_nothing_but_attachments_is_fetched(desk: Desk, hostile: str) -> None:
    desk.archive = Unreachable(desk.root)

    assert (await desk.offer(hostile)).files == ()


async def test_an_archive_that_does_not_answer_gives_the_attempt_back(desk: Desk) -> None:
    desk.archive = Unreachable(desk.root)

    with pytest.raises(AttemptFailed) as caught:
        await desk.offer("s3://b/attachments/a1/x")

    assert caught.value.is_given_back


@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        (".bashrc", ".bashrc"),
        ("-rf", "-rf"),
        ("...", "attachment"),
        ("a\nb\x1b[31m.txt", "a_b_[31m.txt"),
        ("right\u202etxt.exe", "right_txt.exe"),
        ("\u00e9" * 120 + ".markdown", "\u00e9" * 70 + ".markdown"),
        ("a." + "b" * 200, "a." + "b" * 148),
        ("two words & more;$(id).txt", "two words & more;$(id).txt"),
    ],
)
async def test_no_name_leads_out_of_the_home_or_controls_a_terminal(
    desk: Desk, name: str, becomes: str
) -> None:
    offer = await desk.offer(desk.mailed(name, b"text"))

    assert [Path(file.path).name for file in offer.files] == [becomes]
    assert desk.read(offer.files[0].path) == b"text"


async def test_a_remote_name_with_a_backslash_or_a_percent_sign_is_only_a_name(desk: Desk) -> None:
    for key in ("attachments/a1/x\\..\\y", "attachments/a1/%2e%2e%2fx"):
        await desk.archive.put(key, b"text")

    offer = await desk.offer("s3://b/attachments/a1/x\\..\\y", "s3://b/attachments/a1/%2e%2e%2fx")

    assert [desk.read(file.path) for file in offer.files] == [b"text", b"text"]


@pytest.mark.skipif(os.getuid() != 0, reason="gives files to another user")
async def test_the_files_are_the_agents_and_the_home_is_not_yet(desk: Desk) -> None:
    uid = desk.confinement.uid

    await desk.offer(desk.mailed("a.png", png(1, 1)), desk.mailed("b.txt", b"text"))

    assert {path.stat().st_uid for path in desk.home.rglob("*")} == {uid}
    assert len([*desk.home.rglob("*")]) == 7
    assert desk.home.stat().st_uid == 0


async def test_a_home_that_cannot_be_written_gives_the_attempt_back(desk: Desk) -> None:
    (desk.home / "attachments").touch()

    with pytest.raises(AttemptFailed) as caught:
        await desk.offer(desk.mailed("a.txt", b"text"))

    assert caught.value.is_given_back
