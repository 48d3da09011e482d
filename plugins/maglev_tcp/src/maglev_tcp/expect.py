"""Waiting for an answer that matches a pattern, within bounds."""

from __future__ import annotations

from typing import Any

import attrs
import re2

from maglev.api import Closed, Code, Conversation, Done, ProbeResult

WINDOW = 65_536
"""How much of an answer is looked at, in bytes."""
EAGER = 1_024
"""Up to this many bytes every piece that arrives is judged at once, so that a short answer never waits."""
MOST_STEPS = 200
"""The most instructions a compiled pattern may have. RE2 takes at most this many steps for each byte: on 64 KiB of the
worst text that is some 30 ms, and less than the 50 ms that the engine counts as a stall."""
_AUTOMATON = 1_048_576
"""How much memory, in bytes, RE2 may build its automaton in. More only lets a hostile text keep it building."""

_NOT_FOUND = Done(ProbeResult(Code.L7RSP, f"nothing in the first {WINDOW // 1024} KiB matches expect"))
_OTHER = ProbeResult(Code.L7RSP, "closed by the peer, and its answer does not match expect")
_RESET = ProbeResult(Code.L7RSP, "reset by the peer before an answer that matches expect")
_SILENT_CLOSE = ProbeResult(Code.L7RSP, "closed by the peer without an answer")
_SILENT = ProbeResult(Code.L7TOUT, "connected, but no answer in time")
_UNMATCHED = ProbeResult(Code.L7TOUT, "no answer that matches expect in time")


def compile_pattern(pattern: str) -> Any:
    """Compile a pattern with RE2, which takes time linear in the text whatever the pattern.

    Args:
        pattern: RE2 syntax. Text and pattern are taken as UTF-8.

    Returns:
        A compiled pattern with `search(bytes)`.

    Raises:
        ValueError: It does not compile, or is too large.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _AUTOMATON
    try:
        compiled = re2.compile(pattern.encode(), options)
    except re2.error as error:
        reason = error.args[0] if error.args else b"not RE2"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"expect {pattern!r} is no RE2 pattern: {text}") from error
    if compiled.programsize > MOST_STEPS:
        raise ValueError(
            f"expect {pattern!r} would hold up other probes: it has {compiled.programsize} steps, at most "
            f"{MOST_STEPS} are allowed; counted repetitions ({{1,99}}) multiply, * and + do not"
        )
    return compiled


@attrs.frozen
class Expectation:
    """What all probes of one health check have in common.

    Args:
        pattern: Compiled by `compile_pattern`.
        matched: The verdict when it matches.
    """

    pattern: Any
    matched: Done


class Expect(Conversation):
    """Says something, or nothing, and reads until the pattern matches or the window is full.

    Judging after every byte would cost the square of the window, so beyond `EAGER` bytes it waits for an eighth more
    each time; what was left unjudged is judged when the peer closes or time runs out.
    """

    __slots__ = ("_expectation", "_judged", "_opening", "_seen")

    def __init__(self, opening: bytes, expectation: Expectation) -> None:
        self._opening = opening
        self._expectation = expectation
        self._seen = bytearray()
        self._judged = 0

    def opening(self) -> bytes:
        return self._opening

    def receive(self, data: bytes) -> Done | None:
        seen = self._seen
        seen += data
        del seen[WINDOW:]
        if EAGER < len(seen) < min(WINDOW, self._judged * 9 // 8):
            return None
        self._judged = len(seen)
        if self._expectation.pattern.search(bytes(seen)):
            return self._expectation.matched
        return _NOT_FOUND if len(seen) == WINDOW else None

    def closed(self, why: Closed) -> ProbeResult:
        if self._matches_late():
            return self._expectation.matched.result
        if why is Closed.RESET:
            return _RESET
        return _OTHER if self._seen else _SILENT_CLOSE

    def expired(self) -> ProbeResult:
        if self._matches_late():
            return self._expectation.matched.result
        return _UNMATCHED if self._seen else _SILENT

    def _matches_late(self) -> bool:
        return len(self._seen) > self._judged and bool(self._expectation.pattern.search(bytes(self._seen)))
