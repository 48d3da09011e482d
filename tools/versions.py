"""Keep the versions of all distributions in lock-step.

`python -m tools.versions` exits with 1 and says where they differ; `python -m tools.versions 0.2.0` sets them all. The
core and its plugins are released together, so each plugin asks for exactly the core that it was built beside, and each
extra of the core for exactly that plugin. A commit with the tag of a release, as `v0.2.0`, must have that version, and
a date for it in the changelog.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
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


def release_problems(tags: Iterable[str], version: str, changelog: str) -> Iterator[str]:
    """Yield what is wrong with a release, one line each.

    Args:
        tags: Those of the commit; others than `v` and a digit are no release's.
        version: Of the core.
        changelog: The text of `CHANGELOG.md`.
    """
    for tag in tags:
        if not re.match(r"v\d", tag):
            continue
        if tag != f"v{version}":
            yield f"the tag {tag} is not the version {version}"
        if not re.search(rf"(?m)^## {re.escape(tag[1:])} – \d{{4}}-\d\d-\d\d$", changelog):
            yield f"CHANGELOG.md has no date for {tag[1:]}: `## {tag[1:]} – 2026-12-24`"


def _tags(root: Path) -> list[str]:
    """List the tags of the commit that is checked out; none where there is no git."""
    words = ["git", "-C", str(root), "tag", "--points-at", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()


def main(arguments: list[str]) -> int:
    """Set the version if one is given, then check."""
    if arguments:
        set_version(arguments[0])
    (_, version), *_rest = stated_versions(ROOT / "pyproject.toml")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = [*differences(), *release_problems(_tags(ROOT), version, changelog)]
    print("\n".join(found) or "versions agree")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
