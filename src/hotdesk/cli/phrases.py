"""What an event says, in the words of people; what is not worded here is shown as it is."""

from collections.abc import Callable, Mapping

from hotdesk.desks import Json

Details = Mapping[str, Json]
LEAST = 0.0001
"""Dollars; what is less is not nothing."""


def phrase(kind: str, details: Details) -> str:
    """The details of an event as one phrase."""
    words = _WORDS.get(kind, _as_it_is)
    return words(details)


def dollars(amount: object) -> str:
    """An amount of money; a run of an agent often costs less than a cent."""
    if not isinstance(amount, int | float):
        return ""
    return f"less than ${LEAST}" if 0 < amount < LEAST else f"${float(amount):.4f}"


def _as_it_is(details: Details) -> str:
    return " ".join(f"{name}={value}" for name, value in details.items() if value)


def _agent_began(details: Details) -> str:
    model = f" with {details['model']}" if details.get("model") else ""
    return f"{details.get('agent')}{model}" + (
        ", which goes on with its conversation" if details.get("is_resumed") else ""
    )


def _agent_ended(details: Details) -> str:
    turns = details.get("turns")
    said = [
        f"{details.get('agent')}: {details.get('problem') or 'done'}",
        f"{turns} turn{'s'[: turns != 1]}",
        f"{details.get('tokens_in')} tokens in, {details.get('tokens_out')} out",
        dollars(details.get("cost_usd")),
    ]
    return ", ".join(each for each in said if each)


def _tool_used(details: Details) -> str:
    return f"{details.get('tool')} {details.get('target')}".rstrip()


def _step_ended(details: Details) -> str:
    seconds = details.get("seconds")
    took = f" after {seconds:.1f}s" if isinstance(seconds, int | float) else ""
    command = f": {details['command']}" if details.get("command") else ""
    return f"{details.get('step')}{command}: exit code {details.get('exit_code')}{took}"


def _mail(details: Details) -> str:
    said = f"from {details.get('sender')}"
    if envelope := details.get("envelope"):
        said += f" (by its envelope {envelope})"
    if recipient := details.get("recipient"):
        said += f" to {recipient}"
    if by := details.get("by"):
        said += f", by {by}"
    if proof := details.get("proof"):
        said += f", proved by {proof}"
    if role := details.get("role"):
        said += f", as {role}"
    return f"{said}: {reason}" if (reason := details.get("reason")) else said


_WORDS: Mapping[str, Callable[[Details], str]] = {
    "AgentBegan": _agent_began,
    "ToolUsed": _tool_used,
    "AgentEnded": _agent_ended,
    "StepEnded": _step_ended,
    **dict.fromkeys(
        ("MailTaken", "MailHeld", "MailApproved", "MailDropped", "MailRefused", "MailIgnored"),
        _mail,
    ),
}
