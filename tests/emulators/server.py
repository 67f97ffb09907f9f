"""The emulators of AWS: each a process of an environment of its own, on a port of this machine.

``make emulators`` makes the environments. Nothing here knows what is tested on them.
"""

import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hotdesk.backends.aws.address import stack_of

ROOT = Path(__file__).parents[2]
REGION = "eu-west-1"
START_SECONDS_MAX = 60
END_SECONDS_MAX = 5
ACCOUNT_VARIABLE = "HOTDESK_AWS_TESTS"
_INHERITED_VARIABLE = "AWS_HOTDESK_TESTS"

# As it was before the tests cleaned it.
ENVIRONMENT = dict(os.environ)  # noqa: TID251 - emulators start with a part of it.

NO_ACCOUNT = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What keeps a process away from the account of whoever runs the tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """An AWS to test on; the one without an endpoint is AWS itself."""

    name: str
    endpoint: str
    region: str = REGION
    stack: str = "test"
    """What the names of the stacks begin with that tests make there."""

    @property
    def environment(self) -> dict[str, str]:
        """What makes a process talk to it, and to nothing else: the variables of AWS's libraries.

        For AWS itself they are those of whoever runs the tests.
        """
        if not self.endpoint:
            return {name: value for name, value in ENVIRONMENT.items() if name.startswith("AWS_")}
        return {
            **NO_ACCOUNT,
            "AWS_ACCESS_KEY_ID": "emulated",
            "AWS_SECRET_ACCESS_KEY": "emulated",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint,
        }


def account() -> Emulator | None:
    """The real account that whoever runs the tests has given, if any."""
    url = ENVIRONMENT.get(ACCOUNT_VARIABLE) or ENVIRONMENT.get(_INHERITED_VARIABLE)
    if not url:
        return None
    # The tests take away what is set for Hotdesk before they start processes to share the work.
    os.environ[_INHERITED_VARIABLE] = url  # noqa: TID251 - handed on to those processes.
    region, stack = stack_of(url)
    return Emulator(name="aws", endpoint="", region=region, stack=stack)


@contextmanager
def running(name: str, home: Path) -> Iterator[Emulator]:
    """Start the emulator *name*; it writes below *home* only, and ends with this.

    Raises:
        RuntimeError: It did not start; says where its output is.
    """
    log = home / f"{name}.log"
    # The socket is made here and inherited, so that nobody else can take the port meanwhile
    # and whoever connects early waits in its queue.
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening, log.open("w") as output:
        port: int = listening.getsockname()[1]
        process = subprocess.Popen(
            _command(name, listening.fileno()),
            cwd=home,
            env=_environment(home, port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[listening.fileno()],
            # Its own children, which run Lambdas, end with it.
            start_new_session=True,
        )
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _await_answer(f"{endpoint}{_STATUS[name]}", log)
        yield Emulator(name=name, endpoint=endpoint)
    finally:
        _end(process)


# Where each says that it is there.
_STATUS = {"moto": "/moto-api/data.json", "ministack": "/_ministack/health"}


def _command(name: str, listening: int) -> Sequence[str | Path]:
    python = ROOT / "build" / "emulators" / name / "bin" / "python"
    if not (python.parents[1] / "ready").exists():
        raise RuntimeError(f"the environment of {name} is missing: run make emulators")
    if name == "moto":
        return [python, Path(__file__).with_name("launch_moto.py"), str(listening)]
    bind = ["--bind", f"fd://{listening}", "--keep-alive", "75"]
    return [python, "-m", "hypercorn", *bind, "--log-level", "WARNING", "ministack.app:app"]


def _environment(home: Path, port: int) -> dict[str, str]:
    inherited = ("PATH", "LANG", "PYTHONHASHSEED", "SSL_CERT_FILE")
    return {
        **{name: ENVIRONMENT[name] for name in inherited if name in ENVIRONMENT},
        **NO_ACCOUNT,
        "HOME": str(home),
        "TMPDIR": str(home),
        "MOTO_PORT": str(port),
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "LOG_LEVEL": "WARNING",
    }


def _await_answer(url: str, log: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=START_SECONDS_MAX) as answer:  # noqa: S310 - ours
            answer.read()
    except (OSError, urllib.error.URLError) as error:
        said = log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"an emulator did not start ({error}); {log} says: {said}") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(END_SECONDS_MAX)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
