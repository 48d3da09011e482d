"""What can follow a line that is being written: for `?`, for TAB, and for the shells' completion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from maglev_cli.grammar.line import Split
from maglev_cli.grammar.model import Argument, Form, Item, Word
from maglev_cli.grammar.parser import Parsed, read

Names = Callable[[Argument, Mapping[str, str]], Sequence[str]]
"""Gives the names that fit an argument, from its definition and the values before it in the line."""


@attrs.frozen
class Candidate:
    """A word or name that can follow, and what it is."""

    text: str
    help: str


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

    Args:
        forms: All forms.
        line: What was written so far.

    Raises:
        WrongCommand: The finished tokens are wrong.
    """
    states = read(forms, line.tokens)
    found: dict[str, tuple[Parsed, Item]] = {}
    for state in states:
        for item in state.next:
            if isinstance(item, Argument) or (not line.partial.is_quoted and item.text.startswith(line.partial.text)):
                found.setdefault(item.label, (state, item))
    return Next(tuple(found.values()), not line.partial.text and any(state.can_end for state in states))


def candidates(forms: Iterable[Form], line: Split, names: Names) -> tuple[Candidate, ...]:
    """Say what the token that is being written can become.

    Args:
        forms: All forms.
        line: What was written so far.
        names: Gives the live names.

    Raises:
        WrongCommand: The finished tokens are wrong.
    """
    found: dict[str, Candidate] = {}
    for state, item in next_of(forms, line).items:
        texts = (item.text,) if isinstance(item, Word) else names(item, state.values)
        for text in texts:
            if text.startswith(line.partial.text):
                found.setdefault(text, Candidate(text, item.help))
    return tuple(found.values())
