"""Writes Markdown as a part of a manual page, in the macros of man(7).

A table becomes a list: its first column is the term, its last one says what it is, and the columns between follow with
their headings. Terminals have no room for tables with sentences in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from textwrap import wrap

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

_PARSER = MarkdownIt("commonmark").enable("table")
_PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9:,…\[\]]*")
_WIDTH = 80
"""To which lines of text are broken, where there is a blank."""
_ROFF = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}
_NOTHING = ("", "–")
_FONTS = {"strong": "B", "em": "I"}


def escaped(text: str) -> str:
    """Return text so that roff shows it as it is, written in ASCII."""
    made = "".join(_ROFF.get(character) or _ascii(character) for character in text)
    return re.sub(r"(?m)^(?=\.)", r"\\&", made)  # no macro


def _ascii(character: str) -> str:
    return character if character.isascii() else rf"\[u{ord(character):04X}]"


def tidy(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a page as mandoc wants them: none too long, and no paragraph right behind a heading."""
    previous, is_filled = "", True
    for line in chain.from_iterable(text.split("\n") for text in lines):
        is_filled = line == ".fi" or (is_filled and line != ".nf")
        if line == ".PP" and previous.startswith((".SH", ".SS")):
            continue
        if is_filled and not line.startswith("."):
            yield from map(_guarded, wrap(line, _WIDTH, break_long_words=False, break_on_hyphens=False) or [""])
        else:
            yield line
        previous = line


def _guarded(line: str) -> str:
    r"""Keep a line of text that begins with a full stop from being a macro; `'` is written as \(aq anyway."""
    return rf"\&{line}" if line.startswith(".") else line


def macro(name: str, argument: str) -> str:
    """Return the line of a macro with one argument, which is text of roff already."""
    quoted = argument.replace('"', r"\(dq")
    return f'.{name} "{quoted}"'


def written(markdown: str, link: Callable[[str], str], *, deeper: int = 0) -> Iterator[str]:
    """Yield the lines of roff for a text.

    Args:
        markdown: The text. A title, which is a heading of the first level, is left out.
        link: Gives what stands behind the text of a link, from its target; empty for nothing.
        deeper: By how much to lower headings: with 0 those of the second level are sections.

    Raises:
        ValueError: The text has something in it that no manual page needed yet.
    """
    yield from _Writer(link, deeper).blocks(SyntaxTreeNode(_PARSER.parse(markdown)).children)


class _Writer:
    def __init__(self, link: Callable[[str], str], deeper: int) -> None:
        self._link = link
        self._deeper = deeper

    def blocks(self, nodes: Sequence[SyntaxTreeNode]) -> Iterator[str]:
        for node in nodes:
            yield from self._block(node)

    def _block(self, node: SyntaxTreeNode) -> Iterator[str]:
        match node.type:
            case "heading":
                yield from self._heading(node)
            case "paragraph":
                yield from (".PP", self._inline(node))
            case "bullet_list" | "ordered_list":
                yield from self._list(node)
            case "fence" | "code_block":
                yield from (".PP", ".RS 4", ".nf", escaped(node.content.rstrip("\n")), ".fi", ".RE")
            case "table":
                yield from self._table(node)
            case "html_block":
                pass  # a comment
            case other:
                raise ValueError(f"there is no way to write {other} in a manual page")

    def _heading(self, node: SyntaxTreeNode) -> Iterator[str]:
        level, text = int(node.tag[1:]), self._inline(node)
        if level == 1:
            return
        match level + self._deeper:
            case 2:
                yield macro("SH", text.upper())
            case 3:
                yield macro("SS", text)
            case _:
                yield from (".PP", rf"\fB{text}\fR")

    def _list(self, node: SyntaxTreeNode) -> Iterator[str]:
        for number, item in enumerate(node.children, 1):
            yield ".IP " + (r"\(bu 3" if node.type == "bullet_list" else f"{number}. 4")
            first, *others = item.children
            yield self._inline(first)
            if others:
                yield from (".RS 3", *self.blocks(others), ".RE")

    def _table(self, node: SyntaxTreeNode) -> Iterator[str]:
        head, *bodies = node.children
        titles = [self._inline(cell) for cell in head.children[0].children]
        for row in (row for table_body in bodies for row in table_body.children):
            term, *between, meaning = row.children
            yield from (".TP", self._inline(term), self._sentence(meaning))
            notes = zip(titles[1:-1], map(self._inline, between), strict=True)
            told = [f"{title[:1].upper()}{title[1:]}: {text}." for title, text in notes if text not in _EMPTY]
            if told:
                yield from (".br", " ".join(told))

    def _sentence(self, node: SyntaxTreeNode) -> str:
        text = self._inline(node).removesuffix(".")
        return f"{text[:1].upper()}{text[1:]}." if text else r"\&"

    def _inline(self, node: SyntaxTreeNode) -> str:
        """Write what stands in a block, or in something of a line."""
        return "".join(map(self._piece, node.children))

    def _piece(self, node: SyntaxTreeNode) -> str:
        match node.type:
            case "inline":
                return self._inline(node)
            case "text":
                return escaped(node.content)
            case "code_inline":
                font = "I" if _PLACEHOLDER.fullmatch(node.content) else "B"
                return rf"\f{font}{escaped(node.content)}\fR"
            case "strong" | "em":
                return rf"\f{_FONTS[node.type]}{self._inline(node)}\fR"
            case "link":
                behind = self._link(str(node.attrs["href"]))
                return self._inline(node) + (f" ({escaped(behind)})" if behind else "")
            case "softbreak" | "hardbreak":
                return "\n"
            case other:
                raise ValueError(f"there is no way to write {other} in a manual page")


_EMPTY = frozenset(map(escaped, _NOTHING))
