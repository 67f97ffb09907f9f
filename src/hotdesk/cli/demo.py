"""``hotdesk demo``: the main job from instruction to answer, in a folder of its own."""

from pathlib import Path

import anyio
import anyio.to_thread
import click

from hotdesk.cli.dashboard import invited
from hotdesk.cli.invocation import Invocation
from hotdesk.cli.options import Command, pass_invocation
from hotdesk.cli.output import Output
from hotdesk.cli.signals import run_until_told
from hotdesk.demo.audit import Summary
from hotdesk.demo.scenario import Play
from hotdesk.demo.stage import stage
from hotdesk.demo.telling import Teller, Told

NOT_GOOD = 1
STOPPED = 130
INDENT = {"event": 1, "agent": 2}
NEXT = """\
Where to look next:
  docs/demo.md                                  what each step shows
  docs/concepts.md, docs/protocol.md            why it works
  hotdesk demo --stay                           the same, and then its dashboard
  hotdesk init, then hotdesk up                 your own projects, at http://127.0.0.1:8420"""
STAYS = """\
The dashboard shows it, and takes new instructions:
  {1}
This address lets in one browser within a minute; for another one:
  hotdesk --config {0}/hotdesk.toml dashboard
Ctrl-C ends it."""
KEPT = """\
What is left to look at in {0}:
  hotdesk --config {0}/hotdesk.toml job list    the jobs; job show JOB for one
  git -C {0}/bakery.git log --graph --all       the branches of the threads
  {0}/up.log, {0}/agents.trace"""


@click.command(cls=Command)
@click.option("--keep", is_flag=True, help="Keep the folder, to look at what is in it.")
@click.option("--stay", is_flag=True, help="Keep it running at its end, to look at the dashboard.")
@pass_invocation
def demo(invocation: Invocation, *, keep: bool, stay: bool) -> int:
    """Show real mails, an interrupt, two users, a stranger and a worker killed with -9.

    With --json each line is an object, and the last one is the summary. Exits with 0 only
    if nothing was lost, out of order or overlapping, and everything happened that should.
    """
    output = invocation.output
    with stage(keep=keep) as folder:
        play = Play(folder, Teller(lambda told: _tell(output, told), invocation.clock))
        summary: Summary | None = None

        async def show(found: Summary, data: Path) -> None:
            nonlocal summary
            summary = found
            url = await anyio.to_thread.run_sync(invited, data)
            output.result(found.as_json(), _numbers(found))
            output.result({"dashboard": url}, STAYS.format(folder, url))
            await anyio.sleep_forever()

        async def perform() -> None:
            nonlocal summary
            summary = await play.perform(show if stay else None)

        async def stop(scope: anyio.CancelScope) -> None:
            scope.cancel()

        invocation.run(lambda: run_until_told(perform, [stop]))
        if summary is None:
            return STOPPED
        if not (stay and summary.is_good):
            output.result(summary.as_json(), _closing(summary, folder if keep else None))
    return 0 if summary.is_good else NOT_GOOD


def _tell(output: Output, told: Told) -> None:
    if output.is_json:
        output.data({"seconds": told.seconds, "what": told.what, "text": told.text, **told.details})
        return
    first, *others = _heading(told).splitlines()
    margin = "  " * INDENT.get(told.what, 0)
    lines = [f"{told.seconds:5.1f} s  {margin}{first}", *(f"{'':13}{line}" for line in others)]
    output.text("\n".join(lines))


def _heading(told: Told) -> str:
    match told.what:
        case "mail":
            return f"{told.details['from']} writes to {told.details['to']}:\n{told.text}"
        case "reply":
            return f"the server to {told.details['to']}: {told.text}"
        case "answer":
            said = [line for line in told.text.splitlines() if line and line[0] != ">"]
            return "\n".join([f"the answer to {told.details['to']}:", *said])
    return told.text


def _closing(summary: Summary, kept: Path | None) -> str:
    left = [KEPT.format(kept)] if kept else []
    end = NEXT if summary.is_good else "The demo has FAILED."
    return "\n".join([_numbers(summary), *left, end])


def _numbers(summary: Summary) -> str:
    jobs = (
        f"{summary.jobs} jobs in {summary.seconds:.0f} s: {summary.succeeded} succeeded, "
        f"{summary.preempted} preempted and folded into a newer one"
    )
    mails = f"{summary.replies} answers, {summary.refused} mail refused"
    promises = (
        f"{summary.takeovers} takeover, {summary.lost} lost, "
        f"{summary.order_violations} out of order, {summary.overlaps} overlapping"
    )
    commits = [f"commits on {branch}: {count}" for branch, count in summary.commits.items()]
    missed = [f"MISSED: {each}" for each in summary.missed]
    return "\n".join(["", jobs, mails, promises, *commits, *missed, ""])
