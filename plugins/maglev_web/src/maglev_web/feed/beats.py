"""Heartbeats: how long each backend's newest probes took, and how they ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from typing import Any

from maglev.api import ProbeEvent

KEPT = 90
"""Probes of each backend that a page which is opened now can still draw."""

Beat = tuple[float, float, str]
"""Seconds since the epoch, milliseconds, code."""


class Beats:
    """The newest probes of each backend, and those that were not handed on yet."""

    def __init__(self) -> None:
        self._kept: dict[str, deque[Beat]] = {}
        self._fresh: dict[str, list[Beat]] = {}

    def add(self, event: ProbeEvent) -> None:
        """Take note of a probe's end; of its start there is nothing to note."""
        if event.result is None:
            return
        beat = (round(event.at_s, 3), round(event.result.duration_ns / 1e6, 3), event.result.code.value)
        self._kept.setdefault(event.backend, deque(maxlen=KEPT)).append(beat)
        self._fresh.setdefault(event.backend, []).append(beat)

    def take(self) -> dict[str, Any]:
        """What is new, by backend."""
        fresh, self._fresh = self._fresh, {}
        return fresh

    def kept(self, names: Container[str] | None = None) -> dict[str, Any]:
        """All that is kept, by backend; only of these, if they are named."""
        return {name: list(beats) for name, beats in self._kept.items() if names is None or name in names}

    def forget(self, names: Container[str]) -> None:
        """Drop backends that are in `names` no longer."""
        for name in [name for name in self._kept if name not in names]:
            del self._kept[name]
