"""Reads counters of VIPs, and of messages between a daemon and its dataplane: totals and rates per second."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypeVar

from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_web.feed.messages import JSON

SHOWN = 8
"""Kinds of messages that are told one by one, the busiest."""
_ALL = ""

K = TypeVar("K", bound=Hashable)


class Rates:
    """Remembers the last reading of counters that only grow."""

    def __init__(self) -> None:
        self._last: Mapping[Any, Mapping[str, int]] = {}
        self._at_s: float | None = None

    def read(self, counts: Mapping[K, Mapping[str, int]], at_s: float) -> dict[K, dict[str, float] | None]:
        """Take a reading.

        Args:
            counts: Counters by name, of anything.
            at_s: When they were read, in monotonic seconds.

        Returns:
            The same a second; `None` where there is nothing to compare with, or a counter began anew.
        """
        passed_s = at_s - self._at_s if self._at_s is not None else 0.0
        before, self._last, self._at_s = self._last, counts, at_s
        return {key: _a_second(before.get(key), now, passed_s) for key, now in counts.items()}


def _a_second(before: Mapping[str, int] | None, now: Mapping[str, int], passed_s: float) -> dict[str, float] | None:
    if before is None or passed_s <= 0:
        return None
    grown = {name: count - before.get(name, 0) for name, count in now.items()}
    if any(count < 0 for count in grown.values()):
        return None
    return {name: round(count / passed_s, 2) for name, count in grown.items()}


class VipTraffic:
    """The traffic of VIPs."""

    def __init__(self) -> None:
        self._rates = Rates()

    def read(self, counters: Iterable[pb.VipCounters], at_s: float) -> list[dict[str, Any]]:
        """Take a reading.

        Args:
            counters: What each VIP carried since the dataplane started.
            at_s: When it was read, in monotonic seconds.

        Returns:
            The counters' JSON, each with `rates`: the same a second, or `None` where there is nothing to compare with.
        """
        known = {(one.vip.address, one.vip.protocol, one.vip.port): one for one in counters}
        rates = self._rates.read({vip: _counts(one) for vip, one in known.items()}, at_s)
        return [{**JSON.plain(one), "rates": rates[vip]} for vip, one in known.items()]


def _counts(one: pb.VipCounters) -> dict[str, int]:
    counts = dict(one.packets)
    if one.HasField("route_packets"):
        counts["route_packets"] = one.route_packets
    if one.HasField("route_bytes"):
        counts["route_bytes"] = one.route_bytes
    return counts


class DataplaneMessages:
    """The messages of the dataplane's own API, sent and received."""

    def __init__(self) -> None:
        self._rates = Rates()

    def read(self, counts: Iterable[pb.MessageCount], at_s: float) -> dict[str, Any] | None:
        """Take a reading.

        Args:
            counts: Messages since the daemon started.
            at_s: When it was read, in monotonic seconds.

        Returns:
            `total`, and `messages` by name, a request with what answers it, the busiest first. Each with `tx`, `rx`
            and `errors` since the daemon started, and `rates`, the same a second, or `None` where there is nothing to
            compare with. `None` for a dataplane that does not count.
        """
        sums = _by_name(counts)
        if not sums:
            return None
        rates = self._rates.read(sums, at_s)
        lines = [{"message": name, **line, "rates": rates[name]} for name, line in sums.items() if name != _ALL]
        lines.sort(key=_busyness)
        total = {**sums[_ALL], "rates": rates[_ALL]}
        return {"total": total, "messages": lines[:SHOWN], "more": len(lines[SHOWN:])}


def _by_name(counts: Iterable[pb.MessageCount]) -> dict[str, dict[str, int]]:
    sums: dict[str, dict[str, int]] = {}
    for one in counts:
        for name in (_request(one.message), _ALL):
            line = sums.setdefault(name, {"tx": 0, "rx": 0, "errors": 0})
            line["tx" if one.direction == "tx" else "rx"] += one.count
            line["errors"] += one.count if one.result == "error" else 0
    return sums


def _request(message: str) -> str:
    # As VPP names what answers: `x_reply`, and `y_details` to `y_dump`.
    name = message.removesuffix("_reply")
    return f"{name.removesuffix('_details')}_dump" if name.endswith("_details") else name


def _busyness(line: dict[str, Any]) -> tuple[float, int, str]:
    rates = line["rates"] or {"tx": 0.0, "rx": 0.0}
    return -(rates["tx"] + rates["rx"]), -(line["tx"] + line["rx"]), line["message"]
