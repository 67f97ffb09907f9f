"""Bytes to text that can be stored, shown and logged, whatever the bytes are.

Mail names its own character sets, often wrongly. Nothing here fails: what cannot be
decoded becomes a replacement character.
"""

import codecs
import re
import unicodedata

# Python also calls zlib, idna, rot13 and unicode_escape encodings; a mail may not have
# them run on its bytes. UTF-7 is left out because it hides text from every filter.
_CHARSET = re.compile(
    r"utf-(?:8|8-sig|16|16-be|16-le|32|32-be|32-le)|ascii|latin-1|iso8859-\d+|cp\d+"
    r"|koi8[-_][rtu]|kz1048|mac-\w+|gb2312|gbk|gb18030|hz|big5(?:hkscs)?|johab|ptcp154|tis-620"
    r"|shift_jis\w*|euc_\w+|iso2022_\w+"
)
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
    if not charset.isascii() or "\0" in charset or len(charset) > _CHARSET_NAME_LENGTH_MAX:
        return ""
    try:
        name = codecs.lookup(charset.strip()).name
    except LookupError:
        return ""
    # Half of what is sent as ASCII is not; let the bytes decide.
    return name if _CHARSET.fullmatch(name) and name != "ascii" else ""
