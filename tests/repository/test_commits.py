"""The rules for commits, on small histories."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tools.commits import found

BEGIN = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
GOOD = "Do a thing\n\nSince it was not done."


class History:
    """A repository with commits a minute apart, the first of them before the rules began."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.minutes = -1
        self.git("init", "-q", "-b", "main")
        self.commit("An old one with a subject that is longer than anything that would be allowed now.", "CHANGELOG.md")

    def git(self, *words: str) -> str:
        when = (BEGIN + timedelta(minutes=self.minutes)).isoformat()
        identity = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        dates = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        clean = {"PATH": "/usr/bin:/bin", "HOME": str(self.root), "GIT_CONFIG_GLOBAL": "/dev/null"}
        done = subprocess.run(
            ["git", "-C", str(self.root), *words],
            env={**clean, **identity, **dates},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, message: str, *files: str) -> None:
        for file in files:
            path = self.root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{self.minutes}")
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "--cleanup=verbatim", "-m", message)
        self.minutes += 1

    def found(self, base: str = "") -> list[str]:
        """What is wrong, without the hashes."""
        return [line.partition(" ")[2] for line in found(self.root, base, since=BEGIN)]


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def test_what_came_before_the_rules_is_not_judged(history: History) -> None:
    assert history.found() == []


@pytest.mark.parametrize(
    "message,wrong",
    [
        (GOOD, []),
        (f"{'x' * 72}\n\nbody", []),
        (f"{'x' * 73}\n\nbody", ["has a subject of 73 characters, 72 are allowed"]),
        ("Do it", ["has no body that says why: Do it"]),
        ("Do it\n\n", ["has no body that says why: Do it"]),
        ("Do it\nbody", ["has no blank line behind its subject"]),
        ("Do it.\n\nbody", ["has a full stop at the end of its subject"]),
    ],
    ids=["good", "72", "73", "subject-only", "blank-body", "no-blank-line", "full-stop"],
)
def test_messages(history: History, message: str, wrong: list[str]) -> None:
    history.commit(message, "docs/x.md")
    assert history.found() == wrong


@pytest.mark.parametrize("file", ["src/maglev/x.py", "plugins/maglev_http/src/x.py", "packaging/deb/postinst"])
def test_what_users_get_needs_a_line_in_the_changelog(history: History, file: str) -> None:
    history.commit(GOOD, file)
    assert history.found() == ["has no line in CHANGELOG.md, nor says `Changelog: none`: Do a thing"]
    history.commit("List it\n\nAs it should be.", "CHANGELOG.md")
    assert history.found() == []


def test_a_line_may_come_with_the_change(history: History) -> None:
    history.commit(GOOD, "src/x.py", "CHANGELOG.md")
    assert history.found() == []


def test_an_older_line_is_none_for_a_newer_change(history: History) -> None:
    history.commit(GOOD, "src/x.py", "CHANGELOG.md")
    history.commit("Another\n\nWhy.", "src/x.py")
    assert len(history.found()) == 1


@pytest.mark.parametrize("file", ["tests/x.py", "plugins/maglev_http/tests/x.py", "tools/x.py"])
def test_what_users_do_not_get_needs_none(history: History, file: str) -> None:
    history.commit(GOOD, file)
    assert history.found() == []


def test_a_commit_may_say_that_users_notice_nothing(history: History) -> None:
    history.commit(f"{GOOD}\n\nChangelog: none", "src/x.py")
    assert history.found() == []


def test_a_merge_needs_no_body_but_what_it_brings_does(history: History) -> None:
    history.git("switch", "-qc", "other")
    history.commit("Change\n\nWhy.", "src/x.py")
    history.git("switch", "-q", "main")
    history.commit(GOOD, "CHANGELOG.md")
    history.git("merge", "-q", "--no-ff", "-m", "Merge the other", "other")
    assert history.found() == ["has no line in CHANGELOG.md, nor says `Changelog: none`: Change"]
    history.commit("List it\n\nNow.", "CHANGELOG.md")
    assert history.found() == []


def test_a_branch_is_judged_from_its_base_on(history: History) -> None:
    history.commit("Bad", "docs/x.md")
    base = history.git("rev-parse", "HEAD")
    history.commit(GOOD, "docs/x.md")
    assert history.found(base) == []
    assert history.found() == ["has no body that says why: Bad"]


def test_a_shallow_clone_is_judged_as_far_as_it_goes(history: History, tmp_path: Path) -> None:
    history.commit("Bad", "src/x.py", "CHANGELOG.md")
    history.commit(GOOD, "docs/x.md")
    clone = tmp_path / "clone"
    history.git("clone", "-q", "--depth", "1", f"file://{history.root}", str(clone))
    assert found(clone, since=BEGIN) == []
