"""Looks for inputs that break a promise, guided by coverage; keeps what is worth keeping.

One process fuzzes each target, one after another; what it finds goes to ``build/fuzz``.
Then the corpus of the target is made anew: the fewest inputs that take every step that any
input takes. An input that fails is made short and kept as ``found-…``, so that the tests
fail until it is mended. Exit status 1 says that something was found.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import warnings
from pathlib import Path

from fuzz.coverage import Arc, arcs_of, failure_of, fewest, shortest
from fuzz.targets import TARGETS

WORK = Path("build/fuzz")
CORPUS = Path("tests/fuzz/corpus")
FILE_BYTES_MAX = 4096
SECONDS_PER_INPUT_MAX = 20
FOUND = "found-"


def main() -> int:
    """Fuzz what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", choices=[[], *TARGETS], help="all without one")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--only-keep", action="store_true", help="only make the corpus anew")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    names = chosen.target or list(TARGETS)
    if chosen.inside:
        fuzz_here(names[0], chosen.seconds)
    is_broken = False
    for name in names:
        if not chosen.only_keep:
            command = [sys.executable, "-m", "fuzz", name, "--inside"]
            log = work_of(name) / "log"
            with log.open("wb") as file:
                subprocess.run(
                    [*command, "--seconds", str(chosen.seconds)], stderr=file, check=False
                )
            print(name, *statistics(log), sep="\n  ")
        is_broken |= keep(name)
    return int(is_broken)


def fuzz_here(name: str, seconds: int) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris  # noqa: PLC0415 - only here: the corpus is made without it

    # Bytecode is instrumented while it is imported, so what is imported already is
    # dropped; the targets are then imported again, with what they use.
    for module in [m for m in sys.modules if m.split(".")[0] in ("hotdesk", "fuzz")]:
        del sys.modules[module]
    with atheris.instrument_imports(include=["hotdesk", "fuzz"]):
        from fuzz.targets import TARGETS as instrumented  # noqa: N811, PLC0415 - as said above
    target = instrumented[name]
    work = work_of(name)
    for number, seed in enumerate(target.seeds):
        (work / "inputs" / f"seed-{number}").write_bytes(seed)
    words = (b"\n", *target.words)  # The fuzzer wants one at least.
    (work / "words").write_text("".join(f'"{_escaped(word)}"\n' for word in words))
    atheris.Setup(
        [
            "fuzz",
            f"-max_total_time={seconds}",
            f"-max_len={target.length_max}",
            f"-timeout={SECONDS_PER_INPUT_MAX}",
            f"-artifact_prefix={work}/failing-",
            f"-dict={work}/words",
            "-rss_limit_mb=1500",
            "-print_final_stats=1",
            str(work / "inputs"),
            *([str(CORPUS / name)] if (CORPUS / name).is_dir() else []),
        ],
        target.check,
    )
    atheris.Fuzz()


def keep(name: str) -> bool:
    """Make the corpus of a target anew; return whether something fails."""
    target, work, folder = TARGETS[name], work_of(name), CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    passing: dict[bytes, frozenset[Arc]] = {}
    failing: dict[str, bytes] = {}
    for path in sorted([*(work / "inputs").iterdir(), *work.glob("failing-*"), *folder.iterdir()]):
        data = path.read_bytes()
        if failure := failure_of(target.check, data):
            failing.setdefault(failure, shortest(target.check, data))
            print(f"  {failure}: {failing[failure]!r}")
        elif len(data) <= FILE_BYTES_MAX:
            passing[data] = arcs_of(target.check, data)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    # A finding stays when it was mended; the rest has to earn its place.
    kept = {path.name: data for path, data in before.items() if path.name.startswith(FOUND)}
    kept |= {_digest(data): data for data in fewest(passing) if data not in kept.values()}
    kept |= {FOUND + _digest(data): data for data in failing.values()}
    for path in before:
        path.unlink()
    for file, data in kept.items():
        (folder / file).write_bytes(data)
    arcs = frozenset[Arc]().union(*passing.values())
    base = frozenset[Arc]().union(*(passing.get(seed, frozenset()) for seed in target.seeds))
    size = sum(map(len, kept.values()))
    print(f"  {len(kept)} of {len(passing)} inputs kept, {size} bytes, {len(arcs)} arcs", end=" ")
    print(f"({len(base)} by the seeds)")
    return bool(failing)


def work_of(name: str) -> Path:
    """Return the folder of a target's run, with one for its inputs in it."""
    work = WORK / name
    (work / "inputs").mkdir(parents=True, exist_ok=True)
    return work


def statistics(log: Path) -> list[str]:
    """Return what is worth reading of the fuzzer's own report."""
    lines = log.read_text(errors="replace").splitlines()
    told = [line for line in lines if line.startswith(("Done", "stat::number_of", "SUMMARY"))]
    return [*(line for line in lines if "INITED" in line), *lines[-1:][: not told], *told]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    warnings.simplefilter("error")
    sys.exit(main())
