"""Takes secrets out of a program's output before anybody reads it.

It finds them as they are, wherever the output is cut into pieces. A program that encodes a
secret, or prints it letter by letter, is not understood.
"""

import re
from collections.abc import Iterable

REDACTED = b"***"
# Shorter ones guard nothing, and without them no word of a log would stay whole.
SECRET_BYTES_MIN = 4
# A key in PEM or JSON has lines that stand in a log one by one; "}" is one of them, too.
LINE_BYTES_MIN = 8


class Redaction:
    """Replaces secrets in one stream of bytes, and in whole texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Replace *secrets*, and each line of those that have several."""
        values = set()
        for secret in secrets:
            value = secret.strip().encode(errors="surrogateescape")
            lines = {line.strip() for line in value.splitlines()}
            values |= {line for line in lines if len(line) >= LINE_BYTES_MIN} | {value}
        # The longest first: of two that begin alike, both must go.
        self._values = sorted(
            (value for value in values if len(value) >= SECRET_BYTES_MIN), key=len, reverse=True
        )
        self._pattern = re.compile(b"|".join(map(re.escape, self._values)) or rb"(?!)")
        self._held = b""

    def pass_on(self, chunk: bytes) -> bytes:
        """Return what may be read of the stream now; the end may be held back."""
        text = self._held + chunk
        end = self._safe_end(text)
        self._held = text[end:]
        return self._pattern.sub(REDACTED, text[:end])

    def finish(self) -> bytes:
        """Return what was held back, when the stream has ended."""
        text, self._held = self._held, b""
        return self._pattern.sub(REDACTED, text)

    def whole(self, text: str) -> str:
        """Return a text of its own, redacted."""
        return self._pattern.sub(REDACTED, text.encode(errors="replace")).decode(errors="replace")

    def end(self, text: bytes, *, is_cut: bool) -> bytes:
        """Return the end of a stream, redacted. ``is_cut`` says that more stood before it."""
        redacted = self._pattern.sub(REDACTED, text)
        # The rest of a secret that was cut stands at the very beginning.
        return redacted[len(self._values[0]) :] if is_cut and self._values else redacted

    def _safe_end(self, text: bytes) -> int:
        """Return where a secret may begin that goes on in the next chunk."""
        end = len(text)
        for value in self._values:
            for size in range(min(len(value) - 1, len(text)), 0, -1):
                if text.endswith(value[:size]):
                    end = min(end, len(text) - size)
                    break
        # What begins within a whole secret is held with all of it.
        for match in self._pattern.finditer(text):
            if match.start() < end < match.end():
                return match.start()
        return end
