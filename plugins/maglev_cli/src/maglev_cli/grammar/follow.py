"""What may follow a line that is being written: for `?`, for TAB, and for the shells' completion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from maglev_cli.grammar.line import Split
from maglev_cli.grammar.model import Argument, Node, Word
from maglev_cli.grammar.parser import State, walk

Names = Callable[[Argument, Mapping[str, str]], Sequence[str]]
"""Gives the names that fit an argument, from its definition and the values before it in the line."""


@attrs.frozen
class Offer:
    """One way to go on.

    Args:
        text: The word or name.
        help: What it is.
    """

    text: str
    help: str


@attrs.frozen
class Follow:
    """Everything that may follow.

    Args:
        nodes: Words and arguments, each with the reading of the line before it.
        can_end: Whether the line may end before what is being written.
    """

    nodes: tuple[tuple[State, Node], ...]
    can_end: bool

    @property
    def arguments(self) -> tuple[tuple[Argument, Mapping[str, str]], ...]:
        """The arguments among it, each with the values before it."""
        return tuple((node.item, state.values) for state, node in self.nodes if isinstance(node.item, Argument))


def follow(root: Node, line: Split) -> Follow:
    """Say what may follow the finished tokens of a line, as far as it goes with what is being written.

    Args:
        root: The tree.
        line: What was written so far.

    Raises:
        WrongCommand: The finished tokens are wrong.
    """
    states = walk(root, line.tokens)
    found: dict[str, tuple[State, Node]] = {}
    for state in states:
        for node in state.next:
            if _fits(node, line):
                found.setdefault(node.item.label, (state, node))
    is_begun = bool(line.partial.text)
    return Follow(tuple(found.values()), not is_begun and any(state.can_end for state in states))


def _fits(node: Node, line: Split) -> bool:
    if isinstance(node.item, Argument):
        return True
    return not line.partial.is_quoted and node.item.text.startswith(line.partial.text)


def offers(root: Node, line: Split, names: Names) -> tuple[Offer, ...]:
    """Everything that what is being written can become.

    Args:
        root: The tree.
        line: What was written so far.
        names: The live names.

    Raises:
        WrongCommand: The finished tokens are wrong.
    """
    found: dict[str, Offer] = {}
    for state, node in follow(root, line).nodes:
        if isinstance(node.item, Word):
            found.setdefault(node.item.text, Offer(node.item.text, node.item.help))
            continue
        for name in names(node.item, state.values):
            if name.startswith(line.partial.text):
                found.setdefault(name, Offer(name, node.item.help))
    return tuple(found.values())
