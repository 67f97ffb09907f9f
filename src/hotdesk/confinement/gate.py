"""The gate: a few lines of shell through which a program enters its confinement.

Nothing hostile runs before it opens, and it opens from outside only. So the processes
around it can be found and noted first, and if the worker dies meanwhile, everything ends
by itself. The environment comes in through it too: written on a command line, secrets
would be seen by everyone; given to bubblewrap, a variable such as LD_PRELOAD would act
on a process of root.
"""

import re
from collections.abc import Mapping

from hotdesk.errors import Rejected

READY = b"hotdesk-gate: ready\n"
MISSING = b"hotdesk-gate: missing\n"
OPEN = b"go\n"

# A line is NAME=VALUE, or "+" and a further line of that value; "." ends them. The second
# wait is for OPEN: when it never comes, `read` fails and the program does not start.
# A program that takes too much memory should be what the kernel ends, not the worker.
GATE = f"""\
while IFS= read -r hotdesk_gate_line; do
    case $hotdesk_gate_line in
        .) break ;;
        +*) hotdesk_gate_entry=$hotdesk_gate_entry'
'${{hotdesk_gate_line#+}} ;;
        *) hotdesk_gate_entry=$hotdesk_gate_line ;;
    esac
    export "$hotdesk_gate_entry"
done
{{ echo 500 >/proc/self/oom_score_adj; }} 2>/dev/null
command -v -- "$1" >/dev/null || {{ echo '{MISSING.decode().strip()}'; exit 127; }}
echo '{READY.decode().strip()}'
IFS= read -r hotdesk_gate_line && exec "$@"
"""

# The first process of a PID namespace: it waits for the program and reaps what that leaves.
# The shell's own word on how a child ended is not the program's output.
INIT = 'exec 3>&2 2>/dev/null; (exec "$@" 2>&3 3>&-); exit $?'

_NAME = re.compile(r"(?!hotdesk_gate_)[A-Za-z_][A-Za-z0-9_]*")


def entering(environment: Mapping[str, str]) -> bytes:
    """Return what the gate reads before it says ``READY`` or ``MISSING``.

    Raises:
        Rejected: A name is not one that a shell can export, or a value holds a zero byte.
    """
    lines = []
    for name, value in environment.items():
        if not _NAME.fullmatch(name) or "\0" in value:
            raise Rejected(f"environment variable {name[:80]!r} cannot be given to a program")
        lines.append(f"{name}={value}".replace("\n", "\n+"))
    return "\n".join([*lines, ".\n"]).encode(errors="surrogateescape")
