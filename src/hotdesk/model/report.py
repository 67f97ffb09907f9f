"""What a search found, in sentences and as data."""

from collections.abc import Iterator

from hotdesk.desks import Json
from hotdesk.model.search import Verdict
from hotdesk.model.state import NO_SEND, Do, Owner, Result, State
from hotdesk.model.worlds import World


def lines(world: World, verdict: Verdict, seconds: float) -> Iterator[str]:
    """The verdict; with the steps to the nearest bad state if there is one."""
    cost = f"{verdict.states} states, {verdict.depth} steps deep, {seconds:.1f} s"
    if verdict.is_cut:
        yield f"UNKNOWN {world.name}: too large, cut short: {cost} ({world.setup})"
        return
    if not verdict.broken:
        yield f"holds   {world.name}: {cost} ({world.setup})"
        return
    yield f"BROKEN  {world.name}: {verdict.broken}: {cost} ({world.setup})"
    for number, words in enumerate(verdict.trace, start=1):
        yield f"{number:5}. {words}"
    if verdict.last is not None:
        yield from (f"       {words}" for words in scene(verdict.last))


def heading() -> str:
    """The names of the columns of ``row``."""
    return _row("mutant", "states", "steps", "world", "promise that it breaks")


def row(world: World, verdict: Verdict) -> str:
    """How soon a mutant was found: states until then, and the steps of the shortest trace."""
    steps = str(len(verdict.trace)) if verdict.broken else "-"
    promise = verdict.broken or "NOT FOUND"
    return _row(world.name, str(verdict.states), steps, str(world.setup), promise)


def _row(name: str, states: str, steps: str, setup: str, promise: str) -> str:
    return f"{name:26}{states:>7}{steps:>7}  {setup:46}{promise}"


def data(world: World, verdict: Verdict, seconds: float) -> dict[str, Json]:
    """The same for programs."""
    return {
        "world": world.name,
        "shows": world.shows,
        "setup": str(world.setup),
        "states": verdict.states,
        "depth": verdict.depth,
        "steps": len(verdict.trace),
        "seconds": round(seconds, 1),
        "is_cut": verdict.is_cut,
        "broken": verdict.broken,
        "trace": list(verdict.trace),
    }


def scene(state: State) -> Iterator[str]:
    """A state in sentences: the desk, its messages, its jobs, its workers."""
    desk = state.desk
    owner = {Owner.NOBODY: "nobody", Owner.LAPSED: "a lapsed owner", Owner.LIVE: "a live owner"}
    yield (
        f"The desk has {owner[desk.owner]}; pending: {_listed(desk.pending)}; active: "
        f"{'nothing' if desk.active == NO_SEND else desk.active}"
        f"{'; asked' * desk.is_asked}{'; paused' * desk.is_paused}."
    )
    requests = state.requests + state.is_held_visible
    yield f"In its queue: {_listed(state.queue)}; visible claim requests: {requests}."
    for number, job in enumerate(state.jobs):
        outcome = "" if job.outcome is Result.NONE else f", {job.outcome.name.lower()}"
        yield (
            f"Job {number}: workflow at {job.at.name.lower()}{outcome}, send {job.number}, "
            f"attempt {job.attempt}{', owed' * job.is_owed}."
        )
    for place, worker in enumerate(state.workers):
        what = "dead" if worker.do is Do.NOTHING else worker.do.name.lower().replace("_", " ")
        yield f"Worker {place}: {what}{'' if worker.send == NO_SEND else f' {worker.send}'}."


def _listed(items: tuple[object, ...]) -> str:
    return ", ".join(map(str, items)) or "nothing"
