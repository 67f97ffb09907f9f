"""schemathesis against the running API: what its document promises holds for any request."""

import sys
from pathlib import Path

import anyio
import pytest

from hotdesk.ports import Backend
from tests.web.conftest import OPERATOR, served

pytestmark = [pytest.mark.anyio, pytest.mark.long]

SECONDS_MAX = 12


async def test_no_request_makes_the_api_break_its_word(backend: Backend, tmp_path: Path) -> None:
    async with served(backend) as web:
        await web.operator.post(
            "/api/v1/jobs",
            json={"desk": "amelia/scott", "instruction": "x"},
            headers={"Idempotency-Key": "known"},
        )

        attacked = await anyio.run_process(
            [
                # The program in the environment of this Python.
                str(Path(sys.executable).with_name("schemathesis")),
                *("run", f"{web.url}/api/v1/openapi.json", "--no-color"),
                *("--header", f"Authorization: Bearer {OPERATOR}"),
                *("--max-time", str(SECONDS_MAX), "--phases", "coverage,fuzzing", "--seed", "1"),
                # Names have rules that no pattern can say: `.lock` at the end.
                *("--checks", "all", "--exclude-checks", "positive_data_acceptance"),
                # They do not end.
                *("--exclude-path-regex", "stream$|/events$"),
            ],
            cwd=tmp_path,
            check=False,
        )

        told = web.told
    assert attacked.returncode == 0, attacked.stdout.decode()
    assert told == []
