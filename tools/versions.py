"""Keep the versions of all distributions in lock-step.

`python -m tools.versions` exits with 1 and says where they differ; `python -m tools.versions 0.2.0` sets them all. The
core and its plugins are released together, so each plugin asks for exactly the core that it was built beside, and each
extra of the core for exactly that plugin.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OWN_VERSION = re.compile(r'(?m)^(version = ")[^"]+(")')
OWN_PIN = re.compile(r'("(?:maglevd|maglev-[a-z]+)==)[^"]+(")')


def project_files(root: Path = ROOT) -> list[Path]:
    """The pyproject.toml of the core and of each plugin."""
    return [root / "pyproject.toml", *sorted(root.glob("plugins/*/pyproject.toml"))]


def stated_versions(path: Path) -> Iterator[tuple[str, str]]:
    """Every (what, version) that one pyproject.toml states about a distribution of this repository."""
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    yield project["name"], project["version"]
    extras = project.get("optional-dependencies", {}).values()
    wanted = [*project.get("dependencies", []), *chain.from_iterable(extras)]
    for requirement in wanted:
        match = re.match(r"(maglevd|maglev-[a-z]+)\s*(?:==\s*(\S+))?$", requirement)
        if match:
            yield f"{project['name']} needs {match[1]}", match[2] or "any"


def differences(root: Path = ROOT) -> list[str]:
    """What does not bear the core's version, one line each; empty when all do."""
    (_, core), *_rest = stated_versions(root / "pyproject.toml")
    return [
        f"{path.relative_to(root)}: {what} {version}, the core is {core}"
        for path in project_files(root)
        for what, version in stated_versions(path)
        if version != core
    ]


def set_version(version: str, root: Path = ROOT) -> None:
    """Write one version everywhere."""
    for path in project_files(root):
        text = path.read_text(encoding="utf-8")
        text = OWN_VERSION.sub(rf"\g<1>{version}\g<2>", text, count=1)
        path.write_text(OWN_PIN.sub(rf"\g<1>{version}\g<2>", text), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Set the version if one is given, then check."""
    if arguments:
        set_version(arguments[0])
    found = differences()
    print("\n".join(found) or "versions agree")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
