"""Checks commits: their messages, and that changes for users are in the changelog.

    python -m tools.commits [BASE]

The rules, for every commit made from `SINCE` on, or for those that BASE does not have:

- The subject has 72 characters at most, and no full stop at its end.
- A blank line and a body follow, which says why. A merge needs none.
- No commit that touches what users get (`USERS_GET`) is newer than the last change of `CHANGELOG.md`: a line is added
  with it, or behind it before it lands. A commit that changes nothing for them says so in a last line of its body,
  `Changelog: none`.

A clone without history is checked as far as it goes.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parent.parent
SINCE = datetime.fromisoformat("2026-11-28T12:00:00+00:00")
"""Older history came before the rules."""
LONGEST_SUBJECT = 72
USERS_GET = ("src", "plugins/*/src/*", "plugins/*/page/*", "packaging")
_NONE = re.compile(r"(?mi)^Changelog: none\b")
_FIELDS = ("%h", "%cI", "%P", "%B")


@attrs.frozen
class Commit:
    """One commit.

    Args:
        name: Its short hash.
        when: It was committed.
        parents: How many it has.
        message: All of its message.
    """

    name: str
    when: datetime
    parents: int
    message: str

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0]

    @property
    def body(self) -> str:
        """What follows the subject, without the blank line."""
        return self.message.partition("\n")[2].strip()


def problems(commit: Commit) -> Iterator[str]:
    """Yield what is wrong with the message of a commit."""
    if len(commit.subject) > LONGEST_SUBJECT:
        yield f"{commit.name} has a subject of {len(commit.subject)} characters, {LONGEST_SUBJECT} are allowed"
    if commit.subject.endswith("."):
        yield f"{commit.name} has a full stop at the end of its subject"
    if commit.parents > 1:
        return
    if not commit.body:
        yield f"{commit.name} has no body that says why: {commit.subject}"
    elif commit.message.partition("\n")[2][:1] != "\n":
        yield f"{commit.name} has no blank line behind its subject"


def unlisted(newer: list[Commit]) -> Iterator[str]:
    """Yield which commits lack a line in the changelog.

    Args:
        newer: Those that touch what users get and are newer than its last change.
    """
    yield from (
        f"{commit.name} has no line in CHANGELOG.md, nor says `Changelog: none`: {commit.subject}"
        for commit in newer
        if commit.parents < 2 and not _NONE.search(commit.body)  # a merge brings the changes of others
    )


def commits(root: Path, *what: str) -> list[Commit]:
    """Return commits, the newest first.

    Args:
        root: The root of a checkout.
        what: Which, as `git log` takes it.
    """
    form = "%x1f".join(_FIELDS) + "%x1e"
    log = subprocess.run(
        ["git", "-C", str(root), "log", f"--format={form}", *what], capture_output=True, text=True, check=True
    )
    return [_commit(record.strip("\n")) for record in log.stdout.split("\x1e") if record.strip()]


def _commit(record: str) -> Commit:
    name, when, parents, message = record.split("\x1f")
    return Commit(name, datetime.fromisoformat(when), len(parents.split()), message)


def found(root: Path, base: str = "", *, since: datetime = SINCE) -> list[str]:
    """Return all that is wrong, one line each.

    Args:
        root: The root of a checkout.
        base: A commit whose history is not looked at; empty: commits before `since` are not.
        since: When the rules began.

    Raises:
        subprocess.CalledProcessError: This is no checkout, or there is no such commit.
    """
    chosen = [f"{base}..HEAD"] if base else ["HEAD"]
    judged = [commit for commit in commits(root, *chosen) if base or commit.when >= since]
    changelog = commits(root, "-1", "HEAD", "--", "CHANGELOG.md")
    newer = commits(root, *[f"{one.name}..HEAD" for one in changelog] or ["HEAD"], "--", *USERS_GET)
    names = {commit.name for commit in judged}
    return [
        *(line for commit in judged for line in problems(commit)),
        *unlisted([commit for commit in newer if commit.name in names]),
    ]


def main(arguments: list[str]) -> int:
    """Check; returns the exit status."""
    wrong = found(ROOT, *arguments[:1])
    print("\n".join(wrong) or "commits are as they should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
