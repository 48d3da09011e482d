"""Checks the wheels of a release in `dist/`, and prints what each costs.

    python -m tools.wheels [--newest pinned|newest] [--suite corners|all|none]

- twine reads their metadata as an index would.
- Each holds all of its sources and pages, and nothing else.
- Each is installed alone into a new environment on each Python of this machine, with the lowest versions of all that it
  names, and with the newest; there it is imported, and its commands tell their version.
- The core of the test suite runs on the wheels: on the oldest Python with the lowest versions and on the newest with
  the newest (`corners`), or on each Python with both (`all`).

The newest are those of `constraints.txt` (`pinned`), so that what others release breaks no run of ours; `newest` asks
the index. Environments lie in a temporary folder. Exit status: 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

from tools.wheels.contents import problems
from tools.wheels.environments import Broken, Environment, Versions, run
from tools.wheels.pythons import pythons
from tools.wheels.wheel import Wheel, closure

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
_RUNTIME = (
    "backends",
    "commands",
    "failover",
    "filling",
    "overrides",
    "previews",
    "reload_told",
    "reload_whole",
    "sync_run",
)
SUITE = (
    *(f"tests/{room}" for room in ("api", "config", "dataplanes", "domain", "plugin")),
    *(f"tests/runtime/test_{subject}.py" for subject in _RUNTIME),
)
"""The core of the test suite: what decides, what reads a configuration, and the steps that carry decisions out."""
COVERED = ("maglev/config/*", "maglev/dataplanes/*", "maglev/domain/*", "maglev/plugin/*")
"""The packages that it has to cover."""
LEAST_COVERED = 97
"""Percent of the lines of these packages."""


def main() -> int:
    """Run all checks; returns the exit status."""
    parser = argparse.ArgumentParser(description="Check the wheels in dist/.")
    parser.add_argument("--newest", choices=("pinned", "newest"), default="pinned")
    parser.add_argument("--suite", choices=("corners", "all", "none"), default="corners")
    asked = parser.parse_args()
    wheels = {wheel.distribution: wheel for wheel in map(Wheel.read, sorted((ROOT / "dist").glob("*.whl")))}
    try:
        run([sys.executable, "-m", "twine", "check", "--strict", *(str(wheel.path) for wheel in wheels.values())])
        wrong = [f"{name} {line}" for name, wheel in wheels.items() for line in problems(wheel, _sources(wheel))]
        if wrong:
            raise Broken("\n".join(wrong))
        with tempfile.TemporaryDirectory(prefix="maglev-wheels-") as folder:
            _try_each(wheels, asked.newest, Path(folder))
            for version, versions in _runs(asked.suite, asked.newest):
                _run_suite(wheels, version, versions, Path(folder))
    except Broken as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _sources(wheel: Wheel) -> list[str]:
    folder = ROOT if wheel.package == "maglev" else ROOT / "plugins" / wheel.package
    return run(["git", "ls-files", wheel.package], cwd=folder / "src").splitlines()


def _try_each(wheels: dict[str, Wheel], newest: Versions, folder: Path) -> None:
    print(f"{'wheel':18} {'KiB':>5}  {'Python':6} {'versions':8} {'installed MiB':>13} {'import ms':>9}")
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each mostly waits for the disk
        tries = [
            pool.submit(_try, wheels, wheel, version, versions, folder)
            for version, versions, wheel in product(pythons(), ("lowest", newest), wheels.values())
        ]
        try:
            for done in tries:
                print(done.result(), flush=True)
        finally:
            pool.shutdown(cancel_futures=True)


def _try(wheels: dict[str, Wheel], wheel: Wheel, version: tuple[int, int], versions: Versions, folder: Path) -> str:
    """Try one wheel alone in an environment of its own, and describe it in a line."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        environment = Environment.make(Path(place) / "alone", pythons()[version])
        empty = environment.size_mib()
        environment.install(closure(wheel, wheels), versions, CONSTRAINTS)
        size = environment.size_mib() - empty
        for script in wheel.scripts:
            if wheel.version not in environment.run_command(script, "--version"):
                raise Broken(f"{script} does not tell its version")
        if wheel.distribution == "maglevd":
            _ask_for_more(environment)
        return (
            f"{wheel.distribution:18} {wheel.path.stat().st_size / 1024:5.0f}  {'.'.join(map(str, version)):6} "
            f"{versions:8} {size:13.1f} {environment.import_ms(wheel.modules):9}"
        )


def _ask_for_more(environment: Environment) -> None:
    """See that the core alone says what its demonstration needs."""
    words = [str(environment.folder / "bin/maglevd"), "demo", "--once"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 1 or "pip install 'maglevd[http]'" not in done.stderr:
        raise Broken(f"maglevd demo does not say what to install: {done.stdout}{done.stderr}")


def _runs(suite: str, newest: Versions) -> Iterator[tuple[tuple[int, int], Versions]]:
    found = list(pythons())
    if suite == "corners":
        yield from ((found[0], "lowest"), (found[-1], newest))
    elif suite == "all":
        yield from product(found, ("lowest", newest))


def _run_suite(wheels: dict[str, Wheel], version: tuple[int, int], versions: Versions, folder: Path) -> None:
    environment = Environment.make(folder / "suite", pythons()[version])
    environment.install(list(wheels.values()), versions, CONSTRAINTS)
    environment.add(["--group", f"{ROOT / 'pyproject.toml'}:test"], CONSTRAINTS)
    coverage = [str(environment.python), "-m", "coverage"]
    # Measured once: from 3.12 on Python itself tells which lines run, at little cost; before, it doubles the time.
    is_measured = version == list(pythons())[-1]
    start = [*coverage, "run", "-m"] if is_measured else [str(environment.python), "-m"]
    words = [*start, "pytest", "-q", "-n", "2", "--dist", "loadfile", *SUITE]
    files = {"COVERAGE_FILE": str(environment.folder / "covered")}
    core = {"COVERAGE_CORE": "sysmon"} if version >= (3, 12) else {}
    printed = run(words, cwd=ROOT, HYPOTHESIS_PROFILE="matrix", **files, **core)
    print(f"Python {'.'.join(map(str, version))}, {versions} versions: {printed.splitlines()[-1]}", flush=True)
    if not is_measured:
        return
    run([*coverage, "combine", "--quiet"], cwd=ROOT, **files)
    include = ",".join(f"*/{pattern}" for pattern in COVERED)
    words = [*coverage, "report", "--include", include, "--fail-under", str(LEAST_COVERED)]
    print(run(words, cwd=ROOT, **files), flush=True)


if __name__ == "__main__":
    sys.exit(main())
