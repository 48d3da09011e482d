"""Says which packages there are for which releases of Debian, and what lies where in each."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import PurePosixPath

import attrs

ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}  # Debian's name, the one of wheels
MACHINES = {"amd64": "x86-64", "arm64": "ARM aarch64"}  # how `file` names what runs there

# What shared objects of wheels may need from the system, and the package that has it. Everything else must lie inside.
SYSTEM_LIBRARIES = {
    "ld-linux-aarch64.so.1": "libc6",
    "ld-linux-x86-64.so.2": "libc6",
    "libc.so.6": "libc6",
    "libdl.so.2": "libc6",
    "libgcc_s.so.1": "libgcc-s1",
    "libm.so.6": "libc6",
    "libpthread.so.0": "libc6",
    "librt.so.1": "libc6",
    "libstdc++.so.6": "libstdc++6",
}


@attrs.frozen
class Release:
    """One release of Debian that packages are built for.

    Args:
        codename: As in /etc/os-release.
        number: Of the release; it ends the packages' version, so that a newer release has newer packages.
        python: Minor version of its python3.
        glibc: Version of its C library; wheels that need a newer one are refused.
        systemd: Version of its systemd.
    """

    codename: str
    number: int
    python: str
    glibc: str
    systemd: int


@attrs.frozen
class Package:
    """One Debian package.

    Args:
        name: Of the package, and of its tree below /usr/lib.
        wheels: The distributions of this repository in it, with their extras.
        commands: Folder of each command.
        pages: Manual pages beside those of the commands.
    """

    name: str
    wheels: tuple[str, ...]
    commands: dict[str, str]
    pages: tuple[str, ...] = ()

    @property
    def tree(self) -> PurePosixPath:
        """The virtual environment that holds everything which is run."""
        return PurePosixPath("usr/lib", self.name)


RELEASES = {
    release.codename: release
    for release in (
        Release("bookworm", 12, "3.11", "2.36", 252),
        Release("trixie", 13, "3.13", "2.41", 257),
    )
}

PACKAGES = (
    Package(
        "vpp-maglevd",
        (
            "maglevd[uvloop]",
            "maglev-http",
            "maglev-tcp",
            "maglev-icmp",
            "maglev-vpp",
            "maglev-grpc",
            "maglev-prometheus[otel]",
            "maglev-web",
        ),
        {"maglevd": "usr/sbin", "maglevd-frontend": "usr/sbin"},
        ("maglev.yaml",),
    ),
    Package(
        "vpp-maglev",
        ("maglevd", "maglev-grpc", "maglev-cli", "maglev-tester"),
        {"maglevc": "usr/bin", "maglevt": "usr/bin"},
    ),
)

# Files of the repository in the daemon's package. The example is in it twice: the unit sees by the copy that nobody has
# edited the configuration yet.
DAEMON_FILES = (
    ("packaging/etc/maglev.yaml", "etc/vpp-maglev/maglev.yaml"),
    ("packaging/etc/maglev.yaml", "usr/share/vpp-maglevd/maglev.yaml"),
    ("packaging/etc/default/vpp-maglev", "etc/default/vpp-maglev"),
    ("contrib", "usr/share/doc/vpp-maglevd/examples"),
)
DROP_IN = ("packaging/systemd/10-systemd-254.conf", "usr/lib/systemd/system/vpp-maglev.service.d/10-systemd-254.conf")
DROP_IN_SINCE = 254


def debian_version(version: str, commit: str, made: datetime, release: Release, *, tagged: bool) -> str:
    """Return the version of a package.

    What is built of a commit that bears no tag of a release sorts before that release, and after older commits. A
    hyphen would begin Debian's revision, so none is left in the commit.

    Args:
        version: Of the distributions.
        commit: Short; with `-dirty` behind it where files were changed since.
        made: When that commit was made.
        release: The release of Debian that the package is for.
        tagged: Whether the commit is tagged as that version.
    """
    snapshot = "" if tagged else f"~git{made.astimezone(UTC):%Y%m%d%H%M%S}.{commit.replace('-', '.')}"
    return f"{version}{snapshot}-1~deb{release.number}"


def platform(architecture: str, release: Release) -> str:
    """Name the platform whose wheels run on an architecture of a release, as uv does."""
    newest_known = (2, 40)
    major, minor = min(newest_known, tuple(map(int, release.glibc.split("."))))
    return f"{ARCHITECTURES[architecture]}-manylinux_{major}_{minor}"


def shared_file(package: Package, place: PurePosixPath) -> PurePosixPath | None:
    """Say where a manual page or completion goes.

    Args:
        package: That may take it.
        place: Below `share`, as wheels have it.

    Returns:
        Its place in the package, or None if it belongs to another.
    """
    name = place.name.removeprefix("_") if place.parts[0] == "zsh" else place.name
    known = {*package.commands, *(package.pages if place.parts[0] == "man" else ())}
    if name not in known and name.rpartition(".")[0] not in known:
        return None
    # Wheels install where an administrator does; packages have folders of their own in zsh.
    return PurePosixPath("usr/share", str(place).replace("zsh/site-functions", "zsh/vendor-completions"))


def system_packages(needed: Iterable[str]) -> set[str]:
    """Return the packages that have the system's libraries which shared objects need.

    Raises:
        LookupError: One needs a library that no package is known for.
    """
    libraries = set(needed)
    if unknown := libraries - SYSTEM_LIBRARIES.keys():
        raise LookupError(f"no package is known for {', '.join(sorted(unknown))}")
    return {SYSTEM_LIBRARIES[name] for name in libraries}
