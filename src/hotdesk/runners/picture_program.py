"""Opens one picture and writes it anew, small and without anything that was hidden in it.

A program of its own: the worker never decodes what came by mail. It runs within walls, with
Pillow and Python's own library in reach and nothing else of Hotdesk. The picture comes on
standard input; the answer is a line of JSON and the new picture, or an exit status.
"""

import io
import json
import os
import resource
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

TOO_LARGE = 3
TOO_MUCH_MEMORY = 4
# A flat drawing or a diagram; a photograph has tens of thousands.
FEW_COLOURS = 4096
JPEG_QUALITY = 85


def main(site: str, form: str, side_max: int, pixels_max: int, seconds_max: int) -> int:
    """Read, scale and write; return the exit status."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds_max, seconds_max))
    # Libraries write warnings there, and both streams lead to the worker.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sys.path.append(site)
    from PIL import Image, ImageOps  # noqa: PLC0415 - found only now

    Image.MAX_IMAGE_PIXELS = pixels_max
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        with Image.open(io.BytesIO(sys.stdin.buffer.read()), formats=(form,)) as picture:
            width, height = picture.size
            small: Image.Image = picture
            if picture.mode.startswith("I"):
                # 16 bits of grey: a conversion would take all above 255 for white.
                small = picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
            elif picture.mode not in {"L", "RGB", "RGBA"}:
                small = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
            small.thumbnail((side_max, side_max), reducing_gap=2.0)
            small = ImageOps.exif_transpose(small)
        if small.has_transparency_data:
            small = small.convert("RGBA")
            is_opaque = small.getextrema()[-1] == (255, 255)
            small = small.convert("RGB") if is_opaque else small
        # Nothing of the metadata is taken along: neither a place nor a thumbnail.
        fresh = Image.new(small.mode, small.size)
        fresh.paste(small)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return TOO_LARGE
    except MemoryError:
        return TOO_MUCH_MEMORY
    written = _written(fresh, "PNG") if fresh.mode == "RGBA" else _written(fresh, "JPEG")
    if fresh.mode != "RGBA" and fresh.getcolors(FEW_COLOURS) is not None:
        # A drawing keeps its edges, and is smaller; a grey photograph is not.
        written = min(written, _written(fresh, "PNG"), key=len)
    header = {"width": width, "height": height}
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + written)
    return 0


def _written(picture: "Image.Image", form: str) -> bytes:
    written = io.BytesIO()
    # Each format ignores what is meant for the other.
    picture.save(written, form, optimize=True, quality=JPEG_QUALITY)
    return written.getvalue()


if __name__ == "__main__":
    SITE, FORM, *numbers = sys.argv[1:]
    sys.exit(main(SITE, FORM, *map(int, numbers)))
