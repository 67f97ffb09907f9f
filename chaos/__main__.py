"""``python -m chaos``: let a real Hotdesk run into trouble for a while, and judge it."""

import json
import re
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import anyio
import click

from chaos.report import Report
from chaos.run import Storm
from hotdesk.demo.stage import PASS_THROUGH

PREFIX = "hotdesk-chaos-"
STOPPED = 130
SEEDS = 1_000_000
UNITS = {"s": 1, "m": 60, "h": 3600}


def _seconds(_context: click.Context, _option: click.Parameter, text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found:
        raise click.BadParameter(f"{text!r} is no time such as 90s, 10m or 1h")
    return float(found[1]) * UNITS[found[2] or "s"]


@click.command()
@click.option("--time", "seconds", default="10m", callback=_seconds, help="How long; 10m.")
@click.option("--seed", type=click.IntRange(min=0), help="Which traffic and which faults.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object a line.")
@click.option("--keep", is_flag=True, help="Keep the folder when all is well, too.")
def main(*, seconds: float, seed: int | None, is_json: bool, keep: bool) -> None:
    """Drive a real Hotdesk with faults from a seed; exit with 1 if a promise was broken."""
    chosen = secrets.randbelow(SEEDS) if seed is None else seed
    folder = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    folder.chmod(PASS_THROUGH)
    report = anyio.run(rage_until_told_to_end, chosen, seconds, folder, is_json)
    if not keep and (report is None or report.is_good):
        shutil.rmtree(folder, ignore_errors=True)
    if report is None:
        sys.exit(STOPPED)
    print(report.as_json() if is_json else "\n".join(report.lines()))
    sys.exit(0 if report.is_good else 1)


async def rage_until_told_to_end(
    seed: int,
    seconds: float,
    folder: Path,
    is_json: bool,  # noqa: FBT001 - anyio.run passes no keywords
) -> Report | None:
    """Run to the end; on SIGINT or SIGTERM everything is ended, and there is no report."""
    report = None
    began = anyio.current_time()

    def tell(what: str, text: str) -> None:
        now = anyio.current_time() - began
        line = json.dumps({"seconds": round(now, 1), "what": what, "text": text})
        print(line if is_json else f"{now:7.1f}  {what:<30} {text}", flush=True)

    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with anyio.create_task_group() as tasks:

            async def heed() -> None:
                async for _ in signals:
                    tasks.cancel_scope.cancel()

            tasks.start_soon(heed)
            tell("seed", f"{seed}, in {folder}")
            report = await Storm(seed=seed, seconds=seconds, folder=folder, tell=tell).rage()
            tasks.cancel_scope.cancel()
    return report


if __name__ == "__main__":
    main()
