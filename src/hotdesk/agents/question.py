"""What an agent is asked on its input, where it takes nothing but a prompt."""

from hotdesk.agents.dialect import Turn

GUIDANCE = "The repository that you work in tells you this, in its own file for agents:"


def question(turn: Turn) -> bytes:
    """The prompt, and behind it what the repository tells agents."""
    guidance = turn.guidance.strip()
    text = f"{turn.prompt}\n\n{GUIDANCE}\n\n{guidance}" if guidance else turn.prompt
    return text.encode(errors="replace")
