"""A patch as git writes it, as files with their lines: bounded, and counted beyond the bounds.

What is expected is ``git diff-tree --patch --no-renames`` with its prefixes ``a/`` and ``b/``.
Everything in it was written by strangers: controls and characters that turn the
direction of writing are made visible, so that no line reads otherwise than it is.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from io import BytesIO

from hotdesk.desks import storable

FILES_MAX = 50
ROWS_MAX = 2000
ROWS_OF_FILE_MAX = 500
ROW_LENGTH_MAX = 500
BYTES_MAX = 4 * 2**20
_PATH_LENGTH_MAX = 300

_UNSEEN = (0x61C, 0x200B, 0x200E, 0x200F, 0x2028, 0x2029, 0xFEFF)
_VISIBLE = {
    **dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {0x09}, "\N{REPLACEMENT CHARACTER}"),
    **{
        code: f"⟨U+{code:04X}⟩"
        for code in (*_UNSEEN, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    },
}
# What git says about a file besides its lines, and how it is told.
_NOTES = (
    (b"new file mode 120000", "new link"),
    (b"new file mode 160000", "new submodule"),
    (b"new file", "new"),
    (b"deleted file", "deleted"),
    (b"new mode", "mode changed"),
    (b"Binary files ", "binary"),
    (b"GIT binary patch", "binary"),
)


class RowKind(StrEnum):
    """What a line of a patch says."""

    HUNK = "hunk"
    ADDED = "added"
    REMOVED = "removed"
    SAME = "same"
    NOTE = "note"


_KINDS = {
    b"@": RowKind.HUNK,
    b"+": RowKind.ADDED,
    b"-": RowKind.REMOVED,
    b" ": RowKind.SAME,
    b"\\": RowKind.NOTE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of a patch, without the sign before it."""

    kind: RowKind
    text: str

    @property
    def sign(self) -> str:
        """The sign before it, for those who do not see colours."""
        return {RowKind.ADDED: "+", RowKind.REMOVED: "\N{MINUS SIGN}"}.get(self.kind, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDiff:
    """What changed in one file. The counts are of all its lines, ``rows`` the first of them."""

    path: str
    notes: tuple[str, ...]
    insertions: int
    deletions: int
    rows: tuple[Row, ...]
    is_cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """What a commit changed. ``files`` are the first of ``file_count``.

    With ``is_cut`` the patch itself was too long: there is more than any count says.
    """

    files: tuple[FileDiff, ...] = ()
    file_count: int = 0
    insertions: int = 0
    deletions: int = 0
    is_cut: bool = False


@dataclass(slots=True)
class _File:
    """A file while its part of the patch is read."""

    path: str
    notes: list[str] = field(default_factory=list)
    insertions: int = 0
    deletions: int = 0
    rows: list[Row] = field(default_factory=list)
    count: int = 0
    has_hunks: bool = False

    def take(self, line: bytes, rows_left: int) -> int:
        """Read one line; return how many rows it took of those that are left."""
        kind = _KINDS.get(line[:1])
        if not self.has_hunks and kind is not RowKind.HUNK:
            note = next((told for begin, told in _NOTES if line.startswith(begin)), "")
            if note and note not in self.notes:
                self.notes.append(note)
            return 0
        if kind is None:
            return 0
        self.has_hunks = True
        self.count += 1
        self.insertions += kind is RowKind.ADDED
        self.deletions += kind is RowKind.REMOVED
        if len(self.rows) >= ROWS_OF_FILE_MAX or not rows_left:
            return 0
        text = line if kind is RowKind.HUNK else line[1:]
        text = text.removesuffix(b"\n").removesuffix(b"\r")
        self.rows.append(Row(kind=kind, text=_shown(text, ROW_LENGTH_MAX)))
        return 1

    def done(self) -> FileDiff:
        return FileDiff(
            path=self.path,
            notes=tuple(self.notes),
            insertions=self.insertions,
            deletions=self.deletions,
            rows=tuple(self.rows),
            is_cut=self.count > len(self.rows),
        )


def read_diff(patch: bytes) -> Diff:
    """Read what git wrote; what is behind ``BYTES_MAX`` is not looked at."""
    is_cut = len(patch) > BYTES_MAX
    files: list[_File] = []
    rows_left = ROWS_MAX
    for line in BytesIO(patch[:BYTES_MAX]):
        # Lines of files have a sign before them, so none of them begins like this.
        if line.startswith(b"diff --git "):
            path = _path(line.removeprefix(b"diff --git ").removesuffix(b"\n"))
            # A file that became a link, or the other way, stands there twice.
            if not files or files[-1].path != path:
                files.append(_File(path))
            files[-1].has_hunks = False
        elif files:
            rows_left -= files[-1].take(line, rows_left)
    return Diff(
        files=tuple(each.done() for each in files[:FILES_MAX]),
        file_count=len(files),
        insertions=sum(each.insertions for each in files),
        deletions=sum(each.deletions for each in files),
        is_cut=is_cut,
    )


def _path(names: bytes) -> str:
    """The name out of ``a/NAME b/NAME``, or of the same in quotation marks with escapes."""
    # Without renames both are the same, so that a blank between them is the one in the middle.
    name = names[: len(names) // 2]
    if name.startswith(b'"'):
        name = name[1:-1]
    return _shown(name.removeprefix(b"a/"), _PATH_LENGTH_MAX)


def _shown(text: bytes, length_max: int) -> str:
    # Cut twice: a line may be a whole file.
    decoded = text[: 4 * length_max].decode(errors="replace")
    shown = storable(decoded).translate(_VISIBLE)
    is_cut = len(shown) > length_max or len(text) > 4 * length_max
    return f"{shown[:length_max]}…" if is_cut else shown
