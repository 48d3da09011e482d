"""The outcome of one probe, as seen by the client that sent it."""

from __future__ import annotations

from enum import StrEnum

import attrs


class ErrorClass(StrEnum):
    """Kinds of entry, as the errors panel counts them."""

    TIMEOUT = "timeout"
    """No answer in time."""
    HTTP = "http"
    """An answer, but a wrong one: a status from 400, or no HTTP."""
    NET = "net"
    """No connection, or a broken one: refused, unreachable, reset, TLS refused."""
    SPIKE = "spike"
    """A good answer that took far longer than others do. It is counted as good."""
    LOCAL = "local"
    """Our own fault: no descriptors, no local port, this process stood still. It is no verdict on the VIP."""


FAILURES = (ErrorClass.TIMEOUT, ErrorClass.HTTP, ErrorClass.NET)
"""The classes that count against a VIP."""


@attrs.frozen
class Outcome:
    """One probe that has ended.

    Args:
        started_ns: When it began, in nanoseconds of the monotonic clock.
        ended_ns: When it ended.
        status: The outcome in a word, for a narrow column: `200`, `connected`, `refused`.
        error: What was wrong; `None` for a good one. Never `SPIKE`: that takes others to compare with.
        detail: The same in words, for the errors panel; empty for a good one.
        who: The value of the header that tells who answered; empty if none was there.
        answered: Whether there was an HTTP answer, good or bad, so that `who` means something.
    """

    started_ns: int
    ended_ns: int
    status: str
    error: ErrorClass | None = None
    detail: str = ""
    who: str = ""
    answered: bool = False

    @property
    def ok(self) -> bool:
        """Whether a client would have been content."""
        return self.error is None

    @property
    def failed(self) -> bool:
        """Whether it counts against the VIP."""
        return self.error in FAILURES

    @property
    def latency_ns(self) -> int:
        """Time from the first packet sent to the end of the answer."""
        return self.ended_ns - self.started_ns
