"""Bytes to text that can be stored, shown and logged, whatever the bytes are.

Mail names its own character sets, often wrongly. Nothing here fails: what cannot be
decoded becomes a replacement character.
"""

import encodings
import pkgutil
import re
import unicodedata
from encodings.aliases import aliases

# Python also calls zlib, idna, rot13 and unicode_escape encodings; a mail may not have
# them run on its bytes. UTF-7 is left out because it hides text from every filter.
# ASCII is too: half of what is sent under its name is not; let the bytes decide.
_CODEC = re.compile(
    r"utf_(?:8|8_sig|16|16_be|16_le|32|32_be|32_le)|latin_1|iso8859_\d+|cp\d+"
    r"|koi8_[rtu]|kz1048|mac_\w+|gb2312|gbk|gb18030|hz|big5(?:hkscs)?|johab|ptcp154|tis_620"
    r"|shift_jis\w*|euc_\w+|iso2022_\w+"
)
# Made once: Python tries to import what it does not know, and remembers each name for ever,
# so looking up what a mail says would take its time and our memory.
_CODECS = {
    name: codec
    for name, codec in {
        **{module.name: module.name for module in pkgutil.iter_modules(encodings.__path__)},
        **aliases,
    }.items()
    if _CODEC.fullmatch(codec)
}
_PUNCTUATION = re.compile(r"[^a-z0-9]+")
_CHARSET_NAME_LENGTH_MAX = 40

_CONTROLS = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {0x09, 0x0A})
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def decoded(raw: bytes, charset: str = "") -> str:
    """Decode *raw*; without a usable *charset* as UTF-8, and if it is not that, as Windows-1252."""
    if name := _codec_name(charset):
        return raw.decode(name, "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def storable(text: str) -> str:
    """Replace the halves of surrogate pairs, which no file and no database can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def plain_text(text: str) -> str:
    r"""Return *text* with ``\n`` at the end of lines and no other control character but tabs."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)


def label(text: str, *, length_max: int) -> str:
    """Return *text* as one line for a list or a header, without what cannot be seen.

    Control characters, zero-width ones and those that turn the direction of writing
    are removed: a name that shows as another name is a lie.
    """
    spaced = "".join(" " if c.isspace() else c for c in text[: 4 * length_max])
    visible = "".join(c for c in spaced if unicodedata.category(c) not in _INVISIBLE)
    return " ".join(visible.split())[:length_max].rstrip()


def _codec_name(charset: str) -> str:
    """Return Python's name for *charset*, or nothing if it has none that a mail may use."""
    if len(charset) > _CHARSET_NAME_LENGTH_MAX:
        return ""
    return _CODECS.get(_PUNCTUATION.sub("_", charset.lower()).strip("_"), "")
