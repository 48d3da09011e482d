"""Who is connected, and who has to go when the house is full.

A scraper must get in however many others hold connections open. So there is a fixed number of places, and who does
nothing with his makes room for the next: first those that never asked for anything, then those that keep a connection
for later, then those that asked and do not read.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

import anyio
import attrs

LOOK_AGAIN_S = 0.1


class Phase(IntEnum):
    """What a connection is doing; the lower, the sooner it has to go."""

    NEW = 0
    """It has not asked for anything yet."""
    IDLE = 1
    """It was answered, and may ask again."""
    SENDING = 2
    """It is being answered."""
    WORKING = 3
    """Its answer is being made."""


@attrs.define(eq=False)
class Guest:
    """One connection.

    Args:
        clock_s: A monotonic clock in seconds.
        scope: What ends it.
        phase: What it is doing.
        since_s: When it last got any further, on the clock.
    """

    clock_s: Callable[[], float]
    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    phase: Phase = Phase.NEW
    since_s: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.since_s = self.clock_s()

    def is_now(self, phase: Phase) -> None:
        """Note that it got further."""
        self.phase = phase
        self.since_s = self.clock_s()


class Guests:
    """All connections.

    Args:
        most: How many there may be.
        stall_s: A reader that takes nothing for this long, in seconds, may be sent away.
        clock_s: A monotonic clock in seconds.
    """

    def __init__(self, most: int, stall_s: float, clock_s: Callable[[], float] = anyio.current_time) -> None:
        self._most = most
        self._stall_s = stall_s
        self._clock_s = clock_s
        self._present: set[Guest] = set()

    def __len__(self) -> int:
        return len(self._present)

    def enter(self) -> Guest:
        """Take a place."""
        guest = Guest(self._clock_s)
        self._present.add(guest)
        return guest

    def leave(self, guest: Guest) -> None:
        """Give a place back. May be done twice."""
        self._present.discard(guest)

    def dismiss(self) -> bool:
        """Send away who has the least use for his place; returns whether anybody could be."""
        guest = self._dispensable()
        if guest is None:
            return False
        self.leave(guest)
        guest.scope.cancel()
        return True

    async def room(self) -> None:
        """Make room for one more; waits while everybody makes good use of his place."""
        while len(self._present) >= self._most and not self.dismiss():  # noqa: ASYNC110 - a stall is no event
            await anyio.sleep(LOOK_AGAIN_S)

    def _dispensable(self) -> Guest | None:
        stalled_before_s = self._clock_s() - self._stall_s
        candidates = [
            guest
            for guest in self._present
            if guest.phase < Phase.SENDING or (guest.phase is Phase.SENDING and guest.since_s < stalled_before_s)
        ]
        return min(candidates, key=lambda guest: (guest.phase, guest.since_s), default=None)
