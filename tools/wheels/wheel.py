"""Reads a wheel: its metadata, and the names of the files in it."""

from __future__ import annotations

import configparser
import re
import zipfile
from collections.abc import Mapping
from email.message import Message
from email.parser import BytesParser
from functools import cached_property
from pathlib import Path

import attrs

_NEEDS_MORE = frozenset({"maglev.testing.plugin"})
"""Modules that only an extra can import."""
_OURS = re.compile(r"(maglevd|maglev-[a-z]+)\b")


@attrs.frozen(slots=False)
class Wheel:
    """A wheel.

    Args:
        path: Where it is.
        names: The files in it.
        metadata: Of its distribution.
        entry_points: By group and name, as `maglev_http.plugin`.
    """

    path: Path
    names: frozenset[str]
    metadata: Message
    entry_points: Mapping[str, Mapping[str, str]]

    @classmethod
    def read(cls, path: Path) -> Wheel:
        """Read a wheel.

        Raises:
            zipfile.BadZipFile: It is none.
        """
        with zipfile.ZipFile(path) as archive:
            names = frozenset(archive.namelist())
            folder = next(name for name in names if name.endswith(".dist-info/METADATA")).removesuffix("METADATA")
            metadata = BytesParser().parsebytes(archive.read(f"{folder}METADATA"))
            entry_points = configparser.ConfigParser(delimiters=("=",))
            if f"{folder}entry_points.txt" in names:
                entry_points.read_string(archive.read(f"{folder}entry_points.txt").decode())
        points = {group: dict(entry_points.items(group)) for group in entry_points.sections()}
        return cls(path, names, metadata, points)

    @property
    def distribution(self) -> str:
        """Its name, as pip knows it."""
        return str(self.metadata["Name"])

    @property
    def version(self) -> str:
        """Its version."""
        return str(self.metadata["Version"])

    @property
    def scripts(self) -> tuple[str, ...]:
        """The commands that it installs."""
        return tuple(sorted(self.entry_points.get("console_scripts", {})))

    @property
    def modules(self) -> tuple[str, ...]:
        """What is imported when it is used: the package, the modules of its hooks and those of its commands."""
        points = (point for group in self.entry_points.values() for point in group.values())
        return (self.package, *sorted({point.partition(":")[0] for point in points} - _NEEDS_MORE))

    @property
    def package(self) -> str:
        """The package that it is imported as."""
        return self.distribution.replace("-", "_").replace("maglevd", "maglev")

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """What it needs without extras."""
        wanted = self.metadata.get_all("Requires-Dist", [])
        return tuple(line for line in wanted if "extra ==" not in line)

    @property
    def ours(self) -> frozenset[str]:
        """The distributions of this repository among what it needs."""
        return frozenset(match[1] for line in self.needs if (match := _OURS.match(line)))

    @property
    def others(self) -> tuple[str, ...]:
        """The requirements that come from elsewhere."""
        return tuple(line for line in self.needs if not _OURS.match(line))


def closure(wheel: Wheel, wheels: dict[str, Wheel]) -> list[Wheel]:
    """Return a wheel and those of the repository that it needs, in the order of their names.

    Args:
        wheel: Where to start.
        wheels: All, by the name of their distribution.
    """
    found = {wheel.distribution: wheel}
    waiting = [wheel]
    while waiting:
        for name in waiting.pop().ours - found.keys():
            found[name] = wheels[name]
            waiting.append(wheels[name])
    return [found[name] for name in sorted(found)]
