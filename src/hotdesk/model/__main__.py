"""``python -m hotdesk.model``: explore the claim protocol, and say what was found.

Without options: every world and every mutant. With ``--jobs``: the world that the other
options describe. The exit status is 0 if all is as it should be: every promise holds,
every mutant is found, and no world was too large to tell.
"""

import json
import resource
from collections.abc import Callable, Iterable

import click

from hotdesk.errors import Rejected
from hotdesk.model import report
from hotdesk.model.protocol import Protocol
from hotdesk.model.search import STATES_MAX, Search, Verdict
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
@click.option("--mutants", "has_mutants_only", is_flag=True, help="every mutant, and no world")
@click.option(
    "--states-max",
    default=STATES_MAX,
    type=click.IntRange(min=1),
    metavar="N",
    show_default=True,
    help="give a world up that has more; a million take 0.6 GB or more",
)
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
    has_mutants_only: bool,
    states_max: int,
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
        is_good = explore([chosen], states_max, is_json=is_json)
    else:
        worlds = () if has_mutants_only else SMALL if small else SMALL + LARGE
        is_good = explore(worlds, states_max, is_json=is_json)
        is_good &= tabulate(states_max, is_json=is_json)
        summarize(len(worlds), is_good=is_good)
    click.get_current_context().exit(0 if is_good else 1)


def explore(worlds: Iterable[World], states_max: int, *, is_json: bool) -> bool:
    """Explore one after another; whether every promise holds in each."""
    is_good = True
    for world in worlds:
        verdict, seconds = explored(world, states_max)
        is_good &= not verdict.broken and not verdict.is_cut
        said = report.lines(world, verdict, seconds)
        click.echo(as_json(world, verdict, seconds) if is_json else "\n".join(said))
    return is_good


def tabulate(states_max: int, *, is_json: bool) -> bool:
    """Explore every mutant where it can be seen; whether each breaks a promise."""
    is_good = True
    if not is_json:
        click.echo(report.heading())
    for world in MUTANTS:
        verdict, seconds = explored(world, states_max)
        is_good &= bool(verdict.broken)
        click.echo(as_json(world, verdict, seconds) if is_json else report.row(world, verdict))
    return is_good


def as_json(world: World, verdict: Verdict, seconds: float) -> str:
    """One line."""
    return json.dumps(report.data(world, verdict, seconds))


def explored(world: World, states_max: int) -> tuple[Verdict, float]:
    """The verdict about *world* and its seconds; says on stderr how far it is."""
    started = seconds_used()
    said = 0

    def say(known: int, done: int, depth: int) -> None:
        nonlocal said
        if known - said >= PROGRESS_EVERY:
            said = known
            pace = done / max(seconds_used() - started, 0.001)
            click.echo(
                f"        {world.name}: {known} of at most {states_max} states, "
                f"{known - done} to look at, {depth} steps deep, {pace:.0f} states/s, "
                f"{megabytes_used()} MB",
                err=True,
            )

    search = Search(world.protocol(world.setup), states_max=states_max, on_progress=say)
    return search.run(), seconds_used() - started


def summarize(worlds: int, *, is_good: bool) -> None:
    """The last line of a run over all worlds."""
    verdict = "all as it should be" if is_good else "NOT all as it should be"
    click.echo(
        f"{worlds} worlds and {len(MUTANTS)} mutants, {seconds_used():.0f} s, "
        f"{megabytes_used()} MB: {verdict}",
        err=True,
    )


def seconds_used() -> float:
    """The processor time of this process: it does not grow because others are busy."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def megabytes_used() -> int:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
