"""What a tree of commands is made of.

A line is a walk from the root: each of its words is a `Word` of the tree or the value of an `Argument`. A line may end
at a node with an action. Behind such a node, any of its flags may follow, in any order and each once.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

Check = Callable[[str], object]
"""Takes an argument's text; raises `ValueError`, saying what is allowed, if that is not it."""


@attrs.frozen
class Word:
    """A fixed word.

    Args:
        text: The word.
        help: What it is for, in one line.
    """

    text: str
    help: str

    @property
    def label(self) -> str:
        """How it is written where syntax is shown."""
        return self.text


@attrs.frozen
class Argument:
    """A place for a value.

    Args:
        name: Under which the value is found once a line is parsed.
        help: What it is, in one line.
        shown: What stands between the angle brackets where syntax is shown; the name if empty.
        source: Which live names fit here: `backend`, `frontend`, `pool`, `member`, `healthcheck`, or empty for none.
        check: What a value must pass; none: any text will do.
    """

    name: str
    help: str
    shown: str = ""
    source: str = ""
    check: Check | None = None

    @property
    def label(self) -> str:
        """How it is written where syntax is shown."""
        return f"<{self.shown or self.name}>"

    def complaint(self, text: str) -> str:
        """Say why a text is no value for it; empty if it is one."""
        if not text:
            return f"{self.label} must not be empty"
        if self.check is None:
            return ""
        try:
            self.check(text)
        except ValueError as error:
            return f"{self.label} {text!r}: {error}"
        return ""


@attrs.frozen
class Node:
    """A word or an argument, and what may follow it.

    Args:
        item: The word or the argument.
        then: What may follow.
        flags: What may follow in any order, each once.
        action: What is done when the line ends here; empty if it may not, or if this belongs to a flag.
        ends: Whether a flag is complete with this.
    """

    item: Word | Argument
    then: tuple[Node, ...] = ()
    flags: tuple[Node, ...] = ()
    action: str = ""
    ends: bool = False


def word(
    text: str,
    help: str,  # noqa: A002  (that is what it is)
    *then: Node,
    flags: tuple[Node, ...] = (),
    action: str = "",
    ends: bool = False,
) -> Node:
    """Make the node of a word; the arguments are those of `Word` and `Node`."""
    return Node(Word(text, help), then, flags, action, ends)


def argument(of: Argument, *then: Node, flags: tuple[Node, ...] = (), action: str = "", ends: bool = False) -> Node:
    """Make the node of an argument; the arguments are those of `Node`."""
    return Node(of, then, flags, action, ends)
