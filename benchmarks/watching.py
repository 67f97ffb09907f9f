"""``python -m benchmarks.watching``: what open dashboards cost ``hotdesk up``.

Jobs come and run meanwhile. It is the processor time of the one process that serves, without its
workers, as a share of one core; nobody looking is measured before and after.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anyio
import httpx

from benchmarks.machine import Machine
from hotdesk.errors import HotdeskError
from hotdesk.web.door import Door, find_door

STREAMS = 50
JOBS = 20
GAP_SECONDS = 1.5
SETTLE_SECONDS = 3
START_SECONDS_MAX = 20
TASKS = """\
import anyio

async def handle(job, context):
    for number in range(10):
        await context.log(f"line {number}\\n")
        await anyio.sleep(0.3)
    return "done"
"""
SETTINGS = '[web]\nlisten = "127.0.0.1:0"\n[pool]\nmin_workers = 2\n'


async def watched(pid: int, client: httpx.AsyncClient, streams: int) -> float:
    """The share of a core that process *pid* takes while so many overviews are open."""

    async def follow() -> None:
        async with client.stream("GET", "/live", params={"of": "/"}) as answer:
            async for _ in answer.aiter_raw():
                pass

    async with anyio.create_task_group() as tasks:
        for _ in range(streams):
            tasks.start_soon(follow)
        await anyio.sleep(SETTLE_SECONDS)
        before, began = processor_seconds(pid), time.perf_counter()
        for number in range(JOBS):
            job = {"desk": f"amelia/u{number % 5}", "instruction": "work"}
            (await client.post("/api/v1/jobs", json=job)).raise_for_status()
            await anyio.sleep(GAP_SECONDS)
        used = processor_seconds(pid) - before
        tasks.cancel_scope.cancel()
    return used / (time.perf_counter() - began)


def processor_seconds(pid: int) -> float:
    """What a process has used so far; proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def opened(data_dir: Path) -> Door:
    """Where it serves, once it does."""
    ends = time.perf_counter() + START_SECONDS_MAX
    while True:
        try:
            return find_door(data_dir)
        except HotdeskError:
            if time.perf_counter() > ends:
                raise
        time.sleep(0.1)


async def measure(pid: int, door: Door, streams: int) -> None:
    """Print a line for each measurement."""
    limits = httpx.Limits(max_connections=None)
    headers = {"Authorization": f"Bearer {door.token}"}
    async with httpx.AsyncClient(
        base_url=door.url, headers=headers, limits=limits, timeout=30, trust_env=False
    ) as client:
        await anyio.sleep(SETTLE_SECONDS)
        for each in (0, 1, streams, 0, streams):
            print(f"{each:>4} open: {await watched(pid, client, each):.1%} of a core", flush=True)


def main() -> None:
    """Start ``hotdesk up`` in a folder of its own, and measure it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=STREAMS)
    asked = parser.parse_args()
    print(json.dumps({"commit": Machine.this().commit, "processor": Machine.this().processor}))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tasks.py").write_text(TASKS)
        (folder / "hotdesk.toml").write_text(SETTINGS)
        command = [sys.executable, "-m", "hotdesk", "up", "--handler", "tasks:handle", "-q"]
        with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as up:
            try:
                door = opened(folder / "hotdesk-data")
                anyio.run(measure, up.pid, door, asked.streams)
            finally:
                up.terminate()


if __name__ == "__main__":
    main()
