"""Names of the Debian packages, places of their files, and what they say of what is inside."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path, PurePosixPath

import pytest

from tools.debian.contents import (
    ARCHITECTURES,
    PACKAGES,
    RELEASES,
    debian_version,
    platform,
    shared_file,
    system_packages,
)
from tools.debian.copyright import Work, copyright_file, work_of, works_of_page
from tools.debian.report import sizes_by_part

ROOT = Path(__file__).parents[2]
MADE = datetime.fromisoformat("2026-11-28T11:02:20+01:00")
DAEMON, CLIENTS = PACKAGES


@pytest.mark.parametrize(
    "commit,tagged,version",
    [
        ("abc1234", True, "1.2.0-1~deb12"),
        ("abc1234", False, "1.2.0~git20261128100220.abc1234-1~deb12"),
        ("abc1234-dirty", False, "1.2.0~git20261128100220.abc1234.dirty-1~deb12"),
    ],
)
def test_only_what_is_tagged_bears_the_number_alone(commit: str, tagged: bool, version: str) -> None:
    assert debian_version("1.2.0", commit, MADE, RELEASES["bookworm"], tagged=tagged) == version


def test_each_plugin_is_in_a_package() -> None:
    packed = {wheel.partition("[")[0] for package in PACKAGES for wheel in package.wheels}
    plugins = {folder.parent.name.replace("_", "-") for folder in ROOT.glob("plugins/*/pyproject.toml")}
    assert packed == {"maglevd", *plugins}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("codename", RELEASES)
def test_no_wheel_asks_for_a_newer_c_library_than_a_release_has(architecture: str, codename: str) -> None:
    release = RELEASES[codename]
    name, _, tag = platform(architecture, release).partition("-manylinux_")
    assert name == ARCHITECTURES[architecture]
    assert tuple(map(int, tag.split("_"))) <= tuple(map(int, release.glibc.split(".")))


@pytest.mark.parametrize(
    "place,in_daemons,in_clients",
    [
        ("man/man8/maglevd.8", "usr/share/man/man8/maglevd.8", None),
        ("man/man8/maglevd-frontend.8", "usr/share/man/man8/maglevd-frontend.8", None),
        ("man/man5/maglev.yaml.5", "usr/share/man/man5/maglev.yaml.5", None),
        ("man/man1/maglevc.1", None, "usr/share/man/man1/maglevc.1"),
        ("bash-completion/completions/maglevd", "usr/share/bash-completion/completions/maglevd", None),
        ("zsh/site-functions/_maglevt", None, "usr/share/zsh/vendor-completions/_maglevt"),
        ("fish/vendor_completions.d/maglevc.fish", None, "usr/share/fish/vendor_completions.d/maglevc.fish"),
        ("man/man1/other.1", None, None),
    ],
)
def test_pages_and_completions_go_with_their_command(
    place: str, in_daemons: str | None, in_clients: str | None
) -> None:
    where = [shared_file(package, PurePosixPath(place)) for package in (DAEMON, CLIENTS)]
    assert [found and str(found) for found in where] == [in_daemons, in_clients]


def test_a_library_that_no_package_is_known_for_is_refused() -> None:
    assert system_packages(["libc.so.6", "libm.so.6", "libstdc++.so.6"]) == {"libc6", "libstdc++6"}
    with pytest.raises(LookupError, match=r"libodd\.so\.1"):
        system_packages(["libc.so.6", "libodd.so.1"])


# --- copyright ---


def distribution(folder: Path, metadata: str, files: dict[str, str]) -> Distribution:
    """A distribution as it lies in a folder."""
    info = folder / "odd-1.0.dist-info"
    (folder / info).mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: odd\nVersion: 1.0\n{metadata}\n")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in ["odd-1.0.dist-info/METADATA", *files]))
    return PathDistribution(info)


LICENCE = "odd-1.0.dist-info/licenses/LICENSE"


def test_a_library_is_named_with_its_holders_licence_and_text(tmp_path: Path) -> None:
    text = "Copyright (c) 2020 Somebody Else\n\nThe above copyright notice and this notice shall be included.\n"
    found = distribution(
        tmp_path,
        "License-Expression: MIT OR Apache-2.0",
        {"odd/__init__.py": "", "odd/deep/more.py": "", "shared/part/one.py": "", "single.py": "", LICENCE: text},
    )
    assert work_of(found, "usr/lib/x").paragraph() == (
        "Files: usr/lib/x/odd-1.0.dist-info/*\n usr/lib/x/odd/*\n usr/lib/x/shared/part/*\n usr/lib/x/single.py\n"
        "Copyright: 2020 Somebody Else\n"
        "License: MIT or Apache-2.0\n"
        " Copyright (c) 2020 Somebody Else\n"
        " .\n"
        " The above copyright notice and this notice shall be included.\n"
    )


def test_a_licence_that_debian_has_is_referred_to(tmp_path: Path) -> None:
    text = "   Apache License\n   Version 2.0\n" + "You may not.\n" * 100 + "   Copyright [yyyy] [name of owner]\n"
    found = distribution(tmp_path, "License: Apache-2.0\nAuthor: Odd Authors", {"odd/__init__.py": "", LICENCE: text})
    said = work_of(found, "usr/lib/x").paragraph()
    assert "Copyright: Odd Authors\n" in said
    assert "/usr/share/common-licenses/Apache-2.0" in said
    assert "You may not" not in said


def test_a_classifier_is_a_statement_too(tmp_path: Path) -> None:
    found = distribution(
        tmp_path, "Classifier: License :: OSI Approved :: BSD License", {"odd/__init__.py": "", LICENCE: "Do.\n"}
    )
    assert work_of(found, "x").licence == "BSD-3-Clause"


@pytest.mark.parametrize(
    "metadata,files,reason",
    [
        ("", {LICENCE: "Do as you like.\n"}, "does not say its licence"),
        ("License: MIT", {"odd/__init__.py": ""}, "without the text of its licence, MIT"),
    ],
)
def test_a_library_without_a_licence_is_refused(
    tmp_path: Path, metadata: str, files: dict[str, str], reason: str
) -> None:
    with pytest.raises(LookupError, match=reason):
        work_of(distribution(tmp_path, metadata, files), "x")


def test_what_the_scripts_of_the_page_hold_is_listed() -> None:
    text = "# Licenses\n\n## one - 1.0 (MIT)\n\nCopyright (c) 2016 A\n\n## two - 2.1.3 (ISC)\n\nCopyright 2022 B\n"
    works = list(works_of_page(text, "usr/x/static"))
    assert [(work.name, work.licence) for work in works] == [("one", "MIT"), ("two", "ISC")]
    assert works[1] == Work("two", ("usr/x/static/*",), "ISC", ("Copyright 2022 B",), "")
    assert copyright_file(works).count("\nFiles: ") == 3


def test_sizes_add_up_by_part() -> None:
    listing = (
        "drwxr-xr-x root/root         0 2026-11-28 11:02 ./usr/\n"
        "-rw-r--r-- root/root       100 2026-11-28 11:02 ./usr/lib/x/lib/python3.11/site-packages/grpc/a.so\n"
        "-rw-r--r-- root/root        20 2026-11-28 11:02 ./usr/lib/x/lib/python3.11/site-packages/grpc/b/c.py\n"
        "lrwxrwxrwx root/root         0 2026-11-28 11:02 ./usr/sbin/maglevd -> ../lib/x/bin/maglevd\n"
        "-rw-r--r-- root/root         3 2026-11-28 11:02 ./usr/share/doc/a file\n"
    )
    assert {part: size for part, size in sizes_by_part(listing).items() if size} == {"grpc": 120, "./usr/share": 3}
