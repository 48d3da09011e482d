"""Lines of a shell as tokens, as `shlex` splits them: quotes and backslashes take what follows as it is."""

from __future__ import annotations

import io
import shlex
from collections.abc import Iterable

import attrs

_BLANKS = " \t\r\n"


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
        tokens: Those that are finished, because a blank follows them.
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
    """Split a line, which need not be finished."""
    stream = io.StringIO(line, newline="")
    lexer = shlex.shlex(stream, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.whitespace = True, "", _BLANKS
    tokens: list[Token] = []
    end = 0
    while True:
        start = len(line) - len(line[end:].lstrip(_BLANKS))
        try:
            text = lexer.get_token()
        except ValueError:  # a quote is open
            return Split(tuple(tokens), Token(lexer.token, is_quoted=True, start=start), is_open=True)
        if text is None:
            return Split(tuple(tokens), Token("", start=len(line)))
        end = stream.tell()
        token = Token(text, line[start:end].rstrip(_BLANKS) != text, start)
        if line[end - 1] not in _BLANKS:
            return Split(tuple(tokens), token)
        tokens.append(token)


def tokens_of(words: Iterable[str]) -> tuple[Token, ...]:
    """Make tokens of words that something else has split already.

    A shell takes its quotes off. Those that are still there, around a whole word, make it a value as in `split`.
    """
    return tuple(map(_token_of, words))


def _token_of(word: str) -> Token:
    if word.startswith(("'", '"')):
        found = split(word)
        if not found.is_open and len(found.all) == 1:
            return attrs.evolve(found.all[0], start=0)
    return Token(word)


def quoted(text: str) -> str:
    """Write a text so that it is read as a value, whatever it is."""
    return f"'{text}'" if shlex.quote(text) == text else shlex.quote(text)
