"""Prints what came out of a build: fields and sizes of each package, and what lintian says."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_LARGEST = 8


def print_package(package: Path) -> None:
    """Print a package's fields and sizes, and write the list of its files beside it."""
    print(f"\n== {package.name}: {package.stat().st_size / 1e6:.1f} MB")
    print(_output("dpkg", "--info", str(package)))
    listing = _output("dpkg", "--contents", str(package))
    (package.parent / f"{package.stem}.files").write_text(listing, "utf-8")
    sizes = sizes_by_part(listing)
    print(f"{len(listing.splitlines())} files and folders, {sum(sizes.values()) / 1e6:.1f} MB installed, of that:")
    for part, size in sizes.most_common(_LARGEST):
        print(f"{size / 1e6:8.1f} MB  {part}")


def ask_lintian(packages: list[Path]) -> None:
    """Print what lintian says of packages, two at a time.

    Raises:
        SystemExit: It found an error.
    """
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(_lintian, packages))
    for package, asked in zip(packages, done, strict=True):
        print(f"lintian {package.name}: {'errors' if asked.returncode else 'no errors'}")
        print(asked.stdout, end="")
    if any(asked.returncode for asked in done):
        sys.exit("lintian has found errors")


def _lintian(package: Path) -> subprocess.CompletedProcess[str]:
    command = ["lintian", "--allow-root", "--fail-on", "error", str(package)]
    return subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)


def sizes_by_part(listing: str) -> Counter[str]:
    """Add up sizes in bytes by what lies in site-packages, and by top folder for all else.

    Args:
        listing: What `dpkg --contents` prints.
    """
    sizes: Counter[str] = Counter()
    for line in listing.splitlines():
        _mode, _owner, size, _day, _time, path = line.split(maxsplit=5)
        _, within, inside = path.partition("/site-packages/")
        part = inside.split("/")[0] if within else "/".join(path.split("/")[:3])
        sizes[part] += int(size)
    return sizes


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
