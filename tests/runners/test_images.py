"""Pictures that came by mail are made anew by a small program within walls."""

import json
import math
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image, ImageCms

from hotdesk.confinement import Confinement, find_confinement
from hotdesk.desks import Claim, Desk
from hotdesk.runners import images
from hotdesk.runners.agent import AgentWalls
from hotdesk.runners.images import SIDE_MAX, Images, NotShown, Shown, form_of
from hotdesk.runners.interpreter import interpreter
from tests.runners.pictures import drawing, gif, opened, photo, png, saved, text_chunk
from tests.runners.programs import UIDS

CLAIM = Claim(desk=Desk("amelia", "scott"), generation=3, worker_id="w1")
Show = Callable[[bytes], Awaitable[Shown | NotShown]]


@pytest.fixture
def walls(passable: Path) -> AgentWalls:
    (passable / "data").mkdir()
    (passable / "data/secret").write_text("made-up")
    return AgentWalls(
        homes=passable / "homes", steps=passable / "steps", hidden=(passable / "data",)
    )


@pytest.fixture
def show(confinement: Confinement, walls: AgentWalls) -> Show:
    """Show a picture; the program leaves nothing behind."""

    async def show(content: bytes) -> Shown | NotShown:
        shown = await Images(confinement, walls).show(content, CLAIM, stop=anyio.sleep_forever)
        assert [path for path in (walls.homes / ".pictures").rglob("*") if path.is_file()] == []
        assert not (walls.homes / ".pictures/amelia/scott/3").exists()
        return shown

    return show


async def picture(show: Show, content: bytes) -> Image.Image:
    """What an agent gets to see."""
    shown = await show(content)
    assert isinstance(shown, Shown), shown
    made = opened(shown.content)
    assert shown.suffix == {"PNG": ".png", "JPEG": ".jpg"}[made.format or ""]
    return made


async def refusal(show: Show, content: bytes) -> str:
    """Why an agent does not get to see it."""
    shown = await show(content)
    assert isinstance(shown, NotShown)
    return shown.why


def is_near(pixel: object, colour: tuple[int, ...]) -> bool:
    """Whether a pixel has about this colour, as a JPEG does not keep it exactly."""
    return isinstance(pixel, tuple) and math.dist(pixel, colour) < 20


@pytest.mark.anyio
class TestShowing:
    """Good pictures."""

    async def test_a_large_photograph_becomes_a_jpeg_that_need_not_be_scaled_again(
        self, show: Show
    ) -> None:
        shown = await show(saved(photo(3000, 1500), "JPEG"))

        assert isinstance(shown, Shown)
        assert (shown.width, shown.height, shown.suffix) == (3000, 1500, ".jpg")
        assert opened(shown.content).size == (SIDE_MAX, SIDE_MAX // 2)

    async def test_a_small_picture_keeps_its_size(self, show: Show) -> None:
        assert (await picture(show, saved(photo(40, 3), "JPEG"))).size == (40, 3)

    async def test_a_drawing_keeps_its_colours(self, show: Show) -> None:
        made = await picture(show, saved(drawing(), "PNG"))

        assert made.format == "PNG"
        assert made.getpixel((1, 1)) == (255, 0, 0)
        assert made.getpixel((399, 1)) == (0, 0, 255)

    async def test_what_is_transparent_stays_so(self, show: Show) -> None:
        given = photo().convert("RGBA")
        given.putalpha(Image.linear_gradient("L").resize(given.size))

        made = await picture(show, saved(given, "PNG"))

        assert (made.format, made.mode) == ("PNG", "RGBA")
        assert made.getextrema()[-1] == (0, 255)

    async def test_transparency_that_nothing_has_does_not_make_a_photograph_large(
        self, show: Show
    ) -> None:
        assert (await picture(show, saved(photo().convert("RGBA"), "PNG"))).format == "JPEG"

    async def test_a_grey_photograph_is_no_drawing(self, show: Show) -> None:
        assert (await picture(show, saved(photo().convert("L"), "PNG"))).format == "JPEG"

    @pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
    async def test_every_format_is_read(self, show: Show, form: str) -> None:
        made = await picture(show, saved(drawing(), form))

        assert made.size == (400, 300)
        assert is_near(made.convert("RGB").getpixel((50, 50)), (255, 0, 0))

    @pytest.mark.parametrize(
        ("mode", "form"),
        [("1", "PNG"), ("P", "PNG"), ("LA", "PNG"), ("CMYK", "JPEG"), ("CMYK", "TIFF")],
    )
    async def test_every_kind_of_colour_is_read(self, show: Show, mode: str, form: str) -> None:
        made = await picture(show, saved(drawing().convert(mode), form))

        expected = drawing().convert(mode).convert("RGB").getpixel((50, 50))
        assert isinstance(expected, tuple)
        assert is_near(made.convert("RGB").getpixel((50, 50)), expected)

    async def test_a_palette_may_be_transparent(self, show: Show) -> None:
        given = Image.new("P", (20, 20), 0)
        given.putpalette([0, 0, 0, 255, 0, 0])
        given.paste(1, (0, 0, 10, 20))

        made = await picture(show, saved(given, "GIF", transparency=0))

        assert made.getpixel((2, 2)) == (255, 0, 0, 255)
        assert made.getextrema()[-1] == (0, 255)

    async def test_sixteen_bits_of_grey_are_not_white(self, show: Show) -> None:
        made = await picture(show, saved(Image.new("I;16", (20, 20), 128 * 256), "PNG"))

        assert is_near(made.convert("RGB").getpixel((9, 9)), (128, 128, 128))

    @pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
    async def test_a_photograph_stands_upright_and_does_not_tell_where_it_was_taken(
        self, show: Show, form: str
    ) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6  # To be turned by a quarter, clockwise.
        exif[0x010E] = "a secret"
        exif.get_ifd(0x8825)[1] = "N"

        icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        content = saved(drawing(3000, 2000), form, exif=exif, dpi=(72, 72), icc_profile=icc)

        made = await picture(show, content)

        assert made.size == (1045, SIDE_MAX)
        assert is_near(made.convert("RGB").getpixel((500, 100)), (255, 0, 0))
        assert not made.getexif()
        assert {"comment", "icc_profile", "exif", "dpi"} & {*made.info} == set()

    async def test_of_an_animation_the_first_picture_is_shown(self, show: Show) -> None:
        made = await picture(show, gif(10_000))

        assert (made.size, getattr(made, "n_frames", 1)) == ((2, 1), 1)

    async def test_the_largest_picture_that_is_taken_fits_into_the_memory(self, show: Show) -> None:
        large = Image.new("RGBA", (7000, 7100), (1, 2, 3, 4))

        assert (await picture(show, saved(large, "PNG", compress_level=1))).width == 1546

    @pytest.mark.parametrize("mode", find_confinement().usable, ids=lambda found: str(found.mode))
    async def test_it_is_the_same_in_every_mode_whose_programs_can_reach_python(
        self, walls: AgentWalls, mode: Confinement
    ) -> None:
        confinement = mode if mode.uid is None else replace(mode, uid=next(UIDS))

        shown = await Images(confinement, walls).show(
            saved(photo(), "JPEG"), CLAIM, stop=anyio.sleep_forever
        )

        # Where files are not hidden they are not shown either: root's Python may be shut away.
        assert isinstance(shown, Shown) or (
            not confinement.hides_files and "on this machine" in shown.why
        )


@pytest.mark.anyio
class TestHostility:
    """Bad pictures, and a program that a picture has taken over."""

    async def test_a_bomb_is_refused_before_it_is_unpacked(self, show: Show) -> None:
        bomb = png(50_000, 50_000)

        assert len(bomb) < 2_000_000
        assert await refusal(show, bomb) == "it has more than 50 million pixels"

    async def test_one_pixel_too_many_is_one_too_many(self, show: Show) -> None:
        assert "million pixels" in await refusal(show, png(50_000_001, 1))

    async def test_a_comment_that_unpacks_without_end_is_refused(self, show: Show) -> None:
        assert await refusal(show, png(10, 10, text_chunk(300_000_000))) == "it is damaged"

    @pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "AVIF"])
    async def test_a_picture_that_breaks_off_is_refused(self, show: Show, form: str) -> None:
        content = saved(photo(), form)

        assert await refusal(show, content[: len(content) // 2]) == "it is damaged"

    async def test_a_start_of_a_picture_alone_is_refused(self, show: Show) -> None:
        assert await refusal(show, b"\xff\xd8\xff") == "it is damaged"

    async def test_only_the_format_that_it_began_as_is_tried(
        self, show: Show, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(images, "form_of", lambda _: "PNG")

        assert await refusal(show, saved(photo(), "JPEG")) == "it is damaged"

    async def test_what_a_library_complains_about_is_not_taken_for_the_answer(
        self, show: Show, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        find = "    sys.path.append(site)\n"
        code = images.CODE.replace(find, f"{find}    os.write(2, b'warning')\n")
        monkeypatch.setattr(images, "CODE", code)

        assert isinstance(await show(png(1, 1)), Shown)

    async def test_a_picture_that_needs_too_much_memory_is_refused(
        self, show: Show, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert images.LIMITS.memory_bytes
        little = replace(images.LIMITS, memory_bytes=200 << 20)
        monkeypatch.setattr(images, "LIMITS", little)

        assert await refusal(show, png(7000, 7000)) in {"it needs too much memory", "it is damaged"}

    async def test_a_picture_that_takes_too_long_is_refused(
        self, show: Show, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(images, "SECONDS_MAX", 0.3)
        monkeypatch.setattr(images, "CODE", "import signal\nwhile True: signal.pause()")

        assert await refusal(show, png(1, 1)) == "it takes too long to open"

    async def test_a_picture_that_needs_too_much_computing_is_refused(
        self, show: Show, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        busy = images.CODE.replace("    sys.path.append(site)\n", "    while True: pass\n")
        monkeypatch.setattr(images, "CPU_SECONDS_MAX", 1)
        monkeypatch.setattr(images, "CODE", busy)

        assert await refusal(show, png(1, 1)) == "it takes too long to open"

    @pytest.mark.needs("bwrap")
    async def test_it_needs_nothing_else_of_what_is_installed(
        self, confinement: Confinement, walls: AgentWalls
    ) -> None:
        walls = replace(walls, hidden=(interpreter().site, Path(images.__file__).parents[2]))

        shown = await Images(confinement, walls).show(
            saved(photo(), "WEBP"), CLAIM, stop=anyio.sleep_forever
        )

        assert isinstance(shown, Shown)

    @pytest.mark.needs("bwrap")
    async def test_a_program_that_was_taken_over_reaches_neither_files_nor_network_nor_hotdesk(
        self, confinement: Confinement, walls: AgentWalls, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # As where all of it is installed in a home.
        walls = replace(walls, hidden=(*walls.hidden, interpreter().site))
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = server.getsockname()
            tries = {
                "a secret": f"open({str(walls.hidden[0] / 'secret')!r}).read()",
                "a file of its own": "open('mine', 'wb', 0).write(b'x')",
                "the network": f"__import__('socket').create_connection({address!r}, 1)",
                "hotdesk": "__import__('hotdesk')",
                "pydantic": "sys.path.append(sys.argv[1]); __import__('pydantic')",
                "the environment": "__import__('os').environ['HOME_OF_WORKER']",
            }
            code = (
                "import json, sys\nreached = 0\n"
                f"for number, code in enumerate({[*tries.values()]!r}):\n"
                "    try:\n        exec(code)\n        reached += 2 ** number\n"
                "    except (OSError, ImportError, KeyError):\n        pass\n"
                "said = json.dumps({'width': reached, 'height': 1}).encode()\n"
                "sys.stdout.buffer.write(said + b'\\n\\x89PNG\\r\\n\\x1a\\n')\n"
            )
            monkeypatch.setattr(images, "CODE", code)
            shown = await Images(confinement, walls).show(
                png(1, 1), CLAIM, stop=anyio.sleep_forever
            )

        assert isinstance(shown, Shown)
        assert [name for number, name in enumerate(tries) if shown.width & 2**number] == []

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"no json\n\x89PNG\r\n\x1a\n",
            b'{"width": 1, "height": 1}\n<html>',
            b'{"width": 1}\n\x89PNG\r\n\x1a\n',
            b"[1, 1]\n\x89PNG\r\n\x1a\n",
            b'{"width": "wide", "height": 1}\n\x89PNG\r\n\x1a\n',
            b'{"width": 1e999, "height": 1}\n\x89PNG\r\n\x1a\n',
            b"[" * 100_000 + b"\n\x89PNG\r\n\x1a\n",
            b'{"width": 1, "height": 1}\nGIF89a',
        ],
    )
    async def test_a_program_that_was_taken_over_cannot_make_up_an_answer(
        self, show: Show, monkeypatch: pytest.MonkeyPatch, answer: bytes
    ) -> None:
        monkeypatch.setattr(images, "CODE", f"import sys; sys.stdout.buffer.write({answer!r})")

        assert await refusal(show, png(1, 1)) == "it is damaged"

    async def test_an_answer_without_end_is_refused(
        self, show: Show, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begin = json.dumps({"width": 1, "height": 1}).encode() + b"\n\x89PNG\r\n\x1a\n"
        code = f"import sys\nsys.stdout.buffer.write({begin!r} + bytes(30_000_000))"
        monkeypatch.setattr(images, "CODE", code)

        assert await refusal(show, png(1, 1)) == "it is too large, even scaled down"

    async def test_it_is_given_up_when_it_should_stop(
        self, confinement: Confinement, walls: AgentWalls
    ) -> None:
        stopped = anyio.Event()
        stopped.set()

        shown = await Images(confinement, walls).show(
            saved(photo(), "PNG"), CLAIM, stop=stopped.wait
        )

        assert shown == NotShown(why="there was no time for it")

    async def test_what_a_killed_worker_left_is_removed(
        self, show: Show, walls: AgentWalls
    ) -> None:
        left = walls.homes / ".pictures/amelia/scott/2"
        left.mkdir(parents=True)
        (walls.homes / ".pictures/.trash").mkdir()

        await show(png(1, 1))

        assert not left.exists()


def test_only_the_program_pythons_library_and_pillow_are_shown_to_it() -> None:
    python = interpreter()

    assert python.program.is_file()
    assert all(path.exists() for path in python.needed)
    installed = Path(pytest.__file__).parent
    assert not [path for path in python.needed if installed.is_relative_to(path)]
    assert python.program.parent.parent not in python.needed
    assert os.access(python.program, os.X_OK)


BOX = b"\0\0\0\x1cftyp"


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (BOX + b"avif\0\0\0\0avifmif1", "AVIF"),
        (BOX + b"mif1\0\0\0\0mif1avif", "AVIF"),
        (BOX + b"heic\0\0\0\0mif1heic", "HEIC"),
        (BOX + b"isom\0\0\0\0mp42avc1", ""),
        (b"\xff\xff\xff\xffftypheic", "HEIC"),
        (b"BMW is a car, and this is a text about it.", ""),
        (b"BM", ""),
        (b"RIFF\0\0\0\0WAVEfmt ", ""),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", ""),
        (b"<?xml version='1.0'?><svg/>", ""),
        (b"%PDF-1.7", ""),
        (b"PK\3\4", ""),
        (b"", ""),
    ],
)
def test_a_picture_is_known_by_how_it_begins(content: bytes, form: str) -> None:
    assert form_of(content) == form


@given(some.binary(max_size=40), some.sampled_from([b"", BOX, b"BM", b"RIFF", b"\xff\xd8"]))
def test_any_beginning_is_one_of_the_formats_or_none(content: bytes, start: bytes) -> None:
    assert form_of(start + content) in {*images.SUFFIXES, images.HEIC, ""}
