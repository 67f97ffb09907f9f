"""Whether a signed text is read as it was written, where the fields that say how are not signed.

Not every domain signs ``Content-Type``. Where it is left open,
whoever has the mail can put another one on top and choose what of the text is seen: a part
of a part, or what was quoted. So the text itself has to show its form.
"""

import re
from collections.abc import Container

from hotdesk.mail.headers import Headers

# Programs write it above the first part, for readers of old.
_PREAMBLE = b"This is a multi-part message in MIME format."
_FIRST_LINE = re.compile(rb"[^\r\n]{0,300}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]*+")


def is_form_certain(headers: Headers, body: bytes, *, signed: Container[str]) -> bool:
    """Whether nobody but the signer could choose how *body* is read.

    *signed* are the names of the fields that the signature covers. A body is certain in parts
    if its first and last line mark them, and without parts if it is plain text.
    """
    text = body.strip().removeprefix(_PREAMBLE).lstrip()
    kind = headers.keyword("content-type")
    if "content-type" not in signed and not _is_of_kind(kind, headers, text):
        return False
    if kind.startswith("multipart/"):
        return True
    if "content-disposition" not in signed and _is_file(headers):
        return False
    encoding = headers.keyword("content-transfer-encoding")
    is_decoded = encoding == "base64" and "content-transfer-encoding" not in signed
    return not is_decoded or _BASE64.fullmatch(text) is not None


def _is_of_kind(kind: str, headers: Headers, text: bytes) -> bool:
    match = _FIRST_LINE.match(text)
    first = match[0].rstrip() if match else b""
    has_parts = first.startswith(b"--") and text.endswith(b"\n" + first + b"--")
    parameters = headers.parameters("content-type")
    if kind.startswith("multipart/"):
        return has_parts and first == b"--" + parameters.get("boundary", "").rstrip().encode()
    return not has_parts and kind in ("", "text/plain") and "name" not in parameters


def _is_file(headers: Headers) -> bool:
    is_attached = headers.keyword("content-disposition") == "attachment"
    return is_attached or "filename" in headers.parameters("content-disposition")
