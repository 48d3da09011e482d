"""Installs wheels into new environments, with the lowest or the newest versions of what they need."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import attrs

from tools.wheels.wheel import Wheel

Versions = Literal["lowest", "pinned", "newest"]
"""Of dependencies: the lowest that are allowed, those of `constraints.txt`, or the newest that there are."""

_UV = Path(sys.executable).with_name("uv")
_IMPORT = """
import sys, time
from importlib import import_module
begin = time.perf_counter()
for name in sys.argv[1:]:
    import_module(name)
print(round(1000 * (time.perf_counter() - begin)))
"""
_BYTES_IN_MIB = 1 << 20


class Broken(Exception):
    """A command failed; the text is what it printed."""


@attrs.frozen
class Environment:
    """A virtual environment.

    Args:
        folder: Where it is.
    """

    folder: Path

    @classmethod
    def make(cls, folder: Path, python: Path) -> Environment:
        """Make a new one.

        Args:
            folder: Where; replaced if there is one.
            python: The interpreter.
        """
        run([str(_UV), "venv", "--quiet", "--clear", "--python", str(python), str(folder)])
        return cls(folder)

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin/python"

    def install(self, wanted: Sequence[Wheel], versions: Versions, constraints: Path) -> None:
        """Install wheels, and what they need. Nothing is compiled: there must be wheels of everything.

        Args:
            wanted: The wheels, with all of the repository that they need.
            versions: Of all else.
            constraints: The file of pinned versions.

        Raises:
            Broken: They cannot be installed together.
        """
        words = [str(wheel.path) for wheel in wanted]
        if versions == "lowest":
            # What is lowest counts for what is asked for directly, so ask for everything that a wheel names.
            words += ["--resolution", "lowest-direct", *sorted({line for wheel in wanted for line in wheel.others})]
        elif versions == "pinned":
            words += ["--constraints", str(constraints)]
        self._pip("install", "--quiet", "--only-binary", ":all:", *words)
        self._pip("check", "--quiet")

    def add(self, words: Sequence[str], constraints: Path) -> None:
        """Install tools beside, which must not change what is there already.

        Args:
            words: What `uv pip install` takes.
            constraints: The file of pinned versions, for what is not there.
        """
        there = self._pip("freeze", "--exclude-editable").splitlines()
        held = [line for line in there if "==" in line]
        names = {line.partition("==")[0].lower() for line in held}
        pins = [line for line in constraints.read_text().splitlines() if line.partition("==")[0].lower() not in names]
        file = self.folder / "held.txt"
        file.write_text("\n".join([*held, *pins]), "utf-8")
        self._pip("install", "--quiet", "--constraints", str(file), *words)

    def _pip(self, verb: str, *words: str) -> str:
        return run([str(_UV), "pip", verb, "--python", str(self.python), *words])

    def import_ms(self, modules: Sequence[str]) -> int:
        """Return how many milliseconds importing modules takes: the least of three, after a time that compiles them.

        Raises:
            Broken: One cannot be imported.
        """
        words = [str(self.python), "-c", _IMPORT, *modules]
        return min([int(run(words, cwd=self.folder)) for _ in range(4)][1:])

    def run_command(self, name: str, *words: str) -> str:
        """Run an installed command; returns what it printed, or raises `Broken`."""
        return run([str(self.folder / "bin" / name), *words], cwd=self.folder)

    def size_mib(self) -> float:
        """Return how much lies in it, without compiled bytes, in MiB."""
        files = (path for path in self.folder.rglob("*") if path.suffix != ".pyc" and path.is_file())
        return sum(path.lstat().st_size for path in files) / _BYTES_IN_MIB


def run(words: Sequence[str], *, cwd: Path | None = None, **variables: str) -> str:
    """Run a command; returns its standard output.

    Args:
        words: The command.
        cwd: The working directory; that of this process by default.
        variables: Of its environment, beside ours.

    Raises:
        Broken: It failed.
    """
    done = subprocess.run(words, cwd=cwd, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Broken(f"{' '.join(words)}: status {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout
