"""Builds the Debian packages from the wheels in dist/, for any architecture on any.

    python -m tools.debian [--release bookworm] [--architecture amd64 --architecture arm64]

What is built lies in build/deb: packages, a list of the files of each with their sizes, and what lintian says.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import product
from pathlib import Path, PurePosixPath

from maglev._commit import UNKNOWN
from tools.debian import report, tree
from tools.debian.contents import (
    ARCHITECTURES,
    DAEMON_FILES,
    DROP_IN,
    DROP_IN_SINCE,
    PACKAGES,
    RELEASES,
    Package,
    Release,
    debian_version,
    shared_file,
)
from tools.debian.copyright import copyright_file, work_of, works_of_page

ROOT = tree.ROOT
DEBIAN = ROOT / "packaging/debian"
OUT = ROOT / "build/deb"
UNITS = ("vpp-maglev", "vpp-maglev-frontend")


class Build:
    """One build of all packages, for one architecture of one release."""

    def __init__(self, release: Release, architecture: str, level: int) -> None:
        self.release = release
        self.architecture = architecture
        self.level = level
        self.folder = OUT / f"{release.codename}-{architecture}"
        commit, date = _built_from()
        self.made = datetime.now(UTC) if date == UNKNOWN else datetime.fromisoformat(date)
        self.version = debian_version(version("maglevd"), commit, self.made, release, tagged=_is_tagged())

    def run(self) -> list[Path]:
        """Build, and return the packages."""
        shutil.rmtree(self.folder, ignore_errors=True)
        debian = self.folder / "debian"
        shutil.copytree(DEBIAN, debian)
        for unit in UNITS:
            shutil.copy(ROOT / f"packaging/systemd/{unit}.service", debian / f"vpp-maglevd.{unit}.service")
        self._write_changelog(debian)
        shutil.copy(ROOT / "CHANGELOG.md", self.folder)
        for package in PACKAGES:
            self._stage(package, debian)
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(self._made_s), "RELEASE": str(self.release.number)}
        environment |= {"LEVEL": str(self.level), "DEB_BUILD_OPTIONS": "nocheck"}
        command = ["dpkg-architecture", "-f", "-a", self.architecture, "-c", "debian/rules", "binary"]
        with (self.folder / "build.log").open("w", encoding="utf-8") as log:
            done = subprocess.run(command, cwd=self.folder, env=environment, stdout=log, stderr=log, check=False)
        if done.returncode:
            sys.exit((self.folder / "build.log").read_text("utf-8"))
        return sorted(OUT.glob(f"*_{self.version}_{self.architecture}.deb"))

    @property
    def _made_s(self) -> int:
        return int(self.made.timestamp())

    def _stage(self, package: Package, debian: Path) -> None:
        stage = self.folder / "stage" / package.name
        for source, target in self._files(package):
            (stage / target).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if source.is_dir() else shutil.copyfile
            copy(source, stage / target)
        needed = tree.build(stage, package, self.architecture, self.release, ROOT / "dist", self._made_s)
        (debian / f"{package.name}.depends").write_text(
            f"python3:Depends=python{self.release.python}\nshlibs:Depends={self._libraries(needed)}\n", "utf-8"
        )
        (debian / f"{package.name}.install").write_text(f"stage/{package.name}/* /\n", "utf-8")
        self._write_copyright(stage, package, debian)

    def _files(self, package: Package) -> list[tuple[Path, str]]:
        share = ROOT / "build/share"
        files = [
            (path, str(place))
            for path in sorted(share.rglob("*"))
            if path.is_file() and (place := shared_file(package, PurePosixPath(path.relative_to(share))))
        ]
        if package.name == "vpp-maglevd":
            files += [(ROOT / source, target) for source, target in DAEMON_FILES]
            if self.release.systemd >= DROP_IN_SINCE:
                files.append((ROOT / DROP_IN[0], DROP_IN[1]))
        return files

    def _libraries(self, needed: set[str]) -> str:
        return ", ".join(f"{name} (>= {self.release.glibc})" if name == "libc6" else name for name in sorted(needed))

    def _write_copyright(self, stage: Path, package: Package, debian: Path) -> None:
        site = tree.site_packages(stage, package, self.release)
        place = str(site.relative_to(stage))
        others = [found for found in tree.inside(site) if not found.name.lower().startswith("maglev")]
        works = [work_of(found, place) for found in others]
        for licences in site.glob("*/static/licenses.md"):
            folder = licences.parent.relative_to(stage) / "assets"
            works += works_of_page(licences.read_text("utf-8"), str(folder))
        (debian / f"{package.name}.copyright").write_text(copyright_file(works), "utf-8")

    def _write_changelog(self, debian: Path) -> None:
        (debian / "changelog").write_text(
            f"vpp-maglev ({self.version}) {self.release.codename}; urgency=medium\n\n"
            "  * What changed is in changelog.gz beside this file.\n\n"
            f" -- {_maintainer()}  {self.made:%a, %d %b %Y %H:%M:%S %z}\n",
            "utf-8",
        )


def _built_from() -> tuple[str, str]:
    """Return commit and date that the core's wheel was built from, as `maglevd --version` tells them."""
    (wheel,) = (ROOT / "dist").glob("maglevd-*.whl")
    with zipfile.ZipFile(wheel) as files:
        written = files.read("maglev/_build.py").decode()
    stated = dict(re.findall(r'(?m)^([A-Z]+) = "(.*)"$', written))
    return stated["COMMIT"], stated["DATE"]


def _maintainer() -> str:
    control = (DEBIAN / "control").read_text("utf-8")
    (line,) = (line for line in control.splitlines() if line.startswith("Maintainer: "))
    return line.removeprefix("Maintainer: ")


def _is_tagged() -> bool:
    """Tell whether the commit is that of the release."""
    command = ["git", "-C", str(ROOT), "tag", "--points-at", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"v{version('maglevd')}" in done.stdout.split()


def main(arguments: list[str]) -> None:
    """Build what is asked for, and print what came out."""
    here = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    here = here if here in RELEASES else next(iter(RELEASES))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", action="append", choices=RELEASES, help=f"of Debian; may be given again [{here}]")
    parser.add_argument("--architecture", action="append", choices=ARCHITECTURES, help="may be given again [all]")
    parser.add_argument("--level", type=int, choices=range(10), default=6, help="of compression [%(default)s]")
    parser.add_argument(
        "--no-lintian",
        action="store_true",
        help="do not ask lintian, which is asked about packages for this machine's release",
    )
    asked = parser.parse_args(arguments)
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    wanted = product(asked.release or [here], asked.architecture or ARCHITECTURES)
    builds = [Build(RELEASES[release], architecture, asked.level) for release, architecture in wanted]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        packages = [package for built in pool.map(Build.run, builds) for package in built]
    for package in packages:
        report.print_package(package)
    if not asked.no_lintian:
        # It judges by the rules of this machine's release.
        report.ask_lintian([package for package in packages if f"~deb{RELEASES[here].number}_" in package.name])


if __name__ == "__main__":
    main(sys.argv[1:])
