"""Pictures for tests, good ones and hostile ones, made on the spot."""

import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import Image


def saved(picture: Image.Image, form: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's own
    """A picture as the bytes of a file."""
    file = BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def opened(content: bytes) -> Image.Image:
    """The picture in a file, read to its end."""
    picture = Image.open(BytesIO(content))
    picture.load()
    return picture


def photo(width: int = 400, height: int = 300) -> Image.Image:
    """A picture with as many colours as a photograph."""
    bands = [Image.effect_noise((width, height), spread) for spread in (20, 50, 80)]
    return Image.merge("RGB", bands)


def drawing(width: int = 400, height: int = 300) -> Image.Image:
    """A picture of two colours: red on the left, and blue."""
    picture = Image.new("RGB", (width, height), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, width // 2, height))
    return picture


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def png(width: int, height: int, *extra: bytes) -> bytes:
    """A black PNG of any size, in one bit for each pixel, with chunks of one's own."""
    row = bytes(1 + (width + 7) // 8)
    packer = zlib.compressobj(1)
    rows_at_once = row * min(height, 1000)
    packed = b"".join(packer.compress(rows_at_once) for _ in range(0, height, 1000))
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), *extra, _chunk(b"IDAT", packed + packer.flush()))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + _chunk(b"IEND", b"")


def text_chunk(size: int) -> bytes:
    """A comment in a PNG that unpacks to *size* bytes."""
    return _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(size), 1))


def gif(frames: int) -> bytes:
    """An animation of two pixels, black and white."""
    frame = b"\x2c\0\0\0\0\2\0\1\0\0\2\2\x44\x0a\0"
    table = b"\0\0\0\xff\xff\xff"
    return b"GIF89a\2\0\1\0\x80\0\0" + table + frame * frames + b"\x3b"
