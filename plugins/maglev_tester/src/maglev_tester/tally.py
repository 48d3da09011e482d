"""Counts answers by the server that sent them."""

from __future__ import annotations

import attrs

FRESH_NS = 5_000_000_000
"""Who has answered within this time is fresh; who has not is drained."""
MOST = 64
"""How many names are counted apart: a header that differs in each answer must not use up the memory."""
OTHERS = "(others)"
NOBODY = "(no header)"


@attrs.frozen
class Entry:
    """One who answers, by the value of the header. `last_ns` is of the monotonic clock, `fresh` within five seconds."""

    who: str
    count: int
    last_ns: int
    fresh: bool


class Tally:
    """Counts answers by who gave them."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int]] = {}

    def add(self, who: str, now_ns: int) -> None:
        """Count an answer."""
        name = who or NOBODY
        if name not in self._seen and len(self._seen) >= MOST:
            self._make_room()
        count, _ = self._seen.get(name, (0, 0))
        self._seen[name] = (count + 1, now_ns)

    def _make_room(self) -> None:
        """Let the one that was silent for longest join the others."""
        oldest = min((name for name in self._seen if name != OTHERS), key=lambda name: self._seen[name][1])
        count, last_ns = self._seen.pop(oldest)
        others, others_last_ns = self._seen.get(OTHERS, (0, 0))
        self._seen[OTHERS] = (others + count, max(others_last_ns, last_ns))

    def entries(self, now_ns: int) -> tuple[Entry, ...]:
        """All, by name, so that bars keep their places while counts change."""
        return tuple(
            Entry(who, count, last_ns, now_ns - last_ns <= FRESH_NS)
            for who, (count, last_ns) in sorted(self._seen.items())
        )

    def fresh(self, now_ns: int) -> frozenset[str]:
        """Servers that have answered lately."""
        return frozenset(who for who, (_, last_ns) in self._seen.items() if now_ns - last_ns <= FRESH_NS)
