"""The benchmark of interrupts measures what it says, or says what it lacks."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import interrupt


def test_without_claude_code_it_says_what_sets_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupt, "CLI", tmp_path / "nowhere")

    result = CliRunner().invoke(interrupt.main, ["--runs", "3"])

    assert result.exit_code == 1
    assert "make test-agents sets it up" in result.output


@pytest.mark.agents
@pytest.mark.timeout(90)
def test_a_small_run_measures_everything() -> None:
    result = CliRunner().invoke(interrupt.main, ["--runs", "3", "--json"])

    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)["milliseconds"]
    bare, stopped, pushed = figures.values()
    assert [len(bare), len(stopped), len(pushed)] == [2, 3, 3]
    assert all(0 < first < then for first, then in zip(stopped, pushed, strict=True))
    assert all(0 < each < 20_000 for each in [*bare, *pushed])
