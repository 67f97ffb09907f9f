"""The gaps are those of tests that there are."""

from pathlib import Path

from tests.emulators.gaps import GAPS
from tests.emulators.server import ROOT


def test_every_gap_names_a_test_that_is_there() -> None:
    files: list[Path] = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("src/hotdesk/testing/*.py")]
    code = "".join(each.read_text() for each in files)

    unknown = [name for gaps in GAPS.values() for name in gaps if f"def {name}(" not in code]

    assert not unknown
