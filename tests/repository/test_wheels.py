"""Wheels have what they must, and nothing that they must not."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tools.share.files import files
from tools.wheels.contents import problems
from tools.wheels.wheel import Wheel, closure

SOURCES = ["maglev_cli/__init__.py", "maglev_cli/py.typed"]
INFO = "maglev_cli-1.2.3.dist-info"
METADATA = """\
Metadata-Version: 2.4
Name: maglev-cli
Version: 1.2.3
Summary: A command
License-Expression: Apache-2.0
Requires-Python: >=3.11
Description-Content-Type: text/markdown
Requires-Dist: click>=8.2
Requires-Dist: maglev-grpc==1.2.3
Requires-Dist: maglevd==1.2.3
Requires-Dist: pytest; extra == 'testing'
"""
ENTRY_POINTS = """\
[console_scripts]
maglevc = maglev_cli.command:main

[maglev]
cli = maglev_cli.plugin
"""
SHARE = [place for place in files() if Path(place).name in {"maglevc", "_maglevc", "maglevc.fish", "maglevc.1"}]
GOOD = {
    **dict.fromkeys([*SOURCES, *(f"maglev_cli-1.2.3.data/data/share/{place}" for place in SHARE)], ""),
    f"{INFO}/METADATA": METADATA,
    f"{INFO}/entry_points.txt": ENTRY_POINTS,
    f"{INFO}/licenses/LICENSE": "",
}


def wheel(folder: Path, contents: Mapping[str, str]) -> Wheel:
    path = folder / "maglev_cli-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in contents.items():
            archive.writestr(name, text)
    return Wheel.read(path)


def test_what_is_read(tmp_path: Path) -> None:
    read = wheel(tmp_path, GOOD)
    assert (read.distribution, read.version, read.package) == ("maglev-cli", "1.2.3", "maglev_cli")
    assert read.scripts == ("maglevc",)
    assert read.modules == ("maglev_cli", "maglev_cli.command", "maglev_cli.plugin")
    assert read.ours == frozenset({"maglev-grpc", "maglevd"})
    assert read.others == ("click>=8.2",)


def test_a_complete_wheel_has_no_problems(tmp_path: Path) -> None:
    assert len(SHARE) == 4
    assert list(problems(wheel(tmp_path, GOOD), SOURCES)) == []


@pytest.mark.parametrize("name", [name for name in GOOD if not name.startswith(INFO)])
def test_what_is_missing_is_named(tmp_path: Path, name: str) -> None:
    rest = {other: text for other, text in GOOD.items() if other != name}
    assert list(problems(wheel(tmp_path, rest), SOURCES)) == [f"lacks {name}"]


@pytest.mark.parametrize(
    "name", ["other/x.py", "tests/test_x.py", "maglev_cli/tests/x.py", "maglev_cli/x.pyc", "maglev_cli/.hidden/x"]
)
def test_what_does_not_belong_is_named(tmp_path: Path, name: str) -> None:
    assert f"must not have {name}" in list(problems(wheel(tmp_path, {**GOOD, name: ""}), SOURCES))


def test_metadata_must_be_complete(tmp_path: Path) -> None:
    metadata = METADATA.replace("Requires-Python: >=3.11\n", "").replace("click>=8.2", "click")
    found = list(problems(wheel(tmp_path, {**GOOD, f"{INFO}/METADATA": metadata}), SOURCES))
    assert found == ["does not say its Requires-Python", "click has no lower bound"]


def test_a_wheel_is_installed_with_those_that_it_needs(tmp_path: Path) -> None:
    named = {}
    for name, needs in {"maglevd": "", "maglev-grpc": "maglevd", "maglev-cli": "maglev-grpc", "maglev-tcp": ""}.items():
        (tmp_path / name).mkdir()
        lines = [line for line in METADATA.splitlines() if not line.startswith(("Name", "Requires-Dist"))]
        metadata = "\n".join([*lines, f"Name: {name}", *([f"Requires-Dist: {needs}==1.2.3"] if needs else []), ""])
        named[name] = wheel(tmp_path / name, {f"{INFO}/METADATA": metadata})
    found = closure(named["maglev-cli"], named)
    assert [one.distribution for one in found] == ["maglev-cli", "maglev-grpc", "maglevd"]
