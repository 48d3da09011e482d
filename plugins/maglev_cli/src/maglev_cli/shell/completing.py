"""What TAB does to a line, decided without any terminal."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from maglev_cli.grammar import Offer, Split, quoted
from maglev_cli.views.model import Cell, Facts, View


@attrs.frozen
class Completion:
    """What TAB does.

    Args:
        replacement: What takes the place of what is being written; `None` leaves it as it is.
        choices: What to show, when there is nothing to add.
    """

    replacement: str | None = None
    choices: tuple[Offer, ...] = ()

    @property
    def view(self) -> View:
        """The choices, for showing."""
        return (Facts(tuple((offer.text, Cell(offer.help)) for offer in self.choices)),)


def complete(line: Split, found: Sequence[Offer]) -> Completion:
    """Decide what TAB does: finish what is clear, add what all candidates share, or show them.

    Args:
        line: What was written so far.
        found: What it can become.
    """
    if len(found) == 1:
        return Completion(quoted(found[0].text) + " ")
    shared = _shared([offer.text for offer in found])
    if len(shared) > len(line.partial.text) and quoted(shared) == shared:
        return Completion(shared)
    return Completion(choices=tuple(found))


def _shared(texts: Sequence[str]) -> str:
    """What all texts begin with."""
    least, most = min(texts, default=""), max(texts, default="")
    pairs = enumerate(zip(least, most, strict=False))
    return least[: next((index for index, (one, other) in pairs if one != other), len(least))]
