"""Makes roots of Debian releases with debootstrap, to compile and to try packages in.

    python -m tools.debian.roots bookworm trixie

writes each to build/roots/RELEASE.tar, from which a fresh one is unpacked for each use. Needs root.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "build/roots"
MOUNTED = "/mnt"  # where run_on shows a folder

# What the packages depend on, systemd with what boots it, and what the tests run there.
INCLUDE = ("adduser", "dbus", "iproute2", "man-db", "procps", "python3", "systemd", "systemd-sysv")

# In memory, and so without waiting for a disk at each of debootstrap's many syncs. The mount ends with the namespace.
_MAKE = """\
set -e
mount -t tmpfs -o mode=755 tmpfs "$1"
debootstrap --variant=minbase --include="$3" "$2" "$1" >"$4.log" 2>&1 || { tail -n 20 "$4.log" >&2; exit 1; }
rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
tar -C "$1" --numeric-owner --xattrs -cf "$4.new" .
mv "$4.new" "$4"
"""


def tar_of(codename: str) -> Path:
    """Return the file that holds the root of a release."""
    return FOLDER / f"{codename}.tar"


def make(codename: str) -> None:
    """Make the root of a release unless it is there.

    Raises:
        subprocess.CalledProcessError: debootstrap failed; the end of its log was printed.
    """
    tar = tar_of(codename)
    if tar.exists():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        words = [place, codename, ",".join(INCLUDE), str(tar)]
        subprocess.run(["unshare", "--mount", "sh", "-c", _MAKE, "sh", *words], check=True)


@contextmanager
def unpacked(codename: str) -> Iterator[Path]:
    """Unpack the root of a release into a folder of its own, and remove it in the end.

    Raises:
        FileNotFoundError: That root was not made.
    """
    if not tar_of(codename).exists():
        raise FileNotFoundError(f"{tar_of(codename)} is not there: make deb-roots, as root")
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        subprocess.run(["tar", "-C", place, "--numeric-owner", "--xattrs", "-xf", tar_of(codename)], check=True)
        yield root


def run_on(codename: str, folder: Path, command: Sequence[str]) -> None:
    """Run a command in the root of a release, where it finds a folder of this machine at `MOUNTED`.

    Raises:
        FileNotFoundError: That root was not made.
        subprocess.CalledProcessError: The command failed.
    """
    in_root = 'mount --bind "$1" "$2$3" && root=$2 && shift 3 && exec chroot "$root" "$@"'
    with unpacked(codename) as root:
        words = [str(folder), str(root), MOUNTED, *command]
        subprocess.run(["unshare", "--mount", "sh", "-c", in_root, "sh", *words], check=True)


if __name__ == "__main__":
    with ThreadPoolExecutor() as pool:
        list(pool.map(make, sys.argv[1:]))
    for name in sys.argv[1:]:
        print(f"{tar_of(name)}: {tar_of(name).stat().st_size / 1e6:.0f} MB")
