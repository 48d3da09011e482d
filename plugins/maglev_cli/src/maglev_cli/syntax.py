"""The tree as lines of syntax, for `help` and the reference page."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from maglev_cli.grammar import Argument, Node
from maglev_cli.tree import ROOT


@attrs.frozen
class Form:
    """One form of a command.

    Args:
        syntax: As `show backend <backend>`, flags in brackets.
        help: What it does.
        nodes: From the first word to the last, without flags.
    """

    syntax: str
    help: str
    nodes: tuple[Node, ...]

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """Its arguments in order, those of its flags included."""
        found = [node.item for node in self.nodes] + [
            node.item for flag in self.nodes[-1].flags for node in _below(flag)
        ]
        return tuple(item for item in found if isinstance(item, Argument))


def forms(root: Node = ROOT) -> tuple[Form, ...]:
    """Every form of every command, in the order of the tree."""
    return tuple(_forms((), root))


def _forms(path: tuple[Node, ...], node: Node) -> Iterator[Form]:
    for child in node.then:
        nodes = (*path, child)
        if child.action:
            parts = [each.item.label for each in nodes] + [f"[{flag_syntax(flag)}]" for flag in child.flags]
            yield Form(" ".join(parts), _help(nodes), nodes)
        yield from _forms(nodes, child)


def _help(nodes: tuple[Node, ...]) -> str:
    # An argument says what it is; what the command does is said by the last word before.
    return next(node.item.help for node in reversed(nodes) if not isinstance(node.item, Argument))


def flag_syntax(flag: Node) -> str:
    """A flag with what belongs to it, as `log [level debug|info]`."""
    if not flag.then:
        return flag.item.label
    inner = "|".join(flag_syntax(node) for node in flag.then)
    return f"{flag.item.label} [{inner}]" if flag.ends else f"{flag.item.label} {inner}"


def _below(node: Node) -> Iterator[Node]:
    yield node
    for child in node.then:
        yield from _below(child)
