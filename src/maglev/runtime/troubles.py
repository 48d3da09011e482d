"""Keeps the daemon's own troubles, until something ends them, for operators to see."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import anyio

from maglev.api import Trouble, TroubleKind


class Troubles:
    """Holds what is wrong. One cause has one entry: a newer message replaces the older, the time stays."""

    def __init__(self) -> None:
        self._now: dict[tuple[TroubleKind, str], Trouble] = {}
        self._changed = anyio.Event()

    @property
    def now(self) -> tuple[Trouble, ...]:
        """All that is wrong, by kind and name."""
        return tuple(self._now[key] for key in sorted(self._now))

    def __contains__(self, key: tuple[TroubleKind, str]) -> bool:
        """Whether something is wrong, by kind and name."""
        return key in self._now

    def report(self, kind: TroubleKind, message: str, name: str = "") -> None:
        """Note a trouble.

        Args:
            kind: Its kind.
            message: What is wrong, in words.
            name: The exporter's name, for the kinds that concern one.
        """
        known = self._now.get((kind, name))
        since_s = time.time() if known is None else known.since_s
        self._now[kind, name] = Trouble(kind, name, message, since_s)
        self._tell()

    def over(self, kind: TroubleKind, name: str = "") -> None:
        """Note that a trouble is over."""
        if self._now.pop((kind, name), None) is not None:
            self._tell()

    def settle(self, kind: TroubleKind, message: str | None, name: str = "") -> None:
        """Report it, or without a message that it is over."""
        if message is None:
            self.over(kind, name)
        else:
            self.report(kind, message, name)

    async def changes(self) -> AsyncIterator[tuple[Trouble, ...]]:
        """Yield what is wrong now, and again after each change."""
        while True:
            changed = self._changed
            yield self.now
            await changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
