"""Waiting for an answer that matches a pattern, within bounds."""

from __future__ import annotations

from typing import Any

from maglev.api import Closed, Code, Conversation, Done, ProbeResult
from maglev.patterns import MOST_TEXT

EAGER = 1_024
"""Up to this many bytes every piece that arrives is judged at once, so that a short answer never waits."""
_MATCHED = Done(ProbeResult(Code.L7OK, "the answer matches expect"), orderly=True)
_NOT_FOUND = Done(ProbeResult(Code.L7RSP, f"nothing in the first {MOST_TEXT // 1024} KiB matches expect"))
_OTHER = ProbeResult(Code.L7RSP, "closed by the peer, and its answer does not match expect")
_RESET = ProbeResult(Code.L7RSP, "reset by the peer before an answer that matches expect")
_SILENT_CLOSE = ProbeResult(Code.L7RSP, "closed by the peer without an answer")
_SILENT = ProbeResult(Code.L7TOUT, "connected, but no answer in time")
_UNMATCHED = ProbeResult(Code.L7TOUT, "no answer that matches expect in time")


class Expect(Conversation):
    """Sends something, or nothing, and reads until the pattern matches or the window is full.

    Judging after every byte would cost the square of the window, so beyond `EAGER` bytes it waits for an eighth more
    each time; what was left unjudged is judged when the peer closes or time runs out.

    The pattern is compiled by `maglev.patterns.compile_pattern`.
    """

    __slots__ = ("_judged", "_opening", "_pattern", "_seen")

    def __init__(self, opening: bytes, pattern: Any) -> None:
        self._opening = opening
        self._pattern = pattern
        self._seen = bytearray()
        self._judged = 0

    def opening(self) -> bytes:
        return self._opening

    def receive(self, data: bytes) -> Done | None:
        seen = self._seen
        seen += data
        del seen[MOST_TEXT:]
        if EAGER < len(seen) < min(MOST_TEXT, self._judged * 9 // 8):
            return None
        self._judged = len(seen)
        if self._pattern.search(bytes(seen)):
            return _MATCHED
        return _NOT_FOUND if len(seen) == MOST_TEXT else None

    def closed(self, why: Closed) -> ProbeResult:
        if self._matches_late():
            return _MATCHED.result
        if why is Closed.RESET:
            return _RESET
        return _OTHER if self._seen else _SILENT_CLOSE

    def expired(self) -> ProbeResult:
        if self._matches_late():
            return _MATCHED.result
        return _UNMATCHED if self._seen else _SILENT

    def _matches_late(self) -> bool:
        return len(self._seen) > self._judged and bool(self._pattern.search(bytes(self._seen)))
