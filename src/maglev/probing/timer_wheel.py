"""A timer wheel: hands out items when they fall due, in batches of one slot. Times are arguments, in nanoseconds.

All probes that fall due within one slot start in one turn of the engine, with one wake-up and, where there are network
namespaces, one pair of `setns` calls.
"""

from __future__ import annotations

from typing import Generic, TypeVar

Item = TypeVar("Item")


class TimerWheel(Generic[Item]):
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
        """Return the next due time; `None` if the wheel is empty. Looks at every slot: for idle moments."""
        return min(self._slots) * self.tick_ns if self._slots else None

    def _slots_until(self, newest: int) -> list[int]:
        if newest - self._swept > len(self._slots):
            return sorted(slot for slot in self._slots if slot <= newest)
        return [slot for slot in range(self._swept + 1, newest + 1) if slot in self._slots]
