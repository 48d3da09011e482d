"""Help: what can follow, and all commands."""

from __future__ import annotations

from collections.abc import Sequence

from maglev_cli.grammar import Argument, Node, Split, Token, WrongCommand, follow
from maglev_cli.syntax import forms
from maglev_cli.views.model import Cell, Facts, Line, Tone, View, line

END = "<return>"


def follow_view(root: Node, line_: Split | Sequence[Token]) -> View:
    """What can follow a line.

    Args:
        root: The tree.
        line_: What was written so far; tokens stand for a line that ends with a blank.

    Raises:
        WrongCommand: No command begins like that.
    """
    so_far = line_ if isinstance(line_, Split) else Split(tuple(line_), Token(""))
    found = follow(root, so_far)
    pairs = [(node.item.label, Cell(node.item.help)) for _, node in found.nodes if _speaks(node, so_far.partial)]
    if found.can_end:
        pairs.append((END, Cell("run it")))
    if not pairs:
        raise WrongCommand(f"nothing here begins with {so_far.partial.text!r}", len(so_far.tokens))
    return (Facts(tuple(pairs)),)


def _speaks(node: Node, partial: Token) -> bool:
    return not isinstance(node.item, Argument) or not partial.text or not node.item.complaint(partial.text)


def commands_view() -> View:
    """All commands."""
    parts: list[Line] = []
    for form in forms():
        parts += (Line(Cell(form.syntax, Tone.TITLE)), line(f"    {form.help}"))
    return (*parts, line(""), line("Words may be abbreviated, and ? shows what can follow."))
