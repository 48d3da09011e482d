"""Reads lines of keepalived.conf as statements: words, and a block of statements in braces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import attrs

from maglev.migrate.bounds import MAX_DEPTH
from maglev.migrate.findings import Findings, Place
from maglev.migrate.keepalived.lines import Line

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"?|([{}])|((?:\$\{[^{}]*\}|[^\s"{}])+)', re.DOTALL)
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|c.|.)", re.DOTALL)
_NAMED = {"a": "\a", "b": "\b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@attrs.define
class Statement:
    """A keyword with its arguments.

    Args:
        words: The keyword first; never empty.
        place: Where it begins.
        block: What stands in its braces; empty if it has none.
    """

    words: tuple[str, ...]
    place: Place
    block: list[Statement] = attrs.field(factory=list)

    @property
    def keyword(self) -> str:
        """The first word."""
        return self.words[0]

    @property
    def argument(self) -> str:
        """The second word; empty if there is none."""
        return self.words[1] if len(self.words) > 1 else ""

    def all(self, *keywords: str) -> Iterator[Statement]:
        """Give the statements of the block with these keywords."""
        return (one for one in self.block if one.keyword in keywords)

    def last(self, *keywords: str) -> Statement | None:
        """Return the last of them, which is the one that holds."""
        return next((one for one in reversed(self.block) if one.keyword in keywords), None)


def statements(lines: Iterable[Line], findings: Findings) -> list[Statement]:
    """Read all lines. A brace that has no other is reported, and taken as if it stood where it must."""
    top: list[Statement] = []
    open_blocks = [top]
    for line in lines:
        words: list[str] = []
        for token in [*tokens(line.text), None]:
            if isinstance(token, str) and not isinstance(token, _Brace):
                words.append(token)
                continue
            if words:
                open_blocks[-1].append(Statement(tuple(words), line.place))
                words = []
            if token is _OPEN:
                _open(open_blocks, line.place, findings)
            elif token is _CLOSE and len(open_blocks) > 1:
                open_blocks.pop()
            elif token is _CLOSE:
                findings.left_out(line.place, "}", "there is no block that it could end")
    if len(open_blocks) > 1 and open_blocks[-2]:
        last = open_blocks[-2][-1]
        findings.changed(last.place, last.keyword, "its block has no end, and is taken to end with the file")
    return top


class _Brace(str):
    __slots__ = ()


_OPEN, _CLOSE = _Brace("{"), _Brace("}")


def tokens(text: str) -> list[str]:
    """Take a line apart; braces are `_Brace`, so that a quoted one is a word."""
    found: list[str] = []
    for match in _TOKEN.finditer(text):
        quoted, brace, plain = match.groups()
        if brace:
            found.append(_OPEN if brace == "{" else _CLOSE)
        elif plain is not None:
            found.append(plain)
        else:
            found.append(_ESCAPE.sub(_unescaped, quoted or ""))
    return found


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code[0] in "01234567":
        return chr(int(code, 8) & 0xFF)
    if code[0] == "c" and len(code) > 1:
        return chr(ord(code[1]) & 0x1F)
    return _NAMED.get(code, code)


def _open(open_blocks: list[list[Statement]], place: Place, findings: Findings) -> None:
    """Begin the block of the last statement; one without a statement, or nested too deep, belongs to nobody."""
    if not open_blocks[-1]:
        findings.left_out(place, "{", "there is no directive that it could belong to")
        open_blocks.append([])
    elif len(open_blocks) > MAX_DEPTH:
        findings.left_out(place, "{", f"blocks are nested more than {MAX_DEPTH} deep")
        open_blocks.append([])
    else:
        open_blocks.append(open_blocks[-1][-1].block)
