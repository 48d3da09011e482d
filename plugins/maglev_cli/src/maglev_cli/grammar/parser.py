"""From tokens to the one command that they mean, or to what is wrong with them.

A word of the grammar may be abbreviated as long as it is clear which one is meant. Where one candidate is the beginning
of the other (`backend`, `backends`) the rest of the line decides: `show ba` lists, `show ba x` shows one. A word in
full is that word. Where a name may stand, words must be written in full, so that no name is mistaken for an
abbreviation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from maglev_cli.grammar.line import Token
from maglev_cli.grammar.model import Argument, Node, Word


@attrs.frozen
class State:
    """How far one reading of a line has come.

    Args:
        node: Where it stands; the root's children are `Node.then` of a node that nobody writes.
        flags: Those that may still follow.
        action: What would be done.
        can_end: Whether the line may end here.
        words: The words so far, in full.
        values: The arguments' values so far.
    """

    node: Node
    flags: tuple[Node, ...] = ()
    action: str = ""
    can_end: bool = False
    words: tuple[str, ...] = ()
    values: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def next(self) -> tuple[Node, ...]:
        """What may follow."""
        return (*self.node.then, *self.flags) if self.can_end else self.node.then

    def entered(self, node: Node, text: str) -> State:
        """The state after one more token.

        Args:
            node: One of `next`.
            text: What was written for it.
        """
        words, values = self.words, self.values
        if isinstance(node.item, Word):
            words = (*words, node.item.text)
        else:
            values = {**values, node.item.name: text}
        if node.action:
            return State(node, node.flags, node.action, True, words, values)
        flags = tuple(flag for flag in self.flags if flag is not node)
        return State(node, flags, self.action, node.ends, words, values)


@attrs.frozen
class Parsed:
    """A line that means something.

    Args:
        action: What to do.
        words: Its words, in full.
        values: Its arguments' values.
    """

    action: str
    words: tuple[str, ...]
    values: Mapping[str, str]

    def has(self, word: str) -> bool:
        """Whether a word of the grammar is in it."""
        return word in self.words


class WrongCommand(Exception):
    """A line that means nothing.

    Args:
        message: What is wrong, and what is possible there.
        index: Which token is wrong, from 0; the number of tokens if some are missing.
        possible: What could stand there, as labels.
    """

    def __init__(self, message: str, index: int, possible: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.index = index
        self.possible = possible


def parse(root: Node, tokens: Sequence[Token]) -> Parsed:
    """Read a whole line.

    Args:
        root: The tree.
        tokens: The line.

    Raises:
        WrongCommand: It means nothing, or could mean several things.
    """
    states = walk(root, tokens)
    endings = [state for state in states if state.can_end]
    if len(endings) == 1:
        return Parsed(endings[0].action, endings[0].words, endings[0].values)
    if endings:
        raise _ambiguous(tokens[-1], len(tokens) - 1, [" ".join(state.words) for state in endings])
    possible = labels(states)
    said = _said(tokens, len(tokens))
    raise WrongCommand(f"{said!r} is not complete; next: {', '.join(possible)}", len(tokens), possible)


def walk(root: Node, tokens: Sequence[Token]) -> tuple[State, ...]:
    """Read the beginning of a line; returns every reading of it, at least one.

    Raises:
        WrongCommand: No command begins so, or it is not clear which.
    """
    states: tuple[State, ...] = (State(root),)
    for index, token in enumerate(tokens):
        found = [(state, node) for state in states for node in matching(state, token)]
        if not found:
            raise _unknown(states, tokens, index)
        texts = {node.item.text for _, node in found if isinstance(node.item, Word)}
        shortest = min(texts, key=len, default="")
        if any(not text.startswith(shortest) for text in texts):
            raise _ambiguous(token, index, sorted(texts))
        states = tuple(state.entered(node, token.text) for state, node in found)
    return states


def matching(state: State, token: Token) -> list[Node]:
    """What a token can stand for."""
    words = [] if token.is_quoted else [node for node in state.next if isinstance(node.item, Word)]
    exact = [node for node in words if node.item.label == token.text]
    if exact:
        return exact
    taking = [node for node in state.next if isinstance(node.item, Argument) and not node.item.complaint(token.text)]
    if any(isinstance(node.item, Argument) and node.item.check is None for node in taking):
        return taking
    return [node for node in words if token.text and node.item.label.startswith(token.text)] + taking


def labels(states: Iterable[State]) -> tuple[str, ...]:
    """What may follow, as it is written where syntax is shown."""
    return tuple(dict.fromkeys(node.item.label for state in states for node in state.next))


def _said(tokens: Sequence[Token], end: int) -> str:
    return " ".join(token.text for token in tokens[:end])


def _unknown(states: Sequence[State], tokens: Sequence[Token], index: int) -> WrongCommand:
    token = tokens[index]
    possible = labels(states)
    said = _said(tokens, index)
    if not possible:
        return WrongCommand(f"nothing may follow {said!r}, but there is {token.text!r}", index)
    items = [node.item for state in states for node in state.next]
    complaints = [item.complaint(token.text) for item in items if isinstance(item, Argument)]
    if len(items) == len(complaints) == 1:
        return WrongCommand(complaints[0], index, possible)
    where = f" after {said!r}" if said else ""
    told = complaints[0] if complaints else f"unknown word {token.text!r}{where}"
    return WrongCommand(f"{told}; possible: {', '.join(possible)}", index, possible)


def _ambiguous(token: Token, index: int, candidates: list[str]) -> WrongCommand:
    choice = " or ".join([", ".join(candidates[:-1]), candidates[-1]])
    return WrongCommand(f"{token.text!r} is ambiguous: {choice}", index, tuple(candidates))
