"""The settings on the page on agents are right."""

import tomllib
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from hotdesk.agents.prompt import NAMES
from hotdesk.config import Config
from hotdesk.wiring.agents import agents_of

PAGE = (Path(__file__).parents[2] / "docs/agents.md").read_text(encoding="utf-8")
BLOCKS = [
    token.content
    for token in MarkdownIt("commonmark").parse(PAGE)
    if token.type == "fence" and token.info == "toml"
]


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_the_settings_on_the_page_make_agents(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "DEPLOY_TOKEN"):
        monkeypatch.setenv(name, "made-up")

    agents = agents_of(Config.model_validate(tomllib.loads(block)))

    assert [agent.dialect.name for agent in agents.values()] == ["claude"]


def test_the_page_names_every_prompt() -> None:
    assert [name for name in NAMES if f"[`{name}`]" not in PAGE] == []
