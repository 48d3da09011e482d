"""Links in Markdown lead somewhere where the files are read as they are, on a code host or in an editor.

`make docs` checks the same for the site.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
READER = MarkdownIt("commonmark").enable("table")
PATTERNS = ("*.md", "docs/**/*.md", "plugins/*/*.md", "examples/**/*.md", "contrib/**/*.md", "packaging/**/*.md")
HTML_SOURCE = re.compile(r'<(?:img|a)\s[^>]*(?:src|href)="([^"]+)"')


def pages() -> list[Path]:
    return sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))


def tokens(text: str) -> Iterator[Token]:
    for token in READER.parse(text):
        yield token
        yield from token.children or ()


def links(text: str) -> Iterator[str]:
    for token in tokens(text):
        if token.type in ("html_inline", "html_block"):
            yield from HTML_SOURCE.findall(token.content)
        elif target := token.attrGet("href") or token.attrGet("src"):
            yield str(target)


def anchors(text: str) -> set[str]:
    """The anchors that code hosts, and MyST, give to headings."""
    found: Counter[str] = Counter()
    made: set[str] = set()
    parsed = READER.parse(text)
    for before, token in pairwise(parsed):
        if before.type == "heading_open":
            shown = "".join(each.content for each in token.children or ())
            slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
            made.add(f"{slug}-{found[slug]}" if found[slug] else slug)
            found[slug] += 1
    return made


@cache
def anchors_of(page: Path) -> set[str]:
    return anchors(page.read_text("utf-8"))


def broken(page: Path) -> list[str]:
    return [link for link in links(page.read_text("utf-8")) if not leads_somewhere(page, link)]


def leads_somewhere(page: Path, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return True
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not anchor or (target.suffix == ".md" and anchor in anchors_of(target))


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_what_is_broken_is_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    (tmp_path / "b.md").write_text("# One `two`: three\n\n## Twice\n\n## Twice\n")
    good = "[1](b.md) [2](b.md#one-two-three) [3](#here) [4](https://example.org/x) ![5](b.md) [6](b.md#twice-1)"
    bad = '[1](c.md) [2](b.md#four) [3](#there) ![5](d.png) <img src="e.png"> [6](b.md#twice-2)'
    page.write_text(f"# Here\n\n{good}\n\n{bad}\n\n```text\n[7](f.md)\n```\n")
    assert broken(page) == ["c.md", "b.md#four", "#there", "d.png", "e.png", "b.md#twice-2"]
