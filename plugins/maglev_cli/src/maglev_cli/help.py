"""Help: what can follow, and all commands."""

from __future__ import annotations

from maglev_cli.forms import FORMS, SHOWN
from maglev_cli.grammar import Argument, Split, WrongCommand, next_of
from maglev_cli.views.model import Cell, Fields, Style, View, text_line

END = "<return>"


def next_view(line: Split) -> View:
    """Return what can follow a line.

    Raises:
        WrongCommand: No command begins like that.
    """
    text, found = line.partial.text, next_of(FORMS, line)
    items = [item for _, item in found.items if not (text and isinstance(item, Argument) and item.problem(text))]
    pairs = [(item.label, Cell(item.help)) for item in items]
    if found.can_end:
        pairs.append((END, Cell("run it")))
    if not pairs:
        raise WrongCommand(f"nothing here begins with {text!r}", len(line.tokens))
    return (Fields(tuple(pairs)),)


def commands_view() -> View:
    """All commands."""
    lines = ((text_line(form.syntax, Style.BOLD), text_line(f"    {form.help}")) for form in SHOWN)
    end = (text_line(""), text_line("Words may be abbreviated, and ? shows what can follow."))
    return (*(line for pair in lines for line in pair), *end)
