"""What VIPs carry a second, from counters that only grow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from maglev.api import VipCounters


class Rates:
    """Remembers the last reading."""

    def __init__(self) -> None:
        self._last: dict[str, VipCounters] = {}
        self._at_s: float | None = None

    def forget(self) -> None:
        """Start anew: the next reading gives no rates."""
        self._last, self._at_s = {}, None

    def read(self, counters: Iterable[VipCounters], at_s: float) -> dict[str, Any]:
        """Take a reading.

        Args:
            counters: What each VIP carried since the dataplane started.
            at_s: When it was read, in monotonic seconds.

        Returns:
            By VIP: `packets` by kind, `route_packets`, `route_bytes`, and the same a second in `rates`, which is
            `None` where there is nothing to compare with, as after a restart of the dataplane.
        """
        passed_s = at_s - self._at_s if self._at_s is not None else 0.0
        now = {str(one.vip): one for one in counters}
        answer = {
            name: {
                "packets": dict(one.packets),
                "route_packets": one.route_packets,
                "route_bytes": one.route_bytes,
                "rates": _rates(self._last.get(name), one, passed_s),
            }
            for name, one in now.items()
        }
        self._last, self._at_s = now, at_s
        return answer


def _rates(before: VipCounters | None, now: VipCounters, passed_s: float) -> dict[str, float] | None:
    if before is None or passed_s <= 0:
        return None
    grown = {kind: count - before.packets.get(kind, 0) for kind, count in now.packets.items()}
    for name in ("route_packets", "route_bytes"):
        new, old = getattr(now, name), getattr(before, name)
        if new is not None and old is not None:
            grown[name] = new - old
    if any(count < 0 for count in grown.values()):
        return None  # it counts from nought again
    return {name: round(count / passed_s, 2) for name, count in grown.items()}
