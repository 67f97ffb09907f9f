"""``hotdesk plan``: which placement, from a traffic and prices."""

import csv
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from hotdesk.cli import advice
from hotdesk.cli.invocation import Connected, Invocation
from hotdesk.cli.options import Command, pass_invocation
from hotdesk.cli.output import Output, table
from hotdesk.errors import ConfigError, Rejected
from hotdesk.planner.answer import best
from hotdesk.planner.bill import Where
from hotdesk.planner.described import DAY, Description
from hotdesk.planner.outcome import Timing
from hotdesk.planner.picture import draw
from hotdesk.planner.placements import Assumptions, Dedicated, Placement, WarmPool
from hotdesk.planner.question import (
    FromFile,
    Question,
    Source,
    answers_to,
)
from hotdesk.planner.recorded import SECOND, Recording, recorded
from hotdesk.planner.trace import COLUMNS, CORRECTION
from hotdesk.planner.turning import turn

SIZE = "MIN:MAX"
SWEEP_MAX = 20
SWEPT = (
    *("projects", "users", "jobs-per-user-day", "job-minutes", "corrections", "promise"),
    *("cold-start", "prepare", "crashes-per-hour", "linger", "idle"),
)


class _Size(click.ParamType[WarmPool]):
    """``2:4``, the least and the most workers of a pool."""

    name = SIZE

    def convert(self, value: Any, param: Any, ctx: Any) -> WarmPool:  # noqa: ANN401 - click's
        least, _, most = str(value).partition(":")
        if not (least.isdecimal() and most.isdecimal()) or int(most) < 1 or len(value) > 13:  # noqa: PLR2004 - 6:6 digits
            self.fail(f"{value!r} is no size; write the least and the most, as 2:4", param, ctx)
        if int(least) > int(most):
            self.fail(f"{value!r} has more at least than at most", param, ctx)
        return WarmPool(workers_min=int(least), workers_max=int(most))


class _Sweep(click.ParamType[tuple[str, list[str]]]):
    """``promise=10,30,60``, an option of a number and the values to try."""

    name = "NAME=VALUES"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, list[str]]:  # noqa: ANN401 - click's
        name, is_given, values = str(value).partition("=")
        if name not in SWEPT:
            self.fail(f"{name!r} cannot be swept; use one of {', '.join(SWEPT)}", param, ctx)
        found = [each for each in values.split(",") if each.strip()]
        if not is_given or not 1 <= len(found) <= SWEEP_MAX:
            self.fail(f"name 1 to {SWEEP_MAX} values, as {name}=1,2,3", param, ctx)
        return name, found


_seconds = click.FloatRange(0, 7 * DAY)
_some = click.FloatRange(0, 10_000, min_open=True)


@click.command(cls=Command)
@click.option(
    "--trace",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Play the jobs of this file: CSV or JSON Lines with at, desk and seconds.",
)
@click.option(
    "--recorded",
    type=click.FloatRange(0, 366, min_open=True),
    metavar="DAYS",
    help="Play what this deployment did in the last so many days.",
)
@click.option(
    "--jobs-max",
    type=click.IntRange(1),
    help="Play no more than so many jobs of what was --recorded, the oldest.",
)
@click.option(
    "--save",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep what was --recorded as a trace, in a CSV file that is not there yet.",
)
@click.option("--projects", type=click.IntRange(1, 100_000), default=10, show_default=True)
@click.option(
    "--users",
    type=click.IntRange(1, 100_000),
    default=10,
    show_default=True,
    help="Users of each project; every one has a desk there.",
)
@click.option("--jobs-per-user-day", type=_some, default=4.0, show_default=True)
@click.option(
    "--job-minutes",
    type=_some,
    default=6.0,
    show_default=True,
    help="The mean work of an agent; with --trace, of rows that do not say.",
)
@click.option(
    "--corrections",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="The share of jobs that a newer mail corrects while they run.",
)
@click.option("--days", type=click.IntRange(1, 366), default=28, show_default=True)
@click.option("--office-hours", is_flag=True, help="Work comes Monday to Friday from 8 to 18.")
@click.option("--bursts", is_flag=True, help="Three in ten arrivals come with some more.")
@click.option(
    "--pool",
    "pools",
    type=_Size(),
    multiple=True,
    metavar=SIZE,
    help="Compare pools of these sizes; may be given again.",
)
@click.option(
    "--promise",
    type=_seconds,
    default=60.0,
    show_default=True,
    help="Seconds in which a worker should take a job whose turn it is.",
)
@click.option(
    "--cold-start",
    type=_seconds,
    default=45.0,
    show_default=True,
    help="Seconds until a worker that is started can claim.",
)
@click.option(
    "--prepare",
    type=_seconds,
    default=5.0,
    show_default=True,
    help="Seconds that a claim takes until its first job runs.",
)
@click.option("--crashes-per-hour", type=click.FloatRange(0, 60), default=0.0, show_default=True)
@click.option("--linger", type=_seconds, help="Seconds; as configured if not given.")
@click.option("--idle", type=_seconds, help="Seconds; as configured if not given.")
@click.option(
    "--where",
    type=click.Choice([str(each) for each in Where]),
    default=str(Where.FARGATE),
    show_default=True,
)
@click.option(
    "--price",
    "overrides",
    type=(str, float),
    multiple=True,
    metavar="NAME DOLLARS",
    help="Another price, as --price fargate_hour 0.05; may be given again.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Play so many random traffics, and tell how sure the figures are.",
)
@click.option("--processes", type=click.IntRange(1, 256), default=1, show_default=True)
@click.option(
    "--sweep",
    type=_Sweep(),
    metavar="NAME=VALUES",
    help="Answer for each value of one of these options, as --sweep promise=10,30,60.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw cost against delay, and delays over the day, as .svg or .png.",
)
@pass_invocation
def plan(invocation: Invocation, **asked: Any) -> None:  # noqa: ANN401 - one for each option
    """Compare placements on a traffic, and say which to take.

    The traffic is described by --projects to --bursts, played from a --trace, or was --recorded.
    """
    if asked["trace"] is not None and asked["recorded"] is not None:
        raise click.UsageError("--trace and --recorded are two traffics; give one of them")
    for name, does in (("save", "keeps"), ("jobs_max", "is of")):
        if asked[name] is not None and asked["recorded"] is None:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} {does} what was --recorded; give that, too")
    with tempfile.TemporaryDirectory(prefix="hotdesk-plan-") as folder:
        if asked["recorded"] is not None:
            asked["trace"] = asked["save"] or Path(folder) / "recorded.csv"
            asked.update(_record_to(asked["trace"], invocation, **asked))
        if asked["sweep"] is None:
            _answer(invocation, **asked)
        else:
            _sweep(invocation, *asked["sweep"], **asked)


def _sweep(invocation: Invocation, option: str, values: list[str], **asked: Any) -> None:  # noqa: ANN401 - one for each option
    """Answer for each of *values*, a line for each."""
    output, name = invocation.output, option.replace("-", "_")
    context = click.get_current_context()
    parameter = next(each for each in context.command.params if each.name == name)
    found = []
    for value in values:
        # Each is checked as the option itself would be.
        asked[name] = parameter.type_cast_value(context, value)
        question = _question(invocation, **asked).with_placements()
        answers = answers_to(question, asked["seeds"], processes=asked["processes"])
        output.note(f"{option} {value}: played")
        chosen = best(answers[0].rows)
        if output.is_json:
            every = [answer.rows[answers[0].rows.index(chosen)] for answer in answers]
            output.data({option: asked[name], **advice.record(chosen, every, is_chosen=True)})
        else:
            _, lines = advice.lines(answers, chosen)
            found.append([value, *lines[answers[0].rows.index(chosen)]])
    if found:
        output.console().print(table([option.upper(), *advice.HEADS], found))


def _record_to(path: Path, invocation: Invocation, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 - as they are
    """Write what the deployment did to *path*; gives what it lasts, and whether it is cut.

    Raises:
        ConfigError: It cannot be written, or is there.
        Rejected: No job ran.
    """
    days, now, output = asked["recorded"], invocation.now(), invocation.output
    recording = Recording(since=now - timedelta(days=days))
    first: list[datetime] = []

    async def work(connected: Connected) -> None:
        rows = csv.writer(file)
        rows.writerow([*COLUMNS, CORRECTION])
        found = recorded(
            connected.backend,
            recording,
            jobs_max=asked["jobs_max"],
            on_progress=_progress_of(invocation),
        )
        async for at, job in found:
            correction = "yes" if job.is_correction else ""
            rows.writerow([at.isoformat(), job.desk, f"{job.seconds:.3f}", correction])
            if not first:
                first.append(at)

    try:
        with path.open("x", encoding="utf-8", newline="") as file, ExitStack() as undo:
            undo.callback(path.unlink)
            invocation.connect(work)
            if left_out := recording.left_out:
                told = f"{left_out:,} job{'s'[: left_out != 1]}"
                output.note(f"left out: {told} that never ran, or had not ended")
            if recording.ends:
                output.note(f"cut: what came after {recording.ends:%Y-%m-%d %H:%M} UTC is not read")
            if not first:
                raise Rejected(f"no job ran here in the last {days:g} days; describe a traffic")
            undo.pop_all()
    except OSError as error:
        raise ConfigError(str(path), f"it cannot be written: {error.strerror}") from error
    midnight = first[0].replace(hour=0, minute=0, second=0, microsecond=0)
    begins, ends = recording.begins or first[0], recording.ends or now
    lasts = (begins - midnight) / SECOND, (ends - midnight) / SECOND
    return {"lasts": lasts, "is_cut": recording.ends is not None}


def _progress_of(invocation: Invocation) -> Callable[[int], None]:
    def tell(events: int) -> None:
        if events % 100_000 == 0:
            invocation.output.note(f"{events:,} events read")

    return tell


def _answer(invocation: Invocation, **asked: Any) -> None:  # noqa: ANN401 - one for each option
    output = invocation.output
    question = _question(invocation, **asked).with_placements()
    done = _progress(output)
    answers = answers_to(question, asked["seeds"], processes=asked["processes"], on_progress=done)
    first = answers[0]
    chosen = best(first.rows)
    change = turn(question, chosen.placement)
    if asked["picture"] is not None:
        draw(first.rows, asked["picture"], promise=question.given.promise)
        output.note(f"drawn: {asked['picture']}")
    if output.is_json:
        for number, row in enumerate(first.rows):
            output.data(
                advice.record(row, [each.rows[number] for each in answers], is_chosen=row is chosen)
            )
        is_cut = asked.get("is_cut", False)
        output.data({**advice.summary(first, chosen, change), "is_cut": is_cut})
        return
    output.text(advice.about(first, question))
    output.console().print(table(*advice.lines(answers, chosen)))
    output.text(advice.sentence(first, chosen, change, question.given.promise))
    output.text(advice.settings(chosen.placement, question.given))


def _question(invocation: Invocation, **asked: Any) -> Question:  # noqa: ANN401 - as they are
    config = invocation.load().config
    source: Source
    if asked["trace"] is not None:
        source = FromFile(
            path=asked["trace"], default_seconds=_given_minutes(), lasts=asked.get("lasts")
        )
    else:
        source = Description(
            projects=asked["projects"],
            users=asked["users"],
            jobs_per_user_day=asked["jobs_per_user_day"],
            job_minutes=asked["job_minutes"],
            corrections=asked["corrections"],
            days=asked["days"],
            has_office_hours=asked["office_hours"],
            has_bursts=asked["bursts"],
        )
    timing = Timing(
        cold_start=asked["cold_start"],
        prepare=asked["prepare"],
        crashes_per_hour=asked["crashes_per_hour"],
    )
    limits = config.worker.limits
    given = Assumptions(
        timing=timing,
        linger=_or(asked["linger"], limits.linger.total_seconds()),
        idle=_or(asked["idle"], config.pool.limits.idle.total_seconds()),
        session_max=limits.session_max.total_seconds(),
        promise=asked["promise"],
    )
    pools: tuple[Placement, ...] = asked["pools"]
    if pools:
        own = (Dedicated(is_always_on=True), Dedicated(is_always_on=False))
        pools = (*own, *dict.fromkeys(pools))
    return Question(
        source=source,
        given=given,
        where=Where(asked["where"]),
        prices=config.prices.prices.but(dict(asked["overrides"])),
        placements=pools,
    )


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _given_minutes() -> float | None:
    """What was said of jobs without a duration; nothing is assumed unasked."""
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    if context.get_parameter_source("job_minutes") is default:
        return None
    return float(context.params["job_minutes"]) * 60


def _progress(output: Output) -> Callable[[int], None]:
    def tell(jobs: int) -> None:
        if jobs % 100_000 == 0:
            output.note(f"{jobs:,} jobs played")

    return tell
