"""``python -m hotdesk.model``: explore the claim protocol, and say what was found.

Without options: every world and every mutant. With ``--jobs``: the world that the other
options describe. The exit status is 0 if all is as it should be: every promise holds,
and every mutant is found.
"""

import json
import resource
from collections.abc import Callable, Iterable

import click

from hotdesk.errors import Rejected
from hotdesk.model import report
from hotdesk.model.protocol import Protocol
from hotdesk.model.search import Search, Verdict
from hotdesk.model.setup import MEANINGS, USUAL, Fault, Setup
from hotdesk.model.worlds import LARGE, MUTANTS, SMALL, World

PROGRESS_EVERY = 100_000
MUTANT_NAMES = [world.name for world in MUTANTS]


def with_faults(command: Callable[..., None]) -> Callable[..., None]:
    """*command* with an option for each kind of fault."""
    for fault in reversed(Fault):
        option = click.option(f"--{fault.option}", default=0, metavar="N", help=MEANINGS[fault])
        command = option(command)
    return command


@click.command()
@click.option("--jobs", help="a number, or threads with policies: 'a:desk b:never a'")
@click.option("--workers", default=2, metavar="N", show_default=True)
@click.option("--attempts", default=USUAL.attempts_max, metavar="N", help="a job has at most")
@click.option("--preemptions", default=USUAL.preemptions_max, metavar="N", help="at most")
@with_faults
@click.option("--no-sweep", is_flag=True, help="claim requests alone bring workers")
@click.option("--mutant", type=click.Choice(MUTANT_NAMES), help="do one step wrong")
@click.option("--small", is_flag=True, help="the worlds of `make test`, and every mutant")
@click.option("--json", "is_json", is_flag=True, help="one object for each world")
def main(
    *,
    jobs: str | None,
    workers: int,
    attempts: int,
    preemptions: int,
    no_sweep: bool,
    mutant: str | None,
    small: bool,
    is_json: bool,
    **faults: int,
) -> None:
    """Explore the claim protocol of one desk: every interleaving, with bounded faults."""
    chosen = next((world for world in MUTANTS if world.name == mutant), None)
    if jobs is not None:
        try:
            setup = Setup.of(
                jobs,
                workers=workers,
                has_sweep=not no_sweep,
                attempts=attempts,
                preemptions=preemptions,
                **faults,
            )
        except Rejected as error:
            raise click.UsageError(str(error)) from None
        protocol = chosen.protocol if chosen else Protocol
        chosen = World(name=mutant or "world", shows="", setup=setup, protocol=protocol)
    if chosen is not None:
        is_good = explore([chosen], is_json=is_json, is_brief=False)
    else:
        worlds = SMALL if small else SMALL + LARGE
        is_good = explore(worlds, is_json=is_json, is_brief=False)
        is_good &= explore(MUTANTS, is_json=is_json, is_brief=True)
        summarize(len(worlds), is_good=is_good)
    click.get_current_context().exit(0 if is_good else 1)


def explore(worlds: Iterable[World], *, is_json: bool, is_brief: bool) -> bool:
    """Explore one after another; whether each is as it should be."""
    is_good = True
    for world in worlds:
        started = seconds_used()
        verdict = explored(world)
        seconds = seconds_used() - started
        # Of the mutants in a list, the one that is not found is the surprise.
        is_good &= bool(verdict.broken) == is_brief
        if is_json:
            click.echo(json.dumps(report.data(world, verdict, seconds)))
        elif is_brief:
            click.echo(report.found(world, verdict, seconds))
        else:
            click.echo("\n".join(report.lines(world, verdict, seconds)))
    return is_good


def explored(world: World) -> Verdict:
    """The verdict about *world*; says on stderr how far it is."""
    said = 0

    def say(known: int, done: int) -> None:
        nonlocal said
        if known - said >= PROGRESS_EVERY:
            said = known
            left = known - done
            click.echo(f"        {world.name}: {known} states, {left} to look at", err=True)

    return Search(world.protocol(world.setup), on_progress=say).run()


def summarize(worlds: int, *, is_good: bool) -> None:
    """The last line of a run over all worlds."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    verdict = "all as it should be" if is_good else "NOT all as it should be"
    click.echo(
        f"{worlds} worlds and {len(MUTANTS)} mutants, {seconds_used():.0f} s, "
        f"{memory} MB: {verdict}",
        err=True,
    )


def seconds_used() -> float:
    """The processor time of this process: it does not grow because others are busy."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


if __name__ == "__main__":
    main()
