from __future__ import annotations

import subprocess
import sys

# What only a whole deployment, a terminal or a worker needs: whoever writes a mail after a
# quiet hour waits for each import.
NOT_NEEDED = {"aiosmtpd", "aiosmtplib", "click", "rich", "structlog"}


def test_a_lambda_imports_nothing_that_it_does_not_need() -> None:
    program = (
        "import sys; import hotdesk.lambdas.intake, hotdesk.lambdas.answer, hotdesk.lambdas.sweep;"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    said = subprocess.check_output([sys.executable, "-c", program], text=True)

    assert set(said.split()) & NOT_NEEDED == set()
