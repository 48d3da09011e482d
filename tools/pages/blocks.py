"""The fenced blocks of a page: the one place that reads them.

Behind the language of a fence there may be notes for whoever plays the page. Markdown does not show them:

- `terminal=2`: this block is typed in the second terminal.
- `file=maglev.yaml`: the reader saves this block in that file.
- `needs=vpp`: this block needs what a test has not; the reasons are in `NEEDS`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
NEEDS: Mapping[str, str] = {
    "vpp": "a running VPP, and servers behind it",
    "systemd": "systemd as the first process, and maglevd as a service",
    "engine": "an engine for containers",
    "hosts": "other hosts, and certificates of theirs",
    "tests": "nothing, but it is what plays the pages",
}
"""What blocks may need that are not played, with the reason."""

_FENCE = re.compile(r"^```(?P<language>\w*)(?P<notes>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPTS = ("$ ", "# ")


@attrs.frozen
class Block:
    """One fenced block.

    Args:
        language: The word behind the fence.
        text: What stands in it.
        notes: What else stands behind the fence, by name.
        line: The line of the page that it begins in.
    """

    language: str
    text: str
    notes: Mapping[str, str]
    line: int


@attrs.frozen
class Step:
    """A command, and lines of what it prints; `…` stands for anything."""

    command: str
    wanted: tuple[str, ...] = ()


def pages() -> list[Path]:
    """Every page that a reader may follow."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def name_of(page: Path) -> str:
    """A page's path in the repository."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str = "") -> Iterator[Block]:
    """Give the blocks of a page, in order; those of one language, if it is given."""
    text = page.read_text("utf-8")
    for match in _FENCE.finditer(text):
        if language in ("", match["language"]):
            notes = dict(note.split("=", 1) for note in shlex.split(match["notes"]))
            yield Block(match["language"], match["text"], notes, text.count("\n", 0, match.start()) + 1)


def steps(block: Block) -> list[Step]:
    """Take a block apart: lines behind a prompt are commands, the others what these print."""
    found: list[Step] = []
    continued = False
    for line in block.text.splitlines():
        if continued:
            found[-1] = Step(f"{found[-1].command}\n{line.removeprefix('> ')}")
        elif line.startswith(_PROMPTS):
            found.append(Step(line[2:]))
        elif line.strip():
            found[-1] = attrs.evolve(found[-1], wanted=(*found[-1].wanted, line))
            continue
        continued = bool(found) and line.endswith("\\")
    return found
