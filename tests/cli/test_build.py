"""A build knows its commit: from git in a checkout, from a file in what was built, or not at all."""

from __future__ import annotations

import os
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest

from maglev import build
from maglev._commit import commit_and_date
from maglev.build import Build, this_build

ROOT = Path(__file__).parents[2]
WHEN = "2026-01-31T12:00:00+00:00"


def git(folder: Path, *words: str) -> str:
    who = {f"GIT_{role}_{what}": "somebody" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    when = {"GIT_AUTHOR_DATE": WHEN, "GIT_COMMITTER_DATE": WHEN}
    environment = {**os.environ, **who, **when, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    return tmp_path


def test_a_checkout_knows_its_commit_and_when_it_was_made(checkout: Path) -> None:
    assert commit_and_date(checkout) == (git(checkout, "rev-parse", "--short", "HEAD"), WHEN)


def test_a_changed_checkout_says_so(checkout: Path) -> None:
    (checkout / "file").write_text("two")
    assert commit_and_date(checkout)[0].endswith("-dirty")


def test_a_folder_that_is_no_checkout_knows_nothing(tmp_path: Path) -> None:
    assert commit_and_date(tmp_path) == ("unknown", "unknown")


def test_without_git_nothing_is_known(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert commit_and_date(checkout) == ("unknown", "unknown")


def test_what_was_built_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    class Written:
        COMMIT = "abc1234"
        DATE = WHEN

    this_build.cache_clear()
    monkeypatch.setattr(build, "import_module", lambda _name: Written)
    try:
        assert (this_build().commit, this_build().date) == ("abc1234", WHEN)
    finally:
        this_build.cache_clear()
    assert str(Build("1.2.3", "abc1234", WHEN)) == f"1.2.3 (commit abc1234, {WHEN})"


@pytest.mark.parametrize("target, inside", [("wheel", "maglev/_build.py"), ("sdist", "src/maglev/_build.py")])
def test_the_build_hook_writes_the_file_into_what_is_built(
    tmp_path: Path, checkout: Path, target: str, inside: str
) -> None:
    hook_class: Any = runpy.run_path(str(ROOT / "tools" / "build_hook.py"))["BuildInfoHook"]
    (checkout / "src" / "maglev").mkdir(parents=True)
    (checkout / "src" / "maglev" / "_commit.py").write_text((ROOT / "src/maglev/_commit.py").read_text())
    hook = hook_class(str(checkout), {}, None, None, str(tmp_path), target)
    build_data: dict[str, Any] = {"force_include": {}}
    hook.initialize("standard", build_data)
    ((written, where),) = build_data["force_include"].items()
    assert where == inside
    values = runpy.run_path(written)
    assert (values["COMMIT"], values["DATE"]) == (git(checkout, "rev-parse", "--short", "HEAD"), WHEN)
    untouched: dict[str, Any] = {"force_include": {}}
    hook.initialize("editable", untouched)
    assert untouched == {"force_include": {}}
