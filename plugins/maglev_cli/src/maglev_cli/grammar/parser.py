"""From tokens to the one command that they mean, or to what is wrong with them, or to what can follow.

A line is compared with all forms at once. A word may be abbreviated as long as it is clear which one is meant. Where
one candidate is the beginning of the other (`backend`, `backends`) the rest of the line decides: `show ba` lists,
`show ba x` shows one. A word in full is that word. Where a name may stand, words must be written in full: something may
be named like their beginning.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from maglev_cli.grammar.line import Split, Token, quoted
from maglev_cli.grammar.model import Argument, Form, Item, Part, Word

Names = Callable[[Argument, Mapping[str, str]], Sequence[str]]
"""Gives the names that fit an argument, from its definition and the values before it in the line."""


@attrs.frozen
class Parsed:
    """A line, or the beginning of one, as one form reads it.

    Args:
        form: The form.
        flags: Its flags that may still follow.
        values: The arguments' values and the flags so far, by name.
        part: The form's words, or the flag, that the last token belongs to.
        count: How many places of that part are filled.
    """

    form: Form
    flags: tuple[Part, ...]
    values: Mapping[str, str]
    part: Part
    count: int = 0

    @property
    def action(self) -> str:
        """What to do."""
        return self.form.action

    def has(self, name: str) -> bool:
        """Whether a flag or an argument is in it."""
        return name in self.values

    @property
    def can_end(self) -> bool:
        """Whether the line may end here."""
        return self.part.is_complete(self.count)

    @property
    def next(self) -> tuple[Item, ...]:
        """What may follow."""
        further = self.part.places[self.count] if self.count < len(self.part.places) else ()
        return (*further, *(flag.places[0][0] for flag in self.flags)) if self.can_end else further

    def after(self, item: Item, text: str) -> Parsed:
        """The line with one more token."""
        value = item.text if isinstance(item, Word) else text
        values = {**self.values, item.name: value} if item.name else self.values
        begun = next((flag for flag in self.flags if flag.places[0][0] is item), None)
        if begun is None:
            return attrs.evolve(self, values=values, count=self.count + 1)
        flags = tuple(flag for flag in self.flags if flag is not begun)
        return Parsed(self.form, flags, values, begun, 1)


class WrongCommand(Exception):
    """A line that means nothing.

    Args:
        message: What is wrong, and what is possible there.
        index: Which token is wrong, from 0; the number of tokens if some are missing.
    """

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


def parse(forms: Iterable[Form], tokens: Sequence[Token]) -> Parsed:
    """Read a whole line.

    Raises:
        WrongCommand: It means nothing, or could mean several things.
    """
    lines = read(forms, tokens)
    endings = [line for line in lines if line.can_end]
    if len(endings) == 1:
        return endings[0]
    if endings:
        raise _ambiguous(tokens[-1], len(tokens) - 1, [ending.form.words.syntax for ending in endings])
    possible = ", ".join(labels(lines))
    raise WrongCommand(f"{_text(tokens)!r} is not complete; next: {possible}", len(tokens))


def read(forms: Iterable[Form], tokens: Sequence[Token]) -> tuple[Parsed, ...]:
    """Read the beginning of a line; returns every form that it can become, at least one.

    Raises:
        WrongCommand: No command begins so, or it is not clear which.
    """
    lines = tuple(Parsed(form, form.flags, {}, form.words) for form in forms)
    for index, token in enumerate(tokens):
        found = _matching(lines, token)
        if not found:
            raise _unknown(lines, tokens[:index], token)
        texts = {item.text for _, item in found if isinstance(item, Word)}
        shortest = min(texts, key=len, default="")
        if any(not text.startswith(shortest) for text in texts):
            raise _ambiguous(token, index, sorted(texts))
        lines = tuple(line.after(item, token.text) for line, item in found)
    return lines


def _matching(lines: Iterable[Parsed], token: Token) -> list[tuple[Parsed, Item]]:
    offered = [(line, item) for line in lines for item in line.next]
    words = [] if token.is_quoted else [(line, item) for line, item in offered if isinstance(item, Word)]
    exact: list[tuple[Parsed, Item]] = [(line, item) for line, item in words if item.text == token.text]
    if exact:
        return exact
    taking: list[tuple[Parsed, Item]] = [
        (line, item) for line, item in offered if isinstance(item, Argument) and not item.problem(token.text)
    ]
    if any(isinstance(item, Argument) and item.check is None for _, item in taking):
        return taking
    begun = [(line, item) for line, item in words if token.text and item.text.startswith(token.text)]
    known = {item.text for line, item in begun if line.form.is_shown}  # an old word is written in full
    return [(line, item) for line, item in begun if item.text in known] + taking


def _shown(lines: Sequence[Parsed]) -> Sequence[Parsed]:
    """The lines that are offered; all of them where the line has begun with an old spelling."""
    return [line for line in lines if line.form.is_shown] or lines


def labels(lines: Sequence[Parsed]) -> tuple[str, ...]:
    """Return what may follow, as in a syntax line."""
    return tuple(dict.fromkeys(item.label for line in _shown(lines) for item in line.next))


def _text(tokens: Iterable[Token]) -> str:
    return " ".join(token.text for token in tokens)


def _unknown(lines: Sequence[Parsed], before: Sequence[Token], token: Token) -> WrongCommand:
    said, possible = _text(before), labels(lines)
    if not possible:
        return WrongCommand(f"nothing may follow {said!r}, but there is {token.text!r}", len(before))
    arguments = {item.label: item for line in lines for item in line.next if isinstance(item, Argument)}
    problems = [item.problem(token.text) for item in arguments.values()]
    if len(possible) == len(problems) == 1:
        return WrongCommand(problems[0], len(before))
    where = f" after {said!r}" if said else ""
    told = problems[0] if problems else f"unknown word {token.text!r}{where}"
    return WrongCommand(f"{told}; possible: {', '.join(possible)}", len(before))


def _ambiguous(token: Token, index: int, candidates: list[str]) -> WrongCommand:
    either = " or ".join([", ".join(candidates[:-1]), candidates[-1]])
    return WrongCommand(f"{token.text!r} is ambiguous: {either}", index)


@attrs.frozen
class Candidate:
    """A word or name that can follow, and what it is.

    Args:
        text: The word or name.
        help: What it is.
        is_quoted: Whether it is a name that means something else unless it is quoted.
    """

    text: str
    help: str
    is_quoted: bool = False

    @property
    def written(self) -> str:
        """Return its text in a line."""
        return quoted(self.text) if self.is_quoted else shlex.quote(self.text)


@attrs.frozen
class Next:
    """Everything that can follow.

    Args:
        items: Words and arguments, each with how the line was read up to there.
        can_end: Whether the line may end before what is being written.
    """

    items: tuple[tuple[Parsed, Item], ...]
    can_end: bool

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """The arguments among it."""
        return tuple(item for _, item in self.items if isinstance(item, Argument))


def next_of(forms: Iterable[Form], line: Split) -> Next:
    """Say what can follow the finished tokens of a line and begins with what is being written.

    Raises:
        WrongCommand: The finished tokens are wrong.
    """
    states = _shown(read(forms, line.tokens))
    found: dict[str, tuple[Parsed, Item]] = {}
    for state in states:
        for item in state.next:
            if isinstance(item, Argument) or (not line.partial.is_quoted and item.text.startswith(line.partial.text)):
                found.setdefault(item.label, (state, item))
    return Next(tuple(found.values()), not line.partial.text and any(state.can_end for state in states))


def candidates(
    forms: Iterable[Form], line: Split, names: Names = lambda _argument, _values: ()
) -> tuple[Candidate, ...]:
    """Say what the token that is being written can become.

    Raises:
        WrongCommand: The finished tokens are wrong.
    """
    found: dict[tuple[str, bool], Candidate] = {}
    for state, item in next_of(forms, line).items:
        texts = (item.text,) if isinstance(item, Word) else names(item, state.values)
        words = {other.text for other in state.next if isinstance(other, Word) and other is not item}
        for text in texts:
            if text.startswith(line.partial.text):
                is_quoted = text in words
                found.setdefault((text, is_quoted), Candidate(text, item.help, is_quoted))
    return tuple(found.values())
