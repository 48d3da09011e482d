"""Waiting for an answer that matches a pattern, within bounds."""

from __future__ import annotations

from maglev.api import Closed, Code, Conversation, Done, ProbeResult
from maglev.patterns import MOST_TEXT, Pattern, shown

EAGER = 1_024
"""Up to this many bytes every piece that arrives is judged at once, so that a short answer never waits."""
_MATCHED = Done(ProbeResult(Code.L7OK, "the answer matches expect"), orderly=True)
_RESET = ProbeResult(Code.L7RSP, "reset by the peer before an answer that matches expect")
_SILENT_CLOSE = ProbeResult(Code.L7RSP, "closed by the peer without an answer")
_SILENT = ProbeResult(Code.L7TOUT, "connected, but no answer in time")


class Expect(Conversation):
    """Sends something, or nothing, and reads until the pattern matches or the window is full.

    Judging after every byte would cost the square of the window, so beyond `EAGER` bytes it waits for an eighth more
    each time. All is judged once more when the peer closes or time runs out: half a character at the end is then none.

    A failure quotes the beginning of what came, without what was sent: there are servers that repeat a password.
    """

    __slots__ = ("_judged", "_opening", "_pattern", "_seen")

    def __init__(self, opening: bytes, pattern: Pattern) -> None:
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
        if self._pattern.search(bytes(seen), whole=False):
            return _MATCHED
        if len(seen) < MOST_TEXT:
            return None
        return Done(self._failure(Code.L7RSP, f"nothing in the first {MOST_TEXT // 1024} KiB matches expect"))

    def closed(self, why: Closed) -> ProbeResult:
        if self._matches_late():
            return _MATCHED.result
        if not self._seen:
            return _RESET if why is Closed.RESET else _SILENT_CLOSE
        return self._failure(Code.L7RSP, f"{why.value}, and its answer does not match expect")

    def expired(self) -> ProbeResult:
        if self._matches_late():
            return _MATCHED.result
        return self._failure(Code.L7TOUT, "no answer that matches expect in time") if self._seen else _SILENT

    def _failure(self, code: Code, what: str) -> ProbeResult:
        secrets = (self._opening.decode("latin-1"),) if self._opening else ()
        return ProbeResult(code, f"{what}: {shown(self._seen, secrets)}")

    def _matches_late(self) -> bool:
        return bool(self._seen) and self._pattern.search(bytes(self._seen))
