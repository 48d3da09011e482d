"""Rules for every distribution of the repository."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tools import versions

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
MARKERS_OF_ADDRESSES = ("://", "@", "file:", "/home", "--index-url", "--find-links")


def test_all_versions_are_in_lock_step() -> None:
    assert versions.differences() == []


def test_a_version_that_differs_is_found_and_set(tmp_path: Path) -> None:
    for path in versions.project_files():
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    core = tmp_path / "pyproject.toml"
    core.write_text(core.read_text().replace('\nversion = "', '\nversion = "9.'))
    assert versions.differences(tmp_path) != []
    versions.set_version("1.2.3", tmp_path)
    assert versions.differences(tmp_path) == []


@pytest.mark.parametrize(
    "tags,wrong",
    [
        ([], []),
        (["nightly"], []),
        (["v0.2.0"], []),
        (["v0.3.0"], ["the tag v0.3.0 is not the version 0.2.0", "CHANGELOG.md has no date for 0.3.0"]),
        (["v0.1.0"], ["the tag v0.1.0 is not the version 0.2.0", "CHANGELOG.md has no date for 0.1.0"]),
    ],
    ids=["none", "other", "right", "not-listed", "undated"],
)
def test_a_release_is_tagged_with_its_version_and_dated(tags: list[str], wrong: list[str]) -> None:
    changelog = "# Changelog\n\n## 0.2.0 – 2026-12-24\n\n## 0.1.0 – unreleased\n"
    found = versions.release_problems(tags, "0.2.0", changelog)
    assert [line.partition(":")[0] for line in found] == wrong


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_plugin_is_complete(plugin: Path) -> None:
    wanted = ["README.md", "LICENSE", f"src/{plugin.name}/__init__.py", f"src/{plugin.name}/py.typed"]
    assert [name for name in wanted if not (plugin / name).exists()] == []


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_plugin_registers_itself_or_brings_a_command_and_the_core_offers_it(plugin: Path) -> None:
    project = tomllib.loads((plugin / "pyproject.toml").read_text())["project"]
    core = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = project["name"].removeprefix("maglev-")
    assert project.get("entry-points", {}).get("maglev") or project["scripts"]
    assert core["optional-dependencies"][extra] == [f"{project['name']}=={project['version']}"]
    assert extra in core["optional-dependencies"]["all"][0]


def test_core_is_typed() -> None:
    assert (ROOT / "src/maglev/py.typed").exists()


def test_constraints_are_plain_pins() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    assert [line for line in pins if line.count("==") != 1 or any(mark in line for mark in MARKERS_OF_ADDRESSES)] == []
