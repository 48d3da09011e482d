"""`python -m tools.pages [PAGE]…`: play pages, or all; the exit status is 1 if one does not do what it says."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.pages.blocks import pages
from tools.pages.play import enter, play, settle
from tools.pages.terminal import PageError


def main(arguments: list[str]) -> int:
    """Play pages; returns the exit status."""
    if arguments[:1] != ["--inside"]:
        # What a page starts may outlive it: each has namespaces of its own, and the next one meets none of it.
        wanted = [Path(argument).resolve() for argument in arguments] or pages()
        return max(enter(page) for page in wanted)
    settle()
    try:
        play(Path(arguments[1]))
    except PageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
