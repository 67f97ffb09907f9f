"""The three ways to confine a program, what each promises, and which work here.

What a machine offers is tried, not guessed: kernels, containers and security modules
forbid namespaces in too many ways to list.
"""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from hotdesk.confinement.gate import GATE, INIT, OPEN, READY, entering
from hotdesk.confinement.walls import Network, Walls
from hotdesk.errors import ConfigError

# Run by root, so never looked up where a project could have put something.
TOOLS_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHELL = "/bin/sh"
TRIAL_SECONDS_MAX = 10
UID_DEFAULT = 64100  # Above the accounts of people, below the ranges for containers.


class Mode(StrEnum):
    """How a program is confined, the strongest first."""

    BUBBLEWRAP = "bubblewrap"
    NAMESPACES = "namespaces"
    GROUPS = "groups"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """One way to confine programs that works on this machine.

    ``uid`` is the number (user and group) that programs run as when the worker is root,
    ``None`` when it is not. Each worker needs its own: it is what tells one worker's
    processes from another's. No account has to exist for it. ``open_because`` says why the
    network cannot be closed; it is empty where it can.
    """

    mode: Mode
    uid: int | None
    bwrap: str = ""
    setpriv: str = ""
    unshare: str = ""
    prlimit: str = ""
    open_because: str = ""

    @property
    def hides_files(self) -> bool:
        """Whether a program sees and changes only what its walls name."""
        return self.mode is Mode.BUBBLEWRAP

    @property
    def has_namespace(self) -> bool:
        """Whether a program sees no process but its own, and all end with their worker."""
        return self.mode is not Mode.GROUPS

    @property
    def ends_whole_tree(self) -> bool:
        """Whether a process that left its session and its parent ends with the program."""
        return self.has_namespace or (self.uid is not None and sys.platform == "linux")

    @property
    def limits_processes(self) -> bool:
        """Whether the number of processes is bounded.

        Linux counts them by user, so without one of the program's own the bound would
        be used up by the processes of the person who runs the worker.
        """
        return bool(self.prlimit) and (self.has_namespace or self.uid is not None)

    @property
    def closes_network(self) -> bool:
        """Whether a program can be kept from the network, or let to its model only."""
        return not self.open_because

    @property
    def promises(self) -> dict[str, bool]:
        """Every promise by its name, for ``doctor``."""
        names = "hides_files has_namespace ends_whole_tree limits_processes closes_network".split()
        return {name: getattr(self, name) for name in names}

    def command(self, argv: Sequence[str], walls: Walls) -> list[str]:
        """Return the command line that runs *argv* behind the gate, within *walls*.

        It must be started in a session of its own, with an environment of tools only,
        in the workspace, and as ``start_uid``.

        Raises:
            ConfigError: The walls close the network, and this mode cannot.
        """
        self.check_network(walls.network)
        gate = [*self._limits(walls), SHELL, "-c", GATE, "gate", *argv]
        match self.mode:
            case Mode.BUBBLEWRAP:
                return [*self._bubblewrap(walls), "--", *self._dropped(), *gate]
            case Mode.NAMESPACES:
                # Mapped to itself, a user may make the namespaces that root may make anyway.
                user = [] if self.uid is not None else ["--user", "--map-current-user"]
                namespaces = ["--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--ipc"]
                namespaces += () if walls.network is Network.OPEN else ("--net",)
                return [
                    *(self.setpriv, "--pdeathsig", "KILL", self.unshare, *user, *namespaces),
                    *(SHELL, "-c", INIT, "init", *self._dropped(), *gate),
                ]
            case Mode.GROUPS:
                tied = [self.setpriv, "--pdeathsig", "KILL", "--no-new-privs"]
                return [*(tied if self.setpriv else ()), *gate]

    def check_network(self, network: Network, key: str = "network") -> None:
        """Refuse a network that this mode cannot give; *key* is the setting that asks for it.

        Raises:
            ConfigError: The message says why, and what to do.
        """
        if network is not Network.OPEN and not self.closes_network:
            raise ConfigError(
                key,
                f"{network} is not possible with confinement by {self.mode}: {self.open_because}",
                'set it to "open", or [confinement] mode to one that has closes_network in'
                " hotdesk doctor",
            )

    @property
    def start_uid(self) -> int | None:
        """What the command is started as; where namespaces are made, root becomes it inside."""
        return None if self.has_namespace else self.uid

    def _bubblewrap(self, walls: Walls) -> list[str]:
        return [
            *(self.bwrap, "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts"),
            *(() if self.uid is not None else ("--unshare-user",)),
            *(() if walls.network is Network.OPEN else ("--unshare-net",)),
            *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
            *walls.mounts(),
            *("--chdir", str(walls.workspace)),
        ]

    def _dropped(self) -> list[str]:
        if self.uid is None:
            return [self.setpriv, "--no-new-privs"]
        uid = str(self.uid)
        return [
            *(self.setpriv, "--reuid", uid, "--regid", uid, "--clear-groups"),
            *("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"),
        ]

    def _limits(self, walls: Walls) -> list[str]:
        if not self.prlimit:
            return []
        return [self.prlimit, *walls.limits.arguments(with_processes=self.limits_processes)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A mode that does not work here, and why not, in words for a person."""

    mode: Mode
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What this machine offers: the usable modes, the strongest first, and the others."""

    usable: tuple[Confinement, ...]
    refused: tuple[Refusal, ...]

    @property
    def best(self) -> Confinement:
        """The strongest; process groups work everywhere, so there is one."""
        return self.usable[0]

    def of(self, mode: Mode) -> Confinement:
        """Return the confinement of *mode*.

        Raises:
            ConfigError: It does not work here; the message says why.
        """
        for confinement in self.usable:
            if confinement.mode is mode:
                return confinement
        reason = next(refusal.reason for refusal in self.refused if refusal.mode is mode)
        raise ConfigError("confinement.mode", f"{mode} does not work here: {reason}")


@functools.cache
def find_confinement(*, uid: int = UID_DEFAULT, tools_path: str = TOOLS_PATH) -> Findings:
    """Try every mode with a program that does nothing; takes some 40 ms, then is remembered.

    *uid* counts only when this process is root.
    """

    def tool(name: str) -> str:
        return shutil.which(name, path=tools_path) or ""

    groups = Confinement(
        mode=Mode.GROUPS,
        uid=uid if os.getuid() == 0 else None,
        bwrap=tool("bwrap"),
        setpriv=tool("setpriv"),
        unshare=tool("unshare"),
        prlimit=tool("prlimit"),
        open_because="it has no network of its own",
    )
    usable: list[Confinement] = []
    refused: list[Refusal] = []
    for mode in (Mode.BUBBLEWRAP, Mode.NAMESPACES):
        confinement = replace(groups, mode=mode, open_because="")
        if reason := _why_not(confinement, Network.OPEN):
            refused.append(Refusal(mode=mode, reason=reason))
        else:
            # Some containers allow every namespace but this one.
            reason = _why_not(confinement, Network.NONE)
            usable.append(replace(confinement, open_because=reason))
    return Findings(usable=(*usable, groups), refused=tuple(refused))


_NEEDED = {
    Mode.BUBBLEWRAP: ("bwrap", "setpriv", "prlimit"),
    Mode.NAMESPACES: ("setpriv", "unshare", "prlimit"),
}


def _why_not(confinement: Confinement, network: Network) -> str:
    """Return why this confinement does not work, or nothing."""
    missing = [tool for tool in _NEEDED[confinement.mode] if not getattr(confinement, tool)]
    if missing:
        return f"{', '.join(missing)} not installed"
    # Read to find the program among the processes around it.
    if confinement.has_namespace and not Path("/proc/thread-self/children").exists():
        return "the kernel does not list a process's children in /proc"
    with tempfile.TemporaryDirectory(prefix="hotdesk-trial-") as folder:
        walls = Walls(workspace=Path(folder), home=Path(folder), network=network)
        try:
            trial = subprocess.run(
                confinement.command(["true"], walls),
                cwd="/",
                env={"PATH": TOOLS_PATH},
                input=entering({}) + OPEN,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TRIAL_SECONDS_MAX,
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"a program that does nothing did not end within {TRIAL_SECONDS_MAX} s"
    if trial.returncode == 0 and READY in trial.stdout:
        return ""
    return trial.stdout.decode(errors="replace").strip() or f"exit code {trial.returncode}"
