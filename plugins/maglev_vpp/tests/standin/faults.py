"""The stand-in's faults."""

from __future__ import annotations


class Faults:
    """The faults that are switched on."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.hang = False
        self.drop: dict[str, int] = {}
        self.die_in = ""
        self.refuse: dict[str, list[int]] = {}

    def takes(self, counts: dict[str, int], name: str) -> bool:
        """Count down how often something is to happen to a message."""
        left = counts.get(name, 0)
        if left:
            counts[name] = left - 1
        return bool(left)
