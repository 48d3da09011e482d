"""Takes a line of haproxy.cfg apart: words, quotes, escapes, variables of the environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import attrs

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_OUTSIDE = " #\\'\""
_INSIDE = '$\\"'
_VARIABLE = re.compile(r"\$(?:\{([.\w]+)(\[\*\])?(?:-([^}]*))?\}|(\w+))", re.ASCII)
_HEX = re.compile(r"x([0-9A-Fa-f]{2})")


@attrs.frozen
class Variables:
    """What variables stand for.

    Args:
        values: Those of the environment, as the configuration changes them.
        missing: Is told of those that are not set.
    """

    values: Mapping[str, str]
    missing: Callable[[str], None]

    def value(self, found: re.Match[str]) -> str:
        """Return what a variable stands for; empty if it is not set and has no default."""
        braced, _, default, bare = found.groups()
        name = braced or bare
        if name in self.values:
            return self.values[name]
        if default is None:
            self.missing(name)
        return default or ""


class UnendedQuoteError(ValueError):
    """A quote has no end."""


def split(line: str, variables: Variables) -> list[str]:
    """Return the words of a line, without its comment.

    Raises:
        UnendedQuoteError: A quote has no end.
    """
    words: list[str] = []
    word: str | None = None
    at = 0
    while at < len(line):
        character = line[at]
        if character in " \t":
            if word is not None:
                words.append(word)
            word, at = None, at + 1
        elif character == "#":
            break
        elif character == "'":
            end = line.find("'", at + 1)
            if end < 0:
                raise UnendedQuoteError
            word, at = (word or "") + line[at + 1 : end], end + 1
        elif character == '"':
            text, at, more = _weak(line, at + 1, variables)
            first, *others = more or [text]
            word = (word or "") + first
            for other in others:
                words.append(word)
                word = other
        elif character == "\\":
            text, at = _escape(line, at, _OUTSIDE)
            word = (word or "") + text
        else:
            word, at = (word or "") + character, at + 1
    return [*words, word] if word is not None else words


def _weak(line: str, at: int, variables: Variables) -> tuple[str, int, list[str]]:
    """Read up to the closing double quote: the text, where it goes on, and words if `${NAME[*]}` stands for several."""
    text = ""
    while at < len(line) and line[at] != '"':
        if line[at] == "\\":
            piece, at = _escape(line, at, _INSIDE)
            text += piece
        elif found := _VARIABLE.match(line, at):
            value = variables.value(found)
            at = found.end()
            if found[2] and line[at : at + 1] == '"' and not text:
                return "", at + 1, value.split()
            text += value
        else:
            text, at = text + line[at], at + 1
    if at >= len(line):
        raise UnendedQuoteError
    return text, at + 1, []


def _escape(line: str, at: int, plain: str) -> tuple[str, int]:
    """Read an escape: the character that it stands for, and where the line goes on; a lone backslash is itself."""
    following = line[at + 1 : at + 2]
    if found := _HEX.match(line, at + 1):
        return chr(int(found[1], 16)), at + 4
    if following in _ESCAPES:
        return _ESCAPES[following], at + 2
    if following and following in plain:
        return following, at + 2
    return "\\", at + 1
