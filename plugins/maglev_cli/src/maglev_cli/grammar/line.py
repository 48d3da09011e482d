"""Lines of a shell as tokens. Blanks separate; what is quoted, or comes after a backslash, is taken as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

_PIECE = re.compile(
    r"""
      (?P<blank>\s+)
    | "(?P<double>(?:[^"\\]|\\.)*)(?P<double_end>"?)
    | '(?P<single>[^']*)(?P<single_end>'?)
    | \\(?P<escaped>.?)
    | (?P<plain>[^\s"'\\]+)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
_BARE = re.compile(r"[^\s\"'\\?#]+")


@attrs.frozen
class Token:
    """One word of a line.

    Args:
        text: The word, without its quotes.
        is_quoted: Whether any of it was quoted: then it is a value, never a word of the grammar.
        start: Where it begins in the line.
    """

    text: str
    is_quoted: bool = False
    start: int = 0


@attrs.frozen
class Split:
    """A line as tokens.

    Args:
        tokens: Those that are finished, because something follows them.
        partial: What is being written at the end of the line; empty text after a blank.
        is_open: Whether a quote is still open at the end.
    """

    tokens: tuple[Token, ...]
    partial: Token
    is_open: bool = False

    @property
    def all(self) -> tuple[Token, ...]:
        """All tokens, the one at the end included."""
        has_partial = self.partial.text or self.partial.is_quoted
        return (*self.tokens, self.partial) if has_partial else self.tokens


def split(line: str) -> Split:
    """Split a line, which need not be finished.

    Args:
        line: What was written so far.
    """
    tokens: list[Token] = []
    current: Token | None = None
    is_open = False
    for match in _PIECE.finditer(line):
        if match["blank"] is not None:
            if current is not None:
                tokens.append(current)
            current = None
            continue
        text, is_quoted, is_open = _piece(match)
        begun = current or Token("", start=match.start())
        current = Token(begun.text + text, begun.is_quoted or is_quoted, begun.start)
    return Split(tuple(tokens), current or Token("", start=len(line)), is_open)


def _piece(match: re.Match[str]) -> tuple[str, bool, bool]:
    if match["double"] is not None:
        return _ESCAPE.sub(r"\1", match["double"]), True, not match["double_end"]
    if match["single"] is not None:
        return match["single"], True, not match["single_end"]
    if match["escaped"] is not None:
        return match["escaped"], True, not match["escaped"]
    return match["plain"], False, False


def tokens_of(words: Iterable[str]) -> tuple[Token, ...]:
    """Make tokens of words that something else has split already."""
    return tuple(Token(text) for text in words)


def quoted(text: str) -> str:
    """Write a text so that `split` gives it back as one token."""
    if _BARE.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
