"""When probes start: a timer wheel and the rules of cadence. Pure: time is an argument, always in nanoseconds.

The wheel's slots are what batches the work: all that falls due within one slot starts in one turn of the engine, with
one wake-up and, where there are network namespaces, one pair of `setns` calls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

JITTER = 0.1
"""Every interval is stretched or shrunk by up to this share of it, uniformly."""

PUNCTUAL_NS = 20_000_000
"""A start that is late by no more than two ticks' width is on time, however short the interval."""

Item = TypeVar("Item")


class Wheel(Generic[Item]):
    """Items sorted into slots of one tick. Adding, removing and taking what is due cost the same for any number.

    An item is due at the end of the tick that its time falls into: never early, at most one tick late.

    Args:
        now_ns: The present.
        tick_ns: The width of a slot.
    """

    __slots__ = ("_slots", "_swept", "tick_ns")

    def __init__(self, now_ns: int, tick_ns: int) -> None:
        self.tick_ns = tick_ns
        self._swept = now_ns // tick_ns
        # A dict is an ordered set here: a probe that ends leaves its slot at once, and nothing piles up.
        self._slots: dict[int, dict[Item, None]] = {}

    def __bool__(self) -> bool:
        return bool(self._slots)

    def add(self, item: Item, due_ns: int) -> int:
        """Put an item in.

        Args:
            item: Must be hashable and not be in the wheel.
            due_ns: When it is due; the past means the next tick.

        Returns:
            The slot, which `remove` wants to know.
        """
        slot = -(-due_ns // self.tick_ns)
        if slot <= self._swept:
            slot = self._swept + 1
        items = self._slots.get(slot)
        if items is None:
            self._slots[slot] = {item: None}
        else:
            items[item] = None
        return slot

    def remove(self, item: Item, slot: int) -> None:
        """Take an item out, if it is still there."""
        items = self._slots.get(slot)
        if items is not None:
            items.pop(item, None)
            if not items:
                del self._slots[slot]

    def take_due(self, now_ns: int) -> list[Item]:
        """Take out all that is due, the longest due first."""
        newest = now_ns // self.tick_ns
        due: list[Item] = []
        if newest <= self._swept:
            return due
        for slot in self._slots_until(newest):
            due.extend(self._slots.pop(slot))
        self._swept = newest
        return due

    def next_ns(self) -> int | None:
        """When something is due next; `None` if the wheel is empty. Looks at every slot: for idle moments."""
        return min(self._slots) * self.tick_ns if self._slots else None

    def _slots_until(self, newest: int) -> list[int]:
        if newest - self._swept > len(self._slots):
            return sorted(slot for slot in self._slots if slot <= newest)
        return [slot for slot in range(self._swept + 1, newest + 1) if slot in self._slots]


def jittered_ns(interval_ns: int, random: Callable[[], float]) -> int:
    """Stretch or shrink an interval by up to ±10 %, uniformly.

    Args:
        interval_ns: The configured interval.
        random: Gives floats, uniform in [0, 1).
    """
    return int(interval_ns * (1 - JITTER + 2 * JITTER * random()))


def first_due_ns(now_ns: int, within_ns: int, random: Callable[[], float]) -> int:
    """Choose the time of a first probe, uniformly within `within_ns` from now, so that probes start spread out."""
    return now_ns + int(within_ns * random())


def next_due_ns(due_ns: int, started_ns: int, ended_ns: int, interval_ns: int, random: Callable[[], float]) -> int:
    """Choose the time of the next probe: start to start, whatever the probe's own duration.

    It is counted from when the last one was *due*, so that the width of a tick adds no drift. A probe that started
    later than ticks or jitter could explain (the process was stalled, or it is overloaded) is counted from its start
    instead, and one that took longer than the interval is followed at once: missed probes are never made up for.

    Args:
        due_ns: When the last probe was due.
        started_ns: When it started.
        ended_ns: When it ended.
        interval_ns: The configured interval.
        random: Gives floats, uniform in [0, 1).
    """
    late = started_ns - due_ns > max(interval_ns * JITTER, PUNCTUAL_NS)
    return max((started_ns if late else due_ns) + jittered_ns(interval_ns, random), ended_ns)
