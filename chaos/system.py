"""The Hotdesk of a run: its configuration, ``hotdesk up``, and workers beside its pool.

The workers of the pool share the clock of ``up``. The free ones are started with
``hotdesk worker run``, as an operator may start more, and each has a clock of its own.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import chaos.agent
from chaos.clocks import WallClock, library
from chaos.origins import Origins
from chaos.supervisor import Supervisor
from hotdesk.confinement import find_confinement
from hotdesk.demo import program
from hotdesk.demo.deployment import DOMAIN, environment, toml
from hotdesk.demo.mails import HOST, Person

LEASE_SECONDS = 15
POOL_WORKERS = 2
FREE_WORKERS = 2
ATTEMPTS_MAX = 6

# The policies of projects hold for mail; programs choose for each job.
PROJECTS = {"amelia": "desk", "birch": "thread", "cedar": "never"}
PEOPLE = {
    "scott": Person(name="Scott", address="scott@agency.example"),
    "ana": Person(name="Ana", address="ana@agency.example"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where mail comes in, where answers go, and where agents say what they do."""

    mail: int
    relay: int
    trace: int


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Everything of Hotdesk that runs, and where it keeps what it has."""

    folder: Path
    store: Path
    ports: Ports
    up: Supervisor
    free: Sequence[Supervisor]

    @property
    def supervisors(self) -> Sequence[Supervisor]:
        """All that is kept running."""
        return [self.up, *self.free]

    @property
    def clocks(self) -> Sequence[WallClock]:
        """Every clock that can be set; none without libfaketime."""
        return [each.clock for each in self.supervisors if each.clock.preload]

    @property
    def url(self) -> str:
        """The backend."""
        return url_of(self.store)

    @property
    def data(self) -> Path:
        """The folder of workspaces and mails."""
        return self.store / "data"


def url_of(store: Path) -> str:
    """The backend whose file is in *store*."""
    return f"sqlite:///{store / 'hotdesk.db'}"


def compose(folder: Path, store: Path, origins: Origins, ports: Ports) -> System:
    """Write the configuration into *folder*; nothing is started. Files are kept in *store*.

    Raises:
        ConfigError: There is no Python that agents could run with.
    """
    config = folder / "hotdesk.toml"
    config.write_text(toml(_tables(folder, store, origins, ports)), encoding="utf-8")
    preload = library()
    clocks = {}
    for name in ["up", *(f"free-{number + 1}" for number in range(FREE_WORKERS))]:
        clocks[name] = WallClock(folder / f"{name}.clock", preload)
        clocks[name].prepare()

    def supervisor(name: str) -> Supervisor:
        def command(start: int) -> list[str]:
            if name == "up":
                return ["--config", str(config), "up"]
            return ["--config", str(config), "worker", "run", "--id", f"{name}.{start}"]

        return Supervisor(
            name,
            command,
            folder=folder,
            environment=environment(folder),
            clock=clocks[name],
        )

    up, *free = map(supervisor, clocks)
    return System(folder=folder, store=store, ports=ports, up=up, free=free)


def _tables(
    folder: Path, store: Path, origins: Origins, ports: Ports
) -> Mapping[str, Mapping[str, object]]:
    key = folder / "mail.key"
    key.touch(mode=0o600)
    key.write_text(secrets.token_hex(32), encoding="ascii")
    confinement = find_confinement().best
    agent = program.install(folder, confinement, source=chaos.agent.__file__)
    projects: dict[str, Mapping[str, object]] = {}
    for name, policy in PROJECTS.items():
        projects[f"projects.{name}"] = {
            "repo": str(origins.path(name)),
            "command": [*agent.argv, "--trace", f"{HOST}:{ports.trace}"],
            "interrupt": policy,
        }
        projects[f"projects.{name}.users"] = {
            user: [person.address] for user, person in PEOPLE.items()
        }
    return {
        "": {"backend": url_of(store), "data_dir": str(store / "data")},
        "pool": {"min_workers": POOL_WORKERS, "max_workers": POOL_WORKERS},
        "worker": {
            "lease_seconds": LEASE_SECONDS,
            "linger_seconds": 2,
            "session_max_seconds": 10,
            "job_time_seconds": 60,
            "grace_seconds": 3,
        },
        "limits": {
            "attempts_max": ATTEMPTS_MAX,
            "backoff_seconds": 0.5,
            "backoff_max_seconds": 4.0,
            "given_back_max": 100,
        },
        "confinement": {
            "mode": str(confinement.mode),
            "read_only": [str(path) for path in agent.shown],
        },
        "web": {"listen": f"{HOST}:0"},
        "mail": {
            "domain": DOMAIN,
            "listen": f"{HOST}:{ports.mail}",
            "key": f"file:{key}",
            "proof": "none",
        },
        "mail.relay": {"host": HOST, "port": ports.relay, "tls": "none"},
        **projects,
    }
